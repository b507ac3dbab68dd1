"""What is believed of actions after a backup was restored: in between they may have been decided and carried out, and
nothing here knows of it. So none goes on by itself, and whoever decides is told to look first."""

from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Concat, Left
from django.utils import timezone

from agents import approvals, executor, repetition
from agents.models import Action, ActionStatus

log = structlog.get_logger(__name__)

LOOK_FIRST = "Asked before a restore, so it may have been done since: look first. "
_UNSETTLED = (ActionStatus.APPROVED, ActionStatus.DISPATCHING)


def unsettled() -> list[tuple[UUID, str]]:
    """(id, tool) of what is approved or being carried out, the oldest first."""
    rows = Action.objects.filter(status__in=_UNSETTLED).order_by("created_at", "pk")
    return list(rows.values_list("pk", "tool_name"))


@transaction.atomic
def doubt(action_id: UUID, why: str) -> bool:
    """Mark one of these as of unknown outcome, for staff to settle, with `why` for everybody who reads of it. Returns
    whether it was still one of these."""
    action = approvals.locked(action_id)
    values = {
        "status": ActionStatus.UNKNOWN,
        "finished_at": None,
        "error_kind": "unknown",
        "error_message": why,
    }
    if not Action.objects.filter(pk=action_id, status__in=_UNSETTLED).update(**values):
        return False
    was = action.status
    action.refresh_from_db()
    approvals.settled.send(Action, action=action, fact=executor.returned_fact(action, None))
    log.warning("action_in_doubt", action_id=str(action_id), tool=action.tool_name, was=was)
    return True


def hold_back() -> int:
    """Let the jobs repeat nothing of unknown outcome, as they count from when an attempt ended: staff may have settled
    it since, or have done it by hand. Whoever has looked may still send it again. Returns how many were held back."""
    recent = timezone.now() - repetition.WITHIN
    repeated = Action.objects.filter(status=ActionStatus.UNKNOWN, decided_at__gt=recent)
    return repeated.exclude(finished_at=None).update(finished_at=None)


def warn_deciders() -> int:
    """Say above each question that still waits that what it asks for may have been done. Returns how many were told
    just now."""
    waiting = Action.objects.awaiting().filter(expires_at__gt=timezone.now())
    untold = waiting.exclude(message__startswith=LOOK_FIRST)
    return untold.update(message=Left(Concat(Value(LOOK_FIRST), F("message")), 500))
