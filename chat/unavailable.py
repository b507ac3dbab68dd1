"""A socket that nobody could serve is refused before it is one, with HTTP 503 and `Retry-After`, while Valkey or
Postgres is away. The log has one line when that begins and one when it is over."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from chat import events
from smartsupport.lib import valkey

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 5
WHAT = b"The chat is not available for the moment. Try again in a few seconds.\n"
_refusing = False


async def broker_answers() -> None:
    """Raises RedisError or OSError (a time-out is one) where Valkey is away: without it no socket hears anything."""
    async with asyncio.timeout(events.BROKER_SECONDS):
        await (await valkey.client()).ping()


async def refuse(send: Callable[[dict[str, Any]], Awaitable[None]], why: Exception) -> None:
    """Answer the handshake (ASGI's WebSocket Denial Response; `chat.daphne_replies` sends it)."""
    global _refusing
    if not _refusing:
        log.warning("sockets_refused", why=str(why) or type(why).__name__)
    _refusing = True
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"retry-after", str(RETRY_AFTER_SECONDS).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "websocket.http.response.start", "status": 503, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": WHAT})


def accepted() -> None:
    """A socket was taken."""
    global _refusing
    if _refusing:
        log.info("sockets_taken_again")
    _refusing = False
