"""The end of approvals that nobody decided on: their time is over, or their turn was stopped."""

from uuid import UUID

import structlog
from django.apps import apps
from django.db import transaction
from django.utils import timezone

from agents import facts
from agents.approvals.news import settled
from agents.approvals.refusals import ActionNotFound, expiry_message
from agents.models import Action, ActionStatus

log = structlog.get_logger(__name__)


def locked(action_id: UUID) -> Action:
    """The action, with its turn and itself locked in that order. Raises ActionNotFound."""
    turn_id = Action.objects.filter(pk=action_id).values_list("turn_id", flat=True).first()
    if turn_id is None:
        raise ActionNotFound()
    apps.get_model("chat.Turn").objects.select_for_update(no_key=True).only("pk").get(pk=turn_id)
    rows = Action.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("turn", "tool", "customer").get(pk=action_id)


def expire(action: Action) -> bool:
    """Mark a locked action as expired; False: its time is not over, or somebody was first."""
    # Overdue still: since somebody looked, it may have come back with a new deadline.
    overdue = Action.objects.overdue().filter(pk=action.pk)
    won = overdue.update(status=ActionStatus.EXPIRED, decided_at=timezone.now())
    if won:
        action.refresh_from_db()
        fact = facts.approval_expired(
            interrupt_id=action.pk,
            action=action.tool_name,
            message=expiry_message(action),
            attempt=action.reopened,
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
                expired += expire(locked(action_id))
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
        was, action.status = action.status, ActionStatus.CANCELLED
        action.finished_at = timezone.now()
        action.save(update_fields=["status", "finished_at"])
        log.info("approval_cancelled", action_id=str(action.pk), tool=action.tool_name, was=was)
    return cancelled
