"""The chat page when a person joins: asked for, here, writing, gone again."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.chat.page_server import Peer, Visitor

pytestmark = pytest.mark.browser


def _joined(visitor: Visitor) -> Peer:
    """A conversation of one message, which a colleague has taken over."""
    peer = visitor.open()
    visitor.say("I want to talk to a person")
    peer.accept(1, "t1")
    peer.send("message_complete", seq=2, turn_id="t1", status="completed")
    peer.send("handoff", seq=3, turn_id=None, by="staff", reason="")
    return peer


def _staff(peer: Peer, seq: int, content: str) -> None:
    peer.send("staff_message", seq=seq, turn_id=None, content=content, html=f"<p>{content}</p>")


def test_a_colleague_who_joins_is_announced_in_the_header_the_log_and_the_live_region(
    visitor: Visitor, page: Page
) -> None:
    peer = visitor.open()
    expect(page.locator("#presence")).to_be_hidden()
    visitor.say("Hello")
    peer.accept(1, "t1")
    peer.send("message_complete", seq=2, turn_id="t1", status="completed")
    page.get_by_role("button", name="Offline demo model").focus()

    peer.send("handoff", seq=3, turn_id=None, by="staff", reason="")

    expect(visitor.log.locator(".joined")).to_contain_text("A colleague has joined")
    expect(page.locator(".top").get_by_text("A colleague is here")).to_be_visible()
    expect(page.get_by_role("button", name="Offline demo model")).to_be_hidden()
    expect(page.locator("#conversation")).to_be_focused()
    expect(page.locator("#composer-hint")).to_contain_text("A person of our team reads and answers here.")
    expect(page.get_by_text("Answers come from fixed rules")).to_be_hidden()
    expect(visitor.announced.last).to_contain_text("A colleague has joined.")


def test_a_message_to_a_colleague_is_sent_and_nobody_thinks_about_it(visitor: Visitor, page: Page) -> None:
    peer = _joined(visitor)
    expect(visitor.log.locator(".joined")).to_be_visible()

    visitor.say("My parcel is wet")
    peer.accept(4, None)

    expect(visitor.log.get_by_text("Sent", exact=True)).to_be_visible()
    expect(page.locator(".typing")).to_have_count(0)
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    visitor.say("Very wet")
    peer.accept(5, None)
    visitor.is_accepted(3)
    expect(visitor.log.get_by_text("Sent", exact=True)).to_have_count(1)
    assert visitor.texts()[-2:] == ["You: My parcel is wet", "You: Very wet Sent"]
    _staff(peer, 6, "I am sorry to hear that.")
    expect(page.locator(".staff")).to_be_visible()
    expect(visitor.log.get_by_text("Queued")).to_have_count(0)


def test_a_colleague_looks_different_from_an_agent(visitor: Visitor, page: Page) -> None:
    peer = _joined(visitor)
    peer.send("agent_response", seq=4, turn_id="t0", agent="order_lookup", html="<p>From a rule.</p>")
    _staff(peer, 5, "From a person.")

    person, agent = page.locator(".staff"), page.locator(".theirs:not(.staff)")
    expect(person.locator(".name")).to_have_text("Our team")
    expect(agent.locator(".name")).to_have_text("Order lookup")
    expect(person.locator(".icon-person")).to_be_visible()
    expect(agent.locator(".icon-person")).to_have_count(0)
    paint = "element => getComputedStyle(element).backgroundColor"
    assert person.evaluate(paint) != agent.evaluate(paint)


def test_what_the_agent_was_writing_is_cut_off_when_a_colleague_joins(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Where is it?")
    peer.accept(1, "t1")
    peer.send("token", turn_id="t1", agent="a", content="I think it", offset=0)
    expect(page.locator(".is-live")).to_be_visible()

    cut = {"agent": "a", "content": "I think it", "html": "<p>I think it</p>", "offset": 0, "end": 10}
    peer.send("agent_response", seq=2, turn_id="t1", cut=True, **cut)
    peer.send("message_complete", seq=3, turn_id="t1", status="stopped")
    peer.send("handoff", seq=4, turn_id=None, by="staff", reason="")
    peer.send("token", turn_id="t1", agent="a", content=" is lost.", offset=10)
    _staff(peer, 5, "It is here.")

    expect(visitor.log.get_by_text("It is here.")).to_be_visible()
    expect(page.locator(".is-live")).to_have_count(0)
    expect(page.locator(".typing")).to_have_count(0)
    assert not any("is lost" in text for text in visitor.texts())


def test_handing_back_lets_the_agent_answer_again(visitor: Visitor, page: Page) -> None:
    peer = _joined(visitor)
    _staff(peer, 4, "Done.")

    peer.send("handback", seq=5, turn_id=None)

    handed = "Our team has handed the conversation back to the assistant."
    expect(visitor.log.get_by_text(handed)).to_be_visible()
    expect(page.locator("#presence")).to_be_hidden()
    expect(page.get_by_role("button", name="Offline demo model")).to_be_visible()
    visitor.say("Thanks. And 1042?")
    peer.accept(6, "t2")
    expect(page.get_by_text("Working on your answer…")).to_be_visible()


def test_a_reload_while_a_colleague_is_here_knows_it(visitor: Visitor, page: Page) -> None:
    peer = _joined(visitor)
    expect(visitor.log.locator(".joined")).to_be_visible()
    thread = peer.thread_id
    page.reload()
    peer = visitor.pages.next_peer()
    peer.receive("history")
    told = peer.frame(
        "user_message", seq=40, turn_id=None, content="Hi", client_message_id="c", thread_id=thread
    )

    peer.page([told], after=39, seq=40)  # the page on which the colleague joined is not here yet
    peer.receive("resume")
    peer.resumed(40)

    expect(page.locator(".top").get_by_text("A colleague is here")).to_be_visible()


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ("customer", "You asked for a person. A colleague was asked to join."),
        ("model", "A colleague was asked to join."),
        ("rule", "A colleague was asked to join."),
    ],
)
def test_a_request_for_a_colleague_says_so_while_the_agent_goes_on(
    visitor: Visitor, page: Page, by: str, words: str
) -> None:
    peer = visitor.open()
    visitor.say("This does not work")
    peer.accept(1, "t1")

    peer.send("handoff", seq=2, turn_id="t1", by=by, reason="three failures")

    expect(visitor.log.locator(".handoff > span > span")).to_have_text(words)
    expect(visitor.log.locator(".handoff")).to_contain_text("You can keep writing")
    expect(visitor.announced.last).to_contain_text(words)
    expect(page.locator("#presence")).to_be_hidden()


def _outside_hours(**fields: Any) -> dict[str, Any]:
    opens = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    return {
        "turn_id": "t1",
        "by": "rule",
        "reason": "x",
        "ticket": "HV-2041",
        "available_at": opens,
        **fields,
    }


def test_staff_who_ask_for_a_colleague_have_not_joined(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Hello")
    peer.accept(1, "t1")
    peer.send("message_complete", seq=2, turn_id="t1", status="completed")

    peer.send("handoff", seq=3, turn_id=None, by="staff", reason="", ticket="T-1A2B3C4D-5E6F")

    expect(visitor.log.locator(".handoff")).to_contain_text("A colleague was asked to join.")
    expect(visitor.log.locator(".handoff")).to_contain_text("T-1A2B3C4D-5E6F")
    expect(visitor.log.locator(".joined")).to_have_count(0)
    expect(page.locator("#presence")).to_be_hidden()


def test_outside_business_hours_the_page_says_when_somebody_is_there_and_the_reference(
    visitor: Visitor, page: Page
) -> None:
    peer = visitor.open()
    visitor.say("A person, please")
    peer.accept(1, "t1")

    peer.send("handoff", seq=2, **_outside_hours())

    notice = visitor.log.locator(".handoff")
    expect(notice).to_contain_text("Your reference is HV-2041.")
    expect(notice).to_contain_text(re.compile(r"Somebody will be here on \w+, .+ at \d+:\d\d"))


@pytest.mark.parametrize("when", ["soon", "2026-01-05T08:00:00+00:00"])
def test_an_opening_time_that_is_none_or_over_is_left_out(visitor: Visitor, page: Page, when: str) -> None:
    peer = visitor.open()
    visitor.say("A person, please")
    peer.accept(1, "t1")

    peer.send("handoff", seq=2, **_outside_hours(available_at=when))

    expect(visitor.log.locator(".handoff")).to_contain_text("HV-2041")
    expect(visitor.log.locator(".handoff")).not_to_contain_text("Somebody will be here")
