"""The chat page and the life of a turn: queued, failed and tried again, stopped, cut off, thought about, closed."""

import pytest
from playwright.sync_api import Page, expect

from tests.chat.page_server import Frame, Peer, Visitor, ending

pytestmark = pytest.mark.browser
OUTAGE = "The assistant cannot answer right now. Please try again in a moment, or ask for a person."


def _asked(visitor: Visitor, content: str = "Where is 1042?") -> Peer:
    peer = visitor.open()
    visitor.say(content)
    peer.accept(1, "t1")
    return peer


def _failure(seq: int, turn_id: str = "t1", *, retriable: bool = True) -> list[tuple[str, Frame]]:
    told = {"code": "model_unavailable", "message": OUTAGE, "retriable": retriable}
    return [
        ("error", {"seq": seq, "turn_id": turn_id, **told}),
        ("message_complete", {"seq": seq, "turn_id": turn_id, "status": "failed"}),
    ]


def _fail(peer: Peer, seq: int, turn_id: str = "t1", *, retriable: bool = True) -> None:
    for kind, fields in _failure(seq, turn_id, retriable=retriable):
        peer.send(kind, **fields)


def test_a_failed_turn_says_what_happened_and_is_tried_again_with_one_click(
    visitor: Visitor, page: Page
) -> None:
    peer = _asked(visitor)
    _fail(peer, 2)
    again = page.get_by_role("button", name="Try again")
    expect(visitor.log.get_by_text(OUTAGE)).to_be_visible()
    again.focus()

    page.keyboard.press("Enter")
    page.keyboard.press("Enter")

    assert peer.receive("retry") == {"type": "retry", "thread_id": peer.thread_id, "turn_id": "t1"}
    expect(visitor.log.get_by_text("Trying again…")).to_be_visible()
    expect(again).to_have_attribute("aria-disabled", "true")
    peer.send("retrying", seq=3, turn_id="t1")
    expect(page.get_by_text("Working on your answer…")).to_be_visible()
    expect(visitor.log.get_by_text(OUTAGE)).to_have_count(0)
    expect(page.locator("#conversation")).to_be_focused()
    peer.send("token", turn_id="t1", agent="a", content="On its way", offset=0)
    peer.send("agent_response", seq=4, turn_id="t1", agent="a", html="<p>On its way.</p>", offset=0, end=10)
    peer.send("message_complete", seq=5, turn_id="t1", status="completed")
    expect(page.locator(".prose")).to_have_text(["On its way."])
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    expect(page.locator(".mine")).to_have_count(1)
    expect(visitor.announced).to_have_text([OUTAGE, "Trying again…", "A: On its way."])
    assert visitor.sends_nothing_more_to(peer)


