"""The page behind a link. Looking decides nothing: mail scanners and previews look at every address that they see."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_http_methods

from agents.admin.shown import argument_rows, bound_rows, difference_rows
from agents.links import limits
from agents.links.deciding import LinkSpent, NotTheirs, decide, decider, found, stands
from agents.links.making import LinkNotFound
from agents.links.recording import recorded
from agents.links.words import SENTENCES, what_became
from agents.models import Action, ActionStatus, ApprovalLink
from smartsupport.lib.addresses import counted
from smartsupport.lib.console import age
from smartsupport.lib.errors import ServiceError

LONGEST_REASON = 500
FORBIDDEN = ("account_needed", "maker_may_not", "somebody_else", "no_permission")
STATUS = {"sign_in": 401, "open": 200, **dict.fromkeys(FORBIDDEN, 403)}
"""Of an answer whose link cannot be used, where it is not 410."""
# The token is in the path, which goes to nobody, not even to ourselves. With `no-referrer`, browsers would hide the
# origin of the form as well, and a form of unknown origin is refused.
HEADERS = {
    "Referrer-Policy": "strict-origin",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}


@require_http_methods(["GET", "HEAD", "POST"])
def approval(request: HttpRequest, token: str) -> HttpResponse:
    """`/decide/<token>`: what is asked, and a form to decide on it, once."""
    peer, forwarded = request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    if not limits.allows(counted(peer, forwarded)):
        answer = _told(request, 429, "too_often", {})
        answer.headers["Retry-After"] = "60"
        return answer
    try:
        link = found(token)
    except LinkNotFound:
        return _told(request, 404, "unknown", {})
    state = stands(link, request.user)
    if request.method == "POST" and state == "open":
        return _decided(request, link)
    return _shown(request, link, state)


def _decided(request: HttpRequest, link: ApprovalLink) -> HttpResponse:
    wanted, reason = request.POST.get("decision", ""), request.POST.get("reason", "").strip()
    if wanted not in ("approve", "decline"):
        return _shown(request, link, "open", fault="Choose to approve or to decline.", status=400)
    if wanted == "decline" and not reason:
        why = "Say why you decline, so that the agent can explain it to the customer."
        return _shown(request, link, "open", fault=why, status=400)
    if len(reason) > LONGEST_REASON:
        return _shown(
            request, link, "open", fault=f"The reason is longer than {LONGEST_REASON} characters.", status=400
        )
    try:
        with recorded(request, link, approved=wanted == "approve"):
            decided = decide(link, request.user, approved=wanted == "approve", reason=reason)
    except (LinkSpent, NotTheirs):
        fresh = found_again(link)
        return _shown(request, fresh, stands(fresh, request.user))
    except ServiceError as refusal:
        fresh = found_again(link)
        state = stands(fresh, request.user)
        status = refusal.status
        return _shown(request, fresh, state, fault=refusal.message if state == "open" else "", status=status)
    done = "agreed" if decided.status == ActionStatus.AWAITING else "done"
    return _told(
        request, 200, done, {"link": found_again(link), "action": decided, "approved": wanted == "approve"}
    )


def found_again(link: ApprovalLink) -> ApprovalLink:
    """The link with its action as they are now."""
    rows = ApprovalLink.objects.select_related("action__tool", "action__customer", "action__turn", "user")
    return rows.get(pk=link.pk)


def _shown(
    request: HttpRequest, link: ApprovalLink, state: str, *, fault: str = "", status: int = 0
) -> HttpResponse:
    shown: dict[str, Any] = {"link": link, "fault": fault, "who": decider(link).name}
    if state in ("sign_in", "somebody_else"):
        shown["next"] = request.path
    elif state in FORBIDDEN:
        pass
    else:
        shown |= {"action": link.action, "became": what_became(link)}
    if state == "open":
        shown |= _call(link.action)
    return _told(request, status or STATUS.get(state, 410), state, shown)


def _call(action: Action) -> dict[str, Any]:
    """The exact call, in the words of the inbox."""
    return {
        "tool_title": action.tool.title,
        "arguments": argument_rows(action),
        "bound": bound_rows(action),
        "difference": difference_rows(action.difference),
        "agreed": [vote["name"] for vote in action.votes],
        "age": age(action.created_at),
        "longest_reason": LONGEST_REASON,
    }


def _told(request: HttpRequest, status: int, state: str, shown: dict[str, Any]) -> HttpResponse:
    title, sentence = SENTENCES[state]
    context = {**shown, "state": state, "title": title, "sentence": sentence}
    answer = render(request, "agents/links/page.html", context, status=status)
    for name, value in HEADERS.items():
        answer.headers[name] = value
    add_never_cache_headers(answer)
    answer.headers["Cache-Control"] = "no-store"
    return answer
