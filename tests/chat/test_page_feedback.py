"""The chat page asks what the customer thought, and says when a used-up limit begins anew."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.chat.page_server import Frame, Peer, Visitor

pytestmark = pytest.mark.browser


def _card(page: Page) -> Locator:
    return page.locator("#feedback")


def _answered(visitor: Visitor) -> Peer:
    """A conversation of one message and its answer."""
    peer = visitor.open()
    expect(visitor.page.locator("#welcome")).to_be_visible()
    expect(visitor.page.locator("#feedback-open")).to_be_hidden()  # nothing was done yet
    visitor.say("Where is order 1042?")
    peer.accept(1, "t1")
    peer.send("agent_response", seq=2, turn_id="t1", agent="order_lookup", html="<p>On its way.</p>")
    peer.send("message_complete", seq=3, turn_id="t1", status="completed")
    expect(visitor.log.get_by_text("On its way.")).to_be_visible()
    return peer


def _log(peer: Peer, *more: Frame) -> list[Frame]:
    return [
        peer.frame("user_message", seq=1, turn_id="t1", content="Where is order 1042?"),
        peer.frame("agent_response", seq=2, turn_id="t1", agent="a", html="<p>On its way.</p>"),
        peer.frame("message_complete", seq=3, turn_id="t1", status="completed"),
        *more,
    ]


def _feedback(peer: Peer, seq: int, **said: Any) -> Frame:
    whole = {"solved": None, "score": None, "comment": "", **said}
    return peer.frame("feedback", seq=seq, turn_id=None, **whole)


def _tell(peer: Peer, frame: Frame) -> None:
    peer.send(frame["type"], **{name: value for name, value in frame.items() if name != "type"})


def _reload(visitor: Visitor) -> Peer:
    visitor.page.reload()
    return visitor.pages.next_peer()


def test_a_customer_is_asked_answers_with_the_keyboard_and_changes_it_after_a_reload(
    visitor: Visitor, page: Page
) -> None:
    peer = _answered(visitor)
    expect(_card(page)).to_be_hidden()

    peer.send("feedback_request", seq=4, turn_id=None)
    expect(page.get_by_role("region", name="Was your question solved?")).to_be_visible()
    expect(visitor.announced.last).to_have_text(
        "Was your question solved? You can answer below the conversation."
    )
    expect(page.get_by_label("Your message")).to_be_focused()  # nobody is interrupted
    page.get_by_role("button", name="Yes").focus()
    page.keyboard.press("Enter")
    said = peer.receive("feedback")
    assert said == {"type": "feedback", "thread_id": peer.thread_id, "solved": True}
    _tell(peer, _feedback(peer, 5, solved=True))

    assert visitor.has_taken_in(5)  # or it would be said again with the score
    expect(page.get_by_role("button", name="Yes")).to_have_attribute("aria-pressed", "true")
    scores = page.get_by_role("group", name="How was it, all in all?")
    expect(scores.get_by_role("radio")).to_have_count(5)
    scores.get_by_role("radio", name="3 Okay").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    expect(scores.get_by_role("radio", name="4 Good")).to_be_checked()
    page.keyboard.press("Tab")
    expect(page.get_by_label("What should we know?")).to_be_focused()
    page.keyboard.type("Quick.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    said = peer.receive("feedback")
    assert said == {"type": "feedback", "thread_id": peer.thread_id, "score": 4, "comment": "Quick."}
    expect(page.locator("#feedback-note")).to_have_text("Sending your answer…")
    stands = _feedback(peer, 6, solved=True, score=4, comment="Quick.")
    _tell(peer, stands)
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    expect(_card(page)).to_be_focused()

    peer = _reload(visitor)
    peer.tell_all(_log(peer, peer.frame("feedback_request", seq=4, turn_id=None), stands))
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    page.get_by_role("button", name="Change").click()
    expect(page.get_by_role("radio", name="4 Good")).to_be_checked()
    expect(page.get_by_label("What should we know?")).to_have_value("Quick.")
    page.get_by_role("button", name="No").click()
    assert peer.receive("feedback")["solved"] is False
    _tell(peer, _feedback(peer, 7, solved=False, score=4, comment="Quick."))
    expect(page.get_by_role("button", name="No")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Talk to a person").click()
    assert peer.accept(8, "t2")["content"] == "I want to talk to a person"
    expect(_card(page)).to_be_hidden()


def test_it_can_be_closed_stays_closed_and_comes_back_from_the_menu_or_when_asked_again(
    visitor: Visitor, page: Page
) -> None:
    peer = _answered(visitor)
    peer.send("feedback_request", seq=4, turn_id=None)
    _card(page).get_by_role("button", name="Close").click()
    expect(_card(page)).to_be_hidden()
    expect(page.get_by_role("button", name="How did we do?")).to_be_focused()

    peer = _reload(visitor)
    peer.tell_all(_log(peer, peer.frame("feedback_request", seq=4, turn_id=None)))
    expect(visitor.log.get_by_text("On its way.")).to_be_visible()
    expect(_card(page)).to_be_hidden()
    page.get_by_role("button", name="How did we do?").click()
    expect(_card(page)).to_be_focused()
    page.get_by_role("button", name="Yes").click()
    peer.receive("feedback")
    peer.cut()  # before it was answered: sent again, when what was missed is here

    peer = visitor.pages.next_peer()
    peer.receive("resume")
    peer.resumed(4)
    assert peer.receive("feedback")["solved"] is True
    peer.send("error", code="rate_limited", message="Rate limit exceeded")
    expect(page.locator("#feedback-note")).to_have_text(
        "That was a lot at once. Wait a minute, then answer again."
    )
    page.get_by_role("button", name="Send answer").click()
    assert peer.receive("feedback")["solved"] is True
    _tell(peer, _feedback(peer, 5, solved=True))
    assert visitor.has_taken_in(5)
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    _card(page).get_by_role("button", name="Close").click()

    visitor.say("One more thing")
    peer.accept(6, "t2")
    peer.send("agent_response", seq=7, turn_id="t2", agent="a", html="<p>Done.</p>")
    peer.send("message_complete", seq=8, turn_id="t2", status="completed")
    peer.send("feedback_request", seq=9, turn_id=None)
    expect(page.get_by_role("region", name="Was your question solved?")).to_be_visible()
    expect(page.get_by_role("button", name="Yes")).to_have_attribute("aria-pressed", "false")


def test_a_used_up_limit_is_told_with_its_end_and_the_text_waits_in_the_box(
    visitor: Visitor, page: Page
) -> None:
    peer = visitor.open()
    box, note = page.get_by_label("Your message"), page.locator("#composer-note")
    visitor.say("Where is it?")
    peer.receive("message")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    peer.send("error", code="usage_limit_reached", message="Usage limit reached", resets_at=tomorrow)

    expect(note).to_have_text(
        re.compile(r"You can write again on \w+,? .+ at \d+:\d\d.*; your message stays here until then\.$")
    )
    expect(box).to_have_value("Where is it?")
    box.press_sequentially("!")
    expect(note).to_contain_text("You have reached the usage limit.")  # that is still so
    page.keyboard.press("Enter")
    assert peer.receive("message")["content"] == "Where is it?!"

    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    peer.send("error", code="usage_limit_reached", message="Usage limit reached", resets_at=soon)
    expect(note).to_have_text("You can write again now.")
    page.keyboard.press("Enter")
    assert peer.accept(1, "t1")["content"] == "Where is it?!"
    expect(note).to_be_empty()
