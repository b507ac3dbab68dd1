"""A customer and a member of staff in two browsers: taking over, talking, giving back; the product as it runs."""

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.admin.test_browser import _complained, taken, wired
from tests.live.stack import ADMIN_PASSWORD, Stack

pytestmark = [pytest.mark.xdist_group("live-offline"), pytest.mark.browser]
PATIENCE_MS = 60_000


def test_taking_over_writing_and_giving_back(offline_stack: Stack, chromium: Browser) -> None:
    faults: list[str] = []
    customer, staff = _opened(chromium, faults), _opened(chromium, faults)
    customer.goto(offline_stack.url)
    _say(customer, "What is the status of order 1064?")
    expect(_told(customer, "Order 1064 is")).to_be_visible(timeout=PATIENCE_MS)
    _sign_in(staff, offline_stack)
    staff.goto(f"{offline_stack.url}/admin/chat/conversation/?q=1064")
    staff.locator(".desk-hits a").first.click()
    staff.wait_for_url("**/change/**")
    content = staff.locator("#content-main")

    content.get_by_role("button", name="Take over").click()
    taken(staff).get_by_role("button", name="Take over").click()
    expect(staff.get_by_text("You have this conversation now.")).to_be_visible(timeout=PATIENCE_MS)
    wired(staff)

    _say(customer, "Cancel order 1064, please. Is somebody there?")
    expect(content.get_by_text("Is somebody there?")).to_be_visible(timeout=PATIENCE_MS)
    content.get_by_label("Message").fill("Yes, I am **here**.")
    content.get_by_role("button", name="Send").click()
    expect(content.locator(".timeline-staff strong")).to_have_text("here", timeout=PATIENCE_MS)
    expect(_told(customer, "Yes, I am here.")).to_be_visible(timeout=PATIENCE_MS)
    expect(_log(customer)).not_to_contain_text("admin")

    wired(staff)
    content.get_by_role("button", name="Hand back").click()
    taken(staff).get_by_role("button", name="Hand back").click()
    expect(staff.get_by_text("Given back.")).to_be_visible(timeout=PATIENCE_MS)
    _say(customer, "What is the status of order 1065?")
    expect(_told(customer, "Order 1065 is")).to_be_visible(timeout=PATIENCE_MS)

    assert not [entry for entry in offline_stack.journal() if "/orders/1064/" in entry["path"]]
    assert faults == []


def _opened(browser: Browser, faults: list[str]) -> Page:
    """A page of somebody else's, whose errors are noted."""
    page = browser.new_context().new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.extend(_complained(said)))
    return page


def _log(page: Page) -> Locator:
    return page.get_by_role("log", name="Messages")


def _told(page: Page, text: str) -> Locator:
    return _log(page).get_by_text(text).filter(visible=True).first


def _say(page: Page, text: str) -> None:
    page.get_by_label("Your message to").fill(text)
    page.keyboard.press("Enter")


def _sign_in(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.url}/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Now", exact=True)).to_be_visible(timeout=PATIENCE_MS)
