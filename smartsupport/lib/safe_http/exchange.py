"""One request to its final answer: the deadline, the redirects, and what is known about `sent`."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpcore
import httpx

from .addresses import AddressPolicy
from .body import read_body
from .errors import (
    BadResponse,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    InvalidRequest,
    OutboundError,
    RedirectRefused,
    TlsFailed,
    TooManyRedirects,
)
from .messages import OutgoingRequest, Response
from .urls import Target, loggable, parse_redirect

REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class Pools:
    """Connections that are kept and reused, and connections that serve one request."""

    kept: httpcore.AsyncConnectionPool
    fresh: httpcore.AsyncConnectionPool


@dataclass(frozen=True)
class Limits:
    """timeout: seconds for everything. max_bytes: of the decoded body. max_redirects: None hands 3xx back."""

    timeout: float
    max_bytes: int
    truncate: bool
    max_redirects: int | None


@dataclass
class _Progress:
    """How far one attempt got, told by httpcore's trace."""

    connected_anew: bool = False
    sent: bool = False
    status: int | None = None

    async def trace(self, event: str, _: Mapping[str, Any]) -> None:
        """Any event that is not about connecting counts as sent: an unknown one must not hide a write."""
        if event.startswith("connection."):
            self.connected_anew = True
        else:
            self.sent = True


class Exchange:
    """Carries out one `SafeClient.request`."""

    def __init__(
        self, pools: Pools, policy: AddressPolicy, limits: Limits, *, connect_timeout: float
    ) -> None:
        self._pools = pools
        self._policy = policy
        self._limits = limits
        self._connect_timeout = connect_timeout
        self._attempts: list[_Progress] = []

    async def run(self, request: OutgoingRequest, target: Target, *, safe_to_repeat: bool) -> Response:
        """The final response. Raises OutboundError with `sent` and `status` filled in."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._limits.timeout):
                answer = await self._follow(request, target, safe_to_repeat)
        except TimeoutError:
            late = DeadlineExceeded(
                "The server took too long to answer.",
                detail=f"{request.method} {target.loggable} within {self._limits.timeout} s",
            )
            raise self._completed(late) from None
        except OutboundError as error:
            raise self._completed(error) from error.__cause__
        return replace(answer, elapsed_ms=round((time.monotonic() - started) * 1000))

    def _completed(self, error: OutboundError) -> OutboundError:
        error.sent = any(attempt.sent for attempt in self._attempts)
        error.status = self._attempts[-1].status if self._attempts else None
        return error

    async def _follow(self, request: OutgoingRequest, target: Target, safe_to_repeat: bool) -> Response:
        for _ in range((self._limits.max_redirects or 0) + 1):
            answer = await self._send(request, target, safe_to_repeat)
            if answer.status not in REDIRECTS or self._limits.max_redirects is None:
                return answer
            following = self._redirected(request, target, answer)
            if following.origin != target.origin:
                request = request.for_other_origin()
            target = following
        raise TooManyRedirects(
            "The server redirected the request too often.", detail=f"url={target.loggable}"
        )

    @staticmethod
    def _redirected(request: OutgoingRequest, target: Target, answer: Response) -> Target:
        location = answer.headers.get("location", "")
        detail = f"{request.method} {target.loggable} -> {answer.status} {loggable(location)}"
        if request.method not in ("GET", "HEAD"):
            raise RedirectRefused(
                "The server redirected a request that must not be sent twice. Correct the request's address.",
                detail=detail,
            )
        if not location:
            raise RedirectRefused("The server redirected the request without saying where to.", detail=detail)
        following = parse_redirect(target, location)
        if target.scheme == "https" and following.scheme == "http":
            raise RedirectRefused(
                "The server redirected the request to an unencrypted address.", detail=detail
            )
        return following

    async def _send(self, request: OutgoingRequest, target: Target, safe_to_repeat: bool) -> Response:
        self._policy.check_target(target)
        if not safe_to_repeat:
            return await self._attempt(self._pools.fresh, request, target)
        try:
            return await self._attempt(self._pools.kept, request, target)
        except ConnectionLost:
            attempt = self._attempts[-1]
            if attempt.connected_anew or attempt.status is not None:
                raise
        # A kept connection that the server had closed: normal, so ask once more on a new one.
        return await self._attempt(self._pools.fresh, request, target)

    async def _attempt(
        self, pool: httpcore.AsyncConnectionPool, request: OutgoingRequest, target: Target
    ) -> Response:
        progress = _Progress()
        self._attempts.append(progress)
        outgoing = httpcore.Request(
            request.method,
            httpcore.URL(
                scheme=target.scheme, host=target.host, port=target.port, target=target.path_and_query
            ),
            headers=request.wire_headers(target),
            content=request.content,
            extensions={"trace": progress.trace, "timeout": {"connect": self._connect_timeout}},
        )
        with _translated(target):
            incoming = await pool.handle_async_request(outgoing)
            try:
                if incoming.status == 101:
                    raise BadResponse(
                        "The server answered with another protocol.", detail=f"url={target.loggable}"
                    )
                progress.status = incoming.status
                return await self._read(incoming, request, target)
            finally:
                await incoming.aclose()

    async def _read(self, incoming: httpcore.Response, request: OutgoingRequest, target: Target) -> Response:
        headers = httpx.Headers(incoming.headers)
        content, truncated = b"", False
        # A redirect's body is of no use to anybody; closing without reading it costs that connection only.
        if incoming.status not in REDIRECTS or self._limits.max_redirects is None:
            content, truncated = await read_body(
                incoming.aiter_stream(),
                headers,
                max_bytes=self._limits.max_bytes,
                truncate=self._limits.truncate or request.method == "HEAD",
            )
        return Response(incoming.status, headers, content, target.url, 0, truncated)


@contextmanager
def _translated(target: Target) -> Iterator[None]:
    """Turn httpcore's exceptions into ours. What our own backend raised passes through."""
    detail = f"url={target.loggable}: "
    try:
        yield
    except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
        if any(isinstance(cause, ssl.SSLError) for cause in error.args):
            raise TlsFailed(
                "No secure connection could be made: the server's certificate was not accepted.",
                detail=detail + str(error),
            ) from error
        raise ConnectFailed("The server could not be reached.", detail=detail + repr(error)) from error
    except httpcore.LocalProtocolError as error:
        raise InvalidRequest("The request cannot be sent as it is.", detail=detail + str(error)) from error
    except (httpcore.NetworkError, httpcore.TimeoutException) as error:
        raise ConnectionLost("The connection to the server was lost.", detail=detail + repr(error)) from error
    except httpcore.RemoteProtocolError as error:
        raise _protocol_fault(error, detail) from error


def _protocol_fault(error: httpcore.RemoteProtocolError, detail: str) -> OutboundError:
    """A server that hangs up and one that talks nonsense raise the same exception; only its text differs."""
    text = str(error)
    if "disconnected" in text or "closed connection" in text:
        return ConnectionLost("The connection to the server was lost.", detail=detail + text)
    return BadResponse("The server's answer is not valid HTTP.", detail=detail + text)
