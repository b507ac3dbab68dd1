"""The approvals inbox: what waits for staff, followed live, opened in place. How things are decided is in
`agents.approvals`; the dialogs are those of `agents.admin.approvals`."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse

from agents.admin.approval_page import page_context
from agents.admin.inbox_bulk import decide_many
from agents.admin.inbox_reasons import arguments_of
from agents.admin.inbox_rows import LOOKED_THROUGH, OLDER, WHICH, Wanted, choices, page_of, these
from agents.admin.inbox_words import looking_words, row_of
from agents.models import Action, Risk
from smartsupport.lib import presence
from smartsupport.lib.console import ReadOnlyAdmin, identified
from smartsupport.lib.ids import digest, parse_uuid
from smartsupport.lib.rest import decider_id

LOOKED_AT = "approval"
"""What `presence` calls an approval."""
MOST_KEPT = 100
"""So many rows of an open page are told what became of them."""
KEYS = (
    (("j", "k"), "next, previous"),
    (("o", "Enter"), "open, close"),
    (("a",), "approve"),
    (("e",), "approve with changes"),
    (("r",), "decline"),
    (("x",), "tick"),
    (("?",), "all keys"),
)


View = Callable[[Any, HttpRequest], HttpResponse]


def asks_for(*permissions: str) -> Callable[[View], View]:
    """A page that refuses whoever lacks one of these permissions of its admin; named as the theme's actions name
    theirs."""

    def asking(page: View) -> View:
        @wraps(page)
        def view(admin: Any, request: HttpRequest) -> HttpResponse:
            if not all(getattr(admin, f"has_{one}_permission")(request) for one in permissions):
                raise PermissionDenied
            return page(admin, request)

        vars(view)["allowed_permissions"] = permissions
        return view

    return asking


class InboxAdmin(ReadOnlyAdmin):
    """The pages of the inbox, for the admin of actions."""

    def has_decide_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("agents.decide_action")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("live/", view(self.live), name="agents_action_live"),
            path("many/approve/", view(self.approve_many), name="agents_action_approve_many"),
            path("many/decline/", view(self.decline_many), name="agents_action_decline_many"),
            path("<path:object_id>/detail/", view(self.detail), name="agents_action_detail"),
            path("<path:object_id>/here/", view(self.here), name="agents_action_here"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self._must_view(request)
        wanted, own = Wanted.of(request.GET), decider_id(request.user)
        listed = page_of(wanted, own)
        looking = _looking(listed.rows, request) if wanted.waits else {}
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": "Approvals",
            "wanted": wanted,
            "rows": [row_of(action, looking, own) for action in listed.rows],
            "further": listed.further,
            "looked": listed.looked,
            "looked_through": LOOKED_THROUGH,
            "first": wanted.query() if wanted.behind else "",
            "states": [("", "Waits for staff"), *WHICH.items()],
            "chips": _chips(wanted),
            "filters": _filters(wanted),
            "may_decide": self.has_decide_permission(request),
            "keys": KEYS,
            "ttl": settings.INTERRUPT_TTL_MINUTES * 60,
            "live_url": reverse("admin:agents_action_live") + wanted.query(behind=wanted.behind),
        }
        return TemplateResponse(request, "agents/inbox/page.html", context)

    def live(self, request: HttpRequest) -> HttpResponse:
        """The rows of an open page as they are now, also those that it shows and that wait no more; 204 while nothing
        changed. Says who looks at which."""
        self._must_view(request)
        wanted, own = Wanted.of(request.GET), decider_id(request.user)
        opened = parse_uuid(request.GET.get("open", ""))
        actions = page_of(wanted, own).rows
        known = {action.pk for action in actions}
        kept = [one for one in _ids(request.GET.get("shown", "")) if one not in known]
        actions += these(kept, own)
        if opened:
            presence.seen(LOOKED_AT, opened, request.user.get_username())
        looking = _looking(actions, request)
        rows = [row_of(action, looking, own) for action in actions]
        state = digest(sorted(row.state for row in rows))[:16]
        if state == request.GET.get("state"):
            return HttpResponse(status=204)
        context = {"rows": rows, "state": state, "may_decide": self.has_decide_permission(request)}
        return TemplateResponse(request, "agents/inbox/live.html", context)

    def detail(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """One approval with all that is known of it, as a piece of the inbox."""
        row = self.row(request, object_id)
        if row is None:
            raise Http404
        shown = page_context(row, request.user)
        own = decider_id(request.user)
        names = presence.seen(LOOKED_AT, row.pk, request.user.get_username())
        row.asked_by_you = shown["asked_by_you"]  # type: ignore[attr-defined]
        told = row_of(row, {str(row.pk): names}, own)
        context = {**shown, "row": told, "typed": arguments_of(row)}
        return TemplateResponse(request, "agents/inbox/detail.html", context)

    def here(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Who else looks at this approval, as a piece of its page; 204 while that stays as it was."""
        self._must_view(request)
        known = parse_uuid(object_id)
        if known is None:
            raise Http404
        if request.GET.get("left"):
            presence.left(LOOKED_AT, known, request.user.get_username())
            return HttpResponse(status=204)
        names = presence.seen(LOOKED_AT, known, request.user.get_username())
        state = digest(names)[:16]
        if state == request.GET.get("state"):
            return HttpResponse(status=204)
        context = {"words": looking_words(names), "state": state, "object_id": known}
        return TemplateResponse(request, "agents/inbox/here.html", context)

    @asks_for("view", "decide")
    def approve_many(self, request: HttpRequest) -> HttpResponse:
        """The dialog that approves several at once."""
        return decide_many(self, request, approved=True)

    @asks_for("view", "decide")
    def decline_many(self, request: HttpRequest) -> HttpResponse:
        """The dialog that declines several at once."""
        return decide_many(self, request, approved=False)

    def row(self, request: HttpRequest, object_id: str) -> Action | None:
        self._must_view(request)
        rows = Action.objects.select_related("tool__read_back", "customer", "turn__conversation")
        return identified(rows, object_id).first()

    def _must_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied


