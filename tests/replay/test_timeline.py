"""Every fact becomes one step and one sentence."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chat.models import Event
from replay import timeline

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def told(kind: str, payload: Any, **fields: Any) -> timeline.Step:
    return timeline.step(Event(seq=1, kind=kind, payload=payload, created_at=AT, **fields))


KINDS: list[tuple[str, dict[str, Any], str, str]] = [
    ("message_received", {"content": "Hi"}, "user_message", "Customer"),
    ("routed", {"agents": ["a"], "reason": "r", "by": "model"}, "supervisor_routing", "Passed to a"),
    (
        "routed",
        {"agents": ["a", "b"], "reason": "", "by": "model"},
        "supervisor_routing",
        "Passed to a, then b",
    ),
    ("routed", {"agents": ["a"], "reason": "", "by": "continued"}, "supervisor_routing", "Stayed with a"),
    (
        "model_called",
        {"text": "x", "tool_calls": [], "model": "m"},
        "model_call",
        "bot's model wrote an answer",
    ),
    (
        "model_called",
        {"text": "", "tool_calls": [{"id": "1", "name": "cancel", "args": {}}], "model": "m"},
        "model_call",
        "bot's model chose cancel",
    ),
    ("tool_called", {"tool": "t", "title": "Do it", "args": {"n": 1}}, "tool_call", "bot used “Do it”"),
    ("tool_returned", {"tool": "t", "ok": True, "result": {"n": 1}}, "tool_result", "t answered"),
    (
        "tool_returned",
        {"tool": "t", "ok": False, "error": {"message": "no"}},
        "tool_result",
        "t did not work",
    ),
    (
        "tool_returned",
        {"tool": "t", "ok": False, "error": {"kind": "unknown", "message": "?"}},
        "tool_result",
        "No clear answer from t",
    ),
    (
        "approval_opened",
        {"action": "t", "params": {}, "approver": "staff"},
        "interrupt",
        "Asked staff for approval",
    ),
    (
        "approval_decided",
        {"action": "t", "resolution": "approved", "by": "staff", "by_name": "sam"},
        "interrupt_resolved",
        "sam approved t",
    ),
    (
        "approval_decided",
        {"action": "t", "resolution": "rejected", "by": "customer", "by_name": ""},
        "interrupt_resolved",
        "The customer declined t",
    ),
    (
        "approval_expired",
        {"action": "t", "message": "late"},
        "interrupt_expired",
        "Nobody decided on t in time",
    ),
    (
        "action_settled",
        {"action": "t", "happened": True, "by_name": "sam", "note": "n"},
        "action_settled",
        "sam found that t happened",
    ),
    (
        "action_settled",
        {"action": "t", "happened": False, "by_name": "sam", "note": "n"},
        "action_settled",
        "sam found that t did not happen",
    ),
    (
        "call_requested",
        {"tool": "t", "title": "Cancel an order", "args": {}, "by": "key:1", "by_name": "API key shop"},
        "call_request",
        "API key shop asked for “Cancel an order”",
    ),
    ("replied", {"content": "Done"}, "agent_response", "bot"),
    ("question_asked", {"message": "Which?"}, "clarification", "bot"),
    ("handoff_requested", {"reason": "r", "by": "customer"}, "handoff", "The customer asked for a person"),
    ("staff_wrote", {"content": "Hello", "by_name": "sam"}, "staff_message", "sam"),
    ("note_written", {"content": "Hello", "by_name": "sam", "once": ""}, "note", "sam"),
    (
        "tagged",
        {"added": ["gift", "vip"], "removed": ["refund"], "by_name": "sam"},
        "tags",
        "sam added the tags “gift”, “vip” and removed the tag “refund”",
    ),
    ("tagged", {"added": "odd", "removed": [], "by_name": ""}, "tags", "Staff added the tag “odd”"),
    ("tagged", {}, "tags", "Staff changed the tags"),
    (
        "conversation_resolved",
        {"by_name": "sam"},
        "conversation_resolved",
        "sam marked the conversation as resolved",
    ),
    ("turn_completed", {}, "turn_completed", "Finished"),
    ("turn_failed", {"code": "c", "message": "m", "detail": "d"}, "turn_failed", "The turn failed"),
    ("turn_stopped", {}, "turn_stopped", "Stopped before it was finished"),
    (
        "approval_voted",
        {"action": "t", "by_name": "sam", "votes": 1, "needed": 2},
        "interrupt_voted",
        "sam approved t; a second person has to agree",
    ),
    (
        "approval_reopened",
        {"action": "t", "params": {}, "difference": []},
        "interrupt",
        "t came back to staff, because the tool has changed",
    ),
    (
        "approval_decided",
        {"action": "t", "resolution": "approved", "by": "staff", "by_name": "sam", "changed": {"n": [1, 2]}},
        "interrupt_resolved",
        "sam approved t with changes",
    ),
    (
        "action_repeated",
        {"action": "t", "by_name": "sam", "attempt": 1},
        "action_repeated",
        "sam sent t again, to find out what came of it",
    ),
    (
        "action_repeated",
        {"action": "t", "by_name": "", "attempt": 2},
        "action_repeated",
        "Smart Support sent t again, to find out what came of it",
    ),
    ("taken_over", {"by_name": "sam"}, "takeover", "sam took the conversation over"),
    ("handed_back", {"by_name": "sam"}, "handback", "sam gave the conversation back to the agents"),
    ("turn_retried", {"by": "customer"}, "turn_retried", "The customer had it tried again"),
    ("turn_retried", {"by": "staff"}, "turn_retried", "Staff had it tried again"),
    (
        "summarised",
        {"text": "They asked.", "through_seq": 4},
        "summary",
        "Summarised what was said before, for the agents",
    ),
    ("feedback_asked", {}, "feedback_request", "Asked the customer whether this helped"),
    (
        "feedback_given",
        {"solved": True, "score": 4, "comment": "Thanks"},
        "feedback",
        "The customer said: 4 of 5, solved",
    ),
    (
        "feedback_given",
        {"solved": None, "score": None, "comment": ""},
        "feedback",
        "The customer answered without a score",
    ),
    ("something_new", {"message": "from tomorrow"}, "something_new", "Something new"),
]


@pytest.mark.parametrize(("kind", "payload", "type_", "title"), KINDS)
def test_each_kind_has_a_type_and_a_sentence(
    kind: str, payload: dict[str, Any], type_: str, title: str
) -> None:
    step = told(kind, payload, agent="bot")

    assert (step.type, step.title) == (type_, title)


def test_every_known_kind_is_told_in_the_table_above() -> None:
    assert (
        set(timeline.SENTENCES)
        == set(timeline.STEP_TYPES)
        == {kind for kind, *_ in KINDS} - {"something_new"}
    )


@pytest.mark.parametrize("kind", [*timeline.SENTENCES, "unheard_of"])
@pytest.mark.parametrize(
    "payload",
    [
        {},
        None,
        [],
        "text",
        3,
        {"agents": 3, "tool_calls": [1, None], "args": [1], "error": "no", "content": {"a": 1}},
        {
            "changed": {"n": 3},
            "votes": [1],
            "available_at": 5,
            "overridden": {"a": 1},
            "outcomes": 3,
            "difference": 1,
        },
        {
            "changed": [[1, 2]],
            "available_at": "2026-03-02",
            "overridden": [None],
            "outcomes": [None],
            "by_name": 4,
        },
    ],
)
def test_an_odd_payload_is_shown_and_never_breaks_the_page(kind: str, payload: Any) -> None:
    assert told(kind, payload).title


def test_what_staff_changed_is_told_value_by_value() -> None:
    changed = {"percent": [10, 5], "note": [None, "hi"]}
    step = told(
        "approval_decided", {"action": "t", "resolution": "approved", "changed": changed, "reason": "Ok"}
    )

    assert step.text == "percent: 5 instead of 10\nnote: hi instead of nothing\nReason: Ok"
    assert step.result["changed"] == changed


def test_a_hand_over_out_of_hours_says_when_somebody_is_there_and_the_reference() -> None:
    step = told(
        "handoff_requested",
        {"reason": "Broken", "by": "rule", "ticket": "T-1", "available_at": "2026-03-02T08:00:00+00:00"},
    )

    assert step.text == (
        "Broken\nNobody is there before 2 Mar 2026, 08:00 UTC; the customer was told so.\n"
        "The customer's reference: T-1"
    )
    assert told("handoff_requested", {"reason": "r", "available_at": "soon", "by": "rule"}).title


def test_what_a_model_filled_in_although_it_may_not_is_told() -> None:
    step = told("tool_called", {"tool": "t", "args": {}, "overridden": ["customer_id"]}, agent="bot")

    assert step.text.startswith("The agent tried to fill in customer_id itself.")


def test_half_an_answer_and_a_colleagues_words_are_marked() -> None:
    assert told("replied", {"content": "It is", "cut": True}).mark == "cut off here"
    assert told("replied", {"content": "It is done."}).mark == ""
    assert "Our team" in told("staff_wrote", {"content": "Hi", "by_name": "sam"}).mark


ACTION = "0f0f0f0f-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("payload", "leads_to"),
    [
        ({"interrupt_id": ACTION}, ACTION),
        ({"action_id": ACTION, "ok": True}, None),
        ({"action_id": ACTION, "ok": False}, ACTION),
        ({"interrupt_id": "no id"}, None),
        ({"interrupt_id": ["x"]}, None),
    ],
)
def test_a_step_leads_to_the_approval_that_needs_a_look(
    payload: dict[str, Any], leads_to: str | None
) -> None:
    kind = "tool_returned" if "ok" in payload else "approval_opened"

    assert told(kind, payload).interrupt_id == leads_to


def test_tokens_cost_and_time_come_from_the_row() -> None:
    step = told("model_called", {}, tokens_in=100, tokens_out=20, cost_micros=1500, duration_ms=340)

    assert (step.tokens, step.cost_usd, step.duration_ms) == (120, 0.0015, 340)


def test_what_was_not_reported_is_unknown_and_not_zero() -> None:
    step = told("model_called", {})

    assert (step.tokens, step.cost_usd, step.duration_ms) == (None, None, None)
