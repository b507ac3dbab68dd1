"""The only code that can cause an effect. It takes an Action id and nothing else.

    approved --(compare-and-set, checks, committed)--> dispatching --(request sent)--> succeeded | failed | unknown

The dispatch is recorded before a byte leaves, so a row found in `dispatching` by somebody who did not send it means
that nobody saw the outcome. It is sent again only where the tool is declared safe to repeat (its Idempotency-Key is
the action's id, so the business system acts once); otherwise it becomes `unknown` for staff to settle.

    unknown --(safe to repeat: compare-and-set, the same checks)--> dispatching --> succeeded | failed | unknown

When that is done is decided in `agents.repetition`; here it is carried out.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q
from django.utils import timezone

from agents import approvals, credentials, facts, tool_http, tool_request
from agents.context import Journal, StaleTurn
from agents.models import Action, ActionStatus, Tool
from smartsupport.lib.own_loop import on_own_loop

log = structlog.get_logger(__name__)

RECORD_PAUSES = (0.1, 0.5, 2.0, 5.0)
"""Seconds between the attempts to record an outcome."""
ABANDONED_AFTER = timedelta(seconds=60)
"""How long past its time limit a request of a turn that has ended is left to whoever sent it."""

_in_flight: dict[asyncio.Task[Action], Journal] = {}


class NotExecutable(Exception):
    """The action may not run. The message says why, in words that the model and staff can read."""


async def execute(action_id: UUID, journal: Journal) -> Action:
    """Carry out an approved action once and return its settled row.

    A repeat, or a call after a crash, finds the row as it is: settled rows are returned, nothing is sent twice.
    The dispatch outlives a cancelled caller: what was sent is always recorded. Raises StaleTurn.
    """
    task = asyncio.ensure_future(_execute(action_id, journal))
    _in_flight[task] = journal
    task.add_done_callback(lambda done: _in_flight.pop(done, None))
    return await asyncio.shield(task)


async def drain(timeout: float, journal: Journal | None = None) -> None:
    """Wait up to `timeout` seconds for dispatched requests to be recorded: of one turn, or of all."""
    waited_for = [task for task, owner in _in_flight.items() if journal is None or owner is journal]
    if waited_for:
        await asyncio.wait(waited_for, timeout=timeout)


async def _execute(action_id: UUID, journal: Journal) -> Action:
    asked = journal.recorded(f"approval:{action_id}")
    overridden = asked.payload.get("overridden", []) if asked else []
    action, request, terms = await journal.transact(lambda: _dispatched(action_id, overridden))
    if request is None:
        return action
    started = asyncio.get_running_loop().time()
    outcome = await tool_http.send(
        request, terms, repeatable=action.tool.repeat_safe, in_doubt=action.attempts > 1
    )
    duration_ms = round((asyncio.get_running_loop().time() - started) * 1000)
    return await _recorded(journal, action_id, outcome, duration_ms)


async def _recorded(
    journal: Journal, action_id: UUID, outcome: tool_http.Outcome, duration_ms: int
) -> Action:
    """Record what came of it. A database that is away for a moment must not make a seen outcome an unknown one."""
    for pause in (*RECORD_PAUSES, None):
        try:
            return await journal.transact(lambda: _record(action_id, outcome, duration_ms), fenced=False)
        except (OperationalError, InterfaceError):
            if pause is None:
                raise
            log.warning("outcome_not_recorded_yet", action_id=str(action_id), seconds=pause)
            await asyncio.sleep(pause)
    raise AssertionError


def repeat(action_id: UUID, *, allowed: Callable[[Action], None], by_name: str = "") -> Action:
    """Send an action of unknown outcome once more, with the key that it had, and return it as it is then. Synchronous;
    takes as long as a tool call may.

    `allowed` gets the locked action before anything changes, and raises what speaks against it. Raises ActionNotFound,
    NotExecutable, RecipeError; then nothing was sent. Who dies in between leaves it to `settle_abandoned`.
    """
    with transaction.atomic():
        action = approvals.locked(action_id)
        allowed(action)
        request = _dispatch_again(action, by_name)
        terms = credentials.terms_of(action.tool)
    started = time.monotonic()
    outcome = on_own_loop(tool_http.send(request, terms, repeatable=True, in_doubt=True))
    duration_ms = round((time.monotonic() - started) * 1000)
    for pause in (*RECORD_PAUSES, None):
        try:
            return _record_apart(action_id, outcome, duration_ms)[0]
        except (OperationalError, InterfaceError):
            if pause is None:
                raise
            log.warning("outcome_not_recorded_yet", action_id=str(action_id), seconds=pause)
            time.sleep(pause)
    raise AssertionError


def _dispatch_again(action: Action, by_name: str) -> tool_request.Request:
    """Win the unknown action and record that it is about to be sent again."""
    request = _checked_request(action)
    won = Action.objects.filter(
        pk=action.pk, status=ActionStatus.UNKNOWN, tool__repeat_safe=True, tool__enabled=True
    ).update(
        status=ActionStatus.DISPATCHING,
        dispatched_at=timezone.now(),
        finished_at=None,
        attempts=F("attempts") + 1,
        repeats=F("repeats") + 1,
        sent=request.shown(),
    )
    if not won:
        raise NotExecutable("Only what is safe to repeat, and of unknown outcome, is sent again.")
    action.refresh_from_db(fields=["status", "dispatched_at", "finished_at", "attempts", "repeats", "sent"])
    log.info("action_repeated", action_id=str(action.pk), tool=action.tool_name, by_name=by_name)
    fact = facts.action_repeated(
        interrupt_id=action.pk, action=action.tool_name, by_name=by_name, attempt=action.repeats
    )
    approvals.settled.send(Action, action=action, fact=fact)
    return request


@transaction.atomic
def _record_apart(
    action_id: UUID, outcome: tool_http.Outcome, duration_ms: int | None
) -> tuple[Action, list[facts.Fact]]:
    """Record an outcome for which no turn's journal is at hand."""
    action, recorded = _record(action_id, outcome, duration_ms)
    for fact in recorded:
        approvals.settled.send(Action, action=action, fact=fact)
    return action, recorded


