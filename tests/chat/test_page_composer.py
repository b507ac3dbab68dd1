"""The box the customer writes in, and what happens when a message is refused."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chat.page_server import PageServer, Visitor

pytestmark = pytest.mark.browser


def test_enter_sends_and_shift_enter_breaks_the_line(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")

    assert peer.accept(1, "t1")["content"] == "one\ntwo"
    expect(page.get_by_label("Your message")).to_have_value("")
    page.keyboard.press("Enter")
    page.keyboard.type("   ")
    page.keyboard.press("Enter")
    visitor.say("three")
    assert peer.receive("message")["content"] == "three"


def test_nothing_is_sent_while_an_input_method_composes(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    client = page.context.new_cdp_session(page)
    page.get_by_label("Your message").focus()
    client.send("Input.imeSetComposition", {"text": "chaxun", "selectionStart": 6, "selectionEnd": 6})
    expect(page.get_by_label("Your message")).to_have_value("chaxun")

    composing = {"key": "Process", "windowsVirtualKeyCode": 229, "nativeVirtualKeyCode": 229}
    client.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **composing})
    page.get_by_label("Your message").dispatch_event("keydown", {"key": "Enter", "isComposing": True})
    page.get_by_label("Your message").dispatch_event("keydown", {"key": "Enter", "keyCode": 229})
    client.send("Input.insertText", {"text": "查询订单 1042"})
    expect(page.get_by_label("Your message")).to_have_value("查询订单 1042")
    page.keyboard.press("Enter")

    assert peer.receive("message")["content"] == "查询订单 1042"


def test_characters_are_counted_as_the_server_counts_them(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    box, counter = page.get_by_label("Your message"), page.locator("#counter")
    box.fill("a" * 8_999)
    expect(counter).to_be_hidden()
    box.fill("a" * 9_999 + "🎉")
    expect(counter).to_have_text("10,000 of 10,000 characters")
    page.keyboard.press("Enter")
    assert len(peer.accept(1, "t1")["content"]) == 10_000

    box.fill("a" * 10_000 + "🎉🎉")
    expect(counter).to_have_text("10,002 of 10,000 characters")
    page.keyboard.press("Enter")

    expect(page.get_by_role("alert")).to_have_text(
        "Too long by 2 characters. Shorten it, or send it in parts."
    )
    assert len(box.input_value()) == 10_002
    box.fill("🎉" * 9_000)  # few enough characters, and too many bytes for one frame
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text(
        "This message is too large to send. Shorten it, or send it in parts."
    )
    box.fill("short")
    expect(page.locator("#composer-note")).to_be_empty()
    page.keyboard.press("Enter")
    assert peer.receive("message")["content"] == "short"


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("Rate limit exceeded", "Wait a few seconds, then send it again."),
        ("Message content too long", "Shorten it, or send it in parts."),
        ("Message too large", "Shorten it, or send it in parts."),
        ("Too many queued messages", "Send this one when they are done."),
        ("Usage limit reached", "You have reached the usage limit."),
    ],
)
def test_a_refused_message_goes_back_into_the_box(
    visitor: Visitor, page: Page, message: str, advice: str
) -> None:
    peer = visitor.open()
    visitor.say("Not so fast")
    refused = peer.receive("message")

    peer.send("error", code="refused", message=message)

    expect(page.get_by_label("Your message")).to_have_value("Not so fast")
    expect(page.get_by_role("alert")).to_contain_text(advice)
    expect(page.locator(".mine")).to_have_count(0)
    page.keyboard.press("Enter")
    again = peer.receive("message")
    assert again["content"] == refused["content"]


def test_a_refused_message_stays_beside_what_is_being_written(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("First")
    peer.receive("message")
    page.keyboard.type("Second, half wri")

    peer.send("error", code="rate_limited", message="Rate limit exceeded")

    expect(visitor.log.get_by_text("Wait a few seconds, then send it again.")).to_be_visible()
    expect(page.get_by_label("Your message")).to_have_value("Second, half wri")
    page.get_by_role("button", name="Try again").click()
    assert peer.accept(1, "t1")["content"] == "First"


def test_a_refusal_that_we_have_no_words_for_is_shown_as_it_is(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Hm")
    peer.receive("message")

    peer.send("error", code="new", message="The moon is in the wrong quarter.")

    expect(
        visitor.log.get_by_text("This message was not sent: The moon is in the wrong quarter.")
    ).to_be_visible()
    page.get_by_role("button", name="Edit").click()
    expect(page.get_by_label("Your message")).to_have_value("Hm")


def test_a_draft_survives_a_reload(visitor: Visitor, page: Page) -> None:
    visitor.open()
    page.keyboard.type("Half a thought")

    page.reload()

    expect(page.get_by_label("Your message")).to_have_value("Half a thought")


def test_the_box_grows_with_its_text_up_to_a_limit(chromium: Browser, pages: PageServer) -> None:
    with Visitor.arriving(chromium, pages, viewport={"width": 390, "height": 700}) as visitor:
        visitor.open()
        box = visitor.page.get_by_label("Your message")
        small = box.bounding_box()
        box.fill("line\n" * 60)

        large = box.bounding_box()

        assert small
        assert large
        assert small["height"] * 2 < large["height"] <= 270
