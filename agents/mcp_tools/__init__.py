"""Tools of external servers of the Model Context Protocol: rows like all other tools, whose method is `MCP`. Their
address is that of the server with the tool's name behind it, and their body is the arguments.

The SDK is loaded when the first of them is called: it takes half a second, and most deployments have none.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from agents.credentials import Signed

METHOD = "MCP"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call, in the words of `agents.tool_http.Outcome`. `retry_after` is the header."""

    ok: bool
    result: Any = None
    kind: str = ""
    message: str = ""
    status: int | None = None
    seen: bool = True
    retry_after: str = ""


def path_of(name: str) -> str:
    """Where a tool of this name stands behind its server's address."""
    return f"/{quote(name, safe='')}"


def taken_apart(url: str) -> tuple[str, str]:
    """(address of the server, name of the tool)"""
    server, _, name = url.rpartition("/")
    return server, unquote(name)


async def call(signed: "Signed", *, timeout: float) -> Answer:
    """Call the tool, within `timeout` seconds. Never raises for the other side's faults."""
    from agents.mcp_tools import calling

    return await calling.call(signed, timeout=timeout)
