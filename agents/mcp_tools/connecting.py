"""One exchange with a server: connect, ask, and leave. Whatever goes wrong is returned, not raised: the SDK's task
groups would wrap it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import httpx2
import structlog
from django.conf import settings
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import Implementation
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from agents.mcp_tools.transport import SafeTransport
from smartsupport.lib.errors import ServiceError

log = structlog.get_logger(__name__)

T = TypeVar("T")
OF_THEIRS = (MCPError, ServiceError, ValidationError, httpx2.HTTPError, OSError, RuntimeError)
"""What the other side, or the way to it, may be to blame for; RuntimeError is what the SDK raises for a server that
does not keep to the protocol. Anything else is a fault of ours or of the SDK's, and must not pass for one of theirs."""
MODES_KEPT = 1_000
_modes: dict[str, str] = {}
"""How each server was spoken to last: one that speaks the newest revision is asked without a handshake."""


async def asked(
    url: str, transport: SafeTransport, ask: Callable[[Client], Awaitable[T]], **headers: str
) -> T | Exception:
    """What `ask` returns, or the exception that came in its way. Cancelled only from outside."""
    mode = _modes.get(url, "auto")
    answer: T | Exception | None = None
    try:
        async with asyncio.timeout(transport.seconds), AsyncExitStack() as stack:
            http = await stack.enter_async_context(
                httpx2.AsyncClient(transport=transport, headers=headers, trust_env=False, timeout=None)
            )
            # An event may be as large as an answer of JSON: the transport has counted it.
            server = streamable_http_client(url, http_client=http, max_sse_event_size=None)
            client = await stack.enter_async_context(Client(server, mode=mode, cache=None, client_info=_us()))
            try:
                answer = await ask(client)
            except Exception as error:
                answer = error
            _remember(url, client)
    except Exception as error:
        if answer is None:
            answer = _innermost(error)
    if isinstance(answer, Exception):
        _modes.pop(url, None)
        if not isinstance(answer, OF_THEIRS):
            log.error("mcp_exchange_broke", exc_info=answer)
    assert answer is not None
    return answer


def _us() -> Implementation:
    return Implementation(name="smart-support", title="Smart Support", version=settings.VERSION)


def _remember(url: str, client: Client) -> None:
    version = client.protocol_version
    if len(_modes) >= MODES_KEPT:
        _modes.clear()
    _modes[url] = version if version in MODERN_PROTOCOL_VERSIONS else "legacy"


def _innermost(error: Exception) -> Exception:
    """The first real exception of a group of groups."""
    found: Any = error
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found if isinstance(found, Exception) else error
