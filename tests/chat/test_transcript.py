"""History in pages: nothing lost or doubled, nothing torn apart, and never a page without a message."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents import facts
from agents.facts import Fact
from chat import events, transcript
from chat.models import Conversation, Customer, Event, Turn
from tests import rows

pytestmark = pytest.mark.django_db(transaction=True)

SEEN = {"user_message", "agent_response", "clarification", "staff_message"}
STEPS = (
    "message",
    "reply",
    "staff",
    "call",
    "result",
    "open",
    "decide",
    "reopen",
    "expire",
    "inside",
    "failed",
)


class Script:
    """Writes a conversation of random steps, each as the product would record it."""

    def __init__(self) -> None:
        owner = Customer.objects.create(subject=f"cus_{uuid4().hex}")
        self.conversation = Conversation.objects.create(thread_id=f"t-{uuid4().hex}", customer=owner)
        self.turns = [
            Turn.objects.create(
                conversation=self.conversation, content="?", message_seq=n, status="completed"
            )
            for n in range(3)
        ]
        self.calls: list[list[str]] = [[], [], []]
        self.approvals: list[list[UUID]] = [[], [], []]

    def write(self, step: str, place: int) -> None:
        made = self._fact(step, place)
        if made is None:
            return
        turn_id = None if step == "staff" else self.turns[place].pk
        events.insert(self.conversation.pk, [made], turn_id=turn_id)

    def _fact(self, step: str, place: int) -> Fact | None:
        calls, approvals = self.calls[place], self.approvals[place]
        plain = {
            "message": Fact("message_received", {"content": "Hello", "client_message_id": None}),
            "reply": facts.replied(agent="bot", content="Well.", key=""),
            "staff": Fact("staff_wrote", {"content": "I am here.", "by_name": "sam"}),
            "inside": Fact("model_called", {"text": "", "tool_calls": [], "model": ""}),
            "failed": Fact("turn_failed", {"code": "turn_failed", "message": "No.", "detail": ""}),
        }
        if step == "call":
            calls.append(f"call_{uuid4().hex}")
            return facts.tool_called(agent="bot", tool="look", title="Look", args={}, call_id=calls[-1])
        if step == "result" and calls:
            return facts.tool_returned(agent="bot", tool="look", call_id=calls.pop(0), ok=True, result={})
        if step == "open":
            approvals.append(uuid4())
            return facts.approval_opened(interrupt_id=approvals[-1], **ASKED)
        if step == "reopen" and approvals:
            again = facts.approval_reopened(interrupt_id=approvals[0], difference=[], attempt=1, **ASKED)
            return Fact(again.kind, again.payload, agent=again.agent)
        if step == "decide" and approvals:
            return facts.approval_decided(
                interrupt_id=approvals.pop(0),
                action="act",
                resolution="approved",
                by="staff",
                by_name="sam",
                reason="",
            )
        if step == "expire" and approvals:
            return facts.approval_expired(interrupt_id=approvals.pop(0), action="act", message="Too late.")
        return plain.get(step)

    def pages(self, limit: int) -> list[transcript.Page]:
        self.conversation.refresh_from_db()
        found = [transcript.page(self.conversation, limit=limit)]
        while (before := found[-1].next) is not None:
            found.append(transcript.page(self.conversation, before=before, limit=limit))
        return found


ASKED: dict[str, Any] = {
    "agent": "bot",
    "action": "act",
    "params": {},
    "message": "Act?",
    "approver": "staff",
    "expires_at": datetime(2027, 1, 1, tzinfo=UTC),
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2)), max_size=40),
    limit=st.integers(1, 4),
)
def test_pages_together_are_the_whole_conversation_and_each_can_be_read_alone(
    steps: list[tuple[str, int]], limit: int
) -> None:
    script = Script()
    for step, place in steps:
        script.write(step, place)

    pages = script.pages(limit)

    whole, _ = events.frames_after(script.conversation.pk, script.conversation.thread_id, 0)
    assert sorted(_identity(frame) for page in pages for frame in page.frames) == sorted(
        map(_identity, whole)
    )
    for page in pages:
        _is_readable(page.frames, limit)
    if any(frame["type"] in SEEN for frame in whole):
        assert all(any(frame["type"] in SEEN for frame in page.frames) for page in pages)


def _identity(frame: dict[str, Any]) -> str:
    return json.dumps(frame, sort_keys=True)


def _is_readable(frames: list[dict[str, Any]], limit: int) -> None:
    assert [frame["seq"] for frame in frames] == sorted(frame["seq"] for frame in frames)
    assert sum(frame["type"] in SEEN for frame in frames) <= limit
    open_ = set()
    for frame in frames:
        if frame["type"] in ("tool_call", "interrupt"):
            open_.add(frame.get("call_id") or frame["interrupt_id"])
        elif frame["type"] in ("tool_result", "interrupt_resolved", "interrupt_expired"):
            assert (frame.get("call_id") or frame["interrupt_id"]) in open_, (
                "its beginning is on another page"
            )


def test_a_run_of_tool_events_is_no_page_of_its_own() -> None:
    script = Script()
    script.write("message", 0)
    for _ in range(60):
        script.write("call", 0)
        script.write("result", 0)
        script.write("inside", 0)
    script.write("reply", 0)

    newest, oldest = script.pages(1)

    assert [frame["type"] for frame in newest.frames] == ["agent_response"]
    assert [frame["type"] for frame in oldest.frames] == ["user_message", *["tool_call", "tool_result"] * 60]


def test_a_page_is_bounded_by_its_events_and_still_shows_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "EVENTS_MOST", 10)
    script = Script()
    for _ in range(3):
        script.write("message", 0)
        for _ in range(6):
            script.write("inside", 0)
    for _ in range(25):
        script.write("inside", 0)

    counts = [sum(frame["type"] in SEEN for frame in page.frames) for page in script.pages(20)]

    assert counts == [1, 1, 1]


def test_results_that_are_too_long_together_give_way_to_messages() -> None:
    script = Script()
    script.write("message", 0)
    for number in range(12):
        call_id = f"call_{number}"
        long = facts.tool_returned(agent="bot", tool="look", call_id=call_id, ok=True, result="長" * 60_000)
        called = facts.tool_called(agent="bot", tool="look", title="Look", args={}, call_id=call_id)
        events.insert(script.conversation.pk, [called, long], turn_id=script.turns[0].pk)
    script.write("reply", 0)

    pages = script.pages(20)

    assert [len(json.dumps(page.answer(), ensure_ascii=False).encode()) < 2**20 for page in pages] == [
        True,
        True,
    ]
    results = [frame["result"] for frame in pages[1].frames if frame["type"] == "tool_result"]
    assert len(results) == 12
    assert transcript.TOO_LONG in results
    assert "長" * 60_000 in results


def test_an_approval_that_waits_is_told_with_the_newest_page() -> None:
    action = rows.waiting_for_staff()
    turn = Turn.objects.get(pk=action.turn_id)
    rows.happened(turn, *[facts.replied(agent="bot", content=str(n), key="") for n in range(5)])
    conversation = Conversation.objects.get(pk=turn.conversation_id)

    newest = transcript.page(conversation, limit=2)
    whole = transcript.page(conversation, limit=20)

    assert [frame["interrupt_id"] for frame in newest.pending] == [str(action.pk)]
    assert newest.seq == conversation.last_seq
    assert "interrupt" not in {frame["type"] for frame in newest.frames}
    assert whole.pending == ()
    assert "interrupt" in {frame["type"] for frame in whole.frames}


def test_a_decision_is_on_the_page_of_its_approval_however_late_it_came() -> None:
    script = Script()
    script.write("message", 0)
    script.write("open", 0)
    for _ in range(5):
        script.write("message", 1)
        script.write("reply", 1)
    script.write("decide", 0)

    *newer, oldest = script.pages(2)

    assert [frame["type"] for frame in oldest.frames] == ["user_message", "interrupt", "interrupt_resolved"]
    assert not [frame for page in newer for frame in page.frames if frame["type"].startswith("interrupt")]


def test_a_page_costs_the_same_however_long_the_conversation_is() -> None:
    script = Script()
    spent = []
    for _ in range(2):
        for _ in range(60):
            for step in ("message", "open", "call", "result", "decide", "reply"):
                script.write(step, 1)
        script.conversation.refresh_from_db()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            transcript.page(script.conversation, before=script.conversation.last_seq - 20)
        spent.append(len(queries))

    assert spent[0] == spent[1] <= 6


def test_the_api_gives_the_same_pages(client: Client) -> None:
    turn = rows.turn(rows.customer(), content="Where is my order?")
    rows.finish(turn)
    headers = {"X-API-Key": rows.key("conversations:read")}
    address = f"/api/v1/conversations/{turn.conversation.thread_id}/history"

    newest = client.get(address, {"limit": 1}, headers=headers).json()["data"]
    oldest = client.get(address, {"limit": 1, "before": newest["next"]}, headers=headers).json()["data"]

    types = [frame["type"] for frame in newest["frames"]]
    assert types == ["agent_response", "message_complete"]
    assert newest["seq"] == Event.objects.filter(turn=turn).count()
    assert [frame["content"] for frame in oldest["frames"]] == ["Where is my order?"]
    assert (oldest["next"], oldest["seq"], oldest["pending"]) == (None, None, [])


@pytest.mark.parametrize("query", [{"before": 0}, {"before": "x"}, {"limit": 0}, {"limit": 101}])
def test_the_api_refuses_a_page_that_cannot_be(client: Client, query: dict[str, Any]) -> None:
    turn = rows.turn(rows.customer())
    headers = {"X-API-Key": rows.key("conversations:read")}

    refused = client.get(
        f"/api/v1/conversations/{turn.conversation.thread_id}/history", query, headers=headers
    )

    assert refused.status_code == 400
    assert list(refused.json()["error"]["fields"]) == list(query)