def test_a_second_failure_can_be_tried_again_too(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _fail(peer, 2)
    page.get_by_role("button", name="Try again").click()
    peer.receive("retry")
    peer.send("retrying", seq=3, turn_id="t1")
    expect(page.locator(".problem")).to_have_count(0)

    _fail(peer, 4)

    expect(page.locator(".problem")).to_have_count(1)
    page.get_by_role("button", name="Try again").click()
    assert peer.receive("retry")["turn_id"] == "t1"


def test_a_turn_that_cannot_be_tried_again_has_no_button(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)

    _fail(peer, 2, retriable=False)

    expect(visitor.log.get_by_text(OUTAGE)).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()  # the turn's last frame is here
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()


def test_only_the_newest_message_can_be_tried_again(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _fail(peer, 2)
    button = page.get_by_role("button", name="Try again")
    expect(button).to_be_visible()

    visitor.say("Never mind")

    expect(button).to_be_hidden()
    peer.accept(3, "t2")
    expect(page.get_by_text("Working on your answer…")).to_be_visible()
    expect(visitor.log.get_by_text(OUTAGE)).to_be_visible()
    expect(button).to_be_hidden()


def test_a_failure_survives_a_reload_and_so_does_its_retry(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    visitor.is_accepted(1)
    page.reload()
    peer = visitor.pages.next_peer()
    peer.thread_id = page.evaluate("JSON.parse(localStorage.getItem('smartsupport.thread'))")
    said = peer.frame("user_message", seq=1, turn_id="t1", content="Where is 1042?", client_message_id="c1")
    failed = [peer.frame(kind, **fields) for kind, fields in _failure(2)]
    peer.tell_all([said, *failed])
    expect(page.get_by_role("button", name="Try again")).to_be_visible()

    page.reload()

    peer = visitor.pages.next_peer()
    peer.tell_all([said, *failed, peer.frame("retrying", seq=3, turn_id="t1", thread_id=said["thread_id"])])
    expect(page.get_by_text("Working on your answer…")).to_be_visible()
    expect(visitor.log.get_by_text(OUTAGE)).to_have_count(0)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()


def test_a_refused_retry_says_what_to_do_instead(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _fail(peer, 2)
    page.get_by_role("button", name="Try again").click()
    peer.receive("retry")

    peer.send("error", code="not_retriable", message="There is nothing to try again.")

    expect(
        visitor.log.get_by_text("This cannot be tried again. Please send your message again.")
    ).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    expect(page.locator(".problem")).to_be_focused()


def test_a_retry_that_did_not_arrive_can_be_clicked_again(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _fail(peer, 2)
    page.get_by_role("button", name="Try again").click()
    peer.receive("retry")

    peer.send("error", code="unavailable", message="An error occurred processing your message.")

    expect(visitor.log.get_by_text("That did not arrive.")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    peer.receive("retry")


def test_a_retry_clicked_without_a_connection_is_sent_when_it_is_back(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    _fail(peer, 2)
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    peer.cut()
    again = visitor.pages.next_peer()
    again.receive("resume")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("button", name="Try again")).to_have_attribute("aria-disabled", "true")
    assert visitor.sends_nothing_more_to(again)

    again.resumed(2)

    assert again.receive("retry")["turn_id"] == "t1"


def test_several_queued_messages_become_one_next_turn(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor, "First")
    peer.send("token", turn_id="t1", agent="a", content="One", offset=0)
    for seq, content in ((2, "Second"), (3, "Third")):
        visitor.say(content)
        peer.accept(seq, "t2", position=seq - 1)
    visitor.shows("You: First", "A One", "You: Second Queued", "You: Third Queued")
    expect(visitor.announced).to_have_text(["Queued", "Queued"])

    peer.send("agent_response", seq=4, turn_id="t1", agent="a", html="<p>One.</p>", offset=0, end=3)
    peer.send("message_complete", seq=5, turn_id="t1", status="completed")
    peer.send("routing", seq=6, turn_id="t2", agents=["a"], reason="")

    said = ["First", "One.", "Second", "Third", "A is on it", "Working on your answer…"]
    visitor.shows(*map(ending, said))


def test_the_eleventh_message_goes_back_into_the_box(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor, "First")
    for seq in range(2, 12):
        visitor.say(f"Message {seq}")
        peer.accept(seq, "t2", position=seq - 1)
    visitor.say("One too many")
    peer.receive("message")

    peer.send("error", code="queue_full", message="Too many queued messages")

    expect(page.get_by_label("Your message")).to_have_value("One too many")
    expect(page.get_by_role("alert")).to_contain_text("Send this one when they are done.")
    expect(visitor.log.get_by_text("Queued", exact=True)).to_have_count(10)


def test_a_busy_conversation_gives_the_text_back(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor, "First")
    visitor.say("Second")
    peer.receive("message")

    peer.send(
        "error",
        code="busy",
        message="An earlier message is still being answered. Try again when it is finished.",
    )

    expect(page.get_by_label("Your message")).to_have_value("Second")
    expect(page.get_by_role("alert")).to_have_text(
        "An earlier message is still being answered. Send this one when that is done."
    )


def test_what_was_written_after_a_refused_message_does_not_overtake_it(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor, "First")
    for content in ("Second", "Third"):
        visitor.say(content)
    peer.receive("message")

    peer.send("error", code="rate_limited", message="Rate limit exceeded")

    expect(page.get_by_label("Your message")).to_have_value("Second\n\nThird")
    expect(page.locator(".mine")).to_have_count(1)
    page.keyboard.press("Enter")
    assert peer.receive("message")["content"] == "Second\n\nThird"


def test_stop_ends_the_turn_and_what_no_event_has_is_gone(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor, "Tell me a long story")
    expect(page.get_by_text("Working on your answer…")).to_be_visible()
    peer.send("token", turn_id="t1", agent="a", content="Once upon", offset=0)
    expect(page.locator(".is-live")).to_have_text("Once upon")

    page.keyboard.press("Escape")

    assert peer.receive("stop")["thread_id"] == peer.thread_id
    peer.send("message_complete", seq=2, turn_id="t1", status="stopped")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    visitor.shows("You: Tell me a long story", "This answer was stopped.")


def test_a_cut_answer_is_kept_and_says_so(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    peer.send("token", turn_id="t1", agent="a", content="Once upon", offset=0)
    expect(page.locator(".is-live")).to_have_text("Once upon")

    cut = {
        "agent": "a",
        "html": "<p>Once upon</p>",
        "content": "Once upon",
        "offset": 0,
        "end": 9,
        "cut": True,
    }
    peer.send("agent_response", seq=2, turn_id="t1", **cut)
    peer.send("message_complete", seq=3, turn_id="t1", status="stopped")

    expect(page.locator(".theirs")).to_contain_text("This answer was cut off.")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()  # the turn's last frame is here
    expect(page.get_by_text("This answer was stopped.")).to_have_count(0)
    expect(visitor.announced).to_have_text(["A: Once upon This answer was cut off."])


def test_tokens_after_the_end_of_their_turn_show_nothing(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    peer.send("message_complete", seq=2, turn_id="t1", status="stopped")
    expect(visitor.log.get_by_text("This answer was stopped.")).to_be_visible()

    peer.send("token", turn_id="t1", agent="a", content="a late word", offset=0)
    peer.send("reasoning", turn_id="t1", agent="a", content="a late thought", offset=0)
    peer.send("staff_message", seq=3, turn_id=None, content="Afterwards", html="<p>Afterwards</p>")

    expect(visitor.log.get_by_text("Afterwards")).to_be_visible()
    assert not any("late" in text for text in visitor.texts())


def test_a_retry_writes_from_the_last_stored_answer_on(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    peer.send("agent_response", seq=2, turn_id="t1", agent="a", html="<p>Seen.</p>", offset=0, end=5)
    peer.send("token", turn_id="t1", agent="a", content="lost", offset=5)
    expect(page.locator(".is-live")).to_have_text("lost")
    _fail(peer, 3)
    expect(page.locator(".is-live")).to_have_count(0)

    peer.send("retrying", seq=4, turn_id="t1")
    peer.send("token", turn_id="t1", agent="a", content="anew", offset=5)

    expect(page.locator(".is-live")).to_have_text("anew")


def test_text_that_another_worker_writes_anew_replaces_what_the_dead_one_wrote(
    visitor: Visitor, page: Page
) -> None:
    peer = _asked(visitor)
    peer.send("token", turn_id="t1", agent="a", content="Hello 🎉 wor", offset=0)
    expect(page.locator(".is-live")).to_have_text("Hello 🎉 wor")

    peer.send("token", turn_id="t1", agent="a", content="Hello 🎉", offset=0)
    peer.send("token", turn_id="t1", agent="a", content=" there", offset=7)

    expect(page.locator(".is-live")).to_have_text("Hello 🎉 there")


def test_thoughts_are_a_closed_block_that_ends_with_the_first_word(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    peer.send("reasoning", turn_id="t1", agent="a", content="The customer ", offset=0)
    peer.send("reasoning", turn_id="t1", agent="a", content="wants a status.", offset=13)
    block = page.locator("details.reasoning")
    expect(block).to_have_attribute("data-status", "running")
    expect(block.locator("summary")).to_have_text("Thinking")
    expect(block).not_to_have_attribute("open", "")

    peer.send("token", turn_id="t1", agent="a", content="It is", offset=0)

    expect(block).to_have_attribute("data-status", "done")
    block.locator("summary").click()
    expect(block).to_contain_text("The customer wants a status.")
    peer.send("agent_response", seq=2, turn_id="t1", agent="a", html="<p>It is.</p>", offset=0, end=5)
    peer.send("reasoning", turn_id="t1", agent="a", content="And now?", offset=28)
    expect(block).to_have_attribute("data-status", "running")
    expect(block.locator(".reasoning-text")).to_have_text("And now?")
    peer.send("message_complete", seq=3, turn_id="t1", status="completed")
    expect(block).to_have_count(0)
    expect(page.locator(".prose")).to_have_text(["It is."])


@pytest.mark.parametrize("status", ["completed", "failed", "stopped"])
def test_a_call_without_a_result_is_closed_with_its_turn_and_a_late_result_is_still_told(
    visitor: Visitor, page: Page, status: str
) -> None:
    peer = _asked(visitor)
    call = {
        "turn_id": "t1",
        "agent": "a",
        "tool": "cancel_order",
        "title": "Cancel an order",
        "call_id": "c1",
    }
    peer.send("tool_call", seq=2, args={}, **call)
    tool = page.locator("details.tool")
    expect(tool).to_have_attribute("data-status", "running")

    peer.send("message_complete", seq=3, turn_id="t1", status=status)

    expect(tool).to_have_attribute("data-status", "closed")
    expect(tool).to_contain_text("no answer came")
    peer.send("tool_result", seq=4, ok=True, result={}, **call)
    expect(tool).to_have_attribute("data-status", "done")


def test_an_outcome_that_nobody_knows_is_not_called_a_failure(visitor: Visitor, page: Page) -> None:
    peer = _asked(visitor)
    call = {
        "turn_id": "t1",
        "agent": "a",
        "tool": "cancel_order",
        "title": "Cancel an order",
        "call_id": "c1",
    }
    peer.send("tool_call", seq=2, args={}, **call)

    peer.send(
        "tool_result", seq=3, ok=False, result={"kind": "unknown", "message": "Staff will check."}, **call
    )

    expect(page.locator("details.tool")).to_contain_text("nobody knows yet whether it happened")
    peer.send("tool_result", seq=4, ok=True, result={"status": "cancelled"}, **call)
    expect(page.locator("details.tool")).to_have_attribute("data-status", "done")
