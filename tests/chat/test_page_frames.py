"""The chat page knows every frame that the server can send, and shows the same whichever way the frames came."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect

from chat.frames import _MAKERS, Shown, of_event
from tests.chat.page_server import Frame, PageServer, Peer, Visitor

pytestmark = pytest.mark.browser
DOCS = Path(__file__).resolve().parents[2] / "docs" / "chat-socket.md"
TURN = UUID(int=1)
ASK: dict[str, Any] = {
    "interrupt_id": "i1",
    "action": "cancel_order",
    "params": {"order_id": 1042},
    "message": "Cancel order 1042?",
    "approver": "customer",
    "expires_at": "2099-01-01T00:00:00+00:00",
}
CALL: dict[str, Any] = {"tool": "get_order", "title": "Look up an order", "call_id": "c1"}

# kind -> (payload, what the page shows of it; None: nothing, and why)
EVENTS: dict[str, tuple[dict[str, Any], str | None]] = {
    "message_received": ({"content": "Where is it?", "client_message_id": "c1"}, "Where is it?"),
    "routed": ({"agents": ["order_lookup"], "reason": "asks"}, "Order lookup is on it"),
    "tool_called": ({**CALL, "args": {}}, "Look up an order"),
    "tool_returned": ({**CALL, "ok": True, "result": {}}, "Get order"),
    "approval_opened": (ASK, "Your approval is needed"),
    "approval_reopened": ({**ASK, "approver": "staff"}, "Waiting for our team"),
    "approval_decided": (
        {"interrupt_id": "i1", "action": "cancel_order", "resolution": "approved", "by": "staff"},
        "Approved by our team",
    ),
    "approval_expired": (
        {"interrupt_id": "i1", "action": "x", "message": "It has expired."},
        "It has expired.",
    ),
    "replied": ({"content": "It is on its way."}, "It is on its way."),
    "question_asked": ({"message": "Which order?"}, "Which order?"),
    "handoff_requested": ({"reason": "asked", "by": "customer"}, "A colleague was asked to join."),
    "staff_wrote": ({"content": "Maria here."}, "Maria here."),
    "taken_over": ({"by_name": "Maria"}, "A colleague has joined"),
    "handed_back": ({"by_name": "Maria"}, "handed the conversation back"),
    "turn_retried": ({"by": "customer"}, "Working on your answer…"),
    # Nothing but the turn that goes on: a card below the conversation asks (test_page_feedback.py).
    "feedback_asked": ({}, "Working on your answer…"),
    "feedback_given": ({"solved": True, "score": 4, "comment": ""}, "Working on your answer…"),
    "turn_completed": ({}, None),  # what it completes says so
    "turn_stopped": ({}, "This answer was stopped."),
    "turn_failed": (
        {"code": "turn_failed", "message": "An error occurred."},
        "Something went wrong on our side",
    ),
}


def _frames(kind: str, seq: int, payload: dict[str, Any], turn_id: UUID | None = TURN) -> list[Frame]:
    return of_event(Shown("frames", seq, kind, turn_id, "order_lookup", payload, datetime.now(UTC)))


def _send(peer: Peer, frames: list[Frame]) -> None:
    for frame in frames:
        peer.send(frame["type"], **{name: value for name, value in frame.items() if name != "type"})


def test_every_kind_of_event_that_customers_are_told_of_is_tried_here() -> None:
    assert EVENTS.keys() == _MAKERS.keys()


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_is_shown_live_and_the_same_from_history_and_by_resume(
    visitor: Visitor, page: Page, kind: str
) -> None:
    payload, words = EVENTS[kind]
    told = _frames(kind, 2, payload)
    assert told
    before = _frames("routed", 1, {"agents": ["fallback"], "reason": ""})  # draws nothing
    after = _frames("staff_wrote", 3, {"content": "The end."}, None)
    everything = [*before, *told, *after]
    peer = visitor.come_back("frames")
    peer.tell_all([])
    _send(peer, everything)
    expect(visitor.log.get_by_text("The end.")).to_be_visible()
    live = _bare(visitor)
    assert words is None or words in " ".join(live)
    assert words is not None or live == ["Our team The end."]

    page.reload()
    visitor.pages.next_peer().tell_all(everything)
    expect(visitor.log.get_by_text("The end.")).to_be_visible()
    assert _bare(visitor) == live

    page.reload()
    peer = visitor.pages.next_peer()
    peer.receive("history")
    peer.page(before, seq=1)
    peer.receive("resume")
    _send(peer, [*told, *after])
    peer.resumed(3)
    expect(visitor.log.get_by_text("The end.")).to_be_visible()
    assert _bare(visitor) == live


def _bare(visitor: Visitor) -> list[str]:
    """What is shown, without times and countdowns."""
    return [re.sub(r"(,? \d+:\d\d(:\d\d)?( [AP]M)?)|([\d:]+ left ?)", "", text) for text in visitor.texts()]


def _documented() -> Iterator[str]:
    """The types of the tables under "What you get" in docs/chat-socket.md."""
    section = DOCS.read_text().split("## What you get")[1].split("\n## ")[0]
    yield from set(re.findall(r"^\| `([a-z_]+)`", section, re.MULTILINE)) - {"type"}


def test_the_page_draws_or_ignores_on_purpose_whatever_the_server_can_send(
    visitor: Visitor, page: Page
) -> None:
    visitor.open()
    known = set(
        page.evaluate(
            """async () => {
              const { ANSWERS, reducers } = await import("/static/chat/reducers.js");
              return [...ANSWERS, ...Object.keys(reducers)];
            }"""
        )
    )

    sent = {frame["type"] for kind, (payload, _) in EVENTS.items() for frame in _frames(kind, 1, payload)}
    documented = set(_documented())

    assert sent | documented <= known
    assert len(documented) > 15
    assert documented >= sent


def _recording() -> list[Frame]:
    """A conversation of everything, as it was sent: queued messages, an outage and a retry, an approval, a person."""
    second = UUID(int=2)
    frames: list[Frame] = []

    def event(kind: str, payload: dict[str, Any], turn_id: UUID | None = TURN) -> None:
        seq = max((frame.get("seq", 0) for frame in frames), default=0) + 1
        frames.extend(_frames(kind, seq, payload, turn_id))

    def token(content: str, offset: int, turn_id: UUID = TURN) -> None:
        told = {"turn_id": str(turn_id), "agent": "order_lookup", "content": content, "offset": offset}
        frames.append({"type": "token", "thread_id": "frames", **told})

    event("message_received", {"content": "Cancel 1042 🎉", "client_message_id": "m1"})
    event("routed", {"agents": ["order_lookup"], "reason": ""})
    event("tool_called", {**CALL, "args": {"order_id": 1042}})
    event("tool_returned", {**CALL, "ok": True, "result": {"status": "open"}})
    token("It can be ", 0)
    token("cancelled 🎉.", 10)
    event("message_received", {"content": "And hurry", "client_message_id": "m2"}, second)
    event("message_received", {"content": "please", "client_message_id": "m3"}, second)
    event("replied", {"content": "It can be cancelled 🎉.", "offset": 0, "end": 22})
    event("approval_opened", ASK)
    event("routed", {"agents": ["order_lookup"], "reason": ""}, second)
    token("We do wh", 0, second)
    event("replied", {"content": "We do wh", "offset": 0, "end": 8, "cut": True}, second)
    event("turn_failed", EVENTS["turn_failed"][0], second)
    event("turn_retried", {"by": "customer"}, second)
    token("At once.", 8, second)
    event("replied", {"content": "At once.", "offset": 8, "end": 16}, second)
    event("turn_completed", {}, second)
    event(
        "approval_decided", {**EVENTS["approval_decided"][0], "changed": {"order_id": [1, 2]}, "params": {}}
    )
    event("approval_reopened", {**ASK, "approver": "staff"})
    event("turn_stopped", {})
    event("taken_over", {"by_name": "Maria"}, None)
    event("message_received", {"content": "Hello?", "client_message_id": "m4"}, None)
    event("staff_wrote", {"content": "Maria here."}, None)
    event("handed_back", {"by_name": "Maria"}, None)
    return frames


RECORDING = _recording()
LAST = max(frame.get("seq", 0) for frame in RECORDING)


def _settled(visitor: Visitor) -> list[str]:
    expect(visitor.log.get_by_text("handed the conversation back")).to_be_visible()
    return _bare(visitor)


def test_a_socket_cut_after_every_frame_shows_the_same_in_the_end(
    chromium: Browser, pages: PageServer
) -> None:
    with Visitor.arriving(chromium, pages) as visitor:
        visitor.come_back("frames").tell_all([frame for frame in RECORDING if "seq" in frame], LAST)
        whole = _settled(visitor)
    assert len(whole) > 12

    with Visitor.arriving(chromium, pages) as visitor:
        visitor.page.add_init_script("Math.random = () => 0")  # the shortest pauses before connecting again
        peer = visitor.come_back("frames")
        peer.tell_all([])
        place, seen = 0, 0
        while place < len(RECORDING):
            frame = RECORDING[place]
            _send(peer, [frame])
            seen = max(seen, frame.get("seq", 0))
            place += 1
            peer.cut()
            peer = visitor.pages.next_peer()
            after = peer.receive("resume")["after"]
            assert after <= seen  # the frame may have been lost with the connection
            _send(peer, [one for one in RECORDING[:place] if one.get("seq", 0) > after])
            _send(peer, _partial(place))
            peer.resumed(seen)
        assert _settled(visitor) == whole


def _partial(place: int) -> list[Frame]:
    """What the server tells a late joiner of text that is being written: all of it so far, as one token."""
    text: dict[str, Frame] = {}
    for frame in RECORDING[:place]:
        if frame["type"] == "token":
            known = text.get(frame["turn_id"])
            content = (known["content"] if known else "") + frame["content"]
            text[frame["turn_id"]] = {**frame, "content": content, "offset": (known or frame)["offset"]}
        elif frame["type"] in ("agent_response", "message_complete"):
            text.pop(frame["turn_id"], None)
    return list(text.values())


def test_two_tabs_show_the_same(visitor: Visitor, page: Page) -> None:
    first = visitor.come_back("frames")
    first.tell_all([])
    tab = Visitor(visitor.pages, page.context.new_page())
    second = tab.open()
    second.tell_all([])
    visitor.say("Cancel 1042 🎉")
    accepted = first.accept(1, str(TURN))
    mine = {"turn_id": str(TURN), "client_message_id": accepted["client_message_id"]}
    _send(second, [second.frame("user_message", seq=1, content="Cancel 1042 🎉", **mine)])

    for frame in RECORDING[1:]:
        for peer in (first, second):
            _send(peer, [frame])

    assert _settled(tab) == _settled(visitor)
    assert tab.faults == []


def test_a_tab_that_is_opened_while_an_answer_is_written_sees_it_too(visitor: Visitor, page: Page) -> None:
    first = visitor.come_back("frames")
    first.tell_all([])
    said = [frame for frame in RECORDING[:4] if "seq" in frame]
    _send(first, [*RECORDING[:4], RECORDING[4]])
    expect(page.locator(".is-live")).to_have_text("It can be")

    tab = Visitor(visitor.pages, page.context.new_page())
    second = tab.open()
    second.receive("history")
    second.page(said, seq=4)
    assert second.receive("resume")["after"] == 4
    _send(second, _partial(5))
    second.resumed(4)
    for peer in (first, second):
        _send(peer, [RECORDING[5]])

    for somebody in (visitor, tab):
        expect(somebody.page.locator(".is-live")).to_have_text("It can be cancelled 🎉.")
    assert tab.faults == []
