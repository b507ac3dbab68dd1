"""From where a request came, as far as our own proxy can be believed (TRUST_PROXY_HEADERS)."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def address_of(request: HttpRequest) -> str:
    """The caller's own address: the peer's, or behind our proxy the last entry of X-Forwarded-For. "": not known."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if settings.TRUST_PROXY_HEADERS else ""
    named = forwarded.rpartition(",")[2].strip()
    try:
        found = ipaddress.ip_address(named or request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return ""
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)
