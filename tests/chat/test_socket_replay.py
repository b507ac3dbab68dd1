"""Whatever is told live is told again by `resume`, and exactly the same: a case for each kind that has a frame."""

import asyncio
from uuid import UUID

import pytest
from channels.layers import get_channel_layer
from django.utils import timezone

from agents import facts
from agents.facts import Fact
from chat import events
from chat.events import Batch, group_of
from chat.frames import _MAKERS, TOLD_TWICE, Frame
from tests import rows
from tests.factories import on_loop

pytestmark = pytest.mark.django_db(transaction=True)
ID = UUID(int=7)
ASKED = {
    "interrupt_id": ID,
    "agent": "order_actions",
    "action": "cancel_order",
    "params": {"order_id": 1042, "note": "é 单 🙂"},
    "message": "Cancel order 1042",
    "approver": "staff",
    "expires_at": timezone.now(),
}
DECIDED = {
    "interrupt_id": ID,
    "action": "cancel_order",
    "resolution": "approved",
    "by": "staff",
    "by_name": "Sam",
}
CALL = {"agent": "order_lookup", "tool": "get_order_status", "call_id": "call_1"}
SAMPLES: dict[str, list[Fact]] = {
    "message_received": [
        Fact("message_received", {"content": "a\u2028b 🙂 <b>", "client_message_id": "m-1"}, key="message:2"),
        Fact("message_received", {"content": "hello", "client_message_id": None}),
    ],
    "routed": [facts.routed(agents=["a", "b"], reason="Why.", by="model", usage=rows.USAGE, duration_ms=5)],
    "tool_called": [
        facts.tool_called(**CALL, title="Look up an order", args={"order_id": 1}),
        facts.tool_called(**CALL | {"call_id": "call_2"}, title="Cancel", args={}, action_id=ID),
    ],
    "tool_returned": [
        facts.tool_returned(
            **CALL, ok=True, result={"total": 12.5, "lines": [None, True, {"x": "é"}]}, status=200
        ),
        facts.tool_returned(
            **CALL | {"call_id": "2"}, ok=False, error={"kind": "transient", "message": "No."}
        ),
        facts.tool_returned(**CALL | {"call_id": "3"}, ok=True, result="x" * 80_000),
    ],
    "approval_opened": [facts.approval_opened(**ASKED)],
    "approval_reopened": [
        facts.approval_reopened(**ASKED, difference=[{"field": "path", "was": "/a", "now": "/b"}], attempt=1)
    ],
    "approval_decided": [
        facts.approval_decided(**DECIDED, reason=""),
        facts.approval_decided(
            **DECIDED, reason="Less.", attempt=1, params={"percent": 5}, changed={"percent": [10, 5]}
        ),
    ],
    "approval_expired": [
        facts.approval_expired(interrupt_id=ID, action="cancel_order", message="It has expired.")
    ],
    "replied": [
        facts.replied(
            agent="order_lookup", content="**Bold** <script>x</script> [a](https://b.c)", key="reply:1"
        ),
        facts.replied(agent="order_lookup", content="Cut o", key="reply:cut:0", cut=True),
    ],
    "question_asked": [facts.question_asked(message="Which order?", usage=rows.USAGE, duration_ms=1)],
    "handoff_requested": [facts.handoff_requested(reason="They asked.", by="customer", key="route")],
    "staff_wrote": [Fact("staff_wrote", {"content": "Hello *you*", "by_name": "Sam"})],
    "taken_over": [Fact("taken_over", {"by_name": "Sam"})],
    "handed_back": [Fact("handed_back", {"by_name": "Sam"})],
    "feedback_asked": [facts.feedback_asked()],
    "feedback_given": [
        facts.feedback_given(solved=True, score=5, comment="é 🙂"),
        facts.feedback_given(solved=None, score=1, comment=""),
    ],
    "turn_retried": [Fact("turn_retried", {"by": "customer"})],
    "turn_completed": [Fact("turn_completed", {}, key="end")],
    "turn_stopped": [Fact("turn_stopped", {}, key="end")],
    "turn_failed": [
        Fact("turn_failed", {"code": "turn_idle", "message": "Too long.", "detail": "inner"}, key="end:1")
    ],
}


def test_there_is_a_case_for_each_kind() -> None:
    assert set(SAMPLES) == set(_MAKERS)


@pytest.mark.parametrize("kind", _MAKERS)
def test_what_is_sent_again_is_what_was_sent(kind: str) -> None:
    turn = rows.turn(rows.customer())
    before = turn.conversation.events.count()
    batch = events.insert(turn.conversation_id, SAMPLES[kind], turn_id=turn.pk)

    live = on_loop(sent(batch))
    again, last = events.frames_after(turn.conversation_id, turn.conversation.thread_id, before)

    assert live == again
    assert last == batch.last
    assert {frame["seq"] for frame in live} == set(range(before + 1, batch.last + 1))
    assert {frame["turn_id"] for frame in live} == {str(turn.pk)}
    by_event = [
        [frame["type"] for frame in live if frame["seq"] == seq] for seq in {frame["seq"] for frame in live}
    ]
    assert (max(map(len, by_event)) > 1) == (kind in TOLD_TWICE)
    rest = events.frames_repeated(turn.conversation_id, turn.conversation.thread_id, batch.last)
    assert rest == ([live[-1]] if kind in TOLD_TWICE else [])


async def sent(batch: Batch) -> list[Frame]:
    """What a socket gets of it, over the broker."""
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(group_of(batch.conversation_id), channel)
    await events.publish(batch)
    async with asyncio.timeout(30):
        message = await layer.receive(channel)
    frames: list[Frame] = message["frames"]
    return frames
