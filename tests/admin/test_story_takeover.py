"""A customer and a member of staff in two browsers: taking over, talking, giving back; the product as it runs."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from tests.browser import find
from tests.live.stack import ADMIN_PASSWORD, Stack

pytestmark = [pytest.mark.xdist_group("live-offline"), pytest.mark.browser]
PATIENCE_MS = 30_000


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(
            executable_path=find(),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield opened
        await opened.close()


async def test_taking_over_writing_and_giving_back(offline_stack: Stack, browser: Browser) -> None:
    faults: list[str] = []
    customer, staff = await _opened(browser, faults), await _opened(browser, faults)
    await customer.goto(offline_stack.url)
    await _say(customer, "What is the status of order 1064?")
    await expect(_told(customer, "Order 1064 is")).to_be_visible(timeout=PATIENCE_MS)
    await _sign_in(staff, offline_stack)
    await staff.goto(f"{offline_stack.url}/admin/chat/conversation/?q=1064")
    await staff.locator(".desk-hits a").first.click()
    content, dialog = staff.locator("#content-main"), staff.locator("#dialog")

    await content.get_by_role("button", name="Take over").click()
    await dialog.get_by_role("button", name="Take over").click()
    await expect(staff.get_by_text("You have this conversation now.")).to_be_visible(timeout=PATIENCE_MS)

    await _say(customer, "Cancel order 1064, please. Is somebody there?")
    await expect(content.get_by_text("Is somebody there?")).to_be_visible(timeout=PATIENCE_MS)
    await content.get_by_label("Message").fill("Yes, I am **here**.")
    await content.get_by_role("button", name="Send").click()
    await expect(content.locator(".timeline-staff strong")).to_have_text("here", timeout=PATIENCE_MS)
    await expect(_told(customer, "Yes, I am here.")).to_be_visible(timeout=PATIENCE_MS)
    await expect(_log(customer)).not_to_contain_text("admin")

    await content.get_by_role("button", name="Hand back").click()
    await dialog.get_by_role("button", name="Hand back").click()
    await expect(staff.get_by_text("Given back.")).to_be_visible(timeout=PATIENCE_MS)
    await _say(customer, "What is the status of order 1065?")
    await expect(_told(customer, "Order 1065 is")).to_be_visible(timeout=PATIENCE_MS)

    assert not [entry for entry in offline_stack.journal() if "/orders/1064/" in entry["path"]]
    assert faults == []


async def _opened(browser: Browser, faults: list[str]) -> Page:
    """A page of somebody else's, whose errors are noted."""
    page = await (await browser.new_context()).new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    return page


def _log(page: Page) -> Locator:
    return page.get_by_role("log", name="Messages")


def _told(page: Page, text: str) -> Locator:
    return _log(page).get_by_text(text).filter(visible=True).first


async def _say(page: Page, text: str) -> None:
    await page.get_by_label("Your message to").fill(text)
    await page.keyboard.press("Enter")


async def _sign_in(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.url}/admin/")
    await page.get_by_label("Username").fill("admin")
    await page.get_by_label("Password").fill(ADMIN_PASSWORD)
    await page.get_by_role("button", name="Log in").click()
