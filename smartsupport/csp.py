"""The Content-Security-Policy header (W3C CSP level 3): what a page of ours may load, run and talk to."""

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from smartsupport.middleware import ResponseMiddleware

HEADER = "Content-Security-Policy"
STRICT = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
# The admin theme evaluates expressions in its markup and sets styles inline.
ADMIN = STRICT | {"script-src": "'self' 'unsafe-eval'", "style-src": "'self' 'unsafe-inline'"}
# Swagger UI styles inline; its files are ours all the same.
DOCS = STRICT | {"style-src": "'self' 'unsafe-inline'"}


class ContentSecurityPolicyMiddleware(ResponseMiddleware):
    """Sets the header on every response that does not bring its own."""

    def change(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not response.has_header(HEADER):
            response.headers[HEADER] = policy(request)
        return response


def policy(request: HttpRequest) -> str:
    """The header's value for a request: strict, and looser under /admin/ and on the API's documentation page."""
    if request.path.startswith("/admin/"):
        directives = dict(ADMIN)
    elif request.path.startswith("/api/v1/docs/"):
        directives = dict(DOCS)
    elif request.path == "/embed":  # the chat for other sites: the one page that may be framed
        directives = STRICT | {"frame-ancestors": " ".join(settings.WIDGET_ORIGINS) or "'none'"}
    else:
        directives = dict(STRICT)
    try:
        # Named, because older browsers do not count a socket to the page's own host as 'self'.
        directives["connect-src"] += f" {'wss' if request.is_secure() else 'ws'}://{request.get_host()}"
    except DisallowedHost:
        pass
    return "; ".join(f"{name} {value}" for name, value in directives.items())
