"""The chat page for everybody: small screens, dark rooms, keyboards, screen readers, paper, strict policy."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chat.page_server import PageServer, Peer, Visitor

pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 860}

# WCAG 2.2, contrast of text (1.4.3): every visible piece of text against what is painted behind it. Colours
# go through a canvas, so that every notation counts.
CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [x, y, z] = [r, g, b].map((v) => linear(v / 255));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = rgba(getComputedStyle(one).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return rgba("white");
  };
  const faults = [];
  for (const element of document.body.querySelectorAll("*")) {
    const words = [...element.childNodes].filter((node) => node.nodeType === 3 && node.data.trim());
    if (!words.length || !element.checkVisibility()) continue;
    if (element.closest(".visually-hidden, [disabled], [aria-disabled=true], dialog:not([open])")) continue;
    const [a, b] = [light(rgba(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faults.push(`${ratio.toFixed(2)} ${element.className}: ${words[0].data.trim()}`);
  }
  return faults;
}"""

SMALL_TARGETS = """() => [...document.querySelectorAll("button, summary, textarea, a.skip")]
  .filter((one) => one.checkVisibility() && !one.closest("dialog:not([open])"))
  .map((one) => {
    const box = one.getBoundingClientRect();
    const more = one.classList.contains("model") ? 20 : 0;  // its ::after widens what can be hit
    return [one.id || one.textContent.trim(), box.width, box.height + more];
  })
  .filter(([, width, height]) => Math.min(width, height) < 43.5)"""


def _tell_a_story(peer: Peer, **interrupt: Any) -> None:
    """Something of everything on one page."""
    peer.accept(1, "t1")
    peer.send("routing", seq=2, turn_id="t1", agents=["order_lookup"], reason="")
    call = {"turn_id": "t1", "agent": "order_lookup", "tool": "get_order", "call_id": "c1"}
    peer.send("tool_call", seq=3, title="Look up an order", args={"order_id": 1042}, **call)
    peer.send("tool_result", seq=4, ok=False, result={"kind": "transient", "message": "No answer."}, **call)
    row = "<tr>" + "<td>unbreakableandverylongcell</td>" * 8 + "</tr>"
    text = '<p>Text with <code>code</code> and <a href="https://example.com">a link</a>.</p>'
    html = f"{text}<table>{row}</table><pre>{'x' * 200}</pre>"
    peer.send("agent_response", seq=5, turn_id="t1", agent="order_lookup", html=html)
    ask = {
        "action": "cancel_order",
        "params": {"a_long_name_of_a_parameter": "y" * 90},
        "expires_at": "2099-01-01T00:00:00Z",
    }
    peer.send(
        "interrupt", seq=6, turn_id="t1", interrupt_id="i1", message="Cancel it?", approver="customer", **ask
    )
    peer.send(
        "interrupt", seq=7, turn_id="t1", interrupt_id="i2", message="Discount?", approver="staff", **ask
    )
    peer.send("handoff", seq=8, turn_id="t1", by="customer", reason="")
    peer.send("staff_message", seq=9, turn_id=None, by_name="Maria", content="w" * 120)
    peer.send("error", seq=10, turn_id="t1", code="x", message="An error occurred processing your message.")
    peer.send(
        "interrupt_resolved", seq=11, turn_id="t1", interrupt_id="i2", resolution="rejected", by="staff"
    )


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[PHONE, DESK], ids=["phone", "desk"])
def somebody(
    chromium: Browser, pages: PageServer, theme: str, request: pytest.FixtureRequest
) -> Iterator[Visitor]:
    options = {"viewport": request.param, "color_scheme": theme, "reduced_motion": "reduce"}
    with Visitor.arriving(chromium, pages, **options) as visitor:
        yield visitor


def test_everything_is_readable_and_large_enough_and_fits(somebody: Visitor) -> None:
    page = somebody.page
    peer = somebody.open()
    expect(page.get_by_role("heading", name="Hello, how can we help?")).to_be_visible()
    assert page.evaluate(CONTRASTS) == []
    assert page.evaluate(SMALL_TARGETS) == []
    somebody.say("z" * 200)
    _tell_a_story(peer)
    expect(somebody.log.get_by_text("Declined by our team")).to_be_visible()
    somebody.pages.unavailable = 1_000
    peer.cut()
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    somebody.say("Written in the meantime")
    expect(somebody.log.get_by_text("Not sent yet.")).to_be_visible()

    _assert_fits(page)


