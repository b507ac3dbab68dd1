"""The chat on other sites (docs/widget.md): the script that they include, the page that it frames, and what an
anonymous visitor is known by in there, where browsers that block third-party cookies keep none of ours."""

import hashlib
import json
from functools import cache
from pathlib import Path
from uuid import uuid4

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from chat import identity, views
from chat.submission import RateLimited

log = structlog.get_logger(__name__)

SCRIPT = Path(__file__).parent / "static" / "chat" / "widget.js"
PLACE_OF_ORIGINS = "const ORIGINS = [];"
SCRIPT_SECONDS = 300
"""How long browsers use the script before they ask again: so long a new list of origins takes to be everywhere."""


@require_safe
def script(request: HttpRequest) -> HttpResponseBase:
    """`/widget.js`: the same for everybody, at one address for ever. It names the sites that may show the chat, so that
    it can tell the developer of one that may not."""
    body, etag = _script(tuple(settings.WIDGET_ORIGINS))
    response = HttpResponse(body, content_type="text/javascript; charset=utf-8")
    response.headers["ETag"] = etag
    answer = get_conditional_response(request, etag=etag, response=response) or response
    answer.headers["Cache-Control"] = f"public, max-age={SCRIPT_SECONDS}"
    # Pages that are isolated from other origins (COEP) load it too, and scripts with crossorigin="anonymous".
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


@cache
def _script(origins: tuple[str, ...]) -> tuple[str, str]:
    """The script with the list in it, and its ETag."""
    source = SCRIPT.read_text()
    before, after = source.split(PLACE_OF_ORIGINS)
    body = f"{before}const ORIGINS = {json.dumps(origins)};{after}"
    return body, f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'


@never_cache
@require_safe
def frame(request: HttpRequest) -> HttpResponse:
    """`/embed`: the chat page in a frame, for the sites of WIDGET_ORIGINS alone (`smartsupport.csp`). It sets no
    cookie; who the customer is comes from the page around it."""
    widget = {
        "origins": settings.WIDGET_ORIGINS,
        "anonymous": settings.ALLOW_ANONYMOUS_CHAT,
        "visitorPath": "/embed/visitor",
    }
    response = render(request, "chat/widget_frame.html", views.page_context(widget=widget))
    if settings.WIDGET_ORIGINS:
        # X-Frame-Options cannot name sites; frame-ancestors of the policy does.
        response.xframe_options_exempt = True
        # Sites that are isolated from other origins (COEP) may frame it too.
        response.headers["Cross-Origin-Embedder-Policy"] = "require-corp"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@csrf_exempt  # there is no cookie in a frame that could be misused; the page's origin is checked instead
@never_cache
@require_POST
def visitor(request: HttpRequest) -> HttpResponse:
    """`/embed/visitor`: `{"visitor": ...}`, what a new anonymous visitor is known by from now on (`/ws?visitor=`).

    403 where anonymous chat is off or another page asks, 429 where the address brought too many. Writes nothing.
    """
    if not settings.ALLOW_ANONYMOUS_CHAT:
        return _refusal(403, "Anonymous chat is switched off.")
    if request.headers.get("Origin") not in [
        f"{scheme}://{request.get_host()}" for scheme in ("https", "http")
    ]:
        log.warning("framed_visitor_refused", origin=request.headers.get("Origin", ""))
        return _refusal(403, "Only the framed chat page may ask for this.")
    if not views.may_be_new(request):
        return _refusal(429, RateLimited.message)
    return JsonResponse({"visitor": identity.sign_framed(uuid4())})


def _refusal(status: int, message: str) -> JsonResponse:
    return JsonResponse({"error": message}, status=status)
