"""The customer's chat page."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from agents.providers import model_label
from chat import identity, limits
from chat.submission import CONTENT_LIMIT


@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """`/`: the chat page. An anonymous visitor gets the cookie that makes the conversations theirs."""
    response = render(request, "chat/page.html", page_context())
    known = identity.read_cookie(request.COOKIES.get(identity.COOKIE, ""))
    if settings.ALLOW_ANONYMOUS_CHAT and known is None and may_be_new(request):
        visitor = identity.identify(token=None, cookie=None)
        response.set_cookie(
            identity.COOKIE,
            visitor.new_cookie,
            max_age=identity.COOKIE_MAX_AGE,
            httponly=True,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )
    return response


def page_context(**config: Any) -> dict[str, Any]:
    """What the page's template needs; `config` is told to its scripts beside the rest."""
    return {
        "company": {"name": settings.COMPANY_NAME},
        "model_label": model_label(),
        "provider": settings.LLM_PROVIDER,
        "suggestions": settings.CHAT_SUGGESTIONS,
        "page_config_json": {"socketPath": "/ws", "maxLength": CONTENT_LIMIT, **config},
    }


def may_be_new(request: HttpRequest) -> bool:
    """Whether the visitor's address may bring one more. Otherwise the page comes without a cookie, and its socket tries
    again until it may."""
    forwarded_for = request.headers.get("X-Forwarded-For", "")
    address = limits.address(request.META.get("REMOTE_ADDR", ""), forwarded_for)
    return limits.allows_now(limits.NEW_VISITORS, address)
