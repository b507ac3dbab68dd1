"""The chat page and a long conversation: read from its end, older pages as somebody scrolls up, nothing replaced."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.chat.page_server import Frame, Peer, Visitor

pytestmark = pytest.mark.browser
PAGE_EVENTS = 30
TOP = "area => { area.scrollTop = 0 }"


def _back(visitor: Visitor) -> Peer:
    """A visitor who has a conversation from an earlier visit."""
    return visitor.come_back("long")


def _talk(peer: Peer, first: int, last: int) -> list[Frame]:
    """Turns of three events each: asked, answered, done."""
    frames = []
    for seq in range(first, last, 3):
        turn = {"turn_id": f"t{seq}"}
        answer = f"<p>Answer {seq}<br>" + "line<br>" * 4 + "</p>"
        frames += [
            peer.frame(
                "user_message", seq=seq, content=f"Question {seq}", client_message_id=f"c{seq}", **turn
            ),
            peer.frame("agent_response", seq=seq + 1, agent="a", html=answer, **turn),
            peer.frame("message_complete", seq=seq + 2, status="completed", **turn),
        ]
    return frames


def _at_the_end(visitor: Visitor) -> Peer:
    """On the newest page of a conversation of 90 events: 61 to 90."""
    peer = _back(visitor)
    assert peer.receive("history") == {"type": "history", "thread_id": "long", "limit": 20}
    peer.page(_talk(peer, 61, 90), after=60, seq=90)
    assert peer.receive("resume") == {"type": "resume", "thread_id": "long", "after": 90}
    peer.resumed(90)
    expect(visitor.log.get_by_text("Answer 88")).to_be_in_viewport()
    return peer


def _top_of(page: Page, text: str) -> Callable[[], float]:
    place = page.locator("#log").get_by_text(text, exact=True)
    return lambda: float(place.evaluate("element => element.getBoundingClientRect().top"))


def test_a_long_conversation_begins_with_its_newest_page(visitor: Visitor, page: Page) -> None:
    peer = _at_the_end(visitor)

    assert visitor.sends_nothing_more_to(peer)
    expect(page.locator(".mine")).to_have_count(10)
    expect(page.get_by_role("button", name="Load earlier messages")).to_be_attached()
    expect(page.get_by_text("This is the beginning")).to_be_hidden()
    expect(visitor.announced).to_have_count(0)


def test_older_pages_are_loaded_at_the_top_and_the_reader_stays_where_they_are(
    visitor: Visitor, page: Page
) -> None:
    peer = _at_the_end(visitor)
    page.locator("#conversation").evaluate(TOP)
    assert peer.receive("history") == {"type": "history", "thread_id": "long", "limit": 20, "before": 61}
    expect(page.get_by_role("button", name="Loading earlier messages…")).to_be_visible()
    where = _top_of(page, "Question 61")
    before = where()

    peer.page(_talk(peer, 31, 60), after=30)

    expect(page.locator(".mine")).to_have_count(20)
    assert abs(where() - before) < 2
    expect(visitor.announced).to_have_text(["Earlier messages are here."])
    assert visitor.sends_nothing_more_to(peer)  # one page for one scroll
    page.locator("#conversation").evaluate(TOP)
    assert peer.receive("history")["before"] == 31
    peer.page(_talk(peer, 1, 30))
    expect(page.locator(".mine")).to_have_count(30)
    expect(page.get_by_role("button", name="Load earlier messages")).to_be_hidden()
    page.locator("#conversation").evaluate(TOP)
    expect(
        page.locator("#earlier").get_by_text("This is the beginning of the conversation.")
    ).to_be_in_viewport()
    expect(page.locator(".bubble")).to_have_text([f"Question {seq}" for seq in range(1, 90, 3)])
    assert visitor.sends_nothing_more_to(peer)


def test_a_short_page_brings_the_one_before_it_without_scrolling(visitor: Visitor, page: Page) -> None:
    peer = _back(visitor)
    peer.receive("history")
    peer.page(_talk(peer, 61, 63), after=60, seq=63)
    peer.receive("resume")
    peer.resumed(63)

    assert peer.receive("history")["before"] == 61

    peer.page(_talk(peer, 1, 60))
    expect(page.locator(".mine")).to_have_count(21)


def test_a_page_that_does_not_come_can_be_asked_for_again(visitor: Visitor, page: Page) -> None:
    peer = _at_the_end(visitor)
    page.locator("#conversation").evaluate(TOP)
    peer.receive("history")

    peer.send("error", code="unavailable", message="An error occurred processing your message.")

    row = page.locator("#earlier")
    expect(row.get_by_text("Earlier messages could not be loaded.")).to_be_visible()
    expect(page.locator(".problem, [role=alert]:not(:empty)")).to_have_count(0)
    assert visitor.sends_nothing_more_to(peer)  # never by itself
    row.get_by_role("button", name="Try again").focus()
    page.keyboard.press("Enter")
    assert peer.receive("history")["before"] == 61
    peer.page(_talk(peer, 1, 60))
    expect(page.locator(".mine")).to_have_count(30)
    expect(row.get_by_text("This is the beginning of the conversation.")).to_be_focused()


def test_a_page_that_a_break_took_is_asked_for_on_the_next_connection(visitor: Visitor, page: Page) -> None:
    peer = _at_the_end(visitor)
    page.locator("#conversation").evaluate(TOP)
    peer.receive("history")

    peer.cut()

    again = visitor.pages.next_peer()
    assert again.receive("resume")["after"] == 90
    again.resumed(90)
    assert again.receive("history")["before"] == 61
    again.page(_talk(again, 1, 60))
    expect(page.locator(".mine")).to_have_count(30)


def test_a_break_during_the_first_page_asks_for_it_again(visitor: Visitor, page: Page) -> None:
    peer = _back(visitor)
    peer.receive("history")

    peer.cut()

    again = visitor.pages.next_peer()
    again.thread_id = "long"
    again.tell_all(_talk(again, 1, 30))
    expect(page.locator(".mine")).to_have_count(10)


def test_what_is_being_said_stays_when_an_older_page_comes(visitor: Visitor, page: Page) -> None:
    peer = _at_the_end(visitor)
    visitor.say("Live question")
    peer.accept(91, "t91")
    peer.send("token", turn_id="t91", agent="a", content="Half an ans", offset=0)
    expect(page.locator(".is-live")).to_have_text("Half an ans")
    page.locator("#conversation").evaluate(TOP)
    peer.receive("history")
    peer.send("routing", seq=92, turn_id="t91", agents=["order_lookup"], reason="")

    peer.page([*_talk(peer, 31, 60), *_talk(peer, 61, 63)], after=30)  # a page knows nothing of what is live

    expect(page.locator(".mine")).to_have_count(21)
    expect(page.locator(".is-live")).to_have_text("Half an ans")
    expect(page.locator(".routing")).to_have_count(1)
    peer.send("token", turn_id="t91", agent="a", content="wer", offset=11)
    expect(page.locator(".is-live")).to_have_text("Half an answer")


def test_what_happened_after_the_newest_page_was_read_is_resumed(visitor: Visitor, page: Page) -> None:
    peer = _back(visitor)
    peer.receive("history")
    peer.page(_talk(peer, 61, 90), after=60, seq=90)
    assert peer.receive("resume")["after"] == 90

    for frame in _talk(peer, 91, 92):
        peer.send(frame.pop("type"), **frame)
    peer.resumed(93)

    expect(visitor.log.get_by_text("Answer 91")).to_be_in_viewport()
    expect(page.locator(".mine")).to_have_count(11)


def test_a_frame_that_comes_again_with_its_page_is_shown_once(visitor: Visitor, page: Page) -> None:
    peer = _at_the_end(visitor)
    call = {"turn_id": "t58", "agent": "a", "tool": "x", "call_id": "c1"}
    late = {"seq": 91, "ok": True, "result": {"done": True}, **call}
    peer.send("tool_result", **late)
    expect(page.locator("details.tool")).to_have_count(1)
    page.locator("#conversation").evaluate(TOP)
    peer.receive("history")

    called = peer.frame("tool_call", seq=60, args={}, title="Look it up", **call)
    peer.page([*_talk(peer, 31, 59), called, peer.frame("tool_result", **late)], after=30)

    expect(page.locator(".mine")).to_have_count(20)
    tool = page.locator("details.tool")
    expect(tool).to_have_count(1)
    expect(tool).to_contain_text("Look it up")
    expect(tool).to_have_attribute("data-status", "done")
    shown = visitor.log.inner_text()
    assert shown.index("Answer 58") < shown.index("Look it up") < shown.index("Question 61")


def test_an_approval_that_waits_further_up_can_be_given(visitor: Visitor, page: Page) -> None:
    peer = _back(visitor)
    peer.receive("history")
    ask = {"interrupt_id": "i1", "action": "cancel_order", "params": {}, "message": "Cancel order 1042?"}
    waiting = peer.frame(
        "interrupt", seq=20, turn_id="t19", approver="customer", expires_at="2099-01-01T00:00:00Z", **ask
    )
    peer.page(_talk(peer, 61, 90), after=60, seq=90, pending=[waiting])
    peer.receive("resume")
    peer.resumed(90)
    expect(visitor.log.get_by_text("Answer 88")).to_be_in_viewport()

    page.get_by_role("button", name="An approval waits for you").click()

    expect(page.get_by_role("region", name="Cancel order 1042?")).to_be_focused()
    expect(page.get_by_role("region", name="Cancel order 1042?")).to_be_in_viewport()
    expect(page.get_by_role("button", name="An approval waits for you")).to_be_hidden()


def test_a_new_conversation_forgets_the_pages_of_the_old_one(visitor: Visitor, page: Page) -> None:
    peer = _at_the_end(visitor)
    page.locator("#conversation").evaluate(TOP)
    peer.receive("history")

    page.get_by_role("button", name="New conversation").click()
    peer.page(_talk(peer, 31, 60), after=30)
    visitor.say("Anew")

    assert peer.accept(1, "t1")["thread_id"] != "long"
    visitor.is_accepted(1)
    expect(page.locator("#earlier")).to_be_hidden()
