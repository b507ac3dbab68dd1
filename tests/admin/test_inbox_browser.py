"""A morning of an approver in a real browser, by keys alone; what others do meanwhile; and the same on a phone."""

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from agents import approvals
from agents.models import Action, Tool
from smartsupport.lib import presence
from tests import rows
from tests.admin.test_browser import DESK, PHONE, _in_a_thread, staff_browser, taken, wider

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/admin/agents/action/"
NINA = approvals.Decider("staff", "nina", id="user:0")


def row(page: Page, order: str) -> Any:
    return page.locator(".inbox-row", has_text=f"off order {order}.")


def test_a_morning_by_keys(live_server: Any) -> None:
    calls = {order: rows.waiting_for_staff(order_id=order, percent=10) for order in "ABCDEFG"}
    other = rows.tool("close_account", title="Close account", approval="staff")
    rows.action(rows.turn(rows.customer(name="Grace")), other, order_id="Z")

    with staff_browser(live_server, viewport=DESK) as (page, faults):
        page.goto(LIST)
        keys, dialog, said = page.keyboard, page.locator("#dialog"), page.locator("#inbox-said")
        expect(page).to_have_title("(8) Approvals | Smart Support")

        keys.press("j")
        keys.press("o")
        expect(page.locator("#inbox-asked")).to_have_text("Give 10% off order A.")
        keys.press("a")
        expect(taken(page).get_by_role("button", name="Approve")).to_be_focused()
        keys.press("Enter")
        expect(said).to_have_text("Approved: Give 10% off order A.")
        expect(row(page, "A")).to_have_class("inbox-row inbox-new inbox-gone")
        expect(row(page, "A")).to_contain_text("Approved by root")
        expect(dialog).to_be_hidden()

        expect(row(page, "B").locator(".inbox-open")).to_be_focused()  # on to the next
        keys.press("r")
        expect(dialog.get_by_label("Reason")).to_be_focused()
        within = "document.getElementById('modal-content').contains(document.activeElement)"
        for _ in range(6):
            keys.press("Tab")
            assert page.evaluate(within)  # the focus goes round within the dialog
        dialog.get_by_label("Reason").focus()
        keys.type("a r j x?")  # letters, while somebody types
        keys.press("Control+Enter")
        expect(said).to_have_text("Declined: Give 10% off order B.")
        expect(dialog).to_be_hidden()

        expect(row(page, "C").locator(".inbox-open")).to_be_focused()
        keys.press("e")
        taken(page).get_by_label("percent").fill("5")
        keys.press("Control+Enter")
        expect(said).to_have_text("Approved with changes: Give 5% off order C.")

        expect(row(page, "D").locator(".inbox-open")).to_be_focused()
        keys.press("a")
        expect(dialog.get_by_role("button", name="Approve")).to_be_focused()
        keys.press("Escape")
        expect(dialog).to_be_hidden()
        keys.press("Escape")
        expect(row(page, "D").locator(".inbox-open")).to_be_focused()

        keys.press("x")
        keys.press("j")
        keys.press("x")
        expect(page.locator("#inbox-ticked")).to_contain_text("2 ticked.")
        expect(page.locator(".inbox-row", has_text="Close account").get_by_role("checkbox")).to_be_disabled()
        page.get_by_role("button", name="Approve the ticked").press("Enter")
        expect(dialog).to_contain_text("Approve 2 calls of Apply discount?")
        _in_a_thread(
            lambda: approvals.decide(action_id=calls["E"].pk, approved=False, by=NINA, reason="Not E.")
        )
        taken(page).get_by_role("button", name="Approve 2").press("Enter")
        expect(dialog).to_contain_text("Approved 1 of 2.")
        expect(dialog).to_contain_text("This was already declined by nina. Your decision changed nothing.")
        keys.press("Escape")
        expect(page.locator("#inbox-many")).to_be_hidden()

        page.locator(".inbox-row", has_text="order F.").locator(".inbox-open").click()
        expect(page.locator("#inbox-asked")).to_have_text("Give 10% off order F.")
        row(page, "G").get_by_role("checkbox").check()
        _in_a_thread(lambda: presence.seen("approval", calls["G"].pk, "vera"))
        _in_a_thread(
            lambda: approvals.decide(action_id=calls["F"].pk, approved=False, by=NINA, reason="Too much.")
        )
        expect(page.locator("#inbox-changed")).to_have_text("Declined by nina: Too much.", timeout=60_000)
        expect(row(page, "F")).to_contain_text("Declined by nina: Too much.")
        expect(page.locator(".inbox-decide")).to_have_count(0)
        expect(page.locator("#inbox-asked")).to_have_text("Give 10% off order F.")  # what is read stays
        expect(row(page, "G").get_by_role("checkbox")).to_be_checked()
        expect(page.get_by_text("vera is looking at this")).to_be_visible()

        keys.press("?")
        expect(page.get_by_role("heading", name="Keys")).to_be_visible()
        keys.press("Escape")
        expect(page).to_have_title("(2) Approvals | Smart Support", timeout=60_000)
        expect(page.locator("#nav-sidebar-apps a", has_text="Approvals")).to_contain_text("2")
        assert faults == []

    statuses = {action.args["order_id"]: action.status for action in Action.objects.all()}
    assert statuses == {
        "A": "approved",
        "B": "rejected",
        "C": "approved",
        "D": "approved",
        "E": "rejected",
        "F": "rejected",
        "G": "awaiting",
        "Z": "awaiting",
    }
    assert Action.objects.get(pk=calls["B"].pk).reason == "a r j x?"


