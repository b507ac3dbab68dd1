"""The chat page's approval cards: the exact action, one decision, and what became of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.chat.page_server import Peer, Visitor

pytestmark = pytest.mark.browser


def _card(page: Page, message: str) -> Locator:
    return page.get_by_role("region", name=message)


def _asked(visitor: Visitor) -> Peer:
    peer = visitor.open()
    visitor.say("Cancel order 1042 and give me a discount")
    peer.accept(1, "t1")
    return peer


def _ask(peer: Peer, seq: int = 2, *, left: timedelta = timedelta(minutes=30), **fields: Any) -> None:
    frame = {
        "turn_id": "t1",
        "interrupt_id": "i1",
        "action": "cancel_order",
        "params": {"order_id": 1042, "notify_customer": True, "reason": None},
        "message": "Cancel order 1042?",
        "approver": "customer",
        "expires_at": (datetime.now(UTC) + left).isoformat(),
    }
    peer.send("interrupt", seq=seq, **{**frame, **fields})


def test_approving_sends_json_true_once_and_shows_who_decided(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _ask(peer)
    card = _card(page, "Cancel order 1042?")
    expect(card.locator("dt")).to_have_text(["Notify customer", "Order id", "Reason"])
    expect(card.locator("dd")).to_have_text(["Yes", "1042", "none"])
    expect(card.get_by_role("timer")).to_contain_text("29:")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()  # nothing runs while it waits

    card.get_by_role("button", name="Approve").dblclick()

    answer = {
        "type": "interrupt_response",
        "thread_id": peer.thread_id,
        "interrupt_id": "i1",
        "approved": True,
    }
    assert peer.receive("interrupt_response") == answer
    expect(card.get_by_text("Sending your answer…")).to_be_visible()
    expect(card.get_by_role("button", name="Decline")).to_have_attribute("aria-disabled", "true")
    card.get_by_role("button", name="Decline").click(force=True)
    peer.send(
        "interrupt_resolved", seq=3, turn_id="t1", interrupt_id="i1", resolution="approved", by="customer"
    )
    expect(card.get_by_text("Approved by you")).to_be_visible()
    expect(card.get_by_role("button")).to_have_count(0)
    expect(page.get_by_text("Working on your answer…")).to_be_visible()
    assert peer.nothing_more()


def test_declining_sends_json_false(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _ask(peer)

    _card(page, "Cancel order 1042?").get_by_role("button", name="Decline").click()

    assert peer.receive("interrupt_response")["approved"] is False
    peer.send(
        "interrupt_resolved", seq=3, turn_id="t1", interrupt_id="i1", resolution="rejected", by="customer"
    )
    expect(_card(page, "Cancel order 1042?").get_by_text("Declined by you")).to_be_visible()


def test_both_choices_are_as_large_and_as_near(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _ask(peer)
    boxes = [page.get_by_role("button", name=name).bounding_box() for name in ("Approve", "Decline")]

    approve, decline = boxes

    assert approve
    assert decline
    assert approve["y"] == decline["y"]
    assert approve["height"] == decline["height"] >= 44
    assert abs(approve["width"] - decline["width"]) < 1


def test_the_companys_decisions_have_no_buttons(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _ask(peer, approver="staff", message="Apply a 10% discount to order 1042?", action="apply_discount")
    card = _card(page, "Apply a 10% discount to order 1042?")

    expect(card).to_contain_text("A member of our team has to approve this. You will see the answer here")
    expect(card.get_by_role("timer")).to_be_visible()
    expect(card.get_by_role("button")).to_have_count(0)
    peer.send("interrupt_resolved", seq=3, turn_id="t1", interrupt_id="i1", resolution="rejected", by="staff")
    expect(card.get_by_text("Declined by our team")).to_be_visible()


def test_several_cards_are_decided_each_by_itself(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _ask(peer)
    _ask(peer, 3, interrupt_id="i2", message="Return order 1043?")

    _card(page, "Return order 1043?").get_by_role("button", name="Decline").click()

    assert peer.receive("interrupt_response")["interrupt_id"] == "i2"
    peer.send(
        "interrupt_resolved", seq=4, turn_id="t1", interrupt_id="i2", resolution="rejected", by="customer"
    )
    expect(_card(page, "Return order 1043?")).to_contain_text("Declined by you")
    expect(_card(page, "Cancel order 1042?").get_by_role("button", name="Approve")).to_be_enabled()


def test_somebody_else_was_first(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _ask(peer)
    page.get_by_role("button", name="Approve").click()
    peer.receive("interrupt_response")

    peer.send("error", code="already_decided", message="Already decided", resolution="rejected", by="staff")

    expect(_card(page, "Cancel order 1042?")).to_contain_text("Declined by our team")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)


def test_an_answer_that_was_refused_can_be_given_again(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _ask(peer)
    page.get_by_role("button", name="Approve").click()
    peer.receive("interrupt_response")

    peer.send("error", code="unavailable", message="An error occurred processing your message.")

    expect(page.get_by_text("Your answer did not arrive. Please choose again.").first).to_be_visible()
    page.get_by_role("button", name="Decline").click()
    assert peer.receive("interrupt_response")["approved"] is False


def test_an_answer_given_without_a_connection_is_sent_when_it_is_back(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _ask(peer)
    page.get_by_role("button", name="Approve").click()
    peer.receive("interrupt_response")
    peer.cut()

    again = visitor.pages.next_peer()
    again.receive("resume")
    assert again.nothing_more()
    again.resumed(2)

    assert again.receive("interrupt_response")["approved"] is True


def test_an_answer_that_arrived_before_the_break_is_not_sent_again(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _ask(peer)
    page.get_by_role("button", name="Approve").click()
    peer.receive("interrupt_response")
    peer.cut()
    again = visitor.pages.next_peer()
    again.receive("resume")

    again.send(
        "interrupt_resolved", seq=3, turn_id="t1", interrupt_id="i1", resolution="approved", by="customer"
    )
    again.resumed(3)

    expect(page.get_by_text("Approved by you").first).to_be_visible()
    visitor.say("Thanks")
    again.receive("message")


def test_the_countdown_ends_the_choice_and_the_server_has_the_last_word(visitor: Visitor, page: Page) -> None:
    visitor.pages.config = {"heartbeatSeconds": 3600}  # the network keeps its own time
    page.clock.install()
    peer = _asked(visitor)
    _ask(peer, left=timedelta(seconds=75))
    card = _card(page, "Cancel order 1042?")
    expect(card.get_by_role("timer")).to_contain_text("1:1")
    expect(page.locator("#announcer")).not_to_contain_text("1 minute left")

    page.clock.run_for(40_000)
    expect(card.get_by_role("timer")).to_contain_text("0:3")
    page.clock.run_for(40_000)
    expect(card).to_contain_text("Time is up.")
    expect(card.get_by_role("button", name="Approve")).to_have_attribute("aria-disabled", "true")
    card.get_by_role("button", name="Approve").click(force=True)
    expired = (
        "The approval request for 'cancel_order' has expired after 30 minutes. Would you like to try again?"
    )
    peer.send(
        "interrupt_expired", seq=3, turn_id="t1", interrupt_id="i1", action="cancel_order", message=expired
    )

    expect(card).to_contain_text(expired)
    expect(card.get_by_role("button")).to_have_count(0)
    assert peer.nothing_more()
    said = page.locator("#announcer p").all_inner_texts()
    assert said.count("1 minute left to decide: Cancel order 1042?") == 1


def test_a_stopped_turn_closes_its_card(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _ask(peer)
    expect(page.get_by_role("button", name="Approve")).to_be_visible()

    peer.send("message_complete", seq=3, turn_id="t1", status="stopped")

    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    expect(_card(page, "Cancel order 1042?")).to_contain_text("Nothing was done.")


def test_a_card_is_announced_and_does_not_take_the_focus_from_the_writer(
    visitor: Visitor, page: Page
) -> None:
    peer = _asked(visitor)
    page.keyboard.type("By the w")
    _ask(peer)
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    page.keyboard.type("ay")

    expect(page.get_by_label("Your message")).to_have_value("By the way")
    expect(page.locator("#announcer p")).to_have_text(["Your approval is needed: Cancel order 1042?"])


def test_the_focus_stays_with_the_card_when_its_buttons_go(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _ask(peer)
    page.get_by_role("button", name="Approve").focus()
    page.keyboard.press("Enter")
    peer.receive("interrupt_response")

    peer.send(
        "interrupt_resolved", seq=3, turn_id="t1", interrupt_id="i1", resolution="approved", by="customer"
    )

    expect(_card(page, "Cancel order 1042?")).to_be_focused()


def test_a_tool_waits_for_the_answer_and_is_not_carried_out_without_one(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    peer.send("tool_call", seq=2, turn_id="t1", agent="a", tool="cancel_order", args={}, call_id="c1")
    _ask(peer, 3)
    tool = page.locator("details.tool")
    expect(tool).to_have_attribute("data-status", "waiting")

    peer.send(
        "interrupt_resolved", seq=4, turn_id="t1", interrupt_id="i1", resolution="rejected", by="customer"
    )

    expect(tool).to_have_attribute("data-status", "notrun")
    expect(tool).to_contain_text("not carried out")
