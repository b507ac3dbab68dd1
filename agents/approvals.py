"""Opening, deciding and expiring actions. A status changes here, in `agents.executor` and in
`agents.settlement` alone, by compare-and-set.

Locks are always taken in the order turn, action, conversation. `settled` is sent inside the transaction, so that the
log and the turn change together with the action or not at all; its receivers publish after commit.
"""

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

from agents import facts
from agents.models import Action, ActionStatus, Approver, Tool
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import canonical_json
from smartsupport.lib.text import shorten

log = structlog.get_logger(__name__)

settled = Signal()
"""An action was decided, has expired, was given up by its worker, or was settled by staff. Arguments: `action`
(Action), `fact` (what the log has to say). Sent in the transaction."""


class ActionNotFound(ServiceError):
    code, status, message = "not_found", 404, "This approval does not exist."


class NotAllowed(ServiceError):
    code, status, message = "not_allowed", 403, "Not allowed to decide"


class AlreadyDecided(ServiceError):
    code, status, message = "already_decided", 409, "Already decided"

    @classmethod
    def of(cls, action: Action) -> "AlreadyDecided":
        """Tells what was decided and by whom. An approved action stays `approved` whatever became of it later."""
        resolution = action.status if action.status in ("rejected", "cancelled") else "approved"
        return cls(resolution=resolution, by=action.decided_by, by_name=action.decided_by_name)


class ApprovalExpired(ServiceError):
    code, status = "approval_expired", 410

    @classmethod
    def of(cls, action: Action) -> "ApprovalExpired":
        return cls(expiry_message(action), interrupt_id=str(action.pk), action=action.tool_name)


@dataclass(frozen=True, slots=True)
class Decider:
    """Who decides: the customer whose action it is (`customer_id`), or a member of staff by name."""

    kind: str  # customer | staff
    name: str
    customer_id: UUID | None = None


def expiry_message(action: Action) -> str:
    minutes = round((action.expires_at - action.created_at).total_seconds() / 60)
    expired = f"The approval request for '{action.tool_name}' has expired after {minutes} minutes."
    return f"{expired} Would you like to try again?"


def approver_for(tool: Tool, arguments: dict[str, Any]) -> str:
    """Who decides on this call. An amount above the tool's limit, or one that cannot be read, goes to staff."""
    if not tool.staff_above_argument or tool.staff_above_amount is None:
        return tool.approval
    amount = arguments.get(tool.staff_above_argument)
    if (
        isinstance(amount, bool)
        or not isinstance(amount, int | float)
        or not amount <= tool.staff_above_amount
    ):
        return Approver.STAFF
    return tool.approval


def ask(tool: Tool, arguments: dict[str, Any]) -> str:
    """The question to the approver, in the tool's own words. Arguments go in as plain text, never as a format."""
    if not tool.confirmation:
        listed = ", ".join(f"{name} {value}" for name, value in arguments.items())
        return shorten(f"{tool.title}: {listed}" if listed else tool.title, 500)

    def shown(place: re.Match[str]) -> str:
        value = arguments.get(place[1], place[0])
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    # In one pass: a value that looks like a place of its own is not filled in again.
    return shorten(re.sub(r"\{([^{}]+)\}", shown, tool.confirmation), 500)


def frozen(arguments: dict[str, Any]) -> str:
    """Arguments as they are stored and hashed."""
    return canonical_json(arguments)


def open_action(
    *,
    turn_id: UUID,
    customer_id: UUID,
    tool: Tool,
    tool_call_id: str,
    agent: str,
    arguments: dict[str, Any],
    bound: dict[str, Any],
    overridden: tuple[str, ...] = (),
) -> tuple[Action, bool]:
    """The action of this tool call, and whether it was opened just now. Call it in a transaction.

    `overridden` names bound arguments that the model tried to fill in itself; that is logged."""
    if overridden:
        log.warning("bound_arguments_overridden", tool=tool.name, arguments=list(overridden))
    action = Action(
        turn_id=turn_id,
        customer_id=customer_id,
        tool=tool,
        tool_name=tool.name,
        tool_fingerprint=tool.fingerprint(),
        tool_call_id=tool_call_id,
        agent=agent,
        arguments=frozen(arguments),
        bound_arguments=frozen(bound),
        message=ask(tool, arguments),
        approver=approver_for(tool, arguments),
        expires_at=timezone.now() + timedelta(minutes=settings.INTERRUPT_TTL_MINUTES),
    )
    action.arguments_hash = action.expected_hash()
    existing = Action.objects.filter(turn_id=turn_id, tool_call_id=tool_call_id).first()
    if existing is not None:
        return existing, False
    action.save(force_insert=True)
    log.info("approval_opened", action_id=str(action.pk), tool=tool.name, approver=action.approver)
    return action, True


