"""Puts right what dead workers left, without waiting for another worker: run by Celery beat.

Workers do the same when they look for work. The sweep is for the time when there is none: staff and customers see a
turn as what it is, queued or ended, and whoever starts next finds it.
"""

from dataclasses import dataclass
from uuid import UUID

import structlog
from celery import shared_task
from django.db import connection, transaction

from chat import stopping
from chat.models import Turn
from chat.wakeups import wake_from_sync

log = structlog.get_logger(__name__)

_QUEUE_AGAIN = """
UPDATE chat_turn t SET status = 'queued', lease_until = NULL, lapses = lapses + 1
FROM chat_conversation c
WHERE c.id = t.conversation_id AND c.epoch = t.epoch
  AND t.status = 'running' AND t.lease_until < now() AND NOT t.stop_requested
RETURNING t.id
"""
_TO_END = """
SELECT t.id FROM chat_turn t JOIN chat_conversation c ON c.id = t.conversation_id
WHERE t.status IN ('queued', 'running', 'waiting')
  AND (c.epoch <> t.epoch
       OR t.stop_requested AND (t.status <> 'running' OR t.lease_until < now()))
"""


@dataclass(frozen=True, slots=True)
class Swept:
    """How many turns were queued again, and how many were ended."""

    queued: int
    ended: int


def sweep() -> Swept:
    """Queue turns again whose worker lost its lease, and end as stopped what was stopped, or taken over by a person,
    while no worker was there to end it. One that cannot be ended is logged, and the others are ended all the same."""
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE_AGAIN)
        queued = cursor.rowcount
    if queued:
        wake_from_sync()
    ended = 0
    for turn_id in _to_end():
        try:
            ended += _end(turn_id)
        except Exception:
            log.exception("turn_not_ended", turn_id=str(turn_id))
    return Swept(queued, ended)


def _to_end(only: UUID | None = None) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_TO_END + ("AND t.id = %s" if only else ""), [only] if only else [])
        return [turn_id for (turn_id,) in cursor.fetchall()]


def _end(turn_id: UUID) -> bool:
    """Look again under the turn's lock: its worker, or whoever stops it, may have been faster."""
    with transaction.atomic():
        turn = Turn.objects.select_for_update(no_key=True).get(pk=turn_id)
        if not _to_end(only=turn_id):
            return False
        stopping.end_now(turn)
    return True


@shared_task(name="chat.sweep_turns", ignore_result=True)  # type: ignore[untyped-decorator]
def sweep_turns() -> None:
    """Run by beat."""
    swept = sweep()
    if swept.queued or swept.ended:
        log.warning("turns_swept", queued=swept.queued, ended=swept.ended)
