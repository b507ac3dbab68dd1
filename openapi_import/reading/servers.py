"""The address of a tool, from the document's servers and the document's own address."""

import re
from typing import Any
from urllib.parse import urljoin

from openapi_import.errors import SpecInvalid
from smartsupport.lib.safe_http import InvalidUrl
from smartsupport.lib.safe_http.urls import parse_url

VARIABLE = re.compile(r"\{([^{}]+)\}")
CONTROL = re.compile(r"[\x00-\x20\x7f\\]")


def server_url(servers: tuple[Any, ...], document_url: str) -> str:
    """The first usable server, absolute and without a trailing slash; variables take their defaults.

    Whether the host may be called is decided when it is called (`smartsupport.lib.safe_http`), not here.
    Raises SpecInvalid.
    """
    reason = "It names no server."
    for server in servers:
        try:
            return _absolute(server, document_url)
        except SpecInvalid as error:
            reason = error.message
    raise SpecInvalid(reason)


def _absolute(server: Any, document_url: str) -> str:
    url = server.get("url") if isinstance(server, dict) else None
    if not isinstance(url, str):
        raise SpecInvalid("A server has no url.")
    url = VARIABLE.sub(lambda match: _default(server, match[1]), url)
    if CONTROL.search(url) or "?" in url or "#" in url:
        raise SpecInvalid("A server's url is not valid.")
    absolute = urljoin(document_url, url) if url else urljoin(document_url, "/")
    try:
        parse_url(absolute)
    except InvalidUrl as error:
        raise SpecInvalid(f"A server's url cannot be used. {error.message}") from None
    return absolute.rstrip("/")


def _default(server: dict[str, Any], name: str) -> str:
    variables = server.get("variables")
    variable = variables.get(name) if isinstance(variables, dict) else None
    default = variable.get("default") if isinstance(variable, dict) else None
    if not isinstance(default, str | int) or isinstance(default, bool):
        raise SpecInvalid(f"A server's url has a variable without a default: {name}.")
    return str(default)
