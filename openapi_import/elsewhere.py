"""Where an API's stored credentials would go: an operation that is new, and is sent to another server than the API's
tools were, waits for a look before it gets any. Otherwise whoever can change a document could ask for them."""

from collections.abc import Collection, Iterable
from typing import Any, Protocol

from agents.models import Credential
from agents.retired import Switched
from openapi_import import tool_state
from openapi_import.models import SpecSource
from smartsupport.lib.safe_http import InvalidUrl
from smartsupport.lib.safe_http.urls import parse_url


class Called(Switched, Protocol):
    """A tool, or what was read of one."""

    @property
    def server_url(self) -> str: ...


def known_servers(source: SpecSource | None, tools: Iterable[Called]) -> frozenset[str] | None:
    """The servers that may get the credentials of a source: those of its tools (`tools`, as they are stored), less what
    nobody has looked at. None where there are no credentials yet."""
    if source is None or not Credential.objects.filter(source=source).exists():
        return None
    called = {
        tool.server_url
        for tool in tools
        if not tool_state.retired(tool) and not tool_state.waits_for_a_look(tool)
    }
    return frozenset(server_of(url) for url in called)


class Read(Protocol):
    """A row that was loaded with what its document says."""

    @property
    def tool(self) -> Any: ...


def goes_elsewhere(row: Read, servers: frozenset[str] | None) -> bool:
    """Whether a call of this operation would bring credentials to none of these servers."""
    if servers is None:
        return False
    return brings_elsewhere(row.tool.get("server_url", ""), row.tool.get("security", []), servers)


def brings_elsewhere(server_url: str, security: Iterable[Any], servers: Collection[str]) -> bool:
    """As `goes_elsewhere`, of what the document says of the operation."""
    return any(security) and server_of(server_url) not in servers


def server_of(url: str) -> str:
    """`https://api.example` of an address; what is no address stands for itself."""
    try:
        target = parse_url(url)
    except InvalidUrl:
        return url
    return f"{target.scheme}://{target.authority}"
