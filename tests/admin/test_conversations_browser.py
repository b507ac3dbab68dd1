"""A working morning of somebody who answers customers, in a real browser; and its key pieces on a phone."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse
from playwright.sync_api import Page, expect

from agents import facts
from agents.approvals import Decider
from chat import submission, tagging, takeover
from chat.models import CannedReply, Conversation, Event
from smartsupport import staff
from smartsupport.lib import presence
from tests import rows
from tests.admin.test_browser import DESK, PHONE, _in_a_thread, staff_browser, taken, wider, wired

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NINA = Decider("staff", "nina", id="user:2")
LIST = "/admin/chat/conversation/"


def ada() -> Conversation:
    """Her order was looked up, then she asked for a person."""
    staff.make_roles()
    turn = rows.turn(rows.customer(name="Ada Stone"), "t-ada", "My tent is torn.")
    rows.happened(
        turn,
        facts.routed(agents=["order_lookup"], reason="r", by="model", usage=rows.USAGE, duration_ms=1),
        facts.tool_called(agent="order_lookup", tool="t", title="Look up", args={}, call_id="c"),
        facts.tool_returned(agent="order_lookup", tool="t", call_id="c", ok=True, result={"state": "late"}),
        facts.handoff_requested(reason="The tent is torn.", by="customer", key="handoff"),
    )
    rows.finish(turn, "A colleague will answer here.")
    CannedReply.objects.create(
        shortcut="sorry", title="We are sorry", body="Dear {customer}, we are **sorry**."
    )
    CannedReply.objects.create(
        shortcut="refund-time", title="How long a refund takes", body="3 days, {customer}."
    )
    tagging.add(
        conversation_ids=[rows.turn(rows.customer(name="Ben"), "t-ben").conversation_id], name="vip", by=NINA
    )
    return Conversation.objects.get(pk=turn.conversation_id)


def become_an_agent() -> None:
    """The one who is signed in: of the role Agent, and nothing else."""
    user = User.objects.get(username="root")
    user.is_superuser = False
    user.save()
    user.groups.add(Group.objects.get(name=staff.AGENT))


def test_a_morning(live_server: Any) -> None:
    row = ada()

    with staff_browser(live_server, viewport=DESK) as (page, faults):
        _in_a_thread(become_an_agent)
        _the_list_stays_where_it_is(page, row)
        _found(page)
        _in_the_conversation(page, row)
        _writing(page, row)
        assert faults == []

    row.refresh_from_db()
    said = list(
        Event.objects.filter(kind__in=["note_written", "staff_wrote"]).values_list("kind", "payload__content")
    )
    assert said == [
        ("note_written", "Called the carrier."),
        ("staff_wrote", "Dear Ada Stone, we are **sorry**."),
        ("staff_wrote", "3 days, Ada Stone."),
    ]
    assert [tag.name for tag in row.tags.all()] == ["vip"]
    assert (row.status, row.held_by) == ("open", "")


def _the_list_stays_where_it_is(page: Page, row: Conversation) -> None:
    """What comes in while somebody looks takes neither their ticks nor their focus."""
    page.goto(LIST)
    expect(page.get_by_role("link", name="Waiting for a person 1")).to_be_visible()
    tick = page.get_by_label("Tick the conversation with Ada Stone")
    tick.check()
    expect(page.get_by_text("1 ticked")).to_be_visible()
    link = page.get_by_role("link", name="A colleague will answer here.")
    link.focus()
    _in_a_thread(
        lambda: (
            rows.turn(rows.customer(name="Eve"), "t-eve", "Good morning"),
            presence.seen("conversation", row.pk, "nina"),
        )
    )
    expect(page.get_by_role("link", name="Good morning")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("nina is looking")).to_be_visible()
    expect(tick).to_be_checked()
    expect(link).to_be_focused()
    page.get_by_text("Filters", exact=True).click()
    page.get_by_role("combobox", name="Status").select_option("waiting")
    page.wait_for_url("**/?status=waiting")
    expect(page.get_by_role("row")).to_have_count(2)


def _found(page: Page) -> None:
    box = page.get_by_role("searchbox")
    box.fill("tent to")
    box.press("Enter")
    hit = page.get_by_role("link", name="My tent is torn.")
    expect(hit.locator("mark")).to_have_text(["tent", "torn"])
    hit.click()
    page.wait_for_url("**/change/**")


def _in_the_conversation(page: Page, row: Conversation) -> None:
    expect(page.locator(".desk-found")).to_contain_text("My tent is torn.")
    steps = page.locator("details.desk-steps")
    expect(steps.get_by_text("t answered")).to_be_hidden()
    steps.locator("> summary").click()
    expect(steps.get_by_text("t answered")).to_be_visible()
    page.reload()
    expect(steps.get_by_text("t answered")).to_be_visible()

    page.get_by_role("tab", name="Internal note").click()
    note = page.get_by_label("Internal note, only staff read this")
    note.fill("Called the carrier.")
    page.reload()
    expect(note).to_have_value("Called the carrier.")
    page.get_by_role("button", name="Keep the note").click()
    expect(page.locator(".timeline-note")).to_contain_text("internal note: only staff read this")
    expect(note).to_have_value("")
    expect(note).to_be_focused()
    expect(steps.get_by_text("t answered")).to_be_visible()

    tag = page.get_by_label("Add a tag")
    tag.press_sequentially("vi")
    expect(page.locator("#tag-words option[value=vip]")).to_have_count(1)
    tag.fill("VIP")
    tag.press("Enter")
    expect(page.get_by_role("button", name="Remove the tag vip")).to_be_visible()
    expect(tag).to_have_value("")


def _writing(page: Page, row: Conversation) -> None:
    _taken_over(page)
    page.get_by_role("tab", name="Reply").click()
    message = page.get_by_label("Message to the customer")
    message.press_sequentially("/so")
    options = page.get_by_role("option")
    expect(options).to_have_count(1)
    expect(options).to_contain_text("Dear Ada Stone, we are sorry.")
    message.press("Escape")
    expect(options).to_have_count(0)
    message.fill("")
    page.get_by_role("button", name="Canned replies").click()
    expect(options).to_have_count(2)
    message.press("ArrowDown")
    message.press("Enter")
    expect(message).to_have_value("Dear Ada Stone, we are **sorry**.")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".desk-preview strong")).to_have_text("sorry")
    message.press("Control+Enter")
    expect(page.locator(".timeline-staff strong")).to_have_text("sorry")
    expect(message).to_have_value("")

    _in_a_thread(lambda: _customer_says(row, "Thank you. How long?"))
    expect(page.get_by_text("Thank you. How long?")).to_be_visible(timeout=60_000)
    _too_late(page, row, message)
    wired(page)
    page.get_by_role("button", name="Hand back").click()
    taken(page).get_by_role("button", name="Hand back").click()
    expect(page.get_by_text("Given back.")).to_be_visible()
    expect(page.get_by_text("Take it over to write here.")).to_be_visible()


def _taken_over(page: Page) -> None:
    wired(page)
    page.get_by_role("button", name="Take over").click()
    taken(page).get_by_role("button", name="Take over").click()
    expect(page.get_by_text("You have this conversation now.")).to_be_visible()
    wired(page)


def _too_late(page: Page, row: Conversation, message: Any) -> None:
    """A colleague hands it back while an answer is written: the text stays, and sending it is refused in words."""
    message.press_sequentially("/refund")
    expect(page.get_by_role("option")).to_have_count(1)
    message.press("Enter")
    expect(message).to_have_value("3 days, Ada Stone.")
    _in_a_thread(lambda: takeover.hand_back(thread_id=row.thread_id, by=NINA))
    expect(page.get_by_text("A colleague handed it back or resolved it meanwhile.")).to_be_visible(
        timeout=60_000
    )
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("It was handed back or resolved meanwhile, so nothing was sent.")).to_be_visible()
    _taken_over(page)
    expect(message).to_have_value("3 days, Ada Stone.")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".timeline-staff").last).to_contain_text("3 days, Ada Stone.")


def _customer_says(row: Conversation, text: str) -> None:
    submission.submit(
        customer_id=row.customer_id, thread_id=row.thread_id, content=text, client_message_id=None
    )


def test_on_a_phone(live_server: Any) -> None:
    row = ada()
    takeover.take_over(thread_id=row.thread_id, by=Decider("staff", "root", id="user:1"))

    with staff_browser(live_server, viewport=PHONE, color_scheme="dark") as (page, faults):
        _in_a_thread(become_an_agent)
        page.goto(f"{LIST}?status=held")
        assert wider(page) <= 0
        page.get_by_role("link", name="A colleague will answer here.").click()
        page.wait_for_url(f"**{reverse('admin:chat_conversation_change', args=[row.pk])}")
        assert wider(page) <= 0
        message = page.get_by_label("Message to the customer")
        expect(message).to_be_in_viewport()
        send = page.get_by_role("button", name="Send", exact=True)
        expect(send).to_be_in_viewport(ratio=1)
        message.press_sequentially("/refund")
        expect(page.get_by_role("option")).to_be_in_viewport(ratio=1)
        page.get_by_role("option").click()
        expect(message).to_have_value("3 days, Ada Stone.")
        send.click()
        expect(page.locator(".timeline-staff")).to_contain_text("3 days, Ada Stone.")
        page.get_by_role("tab", name="Internal note").click()
        expect(page.get_by_text("Only staff read this.", exact=True)).to_be_in_viewport()
        expect(page.get_by_role("button", name="Keep the note")).to_be_in_viewport(ratio=1)
        assert wider(page) <= 0
        assert faults == []

    assert Event.objects.get(kind="staff_wrote").payload["content"] == "3 days, Ada Stone."
