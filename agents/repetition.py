"""When an action of unknown outcome is sent again: staff ask for it, or it is due by itself.

Only where the tool is declared safe to repeat: the business system then sees the same Idempotency-Key and acts once, so
the answer to the repetition tells what came of the first attempt. Carrying it out is `agents.executor`'s.
"""

import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.apps import apps
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from agents import executor, tool_request
from agents.approvals import Decider, NotAllowed
from agents.models import Action, ActionStatus
from agents.settlement import NotUnknown
from smartsupport.lib.errors import ServiceError

log = structlog.get_logger(__name__)

PAUSES = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))
"""How long after an attempt without a clear answer the next one is made by itself. There are no more than these."""
WITHIN = timedelta(days=1)
"""How long after its decision an action is sent again, by itself or by staff: businesses forget a key after a day, and
what was forgotten happens twice."""
SWEEP_SECONDS = 25.0
"""How long one sweep begins new repetitions."""


class NotRepeatable(ServiceError):
    """It cannot be sent again. The message says why, and what to do instead."""

    code, status = "not_repeatable", 409


class NotDue(Exception):
    """Somebody has come between: it is a person's to decide now."""


LOOK_INSTEAD = "Look it up in the business system, then record what you found."


def repeat(*, action_id: UUID, by: Decider) -> Action:
    """Send an action of unknown outcome again, because a member of staff wants it; the action as it is then: still
    `unknown` where again no clear answer came.

    Raises NotAllowed, ActionNotFound, NotUnknown, NotRepeatable; then nothing was sent. Takes as long as a tool call.
    """
    if by.kind != "staff":
        raise NotAllowed("Not allowed to send it again")
    try:
        return executor.repeat(action_id, allowed=_check, by_name=by.name)
    except (executor.NotExecutable, tool_request.RecipeError) as fault:
        raise NotRepeatable(f"{fault} {LOOK_INSTEAD}") from fault


def _check(action: Action) -> None:
    if action.status != ActionStatus.UNKNOWN:
        raise NotUnknown.of(action)
    if not action.tool.repeat_safe:
        raise NotRepeatable(
            f"The tool {action.tool_name} is not declared safe to send again: it could happen twice. {LOOK_INSTEAD}"
        )
    if not _is_recent(action):
        raise NotRepeatable(
            "It was sent more than a day ago. The business system may have forgotten it by now, and it could happen "
            f"twice. {LOOK_INSTEAD}"
        )


def _is_recent(action: Action) -> bool:
    return action.decided_at is not None and action.decided_at > timezone.now() - WITHIN


def is_repeatable(action: Action) -> bool:
    """Whether staff are offered to send it again."""
    safe = action.tool.repeat_safe and action.tool.enabled and _is_recent(action)
    return bool(safe and action.status == ActionStatus.UNKNOWN)


def _newer(customer: Any, tool: Any, since: Any) -> QuerySet[Action]:
    """What was opened for the customer with the same tool since, unless it was given up. Whoever asks again has moved
    on: what was meant before could come on top of it (a second refund), or put an older value in its place."""
    given_up = [ActionStatus.REJECTED, ActionStatus.EXPIRED, ActionStatus.CANCELLED]
    same = Action.objects.filter(customer=customer, tool=tool, created_at__gt=since)
    return same.exclude(status__in=given_up)


def due() -> QuerySet[Action]:
    """Actions that are to be sent again now, the oldest first: of turns that no worker has and nobody stopped, in
    conversations that nobody has taken over since, of tools that the customer has not asked anything of since."""
    now = timezone.now()
    ripe = Q()
    for number, pause in enumerate(PAUSES):
        ripe |= Q(repeats=number, finished_at__lte=now - pause)
    return (
        Action.objects.filter(
            ripe,
            status=ActionStatus.UNKNOWN,
            tool__repeat_safe=True,
            tool__enabled=True,
            decided_at__gt=now - WITHIN,
            turn__status__in=["completed", "failed", "waiting"],
            turn__stop_requested=False,
            turn__epoch=F("turn__conversation__epoch"),
        )
        .exclude(turn__conversation__status="held")
        .exclude(Exists(_newer(OuterRef("customer"), OuterRef("tool"), OuterRef("created_at"))))
        .order_by("finished_at")
    )


def repeat_due(*, limit: int = 50) -> int:
    """Send again what is due; returns how many were. One that fails is logged, and the others go on."""
    started, repeated = time.monotonic(), 0
    for action_id in list(due().values_list("pk", flat=True)[:limit]):
        if time.monotonic() - started > SWEEP_SECONDS:
            break
        try:
            action = executor.repeat(action_id, allowed=_check_due)
        except (NotDue, ServiceError, executor.NotExecutable, tool_request.RecipeError) as reason:
            log.info("action_not_repeated", action_id=str(action_id), reason=str(reason))
        except Exception:
            log.exception("action_repetition_failed", action_id=str(action_id))
        else:
            repeated += 1
            log.info("action_repeated_when_due", action_id=str(action_id), status=action.status)
    return repeated


def _check_due(action: Action) -> None:
    """The lock on the conversation lets nobody take it over between this look and the dispatch."""
    _check(action)
    conversations = apps.get_model("chat.Conversation").objects.select_for_update(no_key=True)
    conversation = conversations.get(pk=action.turn.conversation_id)
    if conversation.status == "held" or conversation.epoch != action.turn.epoch:
        raise NotDue("Somebody has taken the conversation over.")
    if action.turn.status == "stopped" or action.turn.stop_requested:
        raise NotDue("The turn was stopped.")
    if _newer(action.customer_id, action.tool_id, action.created_at).exists():
        raise NotDue("The customer has asked for the like again since.")
    if action.repeats >= len(PAUSES):
        raise NotDue("It was sent again often enough.")
