"""What was unfinished when a backup was made. The system may have run on after it, in a time that the backup knows
nothing of, so after a restore none of it goes on by itself:

- What was approved, or being carried out, becomes an action of unknown outcome: staff look and settle it. Sent again it
  would happen twice where a business honours no Idempotency-Key.
- Its turn, and every turn that is older than RECENT, ends as failed, and its customer is told: an old question that is
  answered days later, perhaps for the second time, helps nobody.
- What was unknown already is not repeated by the jobs: in that time it may have been settled, or done by hand.
- What waits for a decision in time goes on waiting: a person decides it, and is told to look first.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from agents import restored
from agents.models import Action
from chat import stopping
from chat.models import Turn, TurnStatus

log = structlog.get_logger(__name__)

RECENT = timedelta(minutes=5)
"""A turn that was queued so short a time before now goes on: its customer still waits for it."""
CODE = "restored"
TOLD = (
    "Our service had to be restored after a fault, and this message was not answered. If you asked for something to be "
    "done, check whether it was done before you ask for it again."
)


@dataclass(frozen=True, slots=True)
class Settled:
    """`unknown` are the actions (id, tool) that nobody knows the outcome of; `ended` counts turns, `waiting` approvals
    that still wait."""

    unknown: list[tuple[UUID, str]]
    ended: int
    waiting: int


def settle(made_at: datetime) -> Settled:
    """Leave nothing that would go on by itself. `made_at`: when the backup was made. May be run again."""
    made = f"{made_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    why = (
        f"This was restored from a backup of {made}, when it was approved and not finished. Nobody knows whether it "
        "happened after that. Staff will check."
    )
    unsettled = restored.unsettled()
    doubtful = Action.objects.filter(pk__in=[action_id for action_id, _ in unsettled])
    turns = set(doubtful.values_list("turn_id", flat=True))
    unknown = [(action_id, tool) for action_id, tool in unsettled if restored.doubt(action_id, why)]
    held_back = restored.hold_back()
    detail = f"Restored from a backup of {made}: it had not ended then."
    ended = sum(_end(turn_id, detail) for turn_id in _to_end(turns))
    waiting = restored.warn_deciders()
    log.info("restored_unfinished", unknown=len(unknown), held_back=held_back, ended=ended, waiting=waiting)
    return Settled(unknown, ended, waiting)


def _to_end(doubtful: set[UUID]) -> list[UUID]:
    """Unfinished turns, but for those that are recent or wait for a decision that may still be made."""
    unfinished = Turn.objects.filter(status__in=stopping.UNFINISHED).order_by("queued_at", "message_seq")
    before, in_time = timezone.now() - RECENT, set(_turns_with_a_question())
    return [
        turn.pk
        for turn in unfinished.only("pk", "status", "queued_at")
        if turn.pk in doubtful
        or (turn.pk not in in_time if turn.status == TurnStatus.WAITING else turn.queued_at < before)
    ]


def _turns_with_a_question() -> list[UUID]:
    waiting = Action.objects.awaiting().filter(expires_at__gt=timezone.now())
    return list(waiting.values_list("turn_id", flat=True))


@transaction.atomic
def _end(turn_id: UUID, detail: str) -> bool:
    turn = Turn.objects.select_for_update(no_key=True).get(pk=turn_id)
    return stopping.break_off(turn, code=CODE, message=TOLD, detail=detail)
