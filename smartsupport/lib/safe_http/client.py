"""The client: one deadline over everything, redirects by hand, and an answer to "was anything sent?"."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

import httpcore
import httpx

from .addresses import AddressPolicy
from .exchange import Exchange, Limits, Pools
from .messages import Headers, Preview, Response, prepare
from .transport import CheckedBackend, Resolver, resolve
from .urls import Params, parse_url

DEFAULT_PORTS = (80, 443, 8080, 8443)
MAX_BYTES = 10 * 1024 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@lru_cache(maxsize=1)
def default_ssl_context() -> ssl.SSLContext:
    """Certifi's roots, hostname checks on, no environment variables. Built once: it takes some 10 ms."""
    return httpx.create_ssl_context(trust_env=False)


class SafeClient:
    """Makes HTTP requests to public addresses and allow-listed hosts, and to nothing else.

    One client serves one event loop for as long as that runs; any number of requests may run at once. It
    keeps no cookies and reads no environment variables. Close it with `aclose()` or use it as `async with`.
    """

    def __init__(
        self,
        *,
        allowed_hosts: Iterable[str] = (),
        allowed_ports: Iterable[int] = DEFAULT_PORTS,
        user_agent: str = "SmartSupport",
        resolver: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
        dialer: httpcore.AsyncNetworkBackend | None = None,
        connect_timeout: float = 10.0,
        max_connections: int = 100,
        keepalive_seconds: float = 15.0,
    ) -> None:
        """Nothing is opened before the first request.

        allowed_hosts: `host`, `host:port`, `*.domain`, `*.domain:port`: may be private and use those ports.
        allowed_ports: the ports of everybody else.
        connect_timeout: seconds for lookup and connect together, and again for TLS.
        resolver, dialer: replace the name lookup and the socket; both are inside the checks, not around them.
        Raises ValueError for an entry of allowed_hosts that is not a host.
        """
        self._policy = AddressPolicy(allowed_hosts, allowed_ports)
        self._user_agent = user_agent
        self._connect_timeout = connect_timeout
        backend = CheckedBackend(self._policy, resolver or resolve, dialer or httpcore.AnyIOBackend())
        context = ssl_context or default_ssl_context()

        def pool(keep: int) -> httpcore.AsyncConnectionPool:
            return httpcore.AsyncConnectionPool(
                ssl_context=context,
                max_connections=max_connections,
                max_keepalive_connections=keep,
                keepalive_expiry=keepalive_seconds,
                network_backend=backend,
            )

        # A write never goes out on a connection that the server may be closing at that moment: see the docs.
        self._pools = Pools(kept=pool(max_connections), fresh=pool(0))
        self._loop: asyncio.AbstractEventLoop | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Headers | None = None,
        secret_headers: Headers | None = None,
        params: Params | None = None,
        json: Any = None,
        content: bytes | None = None,
        form: Mapping[str, Any] | None = None,
        files: Any = None,
        timeout: float = 60.0,
        max_bytes: int = MAX_BYTES,
        truncate: bool = False,
        follow_redirects: bool = True,
        max_redirects: int = 5,
        safe_to_repeat: bool | None = None,
    ) -> Response:
        """Send a request and read the whole answer. Any status is an answer; only 3xx is treated specially.

        timeout: seconds for everything together: lookup, connect, send, every redirect, and reading the body.
        max_bytes: cap of the body, decompressed; beyond it ResponseTooLarge, or a cut body with `truncate`.
        secret_headers: credentials; `headers` cannot replace them and no other origin ever gets them.
        safe_to_repeat: a request that does the same twice as once; by default GET, HEAD and OPTIONS. Such a
        one uses kept connections, and is sent again when a kept one turns out to be closed.
        Raises OutboundError; its `sent` is False only where certainly nothing reached a server. A cancelled
        request counts as sent.
        """
        self._bind_to_loop()
        outgoing = prepare(
            method,
            user_agent=self._user_agent,
            headers=headers,
            secret_headers=secret_headers,
            json=json,
            content=content,
            form=form,
            files=files,
        )
        target = parse_url(url).with_params(params)
        if safe_to_repeat is None:
            safe_to_repeat = outgoing.method in SAFE_METHODS
        limits = Limits(timeout, max_bytes, truncate, max_redirects if follow_redirects else None)
        exchange = Exchange(self._pools, self._policy, limits, connect_timeout=self._connect_timeout)
        return await exchange.run(outgoing, target, safe_to_repeat=safe_to_repeat)

    def preview(
        self,
        method: str,
        url: str,
        *,
        headers: Headers | None = None,
        secret_headers: Headers | None = None,
        params: Params | None = None,
        content: bytes | None = None,
    ) -> Preview:
        """What `request` would send, without a connection or a name lookup. Raises InvalidUrl, InvalidRequest, and
        RefusedAddress for a port or an address in the URL that is off limits."""
        outgoing = prepare(
            method,
            user_agent=self._user_agent,
            headers=headers,
            secret_headers=secret_headers,
            json=None,
            content=content,
            form=None,
            files=None,
        )
        target = parse_url(url).with_params(params)
        self._policy.check_target(target)
        lines = tuple((name.decode(), value.decode()) for name, value in outgoing.wire_headers(target))
        return Preview(outgoing.method, target.url, lines, outgoing.content)

    async def aclose(self) -> None:
        """Close every connection. Requests that are still running fail."""
        await self._pools.kept.aclose()
        await self._pools.fresh.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _bind_to_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop not in (None, loop):
            raise RuntimeError("A SafeClient belongs to one event loop; make another one for this loop.")
        self._loop = loop
