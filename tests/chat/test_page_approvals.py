"""The chat page's approval cards: the exact action, one decision, and what became of it."""

import re
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
    assert visitor.sends_nothing_more_to(peer)


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
    choices = _card(page, "Cancel order 1042?").get_by_role("button", name=re.compile("Approve|Decline"))
    expect(choices).to_have_count(2)

    approve, decline = choices.evaluate_all("both => both.map(one => one.getBoundingClientRect().toJSON())")

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


def test_a_yes_to_what_has_changed_meanwhile_goes_to_the_team_and_harms_no_message(
    visitor: Visitor, page: Page
) -> None:
    peer = _asked(visitor)
    _ask(peer)
    visitor.say("And the address, please")
    message = peer.receive("message")
    page.get_by_role("button", name="Approve").click()
    peer.receive("interrupt_response")

    peer.send("error", code="tool_changed", message="The tool has changed since this was asked.")
    peer.send("staff_message", seq=3, content="A colleague reads along.")
    expect(page.get_by_text("A colleague reads along.", exact=True)).to_be_visible()

    expect(page.get_by_text("Your answer did not arrive")).to_have_count(0)
    expect(page.get_by_text("not sent")).to_have_count(0)
    peer.send("accepted", turn_id="t2", seq=4, position=0, client_message_id=message["client_message_id"])
    _ask(peer, 5, approver="staff")
    card = _card(page, "Cancel order 1042?")
    expect(card).to_contain_text("what it does has changed since")
    expect(card).to_contain_text("A member of our team has to approve this")
    expect(card.get_by_role("button")).to_have_count(0)


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
    assert visitor.sends_nothing_more_to(again)
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
    assert visitor.sends_nothing_more_to(again)


def test_the_countdown_ends_the_choice_and_the_server_has_the_last_word(visitor: Visitor, page: Page) -> None:
    visitor.pages.config = {"heartbeatSeconds": 3600}  # the network keeps its own time
    page.clock.install()
    peer = _asked(visitor)
    _ask(peer, left=timedelta(minutes=3))
    card = _card(page, "Cancel order 1042?")
    expect(card.get_by_role("timer")).to_contain_text("2:")
    expect(page.locator("#announcer")).not_to_contain_text("1 minute left")

    page.clock.run_for(60_000)
    expect(card.get_by_role("timer")).to_contain_text("1:")
    page.clock.run_for(60_000)
    expect(card.get_by_role("timer")).to_contain_text("0:")
    page.clock.run_for(60_000)
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
    assert visitor.sends_nothing_more_to(peer)
    said = visitor.announced.all_inner_texts()
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
    expect(visitor.announced).to_have_text(["Your approval is needed: Cancel order 1042?"])


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


def _resolve(peer: Peer, seq: int, resolution: str = "approved", by: str = "staff", **fields: Any) -> None:
    peer.send(
        "interrupt_resolved", seq=seq, turn_id="t1", interrupt_id="i1", resolution=resolution, by=by, **fields
    )


def _discount(peer: Peer, seq: int, approver: str = "staff", **fields: Any) -> None:
    _ask(
        peer,
        seq,
        action="apply_discount",
        approver=approver,
        message="Give a 20% discount on order 1042?",
        params={"order_id": 1042, "percent": 20},
        **fields,
    )


