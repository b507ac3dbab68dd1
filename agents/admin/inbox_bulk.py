"""Deciding several calls of one tool: a dialog lists each with its arguments, then each is decided by itself, as if it
were the only one, and the dialog tells what came of each."""

from dataclasses import dataclass
from uuid import UUID

from django import forms
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextareaWidget

from agents import approvals
from agents.admin.decision_words import outcome_of, refused
from agents.admin.inbox_answers import event
from agents.admin.inbox_reasons import Argument, arguments_of
from agents.admin.shown import bound_rows, difference_rows
from agents.models import Action, ActionStatus, Approver
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.rest import decider_id

AT_MOST = 25
NOT_SHOWN = "This dialog did not show it. Nothing was decided."


class _ApproveMany(forms.Form):
    reason = forms.CharField(
        required=False,
        max_length=500,
        label="Note (optional)",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Kept with each decision.",
    )


class _DeclineMany(forms.Form):
    reason = forms.CharField(
        max_length=500,
        label="Reason",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="The agent reads it and explains it to each customer.",
        error_messages={"required": "Say why, so that the agent can explain it to the customers."},
    )


@dataclass(frozen=True, slots=True)
class Call:
    """One of the calls, as the dialog lists it. `note`: what is to be known before it is decided; `agreed`: who has
    approved it so far; `difference`: what of its tool has changed since it was asked."""

    action: Action
    arguments: list[Argument]
    bound: list[tuple[str, str]]
    note: str
    agreed: list[str]
    difference: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Outcome:
    asked: str
    words: str
    ok: bool


def decide_many(admin: "ModelAdmin[Action]", request: HttpRequest, *, approved: bool) -> HttpResponse:
    """Shows the dialog (GET), or decides what it showed (POST). Whoever calls has asked for the permission."""
    wanted = [known for one in request.GET.getlist("id") if (known := parse_uuid(one))]
    wanted = list(dict.fromkeys(wanted))
    own = decider_id(request.user)
    actions = _rows(wanted[: AT_MOST + 1], own)
    fault = _fault(actions, len(wanted))
    data = request.POST if request.method == "POST" else None
    form = _ApproveMany(data) if approved else _DeclineMany(data)
    if not fault and data is not None and form.is_valid():
        outcomes = _decided(admin, request, actions, approved=approved, reason=form.cleaned_data["reason"])
        return _told(request, outcomes, approved=approved)
    calls = [_call(action, own, approved=approved) for action in actions] if not fault else []
    shown = {"approved": approved, "fault": fault, "calls": calls, "form": form}
    return TemplateResponse(request, "agents/inbox/many.html", shown)


def _rows(ids: list[UUID], own: str) -> list[Action]:
    rows = Action.objects.filter(pk__in=ids).select_related("tool", "customer")
    return list(rows.annotate(asked_by_you=approvals.is_wish_of(own)).order_by("created_at", "pk"))


def _fault(actions: list[Action], wanted: int) -> str:
    """Why these are not decided together; "" where they are."""
    if wanted > AT_MOST:
        return f"At most {AT_MOST} are decided at once. Untick some, then try again."
    if not actions:
        return "Nothing is ticked that still exists. Close this, and tick what you want to decide."
    if len({action.tool_name for action in actions}) > 1:
        return "These are calls of different tools. Only calls of one tool are decided together."
    if len({action.approvals_needed for action in actions if action.status == ActionStatus.AWAITING}) > 1:
        return "Some of these need one person and some need two. Decide them apart."
    return ""


def _call(action: Action, own: str, *, approved: bool) -> Call:
    waits = action.status == ActionStatus.AWAITING
    return Call(
        action,
        arguments_of(action),
        bound_rows(action),
        _note(action, own, approved=approved),
        [vote["name"] for vote in action.votes] if waits else [],
        difference_rows((approvals.drift(action) or action.difference) if waits else []),
    )


def _note(action: Action, own: str, *, approved: bool) -> str:
    if action.status != ActionStatus.AWAITING:
        return "This waits no more. It is left as it is."
    if action.approver != Approver.STAFF:
        return "This is the customer's to decide. It is left as it is."
    if action.expires_at <= timezone.now():
        return "The time for this is over. It is left as it is."
    if not approved:
        return ""
    if getattr(action, "asked_by_you", False):
        return "You asked for this yourself: somebody else has to approve it. It is left as it is."
    if any(vote["id"] == own for vote in action.votes):
        return "You have approved this already: a second person has to. It is left as it is."
    if not action.tool.enabled:
        return "The tool is switched off. It is left as it is."
    if approvals.drift(action):
        return "The tool has changed since this was asked: it comes back, to be looked at by itself."
    if action.approvals_needed > len(action.votes) + 1:
        return "Two different people have to approve this. You are the first."
    if action.proposed_arguments:
        return f"Changed by {action.edited_by or 'its tool'}. You see it as it is now."
    return ""


def _decided(
    admin: "ModelAdmin[Action]", request: HttpRequest, actions: list[Action], *, approved: bool, reason: str
) -> list[Outcome]:
    by = approvals.Decider.of(request.user)
    return [
        _one(admin, request, action, request.POST.get(f"seen-{action.pk}", ""), by, approved, reason)
        for action in actions
    ]


def _one(
    admin: "ModelAdmin[Action]",
    request: HttpRequest,
    action: Action,
    seen: str,
    by: approvals.Decider,
    approved: bool,
    reason: str,
) -> Outcome:
    if not seen:
        return Outcome(action.message, NOT_SHOWN, ok=False)
    try:
        decided = approvals.decide(action_id=action.pk, approved=approved, by=by, reason=reason, seen=seen)
    except approvals.ArgumentsChanged:
        changed = "It was changed meanwhile. Nothing was decided: read it as it is now, then decide."
        return Outcome(action.message, changed, ok=False)
    except approvals.ToolChanged:
        changed = (
            "Its tool has changed since it was asked. Nothing was sent: open it and see what is different."
        )
        return Outcome(action.message, changed, ok=False)
    except ServiceError as refusal:
        return Outcome(action.message, refused(refusal), ok=False)
    done = outcome_of(decided, approved=approved)
    admin.log_change(request, decided, f"{done}.{f' {reason}' if reason else ''}")
    if decided.status == ActionStatus.AWAITING:
        done = "You agree. A second person has to approve it before anything is sent"
    return Outcome(decided.message, f"{done}.", ok=True)


def _told(request: HttpRequest, outcomes: list[Outcome], *, approved: bool) -> HttpResponse:
    done = sum(outcome.ok for outcome in outcomes)
    text = f"{'Approved' if approved else 'Declined'} {done} of {len(outcomes)}."
    if done < len(outcomes):
        text += " The dialog says what came of each."
    shown = {"outcomes": outcomes, "summary": text, "done": done}
    answer = TemplateResponse(request, "agents/inbox/many_done.html", shown)
    for name, value in event(text, ok=done == len(outcomes), close=False).items():
        answer[name] = value
    return answer
