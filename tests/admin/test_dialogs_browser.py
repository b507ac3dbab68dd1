"""Dialogs by keyboard, on any page: the focus goes in, stays in while somebody tabs, and returns to what opened it."""

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect

from tests import rows
from tests.admin.test_browser import DESK, _in_a_thread, staff_browser, taken

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

HOLDS = "body => body.contains(document.activeElement)"


def goes_round(page: Page, body: Locator) -> None:
    """More steps, either way, than any of these dialogs has stops; and not one of them leads out."""
    seen = set()
    for key in ["Tab"] * 12 + ["Shift+Tab"] * 12:
        page.keyboard.press(key)
        assert body.evaluate(HOLDS), f"{key} led out of the dialog"
        seen.add(page.evaluate("document.activeElement.outerHTML"))
    assert len(seen) > 1, "the focus did not move"


def opened_by(page: Page, opener: Locator, body: Locator) -> None:
    """Opened by Enter, left by Escape, and where the focus is before, meanwhile and afterwards."""
    opener.focus()
    opener.press("Enter")
    expect(body).to_be_visible()
    page.wait_for_function("body => body.contains(document.activeElement)", arg=body.element_handle())
    goes_round(page, body)
    page.keyboard.press("Escape")
    expect(body).to_be_hidden()
    expect(opener).to_be_focused()


def test_every_kind_of_dialog_keeps_the_keyboard_and_gives_it_back(live_server: Any) -> None:
    action = rows.waiting_for_staff(order_id="1042", percent=10)
    conversation = reverse("admin:chat_conversation_change", args=[action.turn.conversation_id])

    with staff_browser(live_server, viewport=DESK) as (page, faults):
        modal, main = page.locator("#modal-content"), page.locator("#console-main")

        page.goto(conversation)
        opened_by(page, main.get_by_role("button", name="Take over"), modal)
        opened_by(page, main.get_by_role("button", name="Mark as resolved"), modal)

        page.goto(reverse("admin:agents_action_change", args=[action.pk]))
        decline = main.get_by_role("button", name="Decline", exact=True)
        opened_by(page, decline, modal)
        decline.press("Enter")
        expect(modal.get_by_label("Reason")).to_be_focused()  # what must be filled in
        page.keyboard.press("Control+Enter")
        expect(modal.locator(".errors, .errorlist, [aria-invalid=true]").first).to_be_visible()
        taken(page)
        expect(modal.get_by_label("Reason")).to_be_focused()  # what is wrong
        modal.get_by_role("button", name="Cancel").press("Enter")
        expect(modal).to_be_hidden()
        expect(decline).to_be_focused()

        page.goto(reverse("admin:auth_user_changelist"))
        filters = main.get_by_role("button", name="Filters")
        opened_by(page, filters, page.locator("#changelist-filter"))
        filters.focus()
        page.keyboard.press("Control+k")
        search = page.get_by_role("dialog", name="Search")
        expect(search.get_by_role("searchbox")).to_be_focused()
        goes_round(page, search)
        page.keyboard.press("Escape")
        expect(filters).to_be_focused()

        page.goto(reverse("admin:agents_action_changelist"))
        page.keyboard.press("?")
        page.keyboard.press("Tab")
        assert page.locator("#inbox-keys").evaluate(HOLDS)
        assert faults == []


def test_a_dialog_that_does_not_come_says_why(live_server: Any) -> None:
    conversation = rows.turn(rows.customer()).conversation
    colleague = rows.staff("carla", "chat.view_conversation", "chat.change_conversation")
    url = reverse("admin:chat_conversation_change", args=[conversation.pk])

    with staff_browser(live_server, colleague, viewport=DESK) as (page, _):
        page.goto(url)
        resolve = page.locator("#console-main").get_by_role("button", name="Mark as resolved")
        told = page.locator("#console-refused")

        page.route("**/resolve/", lambda route: route.abort())
        resolve.click()
        expect(told).to_have_text("The connection is gone. Look whether it was done before you try it again.")
        page.unroute("**/resolve/")

        _in_a_thread(lambda: colleague.user_permissions.clear())
        resolve.click()
        expect(told).to_have_text("You may not do this. Nothing was changed.")
        page.keyboard.press("Tab")
        expect(told).to_be_hidden()
        expect(page.locator("#dialog")).to_have_count(0)
