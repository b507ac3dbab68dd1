"""The address of a tool, from the document's servers and the document's own address."""

import re
from typing import Any
from urllib.parse import urljoin

from openapi_import.errors import SpecInvalid

VARIABLE = re.compile(r"\{([^{}]+)\}")
MAX_URL = 2_000
_PLAIN = re.compile(
    r"https?://(?:\[[0-9a-f:.]+\]|[^\s/?#@:\\\[\]<>\"{}|^`]+)(?::[1-9][0-9]{0,4})?(?:/[^?#]*)?", re.I
)
_PORT = re.compile(r"https?://(?:\[[^\]]*\]|[^/:]+):([0-9]+)", re.IGNORECASE)
_BARE_HOST = re.compile(r"(?:[A-Za-z0-9-]+\.){2,}[A-Za-z]{2,}(?:[:/]|\Z)")
_ODD = re.compile(r"[\x00-\x20\x7f-\x9f\\{}]")


def server_url(servers: tuple[Any, ...], document_url: str) -> str:
    """The first usable server, absolute and without a trailing slash; variables take their defaults.

    document_url: where the document was found; "" where nobody knows, and then relative servers cannot be used.
    Whether the host may be called is decided when it is called, not here. Raises SpecInvalid.
    """
    reason = "It names no server."
    for number, server in enumerate(servers):
        try:
            return _absolute(server, document_url)
        except SpecInvalid as error:
            reason = error.message if number == 0 else reason
    raise SpecInvalid(reason)


def swagger_servers(document: dict[str, Any], schemes: Any, base_url: str) -> tuple[dict[str, str], ...]:
    """Swagger 2.0's host, basePath and schemes as servers, https first. Without a host they are relative."""
    host = document.get("host")
    path = document.get("basePath")
    path = "/" + path.strip("/") if isinstance(path, str) else "/"
    if not isinstance(host, str) or not host.strip():
        return ({"url": path},)
    host = re.sub(r"\A[A-Za-z]+://", "", host.strip()).rstrip(
        "/"
    )  # a whole address, which real documents write
    named = [name.lower() for name in schemes if isinstance(name, str)] if isinstance(schemes, list) else []
    usable = [name for name in ("https", "http") if name in named]
    if not usable and not named:
        usable = ["http" if base_url.startswith("http:") else "https"]
    return tuple({"url": f"{scheme}://{host}{path}"} for scheme in usable)


def _absolute(server: Any, document_url: str) -> str:
    url = server.get("url") if isinstance(server, dict) else None
    if not isinstance(url, str):
        raise SpecInvalid("A server has no url.")
    url = VARIABLE.sub(lambda match: _value(server, match[1]), url).strip()
    if _BARE_HOST.match(url):
        url = f"https://{url}"  # api.example.com/v1: a host, which no document means as a folder
    if url.startswith("//") or "://" not in url:
        url = _joined(document_url, url)
    if "?" in url or "#" in url or _ODD.search(url) or not _PLAIN.fullmatch(url):
        raise SpecInvalid(f"The server's address {url[:200]!r} is not a plain http or https address.")
    port = _PORT.match(url)
    if len(url) > MAX_URL or (port and int(port[1]) > 65_535):
        raise SpecInvalid("The server's address is too long or its port is not valid.")
    return url.rstrip("/")


def _joined(document_url: str, url: str) -> str:
    if not document_url.startswith(("http://", "https://")):
        raise SpecInvalid(
            f"Its server's address is relative ({url[:100] or '/'}), and where the document comes from is not known. "
            "Give the address of the API."
        )
    try:
        return urljoin(document_url, url or "/")
    except ValueError:
        raise SpecInvalid(f"The server's address {url[:200]!r} is not valid.") from None


def _value(server: dict[str, Any], name: str) -> str:
    """A variable's default, else the first of its allowed values."""
    variables = server.get("variables")
    variable = variables.get(name) if isinstance(variables, dict) else None
    if isinstance(variable, dict):
        choices = variable.get("enum")
        for value in (variable.get("default"), *(choices if isinstance(choices, list) else ())):
            if isinstance(value, str | int) and not isinstance(value, bool):
                return str(value)
    raise SpecInvalid(f"A server's url has a variable without a default: {name[:100]}.")
