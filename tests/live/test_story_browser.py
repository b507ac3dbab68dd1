"""The main job as people do it, in a browser: a customer asks, cancels and approves; a member of staff grants a
discount; the business has done both; the console shows it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.live.stack import ADMIN_PASSWORD, Stack

pytestmark = [pytest.mark.xdist_group("live-offline"), pytest.mark.browser]
ORDER = 1061


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page that fails the test on any error in it."""
    page = chromium.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    yield page
    page.close()
    assert faults == []


def test_ask_cancel_approve_and_see_it_everywhere(offline_stack: Stack, page: Page) -> None:
    page.goto(offline_stack.url)
    _say(page, f"What is the status of order {ORDER}?")
    expect(_told(page, f"Order {ORDER} is")).to_be_visible()

    _say(page, "cancel that one")
    approve = page.get_by_role("button", name="Approve")
    expect(approve).to_be_visible()
    assert _effects(offline_stack, "cancel_order") == []
    approve.click()
    expect(_told(page, f"Order {ORDER} was cancelled")).to_be_visible()

    [effect] = _effects(offline_stack, "cancel_order")
    order = offline_stack.business.get(f"/shop/customers/cus_1001/orders/{ORDER}").json()
    assert order["status"] == "cancelled"

    _say(page, f"Please give me a 10% discount on order {ORDER + 1}")
    expect(_told(page, "A member of our team")).to_be_visible()
    assert page.context.browser is not None
    staff = page.context.browser.new_page()
    _sign_in(staff, offline_stack)
    staff.goto(f"{offline_stack.url}/admin/agents/action/")
    staff.get_by_role("link", name=f"Give a 10% discount on order {ORDER + 1}").first.click()
    staff.locator("#content-main").get_by_role("button", name="Approve", exact=True).click()
    staff.locator("#dialog").get_by_role("button", name="Approve").click()
    expect(staff.get_by_text("Approved: ").first).to_be_visible()
    expect(_told(page, "Approved by our team")).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    assert len(_effects(offline_stack, "apply_discount", ORDER + 1)) == 1

    staff.goto(f"{offline_stack.url}/admin/chat/conversation/")
    staff.locator("#result_list tbody a").first.click()
    expect(staff.get_by_text(f"Cancel order {ORDER}").first).to_be_visible()
    expect(staff.get_by_text(f"Order {ORDER} was cancelled").filter(visible=True).first).to_be_visible()

    page.reload()
    expect(_told(page, f"Order {ORDER} was cancelled")).to_be_visible()
    assert effect["idempotency_key"]


def _effects(stack: Stack, operation: str, order: int = ORDER) -> list[dict[str, str]]:
    return [entry for entry in stack.journal(operation) if f"/orders/{order}/" in entry["path"]]


def _told(page: Page, text: str) -> Locator:
    """The first place in the conversation that says this."""
    return page.get_by_role("log", name="Messages").get_by_text(text).filter(visible=True).first


def _say(page: Page, text: str) -> None:
    page.get_by_label("Your message to").fill(text)
    page.keyboard.press("Enter")


def _sign_in(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.url}/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{stack.url}/admin/")