# Texts that stick out of their place: the cell of a table of facts, or what stands in the conversation.
STICKING_OUT = """() => {
  const faults = [];
  const walker = document.createTreeWalker(document.getElementById("log"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode, element = text.parentElement;
    if (!text.data.trim() || !element.checkVisibility() || element.closest("pre, .wide, .visually-hidden")) continue;
    const place = element.closest("dt, dd, .log > *").getBoundingClientRect();
    const range = document.createRange();
    range.selectNodeContents(text);
    for (const { left, right } of range.getClientRects())
      if (right > place.right + 1 || left < place.left - 1) faults.push(element.className + text.data.slice(0, 9));
  }
  return faults;
}"""


def test_a_word_without_an_end_stays_in_its_place(somebody: Visitor) -> None:
    """Names of tools, agents and fields are those of somebody's API; what went wrong is told in a business's words."""
    word = "supercalifragilistic" * 12
    peer = somebody.open()
    somebody.say(word)
    peer.accept(1, "t1")
    peer.send("routing", seq=2, turn_id="t1", agents=[word], reason="")
    call = {"turn_id": "t1", "agent": word, "tool": "get_order", "title": word, "call_id": "c1"}
    peer.send("tool_call", seq=3, args={word: word}, **call)
    somebody.page.locator("details.tool summary").click()
    peer.send("tool_result", seq=4, ok=False, result={"kind": "transient", "message": word}, **call)
    peer.send("agent_response", seq=5, turn_id="t1", agent=word, content=word, html=f"<p>{word}</p>")
    ask = {"turn_id": "t1", "interrupt_id": "i1", "approver": "customer", "expires_at": LATER}
    peer.send("interrupt", seq=6, action="cancel_order", message=word, params={word: word}, **ask)
    peer.send("error", seq=7, turn_id="t1", code="x", message=word)

    expect(somebody.log.locator(".problem")).to_be_visible()
    assert somebody.page.evaluate(STICKING_OUT) == []
    _assert_fits(somebody.page)


def _tell_of_trouble(peer: Peer) -> None:
    """What is waited for, what failed, what came back, and a person who joins."""
    ask = {"turn_id": "t1", "interrupt_id": "i1", "action": "apply_discount", "message": "Discount?"}
    still = {"params": {"percent": 20}, "expires_at": "2099-01-01T00:00:00Z", **ask}
    resolved = {"turn_id": "t1", "interrupt_id": "i1", "resolution": "approved", "by": "staff"}
    peer.send("interrupt", seq=2, approver="customer", **still)
    peer.send("interrupt_resolved", seq=3, changed={"percent": [20, 10]}, params={"percent": 10}, **resolved)
    other = {"turn_id": "t0", "interrupt_id": "i2"}
    peer.send("interrupt", seq=4, approver="staff", **{**still, **other})
    peer.send("interrupt_resolved", seq=5, **{**resolved, **other})
    peer.send("interrupt", seq=6, approver="staff", **{**still, **other})
    call = {
        "turn_id": "t1",
        "agent": "a",
        "tool": "cancel_order",
        "title": "Cancel an order",
        "call_id": "c1",
    }
    peer.send("tool_call", seq=7, args={}, **call)
    peer.send("tool_result", seq=8, ok=False, result={"kind": "unknown", "message": "Staff check."}, **call)
    cut = {"agent": "order_lookup", "html": "<p>Half an ans</p>", "cut": True}
    peer.send("agent_response", seq=9, turn_id="t1", **cut)
    peer.send(
        "handoff", seq=10, turn_id="t1", by="rule", reason="", ticket="T-00000001-0002", available_at=LATER
    )


LATER = "2099-01-01T00:00:00Z"


def test_waiting_failing_and_people_are_readable_large_enough_and_fit(somebody: Visitor) -> None:
    page = somebody.page
    peer = somebody.come_back("long")
    peer.receive("history")
    said = {"turn_id": "t1", "content": "Please " * 30, "client_message_id": "c1"}
    peer.page([peer.frame("user_message", seq=1, **said)], after=0, seq=1)
    peer.receive("resume")
    peer.resumed(1)
    peer.receive("history")
    peer.send("error", code="unavailable", message="An error occurred processing your message.")
    expect(page.locator("#earlier").get_by_role("button", name="Try again")).to_be_visible()
    _tell_of_trouble(peer)
    peer.send("reasoning", turn_id="t1", agent="a", content="hm", offset=0)
    somebody.say("Queued, then")
    peer.accept(11, "t2", position=1)
    expect(somebody.log.get_by_text("Queued", exact=True)).to_be_visible()
    _assert_fits(page)

    peer.send("error", seq=12, turn_id="t1", code="turn_idle", message="It took too long.", retriable=True)
    peer.send("message_complete", seq=12, turn_id="t1", status="failed")
    peer.send("error", seq=13, turn_id="t2", code="turn_idle", message="It took too long.", retriable=True)
    peer.send("message_complete", seq=13, turn_id="t2", status="failed")
    expect(somebody.log.get_by_role("button", name="Try again")).to_be_visible()
    _assert_fits(page)
    peer.send("handoff", seq=14, turn_id=None, by="staff", reason="")
    peer.send("staff_message", seq=15, turn_id=None, content="Hello, " * 30)
    somebody.say("To a person")
    peer.accept(16, None)
    expect(somebody.log.get_by_text("Sent", exact=True)).to_be_visible()
    _assert_fits(page)


