"""The SDK's HTTP, sent through `smartsupport.lib.safe_http`: the same addresses are refused, nothing is read without a
limit, and credentials go nowhere but to the server that they are for.

No stream is held open: an answer is read to its end before the SDK sees it, whether it comes as JSON or as events.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
from django.conf import settings

from smartsupport.lib import safe_http

PASSED = frozenset({"accept", "content-type", "idempotency-key", "last-event-id", "mcp-session-id"})
"""With all that begins with `mcp-`: what of the SDK's headers goes out. The others are the connection's."""
MESSAGES = ("application/json", "text/event-stream")
KEPT = ("content-type", "mcp-session-id", "location", "retry-after")


@dataclass
class SafeTransport(httpx2.AsyncBaseTransport):
    """One connection to one server. `seconds` and `max_bytes` are for all its requests together; `of_method` is the
    JSON-RPC method whose requests `sent`, `fault`, `status`, `speaks` and `retry_after` tell of, others being told
    where it was never sent. `speaks`: the answer can be a message of the protocol, so that an error which the SDK
    makes of it is the server's."""

    secret_headers: Mapping[str, str] = field(repr=False)
    seconds: float
    max_bytes: int
    of_method: str
    sent: bool = False
    fault: safe_http.OutboundError | None = None
    status: int | None = None
    speaks: bool = False
    retry_after: str = ""

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.seconds
        self._room = self.max_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            return httpx2.Response(405, request=request)
        content = await request.aread()
        ours = _method(content) == self.of_method
        client = await safe_http.shared_client(allowed_hosts=tuple(settings.SAFE_HTTP_ALLOWED_HOSTS))
        try:
            answer = await client.request(
                request.method,
                str(request.url),
                headers=_outgoing(request.headers),
                secret_headers=dict(self.secret_headers),
                content=content,
                timeout=max(0.05, self._until - time.monotonic()),
                max_bytes=max(1, self._room),
                follow_redirects=False,
            )
        except safe_http.OutboundError as fault:
            if ours or not self.sent:
                self.fault, self.status, self.speaks = fault, fault.status, False
                self.sent = self.sent or (ours and fault.sent)
            return httpx2.Response(502, request=request)
        if ours or not self.sent:
            self.fault, self.status = None, answer.status
            self.speaks = _speaks(answer.status, answer.headers.get("content-type", ""))
            self.retry_after = answer.headers.get("retry-after", "")
            self.sent = self.sent or ours
        self._room -= len(answer.content)
        kept = {name: answer.headers[name] for name in KEPT if name in answer.headers}
        return httpx2.Response(answer.status, headers=kept, content=answer.content, request=request)


def _outgoing(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in headers.items()
        if name.lower() in PASSED or name.lower().startswith("mcp-")
    }


def _speaks(status: int, content_type: str) -> bool:
    """Whether the SDK reads such an answer. Of 202, of a redirect and of a page it makes an error of its own, which
    looks like one of the server's: that the request was wrong."""
    return status != 202 and not 300 <= status < 400 and content_type.lower().startswith(MESSAGES)


def _method(content: bytes) -> str:
    """The JSON-RPC method of what the SDK sends."""
    try:
        message: Any = json.loads(content) if content else None
    except ValueError:
        return ""
    return str(message.get("method") or "") if isinstance(message, dict) else ""
