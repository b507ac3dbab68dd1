"""Answers under /api/ that no REST view made (unknown routes, refused hosts, crashes, a missing CSRF token) are
envelopes too, also where Django would show its own page."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from smartsupport.lib import envelope
from smartsupport.middleware import ResponseMiddleware

KEPT = (
    "Allow",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "Referrer-Policy",
    "Cross-Origin-Opener-Policy",
)
"""Headers that are no news of the page in whose place the envelope comes."""


class ApiErrorsMiddleware(ResponseMiddleware):
    """Replaces an error page under /api/ by the envelope with the same status."""

    def change(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        content_type = response.headers.get("Content-Type", "")
        if (
            response.status_code < 400
            or not envelope.is_api(request)
            or content_type.startswith("application/json")
        ):
            return response
        replaced = envelope.failure_response(response.status_code)
        for name in KEPT:
            if name in response.headers:
                replaced.headers[name] = response.headers[name]
        return replaced
