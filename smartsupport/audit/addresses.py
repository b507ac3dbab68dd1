"""From where a request came, as far as our own proxy can be believed (TRUST_PROXY_HEADERS)."""

from django.http import HttpRequest

from smartsupport.lib.addresses import exact


def address_of(request: HttpRequest) -> str:
    """The caller's own address: the peer's, or behind our proxy the last entry of X-Forwarded-For. "": not known."""
    return exact(request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", ""))
