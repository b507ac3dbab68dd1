"""What came of a decision, in words for the member of staff who made it."""

from uuid import UUID

from django.urls import reverse

from agents import approvals
from agents.models import Action, ActionStatus
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import parse_uuid

RESOLVED = {"approved": "approved", "rejected": "declined", "cancelled": "cancelled"}
SENT_AGAIN = {
    ActionStatus.SUCCEEDED: "It has happened: the business system confirms it. The customer was not told in words.",
    ActionStatus.FAILED: "It has not happened: the business system refused it. The customer was not told in words.",
    ActionStatus.UNKNOWN: "Again no clear answer came. Look it up in the business system, or try again later.",
}
LOOK_AGAIN = (
    approvals.ArgumentsChanged,
    approvals.InvalidArguments,
    approvals.ToolChanged,
    approvals.ToolSwitchedOff,
    approvals.NotAllowed,
)
"""After these, the approval still waits: its page says how it is now."""


def known_id(object_id: str) -> UUID:
    """Raises ActionNotFound for what is no id."""
    action_id = parse_uuid(object_id)
    if action_id is None:
        raise approvals.ActionNotFound()
    return action_id


def page_url(object_id: str) -> str:
    return reverse("admin:agents_action_change", args=[object_id])


def outcome_of(action: Action, *, approved: bool) -> str:
    if not approved:
        return "Declined"
    return "Approved with changes" if approvals.changes(action) else "Approved"


def refused(refusal: ServiceError) -> str:
    if isinstance(refusal, approvals.AlreadyDecided):
        who = refusal.extra.get("by_name") or (
            "the customer" if refusal.extra.get("by") == "customer" else "somebody"
        )
        what = RESOLVED.get(str(refusal.extra.get("resolution")), "decided")
        if what == "cancelled":
            why = "because its conversation was stopped or taken over"
            return f"This was cancelled, {why}. Your decision changed nothing."
        return f"This was already {what} by {who}. Your decision changed nothing."
    if isinstance(refusal, approvals.ApprovalExpired):
        return "This approval has expired, and the customer was told. Nothing was carried out."
    if isinstance(refusal, approvals.ToolChanged):
        return "The tool has changed since this was asked. Nothing was sent. See below what is different, then decide."
    if isinstance(refusal, approvals.NotAllowed) and refusal.message == approvals.NotAllowed.message:
        return "This is the customer's to decide. Nothing was changed."
    return refusal.message
