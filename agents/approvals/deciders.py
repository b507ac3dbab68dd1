"""Who decides, and who may not."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.apps import apps

from agents.approvals.refusals import (
    ActionNotFound,
    AlreadyDecided,
    ApprovalExpired,
    InvalidArguments,
    NotAllowed,
)
from agents.models import Action, ActionStatus
from smartsupport.lib.rest import decider_id


@dataclass(frozen=True, slots=True)
class Decider:
    """Who decides: the customer whose action it is (`customer_id`), or a member of staff. `id` (`user:5`, `key:<uuid>`)
    tells two people of the same name apart; `answers_for` are ids of others whose wishes are not theirs to approve: who
    made an API key."""

    kind: str  # customer | staff
    name: str
    customer_id: UUID | None = None
    id: str = ""
    answers_for: tuple[str, ...] = ()

    @classmethod
    def of(cls, caller: Any) -> "Decider":
        """The member of staff, or the integrator, who calls."""
        others = tuple(getattr(caller, "answers_for", ()))
        return cls(kind="staff", name=caller.get_username(), id=decider_id(caller), answers_for=others)


def check_decider(action: Action, by: Decider, *, approved: bool, edits: bool) -> None:
    """Whether they may decide so on a locked action. Raises what `agents.approvals.decide` tells."""
    if by.kind == "customer" and action.customer_id != by.customer_id:
        raise ActionNotFound()
    if action.status == ActionStatus.EXPIRED:
        raise ApprovalExpired.of(action)
    if action.status != ActionStatus.AWAITING:
        raise AlreadyDecided.of(action)
    if by.kind != action.approver:
        raise NotAllowed()
    if edits and (by.kind != "staff" or not approved):
        raise InvalidArguments("Only staff can change arguments, and only when they approve.")
    if approved and has_asked(action, by.id, *by.answers_for):
        raise NotAllowed("You asked for this yourself. Somebody else has to approve it.")
    if approved and action.approvals_needed > 1 and not by.id.startswith("user:"):
        # Whose key it is, is not known: one person with a login and a key would be two.
        raise NotAllowed("Two people have to agree on this, each of them signed in to the console.")
    if approved and any(vote["id"] == by.id for vote in action.votes):
        raise NotAllowed("You have approved this already. A second person has to agree.")


def has_asked(action: Action, *deciders: str) -> bool:
    """Whether one of the deciders (their ids) wrote for the customer, for this turn or an earlier one: what one message
    asks for is often carried out after the next one, a bare "yes". So is what was written while a person had the
    conversation, which belongs to no turn."""
    known = [decider for decider in deciders if decider]
    if not known:
        return False
    conversation_id, until = action.turn.conversation_id, action.turn.message_seq
    turns = apps.get_model("chat.Turn").objects.filter(conversation=conversation_id, message_seq__lte=until)
    if turns.filter(asked_by__in=known).exists():
        return True
    written = apps.get_model("chat.Event").objects.filter(conversation=conversation_id, seq__lte=until)
    apart = written.filter(turn=None, kind="message_received", payload__asked_by__in=known)
    return bool(apart.exists())
