"""`/metrics`: what the whole deployment has before it, for Prometheus. Not there unless METRICS_TOKEN is set."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """200 with `Authorization: Bearer <METRICS_TOKEN>`, else 401."""
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not constant_time_compare(given.strip(), settings.METRICS_TOKEN):
        refused = HttpResponse("METRICS_TOKEN is needed, as a bearer token.\n", "text/plain", 401)
        refused.headers["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return refused
    from smartsupport.metrics import waiting  # nobody pays for it who does not ask

    return HttpResponse(waiting.exposition(), CONTENT_TYPE)
