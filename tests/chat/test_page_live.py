"""The chat page on the running product: no frame in these tests was made up."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.agents.graph_script import answers, routed
from tests.live.stack import Stack
from tests.scripted_model.fixture import RunningModel

pytestmark = [pytest.mark.xdist_group("live-scripted"), pytest.mark.browser]
OUTAGE = {"match": {}, "reply": {"error": {"status": 503, "retry_after": 0}}}
ENDLESS = {"match": {"stream": True}, "reply": {"chunks": ["and so on "] * 9_000, "token_delay_ms": 20}}
HELD = {**ENDLESS, "reply": {"chunks": ["It is ", "on its way."], "hold": 2}, "times": 1}
SAID = ".bubble, .prose, .notice"
THREAD = "JSON.parse(localStorage.getItem('smartsupport.thread'))"


@pytest.fixture
def browser_of_a_customer(chromium: Browser) -> Iterator[BrowserContext]:
    """Its pages are tabs of one customer; an error in one of them fails the test."""
    context = chromium.new_context(reduced_motion="reduce")
    faults: list[str] = []
    context.on("weberror", lambda error: faults.append(str(error.error)))
    yield context
    context.close()
    assert faults == []


def _opened(context: BrowserContext, stack: Stack) -> Page:
    page = context.new_page()
    page.goto(stack.url)
    return page


def _say(page: Page, text: str) -> None:
    page.get_by_label("Your message to").fill(text)
    page.keyboard.press("Enter")


def _shown(page: Page) -> list[str]:
    return [" ".join(text.split()) for text in page.locator(SAID).all_inner_texts()]


def _shows(page: Page, texts: list[str]) -> None:
    expect(page.locator(SAID)).to_have_text(texts, use_inner_text=True)


def test_a_model_outage_is_tried_again_with_one_click(
    scripted_stack: Stack, scripted_model_server: RunningModel, browser_of_a_customer: BrowserContext
) -> None:
    scripted_model_server.script(OUTAGE)
    page = _opened(browser_of_a_customer, scripted_stack)
    _say(page, "Where is order 1042?")
    again = page.locator("#log").get_by_role("button", name="Try again")
    expect(again).to_be_visible(timeout=60_000)
    page.reload()
    expect(again).to_be_visible()
    scripted_model_server.script(routed("order_lookup"), answers(text="It is on its way."))

    again.click()

    expect(page.locator(".prose")).to_have_text(["It is on its way."])
    expect(page.locator(".problem")).to_have_count(0)
    expect(page.locator(".mine")).to_have_count(1)


def test_what_is_written_meanwhile_waits_and_is_answered_together(
    scripted_stack: Stack, scripted_model_server: RunningModel, browser_of_a_customer: BrowserContext
) -> None:
    scripted_model_server.script(routed("order_lookup"), HELD, answers(text="Both, yes."))
    page = _opened(browser_of_a_customer, scripted_stack)
    _say(page, "Where is order 1042?")
    expect(page.locator(".is-live")).to_be_visible()

    _say(page, "And 1043?")
    _say(page, "And 1044?")

    expect(page.locator("#log").get_by_text("Queued", exact=True)).to_have_count(2)
    scripted_model_server.release()
    expect(page.locator(".prose")).to_have_text(["It is on its way.", "Both, yes."])
    expect(page.locator("#log").get_by_text("Queued", exact=True)).to_have_count(0)
    asked = ["Where is order 1042?", "It is on its way.", "And 1043?", "And 1044?", "Both, yes."]
    _shows(page, asked)


def test_a_colleague_takes_over_in_mid_sentence_talks_and_leaves_in_both_tabs(
    scripted_stack: Stack, scripted_model_server: RunningModel, browser_of_a_customer: BrowserContext
) -> None:
    stack = scripted_stack
    scripted_model_server.script(routed("order_lookup"), ENDLESS)
    page = _opened(browser_of_a_customer, stack)
    _say(page, "Where is order 1042?")
    expect(page.locator(".is-live")).to_contain_text("and so on and so on")
    tab = _opened(browser_of_a_customer, stack)
    expect(tab.locator(".is-live")).to_contain_text("and so on")
    thread = f"/conversations/{page.evaluate(THREAD)}"

    assert stack.api.post(f"{thread}/takeover").status_code == 200

    for one in (page, tab):
        expect(one.locator("#presence")).to_be_visible()
        expect(one.locator(".is-live, .typing")).to_have_count(0)
        expect(one.locator("#log")).to_contain_text("A colleague has joined")
    _say(page, "Are you a person?")
    expect(page.locator("#log").get_by_text("Sent", exact=True)).to_be_visible()
    expect(tab.locator("#log").get_by_text("Are you a person?")).to_be_visible()
    for number in range(30):
        sent = stack.api.post(f"{thread}/staff-messages", json={"content": f"Yes, I am. {number}"})
        assert sent.status_code == 201
    expect(page.locator(".staff")).to_have_count(30)

    late = _opened(browser_of_a_customer, stack)
    expect(late.locator("#presence")).to_be_visible()
    expect(late.locator(".staff").last).to_contain_text("Yes, I am. 29")
    late.locator("#conversation").evaluate("area => { area.scrollTop = 0 }")
    expect(late.locator(".staff")).to_have_count(30)
    everything = _shown(late)
    for one in (page, tab):
        _shows(one, everything)

    assert stack.api.post(f"{thread}/handback").status_code == 200
    scripted_model_server.script(routed("order_lookup"), answers(text="It is on its way."))
    _say(tab, "And order 1043?")
    for one in (page, tab, late):
        expect(one.locator(".prose").last).to_have_text("It is on its way.")
        expect(one.locator("#presence")).to_be_hidden()
