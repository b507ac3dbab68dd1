"""What the console adds to its theme: icons that are no words, and light or dark as the system says, also later."""

import re
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from agents.models import Agent
from tests import rows
from tests.admin.console_pages import furnished, pages
from tests.admin.test_browser import DESK, PHONE, staff_browser, wired

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOOKED_AT = {
    "index",
    "agents_action_change",
    "agents_credential_add",
    "agents_tool_changelist",
    "auth_user_change",
    "auth_user_changelist",
    "chat_conversation_change",
}
"""A list, a page of a row and a form of each look that the theme has."""
CONTROL = re.compile(r"- (link|button|checkbox|combobox|menuitem|tab)\b(?: \"(?P<name>.*?)\")?")
EXPOSED = """() => [...document.querySelectorAll('.material-symbols-outlined')]
    .filter(icon => !icon.closest('[aria-hidden=true]') && !icon.hasAttribute('aria-label'))
    .map(icon => icon.outerHTML)"""


def faults(page: Page, name: str) -> list[str]:
    """Icons that are not hidden from a screen reader, and controls in its tree that are named by one or not at all."""
    found = [f"{name}: read out: {icon}" for icon in page.evaluate(EXPOSED)]
    for line in page.locator("body").aria_snapshot().splitlines():
        control = CONTROL.search(line)
        if not control:
            continue
        spoken = control["name"] or ""
        # The words of icons that are put there by a style are in no element: those of two words tell themselves.
        if re.search(r"\b(?:arrow|expand|check|close|chevron|calendar|navigate)_\w+", spoken):
            found.append(f"{name}: {line.strip()}")
        if control[1] in ("link", "button") and not spoken.strip():
            found.append(f"{name}: nameless: {line.strip()}")
    return found


def test_no_icon_is_read_out_as_a_word(live_server: Any, client: Client) -> None:
    client.force_login(rows.staff("walker", superuser=True))
    ids = furnished()
    chosen = list(pages(client, ids, only=LOOKED_AT))
    assert {page.name for page in chosen} == LOOKED_AT

    with staff_browser(live_server, viewport=DESK) as (page, _):
        faulty = []
        for one in chosen:
            page.goto(one.url)
            wired(page).locator(".console-account").click()  # with the menu that is folded away
            expect(page.get_by_role("button", name="Dark")).to_be_visible()
            faulty += faults(page, one.name)

    assert not faulty, "\n" + "\n".join(faulty)


def test_an_open_page_turns_dark_with_the_system(live_server: Any) -> None:
    with staff_browser(live_server, viewport=DESK, color_scheme="light") as (page, found):
        page.goto("/admin/")
        root = page.locator("html")
        expect(root).not_to_have_class(re.compile(r"\bdark\b"))
        page.emulate_media(color_scheme="dark")
        expect(root).to_have_class(re.compile(r"\bdark\b"))
        page.emulate_media(color_scheme="light")
        expect(root).not_to_have_class(re.compile(r"\bdark\b"))

        page.locator(".console-account").click()
        page.get_by_role("button", name="Dark").click()
        expect(root).to_have_class(re.compile(r"\bdark\b"))
        page.emulate_media(color_scheme="dark")
        page.emulate_media(color_scheme="light")
        page.reload()
        expect(root).to_have_class(re.compile(r"\bdark\b"))  # chosen: the system is not asked
        assert found == []


CLIPPED = """() => [...document.querySelectorAll('#result_list td, #result_list th')]
    .filter(cell => cell.clientHeight && cell.scrollHeight > cell.clientHeight + 1)
    .map(cell => cell.textContent.trim())"""


def test_no_field_of_a_list_is_cut_off_on_a_phone(live_server: Any) -> None:
    rows.agent("order_lookup", rows.reading_tool())
    Agent.objects.update(description="Looks up orders. " * 12)

    with staff_browser(live_server, viewport=PHONE) as (page, found):
        page.goto("/admin/agents/agent/")
        expect(page.get_by_text("Looks up orders. Looks up").first).to_be_visible()
        page.evaluate("document.fonts.ready.then(() => true)")
        assert page.evaluate(CLIPPED) == []
        assert found == []