def opened_fact(action: Action) -> facts.Fact:
    return facts.approval_opened(
        interrupt_id=action.pk,
        agent=action.agent,
        action=action.tool_name,
        params=action.args,
        message=action.message,
        approver=action.approver,
        expires_at=action.expires_at,
    )


def decide(*, action_id: UUID, approved: bool, by: Decider, reason: str = "") -> Action:
    """Record the one decision on a waiting action.

    Raises ActionNotFound (also for somebody else's), NotAllowed, AlreadyDecided (naming the winner), ApprovalExpired
    (the action is then marked expired). Only the booleans True and False decide; anything else is a TypeError.
    """
    if approved is not True and approved is not False:
        raise TypeError("A decision is True or False.")
    with transaction.atomic():
        action = locked(action_id)
        if by.kind == "customer" and action.customer_id != by.customer_id:
            raise ActionNotFound()
        if action.status == ActionStatus.EXPIRED:
            raise ApprovalExpired.of(action)
        if action.status != ActionStatus.AWAITING:
            raise AlreadyDecided.of(action)
        if by.kind != action.approver:
            raise NotAllowed()
        overdue = action.expires_at <= timezone.now()
        if overdue:
            _expire(action)
        else:
            _settle(action, approved=approved, by=by, reason=reason)
    if overdue:
        raise ApprovalExpired.of(action)
    return action


def locked(action_id: UUID) -> Action:
    """The action, with its turn and itself locked in that order. Raises ActionNotFound."""
    turn_id = Action.objects.filter(pk=action_id).values_list("turn_id", flat=True).first()
    if turn_id is None:
        raise ActionNotFound()
    apps.get_model("chat.Turn").objects.select_for_update(no_key=True).only("pk").get(pk=turn_id)
    return (
        Action.objects.select_for_update(of=("self",), no_key=True).select_related("turn").get(pk=action_id)
    )


def _settle(action: Action, *, approved: bool, by: Decider, reason: str) -> None:
    status = ActionStatus.APPROVED if approved else ActionStatus.REJECTED
    reason = shorten(reason, 500)
    won = (
        Action.objects.awaiting()
        .filter(pk=action.pk)
        .update(
            status=status,
            decided_by=by.kind,
            decided_by_name=by.name[:150],
            decided_at=timezone.now(),
            reason=reason,
        )
    )
    if not won:
        action.refresh_from_db()
        raise AlreadyDecided.of(action)
    action.refresh_from_db()
    fact = facts.approval_decided(
        interrupt_id=action.pk,
        action=action.tool_name,
        resolution=action.status,
        by=by.kind,
        by_name=by.name if by.kind == "staff" else "",
        reason=reason,
    )
    settled.send(Action, action=action, fact=fact)
    log.info(
        "approval_decided", action_id=str(action.pk), resolution=action.status, by=by.kind, by_name=by.name
    )


def _expire(action: Action) -> bool:
    won = (
        Action.objects.awaiting()
        .filter(pk=action.pk)
        .update(status=ActionStatus.EXPIRED, decided_at=timezone.now())
    )
    if won:
        action.refresh_from_db()
        fact = facts.approval_expired(
            interrupt_id=action.pk, action=action.tool_name, message=expiry_message(action)
        )
        settled.send(Action, action=action, fact=fact)
        log.info("approval_expired", action_id=str(action.pk), tool=action.tool_name)
    return bool(won)


def expire_overdue(*, limit: int = 500) -> int:
    """Mark what has waited too long, one transaction each; one that fails is logged and tried again by the next sweep.
    Returns how many expired."""
    expired = 0
    for action_id in Action.objects.overdue().order_by("expires_at").values_list("pk", flat=True)[:limit]:
        try:
            with transaction.atomic():
                expired += _expire(locked(action_id))
        except Exception:
            log.exception("approval_not_expired", action_id=str(action_id))
    return expired


def cancel_open(*, turn_id: UUID) -> list[Action]:
    """Cancel what a stopped turn has not dispatched. Call it in a transaction that holds the turn's lock."""
    waiting = [ActionStatus.AWAITING, ActionStatus.APPROVED]
    cancelled = list(
        Action.objects.select_for_update(no_key=True).filter(turn_id=turn_id, status__in=waiting)
    )
    for action in cancelled:
        action.status = ActionStatus.CANCELLED
        action.finished_at = timezone.now()
        action.save(update_fields=["status", "finished_at"])
    return cancelled
