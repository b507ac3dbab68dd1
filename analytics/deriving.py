"""From a conversation's log to what it counts as: a pure function of the log and of the time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from agents.models import ActionStatus
from agents.policy import FIND_TOOLS
from analytics import histogram
from analytics.definitions import QUIET, RESOLVED, RULES, Outcome, Signs, outcome
from analytics.models import ConversationFact
from analytics.raw_log import Approval, ConversationLog, Said

WORDS = ("message_received", "replied", "question_asked", "staff_wrote")
"""What somebody said. A conversation is as old as the last of these."""
AGENTS_WORDS = ("replied", "question_asked")
PERSON = ("handoff_requested", "taken_over", "staff_wrote")
AT_WORK = ("message_received", "turn_retried")
ENDS = ("turn_completed", "turn_failed", "turn_stopped")
WORK_OF_AGENTS = ("replied", "tool_called", "approval_opened")
APPROVED = (
    ActionStatus.APPROVED,
    ActionStatus.DISPATCHING,
    ActionStatus.SUCCEEDED,
    ActionStatus.FAILED,
    ActionStatus.UNKNOWN,
)


def fact_of(log: ConversationLog, now: datetime) -> ConversationFact:
    """The row of this conversation as it stands at `now`, not saved."""
    words = _newest(log, WORDS)
    watched_until = (words.at if words else log.started_at) + QUIET
    signs = _signs(log, words, watched_until, now)
    became = outcome(signs)
    feedback = [event for event in log.events if event.kind == "feedback_given"]
    asked = any(event.kind == "feedback_asked" for event in log.events)
    return ConversationFact(
        conversation_id=log.conversation_id,
        customer_id=log.customer_id,
        seq=log.seq,
        cost_seen=log.cost_seen,
        rules=RULES,
        started_at=log.started_at,
        day=log.started_at.astimezone(UTC).date(),
        watched_until=watched_until,
        settles_at=None if signs.quiet else watched_until,
        outcome=became,
        with_person=bool(signs.person),
        without_person=not signs.person and any(event.kind == "replied" for event in log.events),
        turns=len({event.turn_id for event in log.events if event.kind == "message_received"} - {None}),
        cost_micros=sum(call.cost_micros or 0 for call in log.calls),
        unpriced_calls=sum(call.cost_micros is None for call in log.calls),
        first_answer_ms=_first_answer(log),
        person_answer_ms=_person_answer(log),
        resolution_ms=_resolution(log, became),
        **_approvals(log.approvals),
        asked=asked,
        answered=asked and bool(feedback),
        score=next((event.score for event in reversed(feedback) if _is_score(event.score)), None),
        agents=_agents(log),
        tools=_tools(log),
    )


def _told_place(log: ConversationLog) -> int:
    """The newest answer of a reading tool that an agent's whole answer followed."""
    told = _place(event for event in log.events if event.kind == "replied" and event.cut is not True)
    return _place(event for event in log.events if _is_read(event) and event.seq < told)


def _signs(log: ConversationLog, words: Said | None, watched_until: datetime, now: datetime) -> Signs:
    quiet = now >= watched_until
    answers = [event.solved for event in log.events if event.kind == "feedback_given"]
    return Signs(
        solved=next((one for one in reversed(answers) if one is True or one is False), None),
        effect=_place(event for event in log.events if _is_effect(event)),
        read=_told_place(log),
        failure=_place(event for event in log.events if _is_failure(event)),
        person=_place(event for event in log.events if event.kind in PERSON),
        answered=words is not None and words.kind == "replied" and words.cut is not True,
        under_way=not quiet and _under_way(log),
        came_back=log.next_at is not None and log.next_at <= watched_until,
        quiet=quiet,
    )


def _newest(log: ConversationLog, kinds: tuple[str, ...]) -> Said | None:
    return next((event for event in reversed(log.events) if event.kind in kinds), None)


def _first(log: ConversationLog, *kinds: str) -> Said | None:
    return next((event for event in log.events if event.kind in kinds), None)


def _place(events: Iterator[Said]) -> int:
    return max((event.seq for event in events), default=0)


def _is_result(event: Said) -> bool:
    return event.kind == "tool_returned" and event.tool != FIND_TOOLS


