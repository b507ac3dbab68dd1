"""Every good answer to a GET under /api/ has an `ETag`; `If-None-Match` is answered 304 where it still holds."""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response

from smartsupport.lib import envelope
from smartsupport.lib.etags import etag_of
from smartsupport.middleware import ResponseMiddleware

CACHING = "private, no-cache"


class EntityTagMiddleware(ResponseMiddleware):
    """Streams have no tag, and neither has what must not be kept at all (`no-store`)."""

    def change(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if request.method not in ("GET", "HEAD") or response.status_code != 200:
            return response
        if not isinstance(response, HttpResponse) or not envelope.is_api(request):
            return response
        response.headers.setdefault("Cache-Control", CACHING)
        if "no-store" in response.headers["Cache-Control"]:
            return response
        etag = response.headers["ETag"] = etag_of(response.content)
        answer = get_conditional_response(request, etag=etag, response=response)
        return answer if answer is not None else response
