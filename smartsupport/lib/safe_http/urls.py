"""One strict reading of a URL: what is ambiguous between parsers is refused, not repaired.

Parsers disagree about user information, backslashes, control characters and the odd spellings of IPv4
addresses, and every disagreement is a way past a check. So a URL is read once, here, and the parts are what
is connected to.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode, urljoin

import idna

from .errors import InvalidUrl

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
QueryValue = str | int | float | bool | None
Params = Mapping[str, QueryValue | Sequence[QueryValue]] | Sequence[tuple[str, QueryValue]]

MAX_URL_LENGTH = 16_384
DEFAULT_PORTS = {"http": 80, "https": 443}

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?:#.*)?",
    re.DOTALL,
)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:@%]+)(?::(?P<port>[1-9][0-9]{0,4}))?")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# What may stand in a path and a query as it is (RFC 3986); everything else is percent-encoded.
_PATH_SAFE = "/%:@!$&'()*+,;=-._~[]"
_QUERY_SAFE = _PATH_SAFE + "?"


@dataclass(frozen=True)
class Host:
    """A host in its one spelling: a lower-case ASCII name, or an address literal (without brackets)."""

    name: str
    literal: IPAddress | None


@dataclass(frozen=True)
class Target:
    """A URL that was read strictly. `host` has no brackets and no trailing dot; `path_and_query` is ASCII."""

    scheme: str
    host: str
    port: int
    literal: IPAddress | None
    path_and_query: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """(scheme, host, port)."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """The value of the Host header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The canonical URL, without a fragment."""
        return f"{self.scheme}://{self.authority}{self.path_and_query}"

    @property
    def loggable(self) -> str:
        """The URL without its query, which may hold credentials."""
        return loggable(self.url)

    def with_params(self, params: Params | None) -> Target:
        """This target with `params` appended to its query. None values are left out, lists are repeated."""
        pairs = [(name, _text(value)) for name, value in _pairs(params) if value is not None]
        if not pairs:
            return self
        joint = "&" if "?" in self.path_and_query else "?"
        return replace(
            self, path_and_query=f"{self.path_and_query}{joint}{urlencode(pairs, quote_via=quote)}"
        )


def parse_url(url: str) -> Target:
    """Read an absolute http(s) URL. Raises InvalidUrl for what is not plain, see docs/outbound-http.md."""
    if len(url) > MAX_URL_LENGTH:
        raise InvalidUrl("The address is too long.", detail=f"{len(url)} characters")
    if _FORBIDDEN.search(url):
        raise _invalid("it contains a space, a backslash or a control character", url)
    parts = _URL.fullmatch(url)
    scheme = parts["scheme"].lower() if parts else ""
    if parts is None or scheme not in DEFAULT_PORTS:
        raise _invalid("it has to begin with http:// or https://", url)
    if "@" in parts["authority"]:
        raise _invalid("it must not contain a user name or password", url)
    authority = _AUTHORITY.fullmatch(parts["authority"])
    if authority is None:
        raise _invalid("its host or port is not valid", url)
    try:
        host = parse_host(authority["host"])
    except ValueError as error:
        raise _invalid("its host is not valid", url) from error
    port = int(authority["port"] or DEFAULT_PORTS[scheme])
    if port > 65_535:
        raise _invalid("its port is not valid", url)
    path = quote(parts["path"] or "/", safe=_PATH_SAFE)
    query = "" if parts["query"] is None else "?" + quote(parts["query"], safe=_QUERY_SAFE)
    return Target(scheme, host.name, port, host.literal, path + query)


def parse_redirect(base: Target, location: str) -> Target:
    """Read a Location header relative to `base`. Raises InvalidUrl."""
    # Checked before joining: urljoin drops tabs and line breaks in silence.
    if len(location) > MAX_URL_LENGTH or _FORBIDDEN.search(location):
        raise _invalid("the server redirected to an address that is not valid", location)
    try:
        return parse_url(urljoin(base.url, location))
    except ValueError as error:  # urljoin on an unclosed bracket
        raise _invalid("the server redirected to an address that is not valid", location) from error


def parse_host(text: str) -> Host:
    """Bring a host into its one spelling. Raises ValueError for what is not a plain name or address.

    Names follow IDNA 2008 without the compatibility mapping, so look-alike letters and digits are refused
    instead of being turned into the name or address that they resemble. A name whose last label is a number
    is an address (WHATWG URL, "ends in a number"), and only four plain decimal numbers are one.
    """
    if text.startswith("["):
        address = ipaddress.IPv6Address(text[1:-1])
        return Host(str(address), address)
    name = text.lower()
    if not name.isascii():
        name = idna.encode(unicodedata.normalize("NFC", name), strict=True, std3_rules=True).decode("ascii")
    name = name.removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("not a host name")
    if _NUMBER.fullmatch(labels[-1]):
        literal = ipaddress.IPv4Address(name)
        return Host(str(literal), literal)
    return Host(name, None)


def loggable(url: str) -> str:
    """Text that claims to be a URL, fit for a log: no user information, query or line breaks, bounded."""
    return repr(url[:500].partition("?")[0].rpartition("@")[2])


def _pairs(params: Params | None) -> Iterable[tuple[str, QueryValue]]:
    if isinstance(params, Mapping):
        for name, value in params.items():
            if isinstance(value, Sequence) and not isinstance(value, str):
                yield from ((name, item) for item in value)
            else:
                yield name, value
    else:
        yield from params or ()


def _text(value: QueryValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _invalid(why: str, url: str) -> InvalidUrl:
    return InvalidUrl(f"The address cannot be used: {why}.", detail=f"url={loggable(url)}")
