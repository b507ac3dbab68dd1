"""The main job as people do it, in a browser: a customer asks, cancels and approves; a member of staff grants a
discount; the business has done both; the console shows it."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Locator, Page, async_playwright, expect

from tests.browser import find
from tests.live.stack import ADMIN_PASSWORD, Stack

pytestmark = [pytest.mark.xdist_group("live-offline"), pytest.mark.browser]
ORDER = 1061
expect.set_options(timeout=20_000)


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page that fails the test on any error in it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find(),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = await browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        yield page
        await browser.close()
        assert faults == []


async def test_ask_cancel_approve_and_see_it_everywhere(offline_stack: Stack, page: Page) -> None:
    await page.goto(offline_stack.url)
    await _say(page, f"What is the status of order {ORDER}?")
    await expect(_told(page, f"Order {ORDER} is")).to_be_visible()

    await _say(page, "cancel that one")
    approve = page.get_by_role("button", name="Approve")
    await expect(approve).to_be_visible()
    assert _effects(offline_stack, "cancel_order") == []
    await approve.click()
    await expect(_told(page, f"Order {ORDER} was cancelled")).to_be_visible()

    [effect] = _effects(offline_stack, "cancel_order")
    order = offline_stack.business.get(f"/shop/customers/cus_1001/orders/{ORDER}").json()
    assert order["status"] == "cancelled"

    await _say(page, f"Please give me a 10% discount on order {ORDER + 1}")
    await expect(_told(page, "A member of our team")).to_be_visible()
    assert page.context.browser is not None
    staff = await page.context.browser.new_page()
    await _sign_in(staff, offline_stack)
    await staff.goto(f"{offline_stack.url}/admin/agents/action/")
    await staff.get_by_role("link", name=f"Give a 10% discount on order {ORDER + 1}").first.click()
    await staff.locator("#content-main").get_by_role("button", name="Approve", exact=True).click()
    await staff.locator("#dialog").get_by_role("button", name="Approve").click()
    await expect(staff.get_by_text("Approved: ").first).to_be_visible()
    await expect(_told(page, "Approved by our team")).to_be_visible()
    await expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    assert len(_effects(offline_stack, "apply_discount", ORDER + 1)) == 1

    await staff.goto(f"{offline_stack.url}/admin/chat/conversation/")
    await staff.locator("#result_list tbody a").first.click()
    await expect(staff.get_by_text(f"Cancel order {ORDER}").first).to_be_visible()
    await expect(staff.get_by_text(f"Order {ORDER} was cancelled").filter(visible=True).first).to_be_visible()

    await page.reload()
    await expect(_told(page, f"Order {ORDER} was cancelled")).to_be_visible()
    assert effect["idempotency_key"]


def _effects(stack: Stack, operation: str, order: int = ORDER) -> list[dict[str, str]]:
    return [entry for entry in stack.journal(operation) if f"/orders/{order}/" in entry["path"]]


def _told(page: Page, text: str) -> Locator:
    """The first place in the conversation that says this."""
    return page.get_by_role("log", name="Messages").get_by_text(text).filter(visible=True).first


async def _say(page: Page, text: str) -> None:
    await page.get_by_label("Your message to").fill(text)
    await page.keyboard.press("Enter")


async def _sign_in(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.url}/admin/")
    await page.get_by_label("Username").fill("admin")
    await page.get_by_label("Password").fill(ADMIN_PASSWORD)
    await page.get_by_role("button", name="Log in").click()