def _dispatched(
    action_id: UUID, overridden: list[str]
) -> tuple[tuple[Action, tool_request.Request | None, credentials.Terms], list[facts.Fact]]:
    """The same as `_dispatch`, with the terms on which the business system is called."""
    (action, request), recorded = _dispatch(action_id, overridden)
    terms = credentials.terms_of(action.tool)
    return (action, request, terms), recorded


def _dispatch(
    action_id: UUID, overridden: list[str]
) -> tuple[tuple[Action, tool_request.Request | None], list[facts.Fact]]:
    """Win the action and record that it is about to be sent. No request where it is settled already."""
    action = (
        Action.objects.select_for_update(of=("self",), no_key=True)
        .select_related("tool", "customer")
        .get(pk=action_id)
    )
    if action.status == ActionStatus.DISPATCHING:
        return _found_dispatching(action)
    if action.status != ActionStatus.APPROVED:
        return (action, None), []
    if difference := approvals.drift(action):
        approvals.reopen(action, difference)
        return (action, None), []
    try:
        request = _checked_request(action)
    except (NotExecutable, tool_request.RecipeError) as fault:
        return _refuse(action, str(fault))
    won = Action.objects.filter(pk=action_id, status=ActionStatus.APPROVED).update(
        status=ActionStatus.DISPATCHING,
        dispatched_at=timezone.now(),
        attempts=F("attempts") + 1,
        sent=request.shown(),
    )
    if not won:
        raise StaleTurn("The action was taken by somebody else.")
    action.refresh_from_db(fields=["status", "dispatched_at", "attempts", "sent"])
    log.info("action_dispatched", action_id=str(action_id), tool=action.tool_name)
    fact = facts.tool_called(
        agent=action.agent,
        tool=action.tool_name,
        title=action.tool.title,
        args=action.args,
        call_id=action.tool_call_id,
        action_id=action.pk,
        overridden=overridden,
    )
    return (action, request), [fact]


def _checked_request(action: Action) -> tool_request.Request:
    """What was approved, and nothing else: raises NotExecutable when anything differs."""
    tool: Tool = action.tool
    if action.arguments_hash != action.expected_hash():
        raise NotExecutable("The arguments are not the ones that were approved.")
    if not tool.enabled:
        raise NotExecutable(f"The tool {tool.name} has been switched off since this was approved.")
    if tool.fingerprint() != action.tool_fingerprint:
        raise NotExecutable(
            f"The tool {tool.name} has changed since this was approved. It has to be asked for again."
        )
    if action.decided_at is None or action.decided_at > action.expires_at:
        raise NotExecutable("The approval came too late.")
    return tool_request.build(
        tool, json.loads(action.arguments), json.loads(action.bound_arguments), idempotency_key=str(action.pk)
    )