def _looking(actions: list[Action], request: HttpRequest) -> Mapping[str, list[str]]:
    return presence.here(LOOKED_AT, [action.pk for action in actions], but=request.user.get_username())


def _ids(text: str) -> list[UUID]:
    known = (parse_uuid(one) for one in text.split(",")[:MOST_KEPT])
    return [one for one in known if one]


def _chips(wanted: Wanted) -> list[tuple[str, str]]:
    """What narrows the list, and the address without it."""
    said = {
        "tool": f"Tool {wanted.tool}",
        "agent": f"Agent {wanted.agent}",
        "older": f"Older than {OLDER.get(wanted.older, '')}",
        "risk": str(Risk(wanted.risk).label) if wanted.risk else "",
        "mine": "My vote is missing",
        "q": f"“{wanted.q}”",
    }
    return [
        (words, wanted.query(**{name: 0 if name == "older" else ""}))
        for name, words in said.items()
        if getattr(wanted, name)
    ]


def _filters(wanted: Wanted) -> list[dict[str, Any]]:
    tools, agents = choices()
    offered = [
        ("tool", "Tool", "Every tool", tools),
        ("agent", "Agent", "Every agent", [(name, name) for name in agents]),
        ("older", "Age", "Any age", [(str(value), f"Older than {words}") for value, words in OLDER.items()]),
        ("risk", "Risk", "Any risk", [(value, str(label)) for value, label in Risk.choices]),
    ]
    if wanted.waits:
        offered.append(("mine", "Whose vote", "Anybody's", [("yes", "Mine is missing")]))
    return [
        {
            "name": name,
            "label": label,
            "every": every,
            "options": options,
            "chosen": str(getattr(wanted, name)),
        }
        for name, label, every, options in offered
    ]
