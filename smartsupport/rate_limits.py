"""Tells integrators how much of their limit is left: what `chat.authentication` found goes into the headers."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from smartsupport.middleware import ResponseMiddleware


class RateLimitMiddleware(ResponseMiddleware):
    def change(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        standing = getattr(request, "rate_limit", None)
        if standing is not None:
            for name, value in standing.headers().items():
                response.headers[name] = value
        return response
