"""Staff say whether an action of unknown outcome took place. Nothing is sent: it is recorded what they found out."""

from uuid import UUID

import structlog
from django.db import transaction

from agents import approvals, facts
from agents.approvals import Decider, NotAllowed
from agents.models import Action, ActionStatus
from smartsupport.lib import audit
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.text import shorten, storable

log = structlog.get_logger(__name__)

NOTE_LIMIT = 500
DID_NOT_HAPPEN = "did_not_happen"
"""The kind of error of an action that staff found not to have taken place."""
NOW_IS = {
    ActionStatus.AWAITING: "it still waits for a decision",
    ActionStatus.APPROVED: "it is approved and about to be carried out",
    ActionStatus.DISPATCHING: "it is being carried out",
    ActionStatus.SUCCEEDED: "it is known that it happened",
    ActionStatus.FAILED: "it is known that it did not happen",
    ActionStatus.REJECTED: "it was declined and never sent",
    ActionStatus.EXPIRED: "it expired and was never sent",
    ActionStatus.CANCELLED: "it was cancelled and never sent",
}


class NotUnknown(ServiceError):
    """The outcome is not unknown. The message says why; `outcome` is the action's status."""

    code, status = "not_unknown", 409

    @classmethod
    def of(cls, action: Action) -> "NotUnknown":
        why = NOW_IS[ActionStatus(action.status)]
        return cls(f"There is nothing to settle: {why}.", outcome=action.status)


class MissingNote(ServiceError):
    code, message = "missing_note", "Say how you found out."


def settle(*, action_id: UUID, happened: bool, by: Decider, note: str) -> Action:
    """Record what a member of staff found out about an action of unknown outcome; the first one counts.

    `note` says how they know; it is for staff alone. Only the booleans True and False settle; anything else is a
    TypeError. Raises NotAllowed, MissingNote, ActionNotFound, NotUnknown (naming the state that it is in).
    """
    if happened is not True and happened is not False:
        raise TypeError("It happened, or it did not: True or False.")
    if by.kind != "staff":
        raise NotAllowed("Not allowed to settle")
    note = shorten(storable(note), NOTE_LIMIT)
    if not note:
        raise MissingNote()
    with transaction.atomic():
        action = approvals.locked(action_id)
        values = {
            "status": ActionStatus.SUCCEEDED if happened else ActionStatus.FAILED,
            "error_kind": "" if happened else DID_NOT_HAPPEN,
            "error_message": "" if happened else "Staff have checked: it did not happen.",
        }
        if not Action.objects.filter(pk=action.pk, status=ActionStatus.UNKNOWN).update(**values):
            raise NotUnknown.of(action)
        action.refresh_from_db()
        fact = facts.action_settled(
            interrupt_id=action.pk, action=action.tool_name, happened=happened, by_name=by.name, note=note
        )
        approvals.settled.send(Action, action=action, fact=fact)
    audit.changed(
        "agents.action",
        action.pk,
        before={"status": ActionStatus.UNKNOWN},
        after={"status": action.status, "tool": action.tool_name, "note": note},
    )
    log.info("action_settled_by_staff", action_id=str(action.pk), happened=happened, by_name=by.name)
    return action
