"""From where a request came, as far as our own proxy can be believed (TRUST_PROXY_HEADERS)."""

from django.conf import settings
from django.http import HttpRequest

from smartsupport.lib.addresses import parsed


def address_of(request: HttpRequest) -> str:
    """The caller's own address: the peer's, or behind our proxy the last entry of X-Forwarded-For. "": not known."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if settings.TRUST_PROXY_HEADERS else ""
    named = forwarded.rpartition(",")[2].strip()
    found = parsed(named or request.META.get("REMOTE_ADDR", ""))
    return str(found) if found else ""
