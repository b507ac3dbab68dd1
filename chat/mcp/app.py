"""`/mcp` beside the pages, for `smartsupport.asgi`: who calls is found out first, then the SDK reads the message.

Each request is a connection of its own to the SDK's server, which is why nothing has to be started with the process,
and why a request may go to any of many processes. What was asked for goes on when whoever asked has gone.
"""

import io
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db import Error as DatabaseError
from django.http import HttpResponse
from django.middleware.security import SecurityMiddleware
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from chat.mcp.caller import identify
from chat.mcp.refusals import BROKE, Refused
from chat.mcp.server import CALLER, server
from smartsupport.lib.ids import new_id
from smartsupport.lib.threads import in_thread

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PATHS = frozenset({"/mcp", "/mcp/"})
BODY_MOST = 1024 * 1024
NOT_KEPT = (b"cache-control", b"no-store")


def beside(pages: App) -> App:
    """The HTTP application: `/mcp`, and everything else as before."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in PATHS:
            await serve(scope, receive, send)
        else:
            await pages(scope, receive, send)

    return application


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request to `/mcp`."""
    send = _with_headers(send, [NOT_KEPT, *_of_the_site(scope)])
    with structlog.contextvars.bound_contextvars(request_id=str(new_id())):
        try:
            if scope["method"] != "POST":
                # No stream is kept open, and there is no session to end.
                raise Refused(405, "method_not_allowed", "Only POST is answered here.", {"Allow": "POST"})
            caller = await in_thread(lambda: identify(dict(scope)))
        except Refused as refused:
            log.info("mcp_refused", code=refused.code, status=refused.status)
            await _refuse(send, refused)
            return
        except DatabaseError:
            log.warning("mcp_database_away", exc_info=True)
            await _refuse(send, Refused(503, "unavailable", BROKE, {"Retry-After": "5"}))
            return
        manager = StreamableHTTPSessionManager(
            server, json_response=True, stateless=True, max_request_body_size=BODY_MOST
        )
        standing = [(name.lower().encode(), value.encode()) for name, value in caller.standing]
        async with manager.run():
            await manager.handle_request({**scope, CALLER: caller}, receive, _with_headers(send, standing))


def _of_the_site(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The headers that Django puts onto all our pages (`SecurityMiddleware`): HSTS where the request came by HTTPS."""
    name = settings.SECURE_PROXY_SSL_HEADER[0] if settings.SECURE_PROXY_SSL_HEADER else ""
    wire = name.removeprefix("HTTP_").replace("_", "-").lower().encode()
    # Of the request nothing else is read: it may be one that cannot be.
    known = [(header, value) for header, value in scope["headers"] if header == wire]
    request = ASGIRequest({**scope, "headers": known, "query_string": b""}, io.BytesIO())
    answer = SecurityMiddleware(lambda _: HttpResponse()).process_response(request, HttpResponse())
    del answer["Content-Type"]
    return [(header.lower().encode(), value.encode()) for header, value in answer.headers.items()]


def _with_headers(send: Send, more: list[tuple[bytes, bytes]]) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *more]}
        await send(message)

    return sending


async def _refuse(send: Send, refused: Refused) -> None:
    body = refused.body()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *((name.lower().encode(), value.encode()) for name, value in refused.headers.items()),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
