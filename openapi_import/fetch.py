"""Read a document from its address."""

from dataclasses import dataclass

from django.conf import settings

from openapi_import.errors import SpecInvalid, SpecUnavailable
from openapi_import.reading.text import MAX_BYTES, Document, read_document
from smartsupport.lib import safe_http

TIMEOUT_SECONDS = 30.0
ACCEPT = "application/json, application/yaml;q=0.9, */*;q=0.5"


@dataclass(frozen=True)
class Fetched:
    """url: where the document was in the end, after redirects; relative servers are relative to it."""

    document: Document
    url: str


async def fetch(url: str) -> Fetched:
    """Fetch and read a document. Raises SpecUnavailable where trying later may help, else SpecInvalid."""
    async with safe_http.SafeClient(allowed_hosts=settings.SAFE_HTTP_ALLOWED_HOSTS) as client:
        try:
            response = await client.request(
                "GET", url, headers={"Accept": ACCEPT}, timeout=TIMEOUT_SECONDS, max_bytes=MAX_BYTES
            )
        except (safe_http.InvalidUrl, safe_http.RefusedAddress, safe_http.ResponseTooLarge) as error:
            raise SpecInvalid(error.message) from error
        except safe_http.OutboundError as error:
            raise SpecUnavailable(f"The document could not be fetched. {error.message}") from error
    if not response.is_success:
        raise SpecUnavailable(
            f"The document could not be fetched: the server answered with status {response.status}."
        )
    return Fetched(read_document(response.content), response.url)