def _is_effect(event: Said) -> bool:
    if event.kind == "action_settled":
        return event.happened is True
    return _is_result(event) and event.ok is True and event.action_id is not None


def _is_read(event: Said) -> bool:
    return _is_result(event) and event.ok is True and event.action_id is None


def _is_failure(event: Said) -> bool:
    if event.kind == "action_settled":
        return event.happened is not True
    return event.kind == "turn_failed" or (_is_result(event) and event.ok is not True)


def _is_score(value: Any) -> bool:
    return type(value) is int and 1 <= value <= 5


def _under_way(log: ConversationLog) -> bool:
    """Whether a turn that was begun, or begun again, has not ended since."""
    working: dict[UUID, bool] = {}
    for event in log.events:
        if event.turn_id is not None and event.kind in (*AT_WORK, *ENDS):
            working[event.turn_id] = event.kind in AT_WORK
    return any(working.values())


def _between(earlier: Said | None, later: Said | None) -> int | None:
    """Whole milliseconds, rounded down; None where one of them did not happen. Clocks of two machines may differ:
    never below 0."""
    if earlier is None or later is None:
        return None
    return max(0, (later.at - earlier.at) // MILLISECOND)


MILLISECOND = timedelta(milliseconds=1)


def _first_answer(log: ConversationLog) -> int | None:
    answer, person = _first(log, *AGENTS_WORDS), _first(log, "staff_wrote")
    if answer is not None and person is not None and person.seq < answer.seq:
        return None
    return _between(_first(log, "message_received"), answer)


def _person_answer(log: ConversationLog) -> int | None:
    wrote = _first(log, "staff_wrote")
    if wrote is None:
        return None
    before = [event for event in log.events if event.seq < wrote.seq]
    asked = next((event for event in before if event.kind == "handoff_requested"), None)
    message = next((event for event in reversed(before) if event.kind == "message_received"), None)
    return _between(asked or message, wrote)


def _resolution(log: ConversationLog, became: Outcome) -> int | None:
    """Where the customer said yes, answers after that do not count."""
    if became not in RESOLVED:
        return None
    answers = [event for event in log.events if event.kind in ("replied", "staff_wrote")]
    if became == Outcome.CONFIRMED:
        yes = _place(event for event in log.events if event.kind == "feedback_given" and event.solved is True)
        answers = [event for event in answers if event.seq < yes]
    return _between(_first(log, "message_received"), answers[-1] if answers else None)


def _approvals(approvals: list[Approval]) -> dict[str, Any]:
    counts = {"approved": 0, "rejected": 0, "expired": 0, "cancelled": 0, "awaiting": 0}
    waits = []
    for approval in approvals:
        name = "approved" if approval.status in APPROVED else approval.status
        counts[name] += 1
        if name in ("approved", "rejected") and approval.decided_at is not None:
            waits.append(max(0, (approval.decided_at - approval.asked_at) // MILLISECOND))
    return {**counts, "approval_waits_ms": sorted(waits)}


def _agents(log: ConversationLog) -> dict[str, int]:
    """{agent that did something: cost of its model calls}."""
    at_work = {event.agent for event in log.events if event.kind in WORK_OF_AGENTS and event.agent}
    return {
        agent: sum(call.cost_micros or 0 for call in log.calls if call.agent == agent)
        for agent in sorted(at_work)
    }


def _tools(log: ConversationLog) -> dict[str, dict[str, Any]]:
    """{tool: {"calls", "failures", "durations": histogram}} of calls that were sent, each with its newest result."""
    newest: dict[tuple[UUID | None, str | None], Said] = {}
    for event in log.events:
        if _is_result(event) and _was_sent(event):
            newest[event.turn_id, event.call_id] = event
    tools: dict[str, dict[str, Any]] = {}
    for event in newest.values():
        counted = tools.setdefault((event.tool or "")[:64], {"calls": 0, "failures": 0, "durations": {}})
        counted["calls"] += 1
        counted["failures"] += event.ok is not True
        if event.duration_ms is not None:
            own = histogram.counted([event.duration_ms])
            counted["durations"] = histogram.added([counted["durations"], own])
    return tools


def _was_sent(event: Said) -> bool:
    """What was refused before it was sent has no duration, and neither has what nobody saw the outcome of."""
    return event.duration_ms is not None or (event.ok is not True and event.error_kind == "unknown")
