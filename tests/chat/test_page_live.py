"""The chat page on the running product: no frame in these tests was made up."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import BrowserContext, Page, async_playwright, expect

from tests.agents.graph_script import answers, routed
from tests.browser import find
from tests.live.stack import Stack
from tests.scripted_model.fixture import RunningModel

pytestmark = [pytest.mark.xdist_group("live-scripted"), pytest.mark.browser]
OUTAGE = {"match": {}, "reply": {"error": {"status": 503, "retry_after": 0}}}
ENDLESS = {"match": {"stream": True}, "reply": {"chunks": ["and so on "] * 1_000, "token_delay_ms": 20}}
SLOW = {**ENDLESS, "reply": {"chunks": ["It is ", "on its way."], "token_delay_ms": 1_500}, "times": 1}
THREAD = "JSON.parse(localStorage.getItem('smartsupport.thread'))"
expect.set_options(timeout=20_000)


@pytest.fixture
async def browser_of_a_customer() -> AsyncIterator[BrowserContext]:
    """Its pages are tabs of one customer; an error in one of them fails the test."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find(),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        context = await browser.new_context(reduced_motion="reduce")
        faults: list[str] = []
        context.on("weberror", lambda error: faults.append(str(error.error)))
        yield context
        await browser.close()
        assert faults == []


async def _opened(context: BrowserContext, stack: Stack) -> Page:
    page = await context.new_page()
    await page.goto(stack.url)
    return page


async def _say(page: Page, text: str) -> None:
    await page.get_by_label("Your message to").fill(text)
    await page.keyboard.press("Enter")


async def _shown(page: Page) -> list[str]:
    return [
        " ".join(text.split()) for text in await page.locator(".bubble, .prose, .notice").all_inner_texts()
    ]


async def test_a_model_outage_is_tried_again_with_one_click(
    scripted_stack: Stack, scripted_model_server: RunningModel, browser_of_a_customer: BrowserContext
) -> None:
    scripted_model_server.script(OUTAGE)
    page = await _opened(browser_of_a_customer, scripted_stack)
    await _say(page, "Where is order 1042?")
    again = page.locator("#log").get_by_role("button", name="Try again")
    await expect(again).to_be_visible(timeout=60_000)
    await page.reload()
    await expect(again).to_be_visible()
    scripted_model_server.script(routed("order_lookup"), answers(text="It is on its way."))

    await again.click()

    await expect(page.locator(".prose")).to_have_text(["It is on its way."])
    await expect(page.locator(".problem")).to_have_count(0)
    await expect(page.locator(".mine")).to_have_count(1)


async def test_what_is_written_meanwhile_waits_and_is_answered_together(
    scripted_stack: Stack, scripted_model_server: RunningModel, browser_of_a_customer: BrowserContext
) -> None:
    scripted_model_server.script(routed("order_lookup"), SLOW, answers(text="Both, yes."))
    page = await _opened(browser_of_a_customer, scripted_stack)
    await _say(page, "Where is order 1042?")
    await expect(page.locator(".is-live")).to_be_visible()

    await _say(page, "And 1043?")
    await _say(page, "And 1044?")

    await expect(page.locator("#log").get_by_text("Queued", exact=True)).to_have_count(2)
    await expect(page.locator(".prose")).to_have_text(["It is on its way.", "Both, yes."])
    await expect(page.locator("#log").get_by_text("Queued", exact=True)).to_have_count(0)
    asked = ["Where is order 1042?", "It is on its way.", "And 1043?", "And 1044?", "Both, yes."]
    assert await _shown(page) == asked


async def test_a_colleague_takes_over_in_mid_sentence_talks_and_leaves_in_both_tabs(
    scripted_stack: Stack, scripted_model_server: RunningModel, browser_of_a_customer: BrowserContext
) -> None:
    stack = scripted_stack
    scripted_model_server.script(routed("order_lookup"), ENDLESS)
    page = await _opened(browser_of_a_customer, stack)
    await _say(page, "Where is order 1042?")
    await expect(page.locator(".is-live")).to_contain_text("and so on and so on")
    tab = await _opened(browser_of_a_customer, stack)
    await expect(tab.locator(".is-live")).to_contain_text("and so on")
    thread = f"/conversations/{await page.evaluate(THREAD)}"

    assert stack.api.post(f"{thread}/takeover").status_code == 200

    for one in (page, tab):
        await expect(one.locator("#presence")).to_be_visible()
        await expect(one.locator(".is-live, .typing")).to_have_count(0)
        await expect(one.locator("#log")).to_contain_text("A colleague has joined")
    await _say(page, "Are you a person?")
    await expect(page.locator("#log").get_by_text("Sent", exact=True)).to_be_visible()
    await expect(tab.locator("#log").get_by_text("Are you a person?")).to_be_visible()
    for number in range(30):
        sent = stack.api.post(f"{thread}/staff-messages", json={"content": f"Yes, I am. {number}"})
        assert sent.status_code == 201
    await expect(page.locator(".staff")).to_have_count(30)

    late = await _opened(browser_of_a_customer, stack)
    await expect(late.locator("#presence")).to_be_visible()
    await expect(late.locator(".staff").last).to_contain_text("Yes, I am. 29")
    await late.locator("#conversation").evaluate("area => { area.scrollTop = 0 }")
    await expect(late.locator(".staff")).to_have_count(30)
    for one in (page, tab):
        assert await _shown(one) == await _shown(late)

    assert stack.api.post(f"{thread}/handback").status_code == 200
    scripted_model_server.script(routed("order_lookup"), answers(text="It is on its way."))
    await _say(tab, "And order 1043?")
    for one in (page, tab, late):
        await expect(one.locator(".prose").last).to_have_text("It is on its way.")
        await expect(one.locator("#presence")).to_be_hidden()
