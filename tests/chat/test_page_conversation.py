"""The chat page: what is said and done appears as it happens, and again after a reload."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.chat.page_server import Peer, Visitor, ending

pytestmark = pytest.mark.browser
ANSWER = "Bestellung 1042 👩‍👩‍👧 ist unterwegs 🎉 查询订单"


def test_an_empty_conversation_greets_and_suggests(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()

    expect(page.get_by_role("heading", name="Hello, how can we help?")).to_be_visible()
    page.get_by_role("button", name="Cancel order 1042").click()

    assert peer.accept(1, "t1")["content"] == "Cancel order 1042"
    expect(page.locator("#welcome")).to_be_hidden()
    visitor.shows("You: Cancel order 1042", "Working on your answer…")


def test_streamed_text_is_placed_by_code_points_and_replaced_by_the_stored_answer(
    visitor: Visitor, page: Page
) -> None:
    peer = visitor.open()
    visitor.say("Where is it?")
    peer.accept(1, "t1")

    for start in range(0, len(ANSWER), 3):
        peer.send(
            "token", turn_id="t1", agent="order_lookup", content=ANSWER[start : start + 3], offset=start
        )

    live = page.locator(".is-live")
    expect(live).to_have_text(ANSWER)
    peer.send(
        "agent_response",
        seq=2,
        turn_id="t1",
        agent="order_lookup",
        content=ANSWER,
        html=f'<p>{ANSWER} <a href="https://example.com/x">more</a></p>',
        offset=0,
        end=len(ANSWER),
    )
    peer.send("message_complete", seq=3, turn_id="t1", status="completed")
    expect(live).to_have_count(0)
    expect(page.locator(".theirs .prose")).to_have_text(f"{ANSWER} more")
    link = page.get_by_role("link", name="more")
    assert link.get_attribute("target") == "_blank"
    assert "noopener" in (link.get_attribute("rel") or "")


def test_pieces_that_come_twice_or_out_of_order_are_laid_down_once(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Go")
    peer.accept(1, "t1")

    for start, end in [(0, 4), (2, 6), (0, 4), (10, 14), (6, 10), (10, len(ANSWER)), (3, 9)]:
        peer.send("token", turn_id="t1", agent="a", content=ANSWER[start:end], offset=start)

    expect(page.locator(".is-live")).to_have_text(ANSWER)


def test_only_the_text_before_the_seal_is_replaced(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Go")
    peer.accept(1, "t1")
    peer.send("token", turn_id="t1", agent="first", content="Erste 🎉. Zweite", offset=0)
    expect(page.locator(".is-live")).to_have_text("Erste 🎉. Zweite")

    peer.send(
        "agent_response",
        seq=2,
        turn_id="t1",
        agent="first",
        content="x",
        html="<p>Eins.</p>",
        offset=0,
        end=9,
    )

    expect(page.locator(".is-live")).to_have_text("Zweite")
    peer.send("token", turn_id="t1", agent="second", content=" folgt", offset=15)
    expect(page.locator(".is-live")).to_have_text("Zweite folgt")


def test_markup_in_streamed_text_stays_text(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("<img src=x onerror=alert(1)>")
    peer.accept(1, "t1")
    peer.send("token", turn_id="t1", agent="a", content="<b>not bold</b>", offset=0)
    peer.send(
        "tool_call",
        seq=2,
        turn_id="t1",
        agent="a",
        tool="x",
        title="<i>title</i>",
        args={"<u>": "<s>"},
        call_id="1",
    )

    expect(page.locator(".is-live")).to_have_text("<b>not bold</b>")
    expect(page.locator(".tool-title")).to_have_text("<i>title</i>")
    expect(visitor.log.locator("img, b, i, u, s")).to_have_count(0)


def test_tools_are_told_in_plain_words_with_their_details_to_open(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Where is 1042?")
    peer.accept(1, "t1")
    peer.send("routing", seq=2, turn_id="t1", agents=["order_lookup", "discount"], reason="asks for both")
    call = {"turn_id": "t1", "agent": "order_lookup", "tool": "get_order_status", "call_id": "c1"}
    peer.send("tool_call", seq=3, title="Look up an order", args={"order_id": 1042}, **call)

    expect(page.locator(".routing")).to_have_text("Order lookup and Discount are on it")
    tool = page.locator("details.tool")
    expect(tool).to_have_attribute("data-status", "running")
    tool.locator("summary").click()
    peer.send("tool_result", seq=4, ok=True, result={"status": "shipped", "gift": False}, **call)
    expect(tool).to_have_attribute("data-status", "done")
    expect(tool).to_have_attribute("open", "")
    expect(tool).to_contain_text(re.compile("Order id.*1042.*Gift.*No.*Status.*shipped", re.DOTALL))

    peer.send(
        "tool_call", seq=5, turn_id="t1", agent="discount", tool="apply_discount", args={}, call_id="c2"
    )
    failure = {"kind": "transient", "message": "The business system did not answer."}
    peer.send(
        "tool_result", seq=6, turn_id="t1", tool="apply_discount", ok=False, result=failure, call_id="c2"
    )
    failed = page.locator("details.tool[data-status=failed]")
    expect(failed.locator("summary")).to_contain_text("Apply discount")
    expect(failed.locator("summary")).to_contain_text("did not work")


def test_a_long_answer_of_a_tool_says_how_much_of_it_is_left_out(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Where is 1042?")
    peer.accept(1, "t1")
    call = {"turn_id": "t1", "agent": "order_lookup", "tool": "get_order_status", "call_id": "c1"}
    many = {f"a_{number:02}": number for number in range(60)}
    peer.send("tool_call", seq=2, args=many, **call)
    peer.send("tool_result", seq=3, ok=True, result=many, **call)
    page.locator("details.tool summary").click()

    asked, answered = page.locator(".tool-body .facts").all()
    expect(asked.locator("dd")).to_have_count(60)
    expect(answered.locator("dd")).to_have_count(41)
    expect(answered.locator("dd").last).to_have_text("20 more, not shown here")


def test_a_queued_message_waits_at_the_end_and_keeps_its_own_answer(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("First")
    peer.accept(1, "t1")
    peer.send("token", turn_id="t1", agent="a", content="One", offset=0)
    visitor.say("Second")
    peer.accept(2, "t2", position=1)

    visitor.shows("You: First", "A One", "You: Second Queued")

    peer.send(
        "agent_response", seq=3, turn_id="t1", agent="", content="One", html="<p>One.</p>", offset=0, end=3
    )
    peer.send("message_complete", seq=4, turn_id="t1", status="completed")
    peer.send(
        "agent_response", seq=5, turn_id="t2", agent="", content="Two", html="<p>Two.</p>", offset=0, end=0
    )
    peer.send("message_complete", seq=6, turn_id="t2", status="completed")
    visitor.shows(*map(ending, ["First", "One.", "Second", "Two."]))


def _tell_everything(peer: Peer) -> None:
    """One frame of every kind that reports an event."""
    peer.send("user_message", seq=1, turn_id="t1", content="Cancel 1042", client_message_id="m1")
    peer.send("routing", seq=2, turn_id="t1", agents=["order_actions"], reason="wants to cancel")
    peer.send(
        "interrupt",
        seq=4,
        turn_id="t1",
        interrupt_id="i1",
        action="cancel_order",
        params={"order_id": 1042},
        message="Cancel order 1042?",
        approver="customer",
        expires_at="2099-01-01T00:00:00+00:00",
    )
    peer.send(
        "interrupt_resolved", seq=5, turn_id="t1", interrupt_id="i1", resolution="approved", by="customer"
    )
    peer.send(
        "tool_call", seq=6, turn_id="t1", agent="order_actions", tool="cancel_order", args={}, call_id="c1"
    )
    peer.send(
        "tool_result",
        seq=7,
        turn_id="t1",
        agent="order_actions",
        tool="cancel_order",
        ok=True,
        result={},
        call_id="c1",
    )
    peer.send(
        "agent_response",
        seq=8,
        turn_id="t1",
        agent="order_actions",
        content="x",
        html="<p>It is cancelled.</p>",
    )
    peer.send("clarification", seq=9, turn_id="t1", message="Anything else?")
    peer.send("handoff", seq=10, turn_id="t1", by="customer", reason="asked")
    peer.send("staff_message", seq=11, turn_id=None, by_name="Maria", content="Hello, Maria here.")
    peer.send("handback", seq=12, turn_id=None)
    peer.send(
        "interrupt_expired", seq=13, turn_id="t1", interrupt_id="i2", action="x", message="It has expired."
    )
    peer.send("error", seq=14, turn_id="t1", code="x", message="An error occurred processing your message.")
    peer.send("message_complete", seq=14, turn_id="t1", status="failed")


TOLD = [
    "Cancel 1042",
    "Order actions is on it",
    "Approved by you",
    "Cancel order 1042?",
    "Cancel order",
    "It is cancelled.",
    "Anything else?",
    "You asked for a person.",
    "Hello, Maria here.",
    "Our team has handed the conversation back",
    "It has expired.",
    "Something went wrong on our side",
]


def test_a_reload_brings_the_whole_conversation_back(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Cancel 1042")
    thread = peer.receive("message")["thread_id"]

    page.reload()

    peer = visitor.pages.next_peer()
    assert peer.receive("history") == {"type": "history", "thread_id": thread, "limit": 20}
    peer.page([], seq=0)
    assert peer.receive("resume") == {"type": "resume", "thread_id": thread, "after": 0}
    _tell_everything(peer)
    peer.resumed(14)
    expect(visitor.log.get_by_text("Something went wrong on our side")).to_be_visible()
    shown = visitor.log.inner_text()
    places = [shown.find(words) for words in TOLD]
    assert -1 not in places
    assert places == sorted(places)
    expect(visitor.announced).to_have_count(0)  # history is not news


def test_what_is_said_in_another_tab_appears_here(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("From here")
    peer.accept(1, "t1")
    peer.send("message_complete", seq=2, turn_id="t1", status="completed")

    peer.send("user_message", seq=3, turn_id="t2", content="From there", client_message_id="of-the-other-tab")
    peer.send("routing", seq=4, turn_id="t2", agents=["fallback"], reason="")
    peer.send("agent_response", seq=5, turn_id="t2", agent="fallback", html="<p>To both.</p>")
    peer.send("message_complete", seq=6, turn_id="t2", status="completed")

    expect(page.locator(".prose")).to_have_text(["To both."])
    expect(page.locator(".mine .bubble")).to_have_text(["From here", "From there"])
    expect(page.locator(".byline .name")).to_have_text(["Assistant"])
    expect(page.locator(".routing")).to_have_count(0)


def test_a_hidden_page_counts_what_is_new_in_its_title(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Go")
    peer.accept(1, "t1")
    expect(page).to_have_title("Northwind Outfitters support")
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })")

    peer.send("agent_response", seq=2, turn_id="t1", agent="a", html="<p>There you are.</p>")
    peer.send("message_complete", seq=3, turn_id="t1", status="completed")

    expect(page).to_have_title("(1) Northwind Outfitters support")
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page).to_have_title("Northwind Outfitters support")


def test_an_answer_is_announced_once_when_it_is_whole(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Go")
    peer.accept(1, "t1")
    peer.send("token", turn_id="t1", agent="helper", content="Half an ", offset=0)
    expect(page.locator(".is-live")).to_have_text("Half an")
    expect(visitor.announced).to_have_count(0)

    peer.send(
        "agent_response",
        seq=2,
        turn_id="t1",
        agent="helper",
        html="<p>Half an <b>answer</b></p>",
        offset=0,
        end=8,
    )

    expect(visitor.announced).to_have_text(["Helper: Half an answer"])


def test_reading_further_up_is_not_disturbed(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Go")
    peer.accept(1, "t1")
    for number in range(2, 12):
        peer.send(
            "agent_response",
            seq=number,
            turn_id="t1",
            agent="a",
            html="<p>" + "line<br>" * 9 + f"{number}</p>",
        )
    area = page.locator("#conversation")
    expect(page.locator(".theirs")).to_have_count(10)
    expect(page.locator(".theirs").last).to_be_in_viewport()

    area.evaluate("area => { area.scrollTop = 0 }")
    expect(page.get_by_role("button", name="Jump to latest")).to_be_visible()
    peer.send("agent_response", seq=12, turn_id="t1", agent="a", html="<p>the end</p>")
    end = page.locator(".prose", has_text="the end")
    expect(end).to_have_count(1)
    assert area.evaluate("area => area.scrollTop") == 0

    page.get_by_role("button", name="Jump to latest").click()
    expect(end).to_be_in_viewport()
    expect(page.get_by_role("button", name="Jump to latest")).to_be_hidden()


def test_a_new_conversation_asks_first_while_an_answer_is_written(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Go")
    old = peer.accept(1, "t1")["thread_id"]
    expect(page.get_by_text("Working on your answer…")).to_be_visible()

    page.get_by_role("button", name="New conversation").click()
    page.get_by_role("button", name="Keep going").click()
    expect(page.get_by_text("Working on your answer…")).to_be_visible()
    assert visitor.sends_nothing_more_to(peer)
    page.get_by_role("button", name="New conversation").click()
    page.get_by_role("button", name="Stop and start anew").click()

    assert peer.receive("stop")["thread_id"] == old
    expect(page.get_by_role("heading", name="Hello, how can we help?")).to_be_visible()
    peer.send("token", turn_id="t1", thread_id=old, agent="a", content="late", offset=0)
    visitor.say("Anew")
    assert peer.accept(1, "t2")["thread_id"] != old
    visitor.shows("You: Anew", "Working on your answer…")