def _found_dispatching(action: Action) -> tuple[tuple[Action, tool_request.Request | None], list[facts.Fact]]:
    """Somebody sent this and was never heard of again, or is still waiting for the answer."""
    request = _same_request(action)
    if request is not None:
        Action.objects.filter(pk=action.pk).update(attempts=F("attempts") + 1)
        action.refresh_from_db(fields=["attempts"])
        return (action, request), []
    log.warning("action_outcome_abandoned", action_id=str(action.pk))
    settled, recorded = _record(action.pk, NOBODY_SAW, None)
    return (settled, None), recorded


def _same_request(action: Action) -> tool_request.Request | None:
    """What was sent, to be sent again; None where that is not safe, or would not be the same any more."""
    if not action.tool.repeat_safe:
        return None
    try:
        return _checked_request(action)
    except (NotExecutable, tool_request.RecipeError):
        return None


NOBODY_SAW = tool_http.Outcome(False, kind="unknown", seen=False)


def _refuse(action: Action, why: str) -> tuple[tuple[Action, None], list[facts.Fact]]:
    outcome = tool_http.Outcome(False, kind="validation", message=why)
    settled, recorded = _record(action.pk, outcome, None, source=ActionStatus.APPROVED)
    return (settled, None), recorded


def _record(
    action_id: UUID,
    outcome: tool_http.Outcome,
    duration_ms: int | None,
    *,
    source: str = ActionStatus.DISPATCHING,
) -> tuple[Action, list[facts.Fact]]:
    """Settle the action. The first to record wins; a later one gets the settled row and adds nothing, except that
    whoever really saw the answer corrects an `unknown` written meanwhile."""
    corrected = False
    status = (
        ActionStatus.SUCCEEDED
        if outcome.ok
        else ActionStatus.FAILED
        if outcome.seen
        else ActionStatus.UNKNOWN
    )
    kind, message = outcome.kind, outcome.message
    if status == ActionStatus.UNKNOWN:
        kind, message = "unknown", UNKNOWN_MESSAGE
    values = {
        "status": status,
        "finished_at": timezone.now(),
        "result": outcome.result,
        "error_kind": kind,
        "error_message": message if not outcome.ok else "",
        "http_status": outcome.status,
    }
    won = Action.objects.filter(pk=action_id, status=source).update(**values)
    if not won and status != ActionStatus.UNKNOWN and source == ActionStatus.DISPATCHING:
        corrected = bool(Action.objects.filter(pk=action_id, status=ActionStatus.UNKNOWN).update(**values))
    action = Action.objects.select_related("tool").get(pk=action_id)
    if not won and not corrected:
        if source == ActionStatus.DISPATCHING and action.status != status:
            log.error(
                "action_answer_contradicts", action_id=str(action_id), settled=action.status, answer=status
            )
        return action, []
    log.info(
        "action_settled", action_id=str(action_id), status=status, error_kind=kind, http_status=outcome.status
    )
    fact = returned_fact(action, duration_ms)
    return action, [replace(fact, key=f"{fact.key}:corrected") if corrected else fact]


UNKNOWN_MESSAGE = (
    "It was sent and no clear answer came back, so nobody knows whether it happened. Staff will check."
)


def settle_abandoned(*, limit: int = 500) -> int:
    """Mark as unknown what was sent for a turn that has ended, by somebody who died before the answer came. A turn
    that is still open settles its own; what was sent again from outside of it does not wait for it. Returns how many.
    """
    before = timezone.now() - timedelta(seconds=settings.TOOL_TIMEOUT_SECONDS) - ABANDONED_AFTER
    ended = Q(turn__status__in=["completed", "failed", "stopped"])
    abandoned = Action.objects.filter(
        ended | Q(repeats__gt=0), status=ActionStatus.DISPATCHING, dispatched_at__lte=before
    )
    settled = 0
    for action_id in abandoned.order_by("dispatched_at").values_list("pk", flat=True)[:limit]:
        try:
            _, recorded = _record_apart(action_id, NOBODY_SAW, None)
        except Exception:  # the others are settled all the same
            log.exception("abandoned_action_not_settled", action_id=str(action_id))
        else:
            settled += len(recorded)
    return settled


def returned_fact(action: Action, duration_ms: int | None) -> facts.Fact:
    """The action's result for the log: one of the first dispatch, and one of each repetition."""
    ok = action.status == ActionStatus.SUCCEEDED
    error: dict[str, Any] | None = None
    if not ok:
        error = {"kind": action.error_kind, "message": action.error_message}
    fact = facts.tool_returned(
        agent=action.agent,
        tool=action.tool_name,
        call_id=action.tool_call_id,
        ok=ok,
        result=action.result,
        error=error,
        status=action.http_status,
        action_id=action.pk,
        duration_ms=duration_ms,
    )
    return replace(fact, key=f"{fact.key}:repeat:{action.repeats}") if action.repeats else fact