def test_on_a_phone_it_opens_below_its_row_and_new_ones_come(live_server: Any) -> None:
    first, _ = (
        rows.waiting_for_staff(order_id="A", percent=10),
        rows.waiting_for_staff(order_id="B", percent=10),
    )
    reading = rows.reading_tool(server_url="http://127.0.0.1:9/shop")
    Tool.objects.filter(pk=first.tool_id).update(read_back=reading)

    with staff_browser(live_server, viewport=PHONE, color_scheme="dark") as (page, faults):
        page.goto(LIST)
        row(page, "A").locator(".inbox-open").click()
        expect(row(page, "A").locator("#inbox-asked")).to_be_visible()
        expect(row(page, "A").locator("#standing")).to_contain_text("GET http://127.0.0.1:9/shop/orders/A")
        _in_a_thread(lambda: rows.waiting_for_staff(order_id="N", percent=10))
        expect(page.locator("#inbox-said")).to_have_text(
            "New approval: Give 10% off order N.", timeout=60_000
        )
        expect(row(page, "A").locator("#inbox-asked")).to_be_visible()
        row(page, "A").locator(".inbox-decide").get_by_role("button", name="Approve", exact=True).click()
        taken(page).get_by_role("button", name="Approve").click()
        expect(page.locator("#inbox-said")).to_have_text("Approved: Give 10% off order A.")
        row(page, "B").get_by_role("checkbox").check()
        row(page, "N").get_by_role("checkbox").check()
        page.get_by_role("button", name="Decline the ticked").click()
        dialog = taken(page)
        dialog.get_by_role("button", name="Decline 2").click()
        expect(dialog).to_contain_text("Say why")
        taken(page)
        assert wider(page) <= 0
        dialog.get_by_label("Reason").fill("Not today.")
        dialog.get_by_role("button", name="Decline 2").click()
        expect(dialog).to_contain_text("Declined 2 of 2.")
        assert (wider(page), faults) == (0, [])

    assert set(Action.objects.values_list("status", flat=True)) == {"approved", "rejected"}


def test_a_viewers_keys_decide_nothing_and_the_page_says_when_it_is_old(live_server: Any) -> None:
    action = rows.waiting_for_staff(order_id="A", percent=10)
    vera = rows.staff("vera", "agents.view_action")

    with staff_browser(live_server, vera, viewport=DESK) as (page, faults):
        page.goto(reverse("admin:agents_action_changelist"))
        page.keyboard.press("j")
        page.keyboard.press("o")
        expect(page.locator("#inbox-asked")).to_be_visible()
        expect(page.get_by_text("You may look at it, but not decide.")).to_be_visible()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url.removeprefix(live_server.url)))
        for key in "arex":
            page.keyboard.press(key)
        page.evaluate("fetch('/admin/waiting/?after=keys').then(answer => answer.text())")
        assert "/admin/waiting/?after=keys" in asked  # what a key had asked for would stand before it
        assert [
            one for one in asked if "/live/" not in one and "/waiting/" not in one and "/here/" not in one
        ] == []
        expect(page.locator("#modal-content")).to_be_empty()
        expect(page.locator("#inbox-alert")).not_to_be_checked()
        page.locator("#inbox-alert").check()
        page.reload()
        expect(page.locator("#inbox-alert")).to_be_checked()
        assert faults == []
        page.route("**/live/**", lambda route: route.fulfill(status=503))
        old = page.get_by_text("The server could not update this page. Trying again.")
        expect(old).to_be_visible(timeout=60_000)
        page.unroute("**/live/**")
        expect(old).to_be_hidden(timeout=60_000)

    action.refresh_from_db()
    assert (action.status, action.votes) == ("awaiting", [])
