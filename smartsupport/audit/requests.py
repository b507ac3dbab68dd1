"""What a request is about: who asks, from where, what for; and what an answer says of its outcome."""

import re
from functools import cache

import structlog
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.messages.storage.base import BaseStorage
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve

from chat import api_keys
from chat.authentication import HEADER
from smartsupport.audit.addresses import address_of
from smartsupport.lib import audit
from smartsupport.lib.audit_redaction import plain

WATCHED = ("/admin/", "/api/")
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
BY_METHOD = {"POST": "add", "PUT": "change", "PATCH": "change", "DELETE": "delete"}
SIGN_INS = ("login", "login_failed", "login_locked", "logout")
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


def is_watched(request: HttpRequest) -> bool:
    """Whether this is the console or the REST API."""
    return request.path.startswith(WATCHED)


def may_change(request: HttpRequest) -> bool:
    return request.method not in SAFE


def is_export(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether something is taken away as a file: by the answer's header, or by the address of the API's exports."""
    if response.status_code >= 300:
        return False
    attached = response.headers.get("Content-Disposition", "").startswith("attachment")
    return attached or "export" in request.path.rstrip("/").rpartition("/")[2]


def is_worth_a_line(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Of requests that change nothing: exports, and what somebody was not allowed to see."""
    return response.status_code in (403, 429) or is_export(request, response)


def is_recorded_unasked(of: audit.Recording, request: HttpRequest, response: HttpResponseBase) -> bool:
    """Of requests of nobody that we know: signing in, whatever came of it, and writes with a wrong key."""
    if of.verb == "sign_in" and of.actor == audit.NOBODY:
        return _is_turned_away(of, request)
    if of.verb in SIGN_INS:
        return True
    return of.actor == audit.WRONG_KEY and response.status_code == 403


def recording_of(request: HttpRequest) -> audit.Recording:
    """Who asks for what, as far as the request itself says. One query for an API key, one for a session's user."""
    verb, object_type, object_id = _about(request)
    return audit.Recording(_actor(request), place_of(request), verb, object_type, object_id)


def place_of(request: HttpRequest) -> audit.Place:
    return audit.Place(
        address=address_of(request),
        user_agent=request.headers.get("User-Agent", "")[:200],
        request_id=str(structlog.contextvars.get_contextvars().get("request_id", ""))[:100],
        method=request.method or "",
        path=request.path,
    )


def add_outcome(of: audit.Recording, request: HttpRequest, response: HttpResponseBase) -> None:
    """Add what staff were told, and why the API refused."""
    storage = getattr(request, "_messages", None)
    if isinstance(storage, BaseStorage):
        queued = storage._queued_messages  # type: ignore[attr-defined]  # reading them otherwise would use them up
        for message in list(queued)[: audit.MOST_MESSAGES]:
            text = str(message.message)
            if text not in of.messages:
                of.messages.append(text)
    if response.status_code >= 400 and isinstance(data := getattr(response, "data", None), dict):
        refusal = (data.get("error") or {}).get("message", "")
        if refusal:
            of.messages.append(str(refusal))


def _is_turned_away(of: audit.Recording, request: HttpRequest) -> bool:
    """A name and its right password, of somebody who is no member of staff: no signal tells of it."""
    name = request.POST.get("username", "")
    if getattr(request, "was_locked_out", False) or not (name and request.POST.get("password")):
        return False
    of.verb, of.actor = "login_failed", typed_name(name)
    return True


def outcome_of(of: audit.Recording, response: HttpResponseBase) -> str:
    """`answered`: a page came back instead of a way on, usually a form with faults, and maybe nothing changed."""
    if of.verb in ("login_failed", "login_locked"):
        return audit.REFUSED
    if response.status_code >= 500:
        return audit.FAILED
    if response.status_code >= 400:
        return audit.REFUSED
    if of.verb in ("login", "logout"):
        return audit.DONE  # and not "a page": only the signals call a request so
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    goes_on = response.status_code >= 300 or any(name.startswith("HX-") for name in response.headers)
    attached = "Content-Disposition" in response.headers
    return audit.ANSWERED if is_page and not goes_on and not attached else audit.DONE


def typed_name(name: str) -> audit.Actor:
    """Who tried. The name is kept only where there is such an account: people type passwords into the wrong field."""
    name = plain(name, 200)  # longer than any account's
    user = get_user_model()._default_manager.filter(username=name).first()
    return (
        audit.Actor("unknown", str(user.pk), name) if user else audit.Actor("unknown", "", "No such account")
    )


def _actor(request: HttpRequest) -> audit.Actor:
    text = request.headers.get(HEADER, "") if request.path.startswith("/api/") else ""
    if text:
        key = api_keys.find(text)
        return audit.Actor("key", str(key.pk), key.name) if key else audit.WRONG_KEY
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated and user.is_staff:
        return audit.Actor("staff", str(user.pk), user.get_username())
    return audit.NOBODY


def _about(request: HttpRequest) -> tuple[str, str, str]:
    """(verb, object type, object id). An address that nobody serves is named by its method."""
    verb = BY_METHOD.get(request.method or "", "look")
    try:
        found = resolve(request.path_info)
    except Resolver404:
        return verb, "", ""
    given = [str(value) for value in found.kwargs.values()]
    object_id = str(found.kwargs.get("object_id", given[0] if given else ""))
    if request.path.startswith("/admin/"):
        name = found.url_name or ""
        for prefix, label in _models():
            if name.startswith(prefix):
                return name.removeprefix(prefix), label, object_id
        return "sign_in" if name == "login" else name or verb, "console", object_id
    words = [part for part in found.route.removeprefix("api/v1/").split("/") if part]
    fixed = [part for part in words if not PARAMETER.fullmatch(part)]
    if len(fixed) > 1 and not PARAMETER.fullmatch(words[-1]):
        return fixed[-1].replace("-", "_"), f"api.{'.'.join(fixed[:-1])}", object_id
    return verb, f"api.{'.'.join(fixed)}", object_id


@cache
def _models() -> list[tuple[str, str]]:
    """The console's models by the beginning of their pages' names, the longest first."""
    metas = [model._meta for model in admin.site._registry]
    named = [(f"{meta.app_label}_{meta.model_name}_", meta.label_lower) for meta in metas]
    return sorted(named, key=lambda pair: -len(pair[0]))
