"""Who decides, and who may not."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.approvals.refusals import (
    ActionNotFound,
    AlreadyDecided,
    ApprovalExpired,
    InvalidArguments,
    NotAllowed,
)
from agents.approvals.wishes import why_not
from agents.models import Action, ActionStatus
from smartsupport.lib.errors import ServiceError
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


def allowed(action: Action, by: Decider) -> tuple[bool, bool]:
    """Whether this decider may decline the action, and approve it, as it stands at this moment. An approval may still
    bring it back, where its tool has changed."""
    if action.expires_at <= timezone.now():
        return False, False
    declines, approves = (_takes(action, by, approved=approved) for approved in (False, True))
    return declines, approves and (action.tool.enabled or by.kind != "staff")


def _takes(action: Action, by: Decider, *, approved: bool) -> bool:
    try:
        check_decider(action, by, approved=approved, edits=False)
    except ServiceError:
        return False
    return True


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
    if approved and (own_wish := why_not(action, by.id, *by.answers_for)):
        raise NotAllowed(own_wish)
    if approved and action.approvals_needed > 1 and not by.id.startswith("user:"):
        # Whose key it is, is not known: one person with a login and a key would be two.
        raise NotAllowed("Two people have to agree on this, each of them signed in to the console.")
    if approved and any(vote["id"] == by.id for vote in action.votes):
        raise NotAllowed("You have approved this already. A second person has to agree.")
