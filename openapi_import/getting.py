"""Getting a document: over `safe_http` from its address, with credentials where reading it needs them, and then the
documents that it refers to."""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from openapi_import.errors import ImportRefused, SpecInvalid, SpecUnavailable
from openapi_import.waiting import run_until
from smartsupport.lib import safe_http
from smartsupport.lib.safe_http.urls import Target, parse_url

SECONDS = 30.0
ACCEPT = "application/json, application/yaml;q=0.9, */*;q=0.5"
URL_LENGTH = 2_000
MOST_HEADERS = 5
HEADER_VALUE_LENGTH = 8_192
HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
NOT_OURS_TO_SET = frozenset(
    {
        "accept", "accept-encoding", "connection", "content-length", "content-type", "cookie", "expect", "host",
        "if-none-match", "keep-alive", "range", "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
    }
)  # fmt: skip
FOREVER = (
    safe_http.InvalidUrl,
    safe_http.InvalidRequest,
    safe_http.RefusedAddress,
    safe_http.ResponseTooLarge,
    safe_http.RedirectRefused,
    safe_http.TooManyRedirects,
)
"""What trying again does not mend."""


@dataclass(frozen=True)
class Got:
    """A document as it came. `url`: where it was in the end; relative servers and references are relative to it.
    `etag`: the server's own mark of this version, "" without. `same`: the server says that it is the version whose mark
    was sent along, and sent none (`content` is empty)."""

    content: bytes = field(repr=False)
    content_type: str
    url: str
    etag: str = ""
    same: bool = False


def checked_url(url: str) -> Target:
    """An address that may be asked for. Raises ImportRefused (422). Whether it may be connected to shows when it is."""
    if len(url) > URL_LENGTH:
        raise _refused("url", f"The address is longer than {URL_LENGTH:,} characters.")
    try:
        return parse_url(url)
    except safe_http.InvalidUrl as error:
        raise _refused("url", error.message) from error


def checked_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """Headers that prove who we are, to read a document with. Raises ImportRefused (422), which repeats no value."""
    if len(headers) > MOST_HEADERS:
        raise _refused("headers", f"At most {MOST_HEADERS} headers can be sent.")
    lowered = {name.lower() for name in headers}
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name) or name.lower() in NOT_OURS_TO_SET:
            raise _refused("headers", f"The header {name[:64]!r} cannot be sent.")
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise _refused("headers", f"The value of the header {name!r} is not plain text.")
        if not value.strip() or value != value.strip() or len(value) > HEADER_VALUE_LENGTH:
            raise _refused("headers", f"The value of the header {name!r} is empty, padded or too long.")
    if len(lowered) != len(headers):
        raise _refused("headers", "A header is given twice.")
    return dict(headers)


def basic(username: str, password: str) -> dict[str, str]:
    """The header of a user name and password (RFC 7617)."""
    pair = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


class Getter:
    """Fetches for one job, and counts what came, decompressed: all documents together may have IMPORT_MAX_BYTES.

    `home`: the address whose server (scheme, host and port) is sent `headers`; no other server ever is, whether a
    redirect or a reference leads there. `stop` is asked while waiting.
    """

    def __init__(self, *, home: str, headers: Mapping[str, str], stop: Callable[[], bool]) -> None:
        self._home = parse_url(home).origin if home else None
        self._headers = dict(headers)
        self._stop = stop
        self.used = 0
        self.documents: list[dict[str, Any]] = []

    def document(self, url: str, *, etag: str = "") -> Got:
        """Fetch the document itself; with `etag`, only if it is another version by now. Raises SpecInvalid,
        SpecUnavailable, Stopped."""
        answer = self._get(url, {"If-None-Match": etag} if etag else {})
        mark = answer.headers.get("etag", "")[:200]
        if answer.status == 304 and etag:
            return Got(b"", "", answer.url, mark or etag, same=True)
        _check(answer)
        self.used += len(answer.content)
        return Got(answer.content, answer.headers.get("content-type", "")[:200], answer.url, mark)

    def reference(self, url: str) -> bytes:
        """Fetch a document that the first one refers to. Raises SpecInvalid, SpecUnavailable, Stopped."""
        if len(self.documents) + 1 >= settings.IMPORT_MAX_DOCUMENTS:
            raise SpecInvalid(
                f"The document refers to more than {settings.IMPORT_MAX_DOCUMENTS - 1:,} others; "
                "the rest was not fetched."
            )
        answer = self._get(url, {})
        _check(answer)
        self.used += len(answer.content)
        self.documents.append({"url": answer.url, "bytes": len(answer.content)})
        return answer.content

    def _get(self, url: str, headers: Mapping[str, str]) -> safe_http.Response:
        room = settings.IMPORT_MAX_BYTES - self.used
        if room <= 0:
            raise SpecInvalid(_too_large())
        return run_until(self._request(url, headers, room), self._stop)

    async def _request(self, url: str, headers: Mapping[str, str], room: int) -> safe_http.Response:
        try:
            known = self._home is not None and parse_url(url).origin == self._home
            async with safe_http.SafeClient(allowed_hosts=settings.SAFE_HTTP_ALLOWED_HOSTS) as client:
                return await client.request(
                    "GET",
                    url,
                    headers={"Accept": ACCEPT, **headers},
                    secret_headers=self._headers if known else {},
                    timeout=SECONDS,
                    max_bytes=room,
                )
        except safe_http.ResponseTooLarge as error:
            raise SpecInvalid(_too_large()) from error
        except FOREVER as error:
            raise SpecInvalid(error.message) from error
        except safe_http.OutboundError as error:
            raise SpecUnavailable(f"The document could not be fetched. {error.message}") from error


def _check(answer: safe_http.Response) -> None:
    if answer.status in (401, 403):
        raise SpecInvalid(
            f"The server does not let us read the document (status {answer.status}). "
            "Give the credentials that it asks for and try again."
        )
    if answer.status in (404, 410):
        raise SpecInvalid(f"There is no document at this address (status {answer.status}).")
    if not answer.is_success:
        raise SpecUnavailable(
            f"The document could not be fetched: the server answered with status {answer.status}. Try again later."
        )
    if answer.media_type == "text/html" and answer.content.lstrip()[:1] == b"<":
        raise SpecInvalid(
            "There is a web page at this address, not an OpenAPI document. "
            "Use the address of the document itself; for a file on a code host, that of the raw file."
        )


def _too_large() -> str:
    return (
        f"The document, with all that it refers to, is larger than {settings.IMPORT_MAX_BYTES:,} bytes "
        "(IMPORT_MAX_BYTES)."
    )


def _refused(name: str, message: str) -> ImportRefused:
    return ImportRefused(message, fields={name: [message]})
