"""The replay in a real browser: keys, the scrubber, the filter, links to steps; on a desk and on a phone."""

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from agents import facts
from tests import rows
from tests.admin.test_browser import DESK, PHONE, _in_a_thread, staff_browser, wider
from tests.replay.test_player import a_turn, long_conversation

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


END = """() => {
    const box = document.querySelector(".player-left");
    return box.scrollTop > 0 && box.scrollHeight - box.scrollTop - box.clientHeight < 48;
}"""


def chosen(page: Page) -> Any:
    return page.locator("#player-list [aria-current=step]")


def at(page: Page, seq: int) -> None:
    """The step is chosen, shown, and in the address."""
    expect(chosen(page)).to_have_attribute("data-step", str(seq))
    expect(page.locator("#player-detail")).to_have_attribute("data-step", str(seq))
    expect(page.locator("#player-detail")).not_to_have_attribute("aria-busy", "true")
    page.wait_for_function("seq => new URL(location.href).searchParams.get('step') === seq", arg=str(seq))


def ready(page: Page) -> None:
    """The page's script listens: a key that is pressed before goes nowhere."""
    expect(page.locator("[data-player=ready]")).to_be_attached()


@pytest.mark.parametrize(("viewport", "theme"), [(DESK, "light"), (PHONE, "dark")], ids=["desk", "phone"])
def test_stepping_through_a_conversation(live_server: Any, viewport: Any, theme: Any) -> None:
    turn = a_turn()
    long = long_conversation(300)
    url, other = (
        reverse("admin:chat_conversation_replay", args=[one.conversation_id]) for one in (turn, long)
    )

    with staff_browser(live_server, viewport=viewport, color_scheme=theme) as (page, faults):
        page.goto(url)
        ready(page)
        page.keyboard.press("j")
        at(page, 2)
        expect(page.locator("#player-detail")).to_contain_text("asks for a status")
        page.keyboard.press("ArrowRight")
        at(page, 3)
        page.keyboard.press("k")
        at(page, 2)
        page.keyboard.press("Shift+G")
        at(page, 7)
        page.keyboard.press("j")
        expect(page.locator("#player-told")).to_have_text("There is nothing after this.")
        page.locator("#line-4").click()
        at(page, 4)
        page.keyboard.press("ArrowDown")
        at(page, 5)
        expect(chosen(page)).to_be_focused()
        page.go_back()
        expect(page.locator("#player-detail")).to_have_attribute("data-step", "7")

        page.keyboard.press("?")
        expect(page.locator("#player-help")).to_contain_text("step before")
        page.keyboard.press("/")
        expect(page.locator("#player-filter input").first).to_be_focused()
        page.get_by_label("Tool calls").check()
        page.get_by_role("button", name="Show").click()
        expect(page.locator("#player-list a[data-step]")).to_have_count(2)
        ready(page)
        page.keyboard.press("k")
        at(page, 4)
        page.goto(page.evaluate("location.href"))  # the address has the step and the filter
        at(page, 4)
        expect(page.get_by_label("Tool calls")).to_be_checked()
        expect(page.locator("#player-list a[data-step]")).to_have_count(2)

        page.goto(f"{other}?step=120")
        ready(page)
        at(page, 120)
        page.keyboard.press("t")
        at(page, 121)
        page.keyboard.press("Shift+T")
        at(page, 111)
        scrubber = page.get_by_role("slider", name="Step")
        expect(scrubber).to_have_attribute("aria-valuetext", "Step 111 of 300, turn 12: Customer")
        scrubber.focus()
        page.keyboard.press("ArrowRight")
        at(page, 112)
        page.keyboard.press("End")
        at(page, 300)
        expect(scrubber).to_have_attribute("aria-valuetext", "Step 300 of 300, turn 30: Finished")
        expect(page.locator("#player-list a[data-step]").first).to_have_attribute("data-step", "270")
        page.get_by_label("or turn").fill("3")
        page.get_by_role("button", name="Go").click()
        expect(page.locator("#player-detail")).to_have_attribute("data-step", "21")
        ready(page)
        assert (wider(page), faults) == (0, [])

        page.context.set_offline(True)
        page.keyboard.press("j")
        expect(page.get_by_role("alert")).to_have_text(
            "This step could not be loaded. Try again, or reload the page."
        )
        page.context.set_offline(False)
        page.keyboard.press("j")
        at(page, 22)
        expect(page.locator("#player-fault")).to_be_hidden()


def test_following_a_conversation_that_goes_on(live_server: Any) -> None:
    turn = a_turn()
    url = reverse("admin:chat_conversation_replay", args=[turn.conversation_id])

    def said(text: str) -> None:
        _in_a_thread(lambda: rows.happened(turn, facts.replied(agent="bot", content=text, key=text)))

    with staff_browser(live_server, viewport=DESK) as (page, faults):
        page.goto(f"{url}?step=7")
        ready(page)
        follow = page.get_by_label("Follow new steps")
        expect(follow).to_be_checked()
        said("The eighth.")
        at(page, 8)  # the end was shown, and still is
        expect(page.locator("#player-place")).to_have_text("8 / 8")
        expect(page.locator("#player-totals")).to_contain_text("8 in 1 turn")

        page.keyboard.press("k")
        at(page, 7)
        expect(follow).not_to_be_checked()
        said("The ninth.")
        follow.check()
        expect(page.locator("#line-9")).to_be_visible()
        at(page, 7)  # what somebody reads stays
        expect(page.locator("#player-place")).to_have_text("7 / 9")

        for number in range(10, 40):
            said(f"Number {number}.")
        expect(page.locator("#line-39")).to_be_visible()
        page.wait_for_function(END)
        page.locator(".player-left").hover()
        page.mouse.wheel(0, -2_000)
        expect(follow).not_to_be_checked()  # whoever scrolls back wants to read there
        assert faults == []

        page.goto(f"{url}?kind=people")
        ready(page)
        said("Not of this kind.")
        note = facts.note_written(content="Look at this.", by_name="sam", once="", key="note")
        _in_a_thread(lambda: rows.happened(turn, note))
        expect(page.locator("#line-41")).to_be_visible()
        expect(page.locator("#line-40")).to_have_count(0)