def _assert_fits(page: Page) -> None:
    assert page.evaluate(CONTRASTS) == []
    assert page.evaluate(SMALL_TARGETS) == []
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.getElementById('conversation').scrollWidth") <= width


def test_the_theme_follows_the_system_until_it_is_chosen_and_is_remembered(
    visitor: Visitor, page: Page
) -> None:
    page.emulate_media(color_scheme="dark")
    visitor.open()
    html, toggle = page.locator("html"), page.get_by_role("button", name="Dark theme")
    expect(html).to_have_attribute("data-theme", "dark")
    page.emulate_media(color_scheme="light")
    expect(html).to_have_attribute("data-theme", "light")
    expect(toggle).to_have_attribute("aria-pressed", "false")

    toggle.click()
    expect(html).to_have_attribute("data-theme", "dark")
    page.reload()

    expect(html).to_have_attribute("data-theme", "dark")
    expect(toggle).to_have_attribute("aria-pressed", "true")


def test_reduced_motion_moves_nothing(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Go")
    peer.accept(1, "t1")
    expect(page.get_by_text("Working on your answer…")).to_be_visible()

    assert page.evaluate("document.getAnimations().filter((one) => one.playState === 'running').length") == 0


def test_the_keyboard_reaches_everything_in_a_sensible_order(visitor: Visitor, page: Page) -> None:
    visitor.open()
    expect(page.get_by_role("heading", name="Hello, how can we help?")).to_be_visible()
    skip = page.get_by_role("link", name="Skip to the message box")
    skip.focus()
    expect(skip).to_be_in_viewport()
    order = []
    for _ in range(9):
        order.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
        page.keyboard.press("Tab")

    assert order == [
        "Skip to the message box",
        "about",
        "new-conversation",
        "theme",
        "conversation",
        "Where is order 1042?",
        "Cancel order 1042",
        "I want to talk to a person",
        "message",
    ]
    skip.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your message")).to_be_focused()


def test_the_page_names_its_parts_for_a_screen_reader(visitor: Visitor, page: Page) -> None:
    visitor.open()

    expect(page.get_by_role("main", name="Conversation with Northwind Outfitters")).to_be_visible()
    expect(page.locator("#log[role=log][aria-label=Messages]")).to_have_attribute("aria-live", "off")
    expect(page.get_by_role("log", name="News")).to_have_attribute("aria-live", "polite")
    expect(page.get_by_role("textbox", name="Your message to Northwind Outfitters")).to_be_visible()
    unnamed = (
        "[...document.querySelectorAll('button')].filter((b) => !b.textContent.trim() && !b.ariaLabel).length"
    )
    assert page.evaluate(unnamed) == 0


def test_the_page_says_which_model_answers_and_what_that_means(visitor: Visitor, page: Page) -> None:
    visitor.open()
    page.get_by_role("button", name="Offline demo model").click()

    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("No AI model is connected to this page.")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Offline demo model")).to_be_focused()


def test_the_policy_holds_for_the_markup_itself(visitor: Visitor, page: Page) -> None:
    visitor.open()
    source = visitor.pages.page()

    assert " style=" not in source
    assert "<style" not in source
    assert "javascript:" not in source
    assert (
        page.evaluate("[...document.scripts].filter((s) => !s.src && s.type !== 'application/json').length")
        == 0
    )
    assert (
        page.evaluate("document.querySelectorAll('[onclick], [onload], [onerror], [onsubmit]').length") == 0
    )


def test_paper_gets_the_whole_conversation_and_no_controls(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Hello")
    _tell_a_story(peer)
    expect(visitor.log.get_by_text("Declined by our team")).to_be_visible()

    page.emulate_media(media="print")

    expect(page.locator(".dock")).to_be_hidden()
    expect(page.get_by_role("button", name="Approve")).to_be_hidden()
    assert page.evaluate("document.body.scrollHeight >= document.getElementById('log').scrollHeight")
    assert page.evaluate("getComputedStyle(document.getElementById('conversation')).overflowY") == "visible"


def test_without_javascript_the_page_says_what_it_needs(chromium: Browser, pages: PageServer) -> None:
    with Visitor.arriving(chromium, pages, java_script_enabled=False) as visitor:
        visitor.page.goto(pages.url)

        expect(visitor.page.locator("noscript p")).to_be_visible()