def test_what_was_really_approved_is_shown_where_staff_changed_it(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _discount(peer, 2)
    card = _card(page, "Give a 20% discount on order 1042?")
    expect(card.locator("dd")).to_have_text(["1042", "20"])

    changes = {"params": {"order_id": 1042, "percent": 10}, "changed": {"percent": [20, 10]}}
    _resolve(peer, 3, **changes)

    expect(card).to_contain_text("Approved by our team")
    expect(card).to_contain_text("Approved with changes: percent 10 instead of 20")
    expect(card.locator("dd")).to_have_text(["1042", "10"])
    expect(visitor.announced.last).to_contain_text("percent 10 instead of 20")


def test_everything_that_is_decided_on_is_shown_however_much_it_is(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    params = {f"a_{number:02}": number for number in range(60)} | {"zz_amount": 5000}

    _ask(peer, params=params)

    rows = _card(page, "Cancel order 1042?").locator("dd")
    expect(rows).to_have_count(61)
    expect(rows.last).to_have_text("5000")


def test_a_number_is_shown_as_it_is_meant(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    large = 1789012345678901234

    _ask(peer, params={"order_id": large, "lines": [{"line": -large}], "weight": 0.1, "count": 2**53 - 1})

    card = _card(page, "Cancel order 1042?")
    expect(card.locator("dd")).to_have_text(
        ["9007199254740991", re.compile(f'"line": "-{large}"'), str(large), "0.1"]
    )


def test_several_changes_of_every_type_are_told_in_words(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _discount(peer, 2)

    _resolve(
        peer, 3, changed={"notify_customer": [True, False], "codes": [["A"], ["A", "B"]], "note": [None, "x"]}
    )

    expect(_card(page, "Give a 20% discount on order 1042?").locator(".changes")).to_have_text(
        'Approved with changes: codes ["A","B"] instead of ["A"], note x instead of none, '
        "notify customer No instead of Yes"
    )


def test_an_approval_that_comes_back_is_open_again_for_staff(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _ask(peer)
    page.get_by_role("button", name="Approve").click()
    peer.receive("interrupt_response")
    _resolve(peer, 3, by="customer")
    expect(_card(page, "Cancel order 1042?")).to_contain_text("Approved by you")

    _ask(peer, 4, approver="staff")

    card = _card(page, "Cancel order 1042?")
    expect(card).to_have_count(1)
    expect(card).to_contain_text("Waiting for our team")
    expect(card).to_contain_text(
        "This was approved before, but what it does has changed since. Nothing was done"
    )
    expect(card.get_by_role("button")).to_have_count(0)
    expect(card.get_by_role("timer")).to_be_visible()
    expect(visitor.announced.last).to_have_text("Waiting for our team to approve: Cancel order 1042?")
    _resolve(peer, 5)
    expect(card).to_contain_text("Approved by our team")
    expect(card.get_by_text("has changed since")).to_be_hidden()


def test_an_approval_that_came_back_is_the_same_after_a_reload_in_two_pages(
    visitor: Visitor, page: Page
) -> None:
    peer = _asked(visitor)
    thread = peer.thread_id
    visitor.is_accepted(1)
    page.reload()
    peer = visitor.pages.next_peer()
    peer.receive("history")
    peer.thread_id = thread
    ask = {
        "turn_id": "t1",
        "interrupt_id": "i1",
        "action": "cancel_order",
        "params": {},
        "message": "Cancel order 1042?",
        "expires_at": "2099-01-01T00:00:00+00:00",
    }
    again = peer.frame("interrupt", seq=4, approver="staff", **ask)
    later = peer.frame("user_message", seq=9, turn_id="t2", content="And?", client_message_id="c2")
    peer.page([later], after=5, seq=9, pending=[again])
    peer.receive("resume")
    peer.resumed(9)
    before = peer.receive("history")

    assert before["before"] == 6
    first = peer.frame("interrupt", seq=2, approver="customer", **ask)
    resolved = {"interrupt_id": "i1", "resolution": "approved", "by": "customer"}
    said = peer.frame("user_message", seq=1, turn_id="t1", content="Cancel it", client_message_id="c1")
    peer.page([said, first, peer.frame("interrupt_resolved", seq=3, turn_id="t1", **resolved), again])

    card = _card(page, "Cancel order 1042?")
    expect(visitor.log.get_by_text("Cancel it")).to_be_visible()
    expect(card).to_have_count(1)
    expect(card).to_contain_text("Waiting for our team")
    expect(card).to_contain_text("has changed since")


def test_an_approved_action_that_its_turn_never_came_to_says_so(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _ask(peer)
    _resolve(peer, 3, by="customer")
    card = _card(page, "Cancel order 1042?")
    expect(card).to_contain_text("Approved by you")

    peer.send("message_complete", seq=4, turn_id="t1", status="stopped")

    expect(card).to_contain_text("Not carried out: this message ended before it could be done.")


def test_an_approved_action_that_was_sent_before_the_stop_is_not_called_undone(
    visitor: Visitor, page: Page
) -> None:
    peer = _asked(visitor)
    _ask(peer)
    _resolve(peer, 3, by="customer")
    call = {"turn_id": "t1", "agent": "a", "tool": "cancel_order", "call_id": "c1"}
    peer.send("tool_call", seq=4, args={}, **call)
    peer.send("message_complete", seq=5, turn_id="t1", status="stopped")
    peer.send("tool_result", seq=6, ok=True, result={}, **call)

    expect(page.locator("details.tool")).to_have_attribute("data-status", "done")
    expect(_card(page, "Cancel order 1042?")).not_to_contain_text("Not carried out")
