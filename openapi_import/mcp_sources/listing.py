"""Reads a server's list of tools, through the SDK's client over `safe_http`, within limits of time, bytes and count."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from django.conf import settings
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import PARSE_ERROR
from mcp_types import Tool as ListedTool
from pydantic import ValidationError

from agents.mcp_tools.connecting import asked
from agents.mcp_tools.transport import SafeTransport
from openapi_import.errors import SpecInvalid, SpecUnavailable
from openapi_import.getting import FOREVER
from openapi_import.waiting import run_until
from smartsupport.lib import safe_http
from smartsupport.lib.text import shorten, storable

log = structlog.get_logger(__name__)

SECONDS = 60.0
MOST_PAGES = 200
MOST_TOOLS = 20_000


@dataclass(frozen=True, slots=True)
class Listing:
    """What a server says of itself and of its tools, in its order."""

    title: str
    version: str
    tools: tuple[ListedTool, ...]


def listing(url: str, headers: Mapping[str, str], stop: Callable[[], bool]) -> Listing:
    """Ask the server at `url`, with `headers` that prove who we are. Raises SpecInvalid, SpecUnavailable, Stopped."""
    return run_until(_listed(url, headers), stop)


async def _listed(url: str, headers: Mapping[str, str]) -> Listing:
    transport = SafeTransport(
        headers, seconds=SECONDS, max_bytes=settings.IMPORT_MAX_BYTES, of_method="tools/list"
    )
    found = await asked(url, transport, _pages)
    if isinstance(found, Listing):
        return found
    if isinstance(found, SpecInvalid):
        raise found
    log.info("mcp_list_failed", error=type(found).__name__, status=transport.status)
    raise _refusal(found, transport) from None


async def _pages(client: Client) -> Listing:
    tools: list[ListedTool] = []
    seen: set[str] = set()
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if len(tools) > MOST_TOOLS:
            raise SpecInvalid(f"The server lists more than {MOST_TOOLS:,} tools, which are too many.")
        if cursor is None:
            break
        if cursor in seen or len(seen) >= MOST_PAGES:
            raise SpecInvalid(
                "The server's list of tools does not end: it goes round in circles, or on for ever."
            )
        seen.add(cursor)
        await asyncio.sleep(0)
    info = client.server_info
    title = (info.title or info.name) if info else ""
    return Listing(title, info.version if info else "", tuple(tools))


def _refusal(error: Exception, transport: SafeTransport) -> Exception:
    """Why there is no list, for whoever imports."""
    fault, status = transport.fault, transport.status
    if isinstance(fault, safe_http.ResponseTooLarge):
        return SpecInvalid(
            f"The server's list of tools is larger than {settings.IMPORT_MAX_BYTES:,} bytes (IMPORT_MAX_BYTES)."
        )
    if isinstance(fault, FOREVER):
        return SpecInvalid(fault.message)
    if fault is not None:
        return SpecUnavailable(f"The MCP server could not be asked. {fault.message}")
    if status in (401, 403):
        return SpecInvalid(
            f"The server does not let us read its tools (status {status}). "
            "Give the credentials that it asks for and try again."
        )
    if isinstance(error, TimeoutError):
        return SpecUnavailable(
            f"The MCP server did not answer within {SECONDS:.0f} seconds. Try again later."
        )
    if status is not None and 300 <= status < 400:
        return SpecInvalid(
            "The server sends us to another address, which we do not follow. Give that address."
        )
    if status is not None and status >= 500:
        return SpecUnavailable(f"The MCP server answered with status {status}. Try again later.")
    if isinstance(error, MCPError) and error.code == PARSE_ERROR and transport.sent:
        return SpecInvalid("The server's list of tools cannot be read: it is no JSON, or nested too deeply.")
    if isinstance(error, ValidationError):
        return SpecInvalid("The server's list of tools is not what the protocol says it must be.")
    own = isinstance(error, MCPError) and error.code != PARSE_ERROR
    said = f" It said: {shorten(storable(str(error)), 200)}" if own else ""
    return SpecInvalid(
        f"There is no MCP server at this address that speaks streamable HTTP.{said if status == 200 else ''}"
    )
