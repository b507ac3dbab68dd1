"""The chat page and its connection: whatever breaks, nothing said is lost, doubled or out of order."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chat.page_server import PageServer, Visitor
from tests.live.chatter import token_for

pytestmark = pytest.mark.browser
# As chat/static/chat/socket.js and session.js have them.
HEARTBEAT_MS, ANSWERED_WITHIN_MS, LONGEST_PAUSE_MS, QUIET_MS = 25_000, 10_000, 500, 5_000
ANSWER = "Ihre Bestellung 🚚 ist unterwegs, 查询订单 1042 👍🏽."


def test_a_connection_cut_in_mid_word_loses_and_doubles_nothing(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Where is it?")
    peer.accept(1, "t1")
    peer.send("routing", seq=2, turn_id="t1", agents=["order_lookup"], reason="")
    peer.send("token", turn_id="t1", agent="order_lookup", content=ANSWER[:19], offset=0)
    expect(page.locator(".is-live")).to_have_text(ANSWER[:19].strip())

    peer.cut()

    again = visitor.pages.next_peer()
    assert again.receive("resume") == {"type": "resume", "thread_id": peer.thread_id, "after": 2}
    expect(page.locator(".is-live")).to_have_text(ANSWER[:19].strip())
    again.send("token", turn_id="t1", agent="order_lookup", content=ANSWER[:30], offset=0)
    again.resumed(2)
    again.send("token", turn_id="t1", agent="order_lookup", content=ANSWER[30:], offset=30)
    expect(page.locator(".is-live")).to_have_text(ANSWER)
    html = f"<p>{ANSWER}</p>"
    again.send(
        "agent_response", seq=3, turn_id="t1", agent="order_lookup", html=html, offset=0, end=len(ANSWER)
    )
    again.send("message_complete", seq=4, turn_id="t1", status="completed")
    expect(page.locator(".prose")).to_have_text([ANSWER])
    expect(page.locator(".routing")).to_have_count(1)
    expect(page.locator("#banner")).to_be_hidden()


def test_what_happened_during_the_break_is_shown_once(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Hello")
    peer.accept(1, "t1")
    answer = {"seq": 2, "turn_id": "t1", "agent": "helper", "html": "<p>Good day.</p>"}
    peer.send("agent_response", **answer)
    expect(page.locator(".prose")).to_have_text(["Good day."])

    peer.cut()
    again = visitor.pages.next_peer()
    again.receive("resume")
    again.send("user_message", seq=1, turn_id="t1", content="Hello", client_message_id="another-tab")
    again.send("agent_response", **answer)
    again.send("agent_response", **answer)
    again.send("message_complete", seq=3, turn_id="t1", status="completed")
    again.send("agent_response", seq=4, turn_id="t1", agent="helper", html="<p>And good night.</p>")
    again.resumed(4)

    expect(page.locator(".prose")).to_have_text(["Good day.", "And good night."])
    expect(page.locator(".mine")).to_have_count(1)


def test_a_message_cut_off_before_its_acknowledgement_is_sent_again_under_the_same_id(
    visitor: Visitor, page: Page
) -> None:
    peer = visitor.open()
    visitor.say("Only once, please")
    first = peer.receive("message")
    visitor.say("And this after it")
    expect(page.get_by_text("Sending…").first).to_be_visible()

    peer.cut()

    again = visitor.pages.next_peer()
    again.receive("resume")
    again.resumed(0)
    assert again.accept(1, "t1") == first
    assert again.accept(2, "t2", position=1)["content"] == "And this after it"
    visitor.is_accepted(2)


def test_a_message_that_arrived_after_all_is_not_sent_again(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Did you get this?")
    sent = peer.receive("message")
    peer.cut()
    again = visitor.pages.next_peer()
    again.receive("resume")

    told = {"content": sent["content"], "client_message_id": sent["client_message_id"]}
    again.send("user_message", seq=1, turn_id="t1", **told)
    again.send("agent_response", seq=2, turn_id="t1", agent="a", html="<p>Yes.</p>")
    again.send("message_complete", seq=3, turn_id="t1", status="completed")
    again.resumed(3)

    expect(page.locator(".mine")).to_have_count(1)
    visitor.say("Good")
    assert again.receive("message")["content"] == "Good"


def test_what_is_written_offline_is_kept_through_a_reload_and_sent_in_order(
    visitor: Visitor, page: Page
) -> None:
    peer = visitor.open()
    page.context.set_offline(True)
    expect(page.get_by_text("You are offline.")).to_be_visible()
    visitor.say("First 🚆")
    visitor.say("Second")
    expect(page.get_by_text("Not sent yet.")).to_have_count(2)

    page.goto("about:blank")  # so that this page, and not the next one, is offline until its end
    assert peer.nothing_before_its_end()
    page.context.set_offline(False)
    again = visitor.open()
    again.tell_all([])
    assert again.accept(1, "t1")["content"] == "First 🚆"
    assert again.accept(2, "t2", position=1)["content"] == "Second"
    visitor.is_accepted(2)


def test_a_missing_piece_of_text_is_asked_for(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Go")
    peer.accept(1, "t1")
    peer.send("token", turn_id="t1", agent="a", content=ANSWER[:5], offset=0)
    peer.send("token", turn_id="t1", agent="a", content=ANSWER[12:], offset=12)

    assert peer.receive("resume")["after"] == 1
    expect(page.locator(".is-live")).to_have_text(ANSWER[:5])
    peer.send("token", turn_id="t1", agent="a", content=ANSWER[:14], offset=0)
    peer.resumed(1)

    expect(page.locator(".is-live")).to_have_text(ANSWER)


def test_a_missing_event_is_asked_for_and_put_in_its_place(chromium: Browser, pages: PageServer) -> None:
    with Visitor.arriving(chromium, pages) as visitor:
        visitor.page.clock.install()
        peer = visitor.open()
        visitor.say("Go")
        peer.accept(1, "t1")
        peer.send("agent_response", seq=4, turn_id="t1", agent="a", html="<p>Last.</p>")
        expect(visitor.page.locator(".prose")).to_have_text(["Last."])

        visitor.page.clock.run_for(QUIET_MS)

        assert peer.receive("resume")["after"] == 1
        peer.send("agent_response", seq=2, turn_id="t1", agent="a", html="<p>First.</p>")
        peer.send("agent_response", seq=4, turn_id="t1", agent="a", html="<p>Last.</p>")
        peer.resumed(4)  # 3 is an event that customers are not told of
        peer.send("message_complete", seq=5, turn_id="t1", status="completed")

        expect(visitor.page.get_by_role("button", name="Stop")).to_be_hidden()
        expect(visitor.page.locator(".prose")).to_have_text(["First.", "Last."])
        peer.cut()
        assert pages.next_peer().receive("resume")["after"] == 5


def test_a_connection_that_is_dead_but_not_closed_is_left(chromium: Browser, pages: PageServer) -> None:
    with Visitor.arriving(chromium, pages) as visitor:
        visitor.page.clock.install()
        peer = visitor.open()
        visitor.say("Go")
        peer.accept(1, "t1")
        expect(visitor.page.get_by_text("Working on your answer…")).to_be_visible()
        peer.mute = True

        visitor.page.clock.run_for(HEARTBEAT_MS + ANSWERED_WITHIN_MS + LONGEST_PAUSE_MS)

        again = pages.next_peer()

        assert again.receive("resume")["after"] == 1


def test_a_handshake_that_is_refused_for_the_moment_is_tried_again(visitor: Visitor) -> None:
    peer = visitor.open()
    visitor.say("Go")
    peer.accept(1, "t1")
    visitor.is_accepted(1)
    visitor.pages.unavailable = 2
    peer.cut()

    assert visitor.pages.next_peer().receive("resume")["after"] == 1
    assert visitor.pages.unavailable == 0


def test_an_unknown_customer_is_told_and_the_page_does_not_knock_again(visitor: Visitor, page: Page) -> None:
    opened: list[str] = []
    page.on("websocket", lambda socket: opened.append(urlsplit(socket.url).path))
    page.clock.install()
    peer = visitor.open()
    peer.refuse(4001, "Unauthorized")

    expect(page.get_by_text("We could not confirm who you are.")).to_be_visible()
    expect(page.get_by_role("button", name="Try now")).to_be_hidden()
    page.evaluate("dispatchEvent(new Event('online'))")
    page.clock.run_for(120_000)
    assert opened == [visitor.pages.socket_path]


def test_a_token_from_the_address_goes_to_the_socket_and_nowhere_else(visitor: Visitor, page: Page) -> None:
    peer = visitor.open("#token=eyJ.a-b_c.d")

    assert peer.token == "eyJ.a-b_c.d"
    expect(page).to_have_url(visitor.pages.url)
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert "eyJ" not in kept
    peer.cut()
    assert visitor.pages.next_peer().token == "eyJ.a-b_c.d"
    told = [path for path in visitor.pages.requests if "eyJ" in path]
    assert [path for path in told if not path.startswith(f"{visitor.pages.socket_path}?")] == []
    assert told


def test_a_customer_who_signs_in_again_is_connected_without_a_reload(visitor: Visitor, page: Page) -> None:
    old, new = token_for("cus_1", exp=1), token_for("cus_1")
    peer = visitor.open(f"#token={old}")
    peer.refuse(4001, "Unauthorized")
    expect(page.get_by_text("We could not confirm who you are.")).to_be_visible()

    page.evaluate("window.loadedOnce = true")
    page.evaluate("token => { location.hash = `token=${token}` }", new)

    assert visitor.pages.next_peer().token == new
    expect(page.locator("#banner")).to_be_hidden()
    expect(page).to_have_url(visitor.pages.url)
    assert page.evaluate("window.loadedOnce") is True


@pytest.mark.parametrize("how", ["another visit", "the same page"])
def test_nothing_that_one_customer_began_is_left_for_the_next(visitor: Visitor, page: Page, how: str) -> None:
    ada, bob = token_for("cus_ada"), token_for("cus_bob")
    box = page.get_by_label("Your message")
    peer = visitor.open(f"#token={ada}")
    visitor.say("Cancel my order 1042")
    sent = peer.receive("message")  # and never accepted
    box.fill("My address is 5 Main St")
    peer.cut()
    visitor.pages.next_peer()

    if how == "another visit":
        page.goto(visitor.pages.blank)
        peer = visitor.open(f"#token={bob}")
    else:
        page.evaluate("token => { location.hash = `token=${token}` }", bob)
        peer = visitor.pages.next_peer()

    assert peer.token == bob
    expect(page.get_by_role("heading", name="Hello, how can we help?")).to_be_visible()
    expect(box).to_have_value("")
    visitor.shows()
    expect(page).to_have_url(visitor.pages.url)
    visitor.say("Hello")
    assert peer.accept(1, "t1")["thread_id"] != sent["thread_id"]

    # Whose it is finds it again.
    page.goto(visitor.pages.blank)
    peer = visitor.open(f"#token={ada}")
    assert peer.token == ada
    expect(box).to_have_value("My address is 5 Main St")
    assert peer.receive("history")["thread_id"] == sent["thread_id"]
    peer.send("error", code="thread_not_found", message="Thread not found")
    assert peer.receive("message")["content"] == "Cancel my order 1042"


def test_going_to_another_part_of_the_page_keeps_the_connection(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()

    page.get_by_role("link", name="Skip to the message box").press("Enter")

    expect(page).to_have_url(f"{visitor.pages.url}#message")
    visitor.say("Hello")
    peer.accept(1, "t1")


def test_a_thread_that_the_server_does_not_know_starts_empty_without_a_word(
    visitor: Visitor, page: Page
) -> None:
    peer = visitor.open()
    visitor.say("Hello")
    old = peer.receive("message")["thread_id"]
    page.evaluate("sessionStorage.clear()")
    page.reload()

    peer = visitor.pages.next_peer()
    assert peer.receive("history")["thread_id"] == old
    peer.send("error", code="thread_not_found", message="Thread not found")

    expect(page.get_by_role("heading", name="Hello, how can we help?")).to_be_visible()
    visitor.say("Hello again")
    assert peer.accept(1, "t1")["thread_id"] != old
    expect(page.locator("#ended")).to_be_hidden()


def test_an_expired_session_offers_a_new_conversation_with_the_unsent_text(
    visitor: Visitor, page: Page
) -> None:
    peer = visitor.open()
    visitor.say("Are you still there?")
    old = peer.receive("message")["thread_id"]
    peer.send("error", code="session_expired", message="Session expired. Please start a new conversation.")

    expect(page.get_by_text("This conversation was closed")).to_be_visible()
    page.get_by_role("button", name="Start a new conversation").click()

    box = page.get_by_label("Your message")
    expect(box).to_have_value("Are you still there?")
    expect(box).to_be_focused()
    page.keyboard.press("Enter")
    assert peer.accept(1, "t1")["thread_id"] != old
    expect(page.locator("#ended")).to_be_hidden()


def test_a_message_of_staff_opens_an_expired_session_again(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Is anybody there?")
    peer.receive("message")
    peer.send("error", code="session_expired", message="Session expired. Please start a new conversation.")
    expect(page.locator("#ended")).to_be_visible()

    peer.send("staff_message", seq=1, turn_id=None, content="Yes, I am.", html="<p>Yes, I am.</p>")

    expect(visitor.log.get_by_text("Yes, I am.")).to_be_visible()
    expect(visitor.log.get_by_text("Our team", exact=True)).to_be_visible()
    expect(page.locator("#ended")).to_be_hidden()
    visitor.log.get_by_role("button", name="Try again").click()
    assert peer.receive("message")["content"] == "Is anybody there?"


def test_frames_of_another_thread_or_an_unknown_kind_change_nothing(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    visitor.say("Go")
    peer.accept(1, "t1")

    peer.send("agent_response", seq=2, thread_id="another", turn_id="t9", agent="a", html="<p>not yours</p>")
    peer.send("invented_later", seq=2, turn_id="t1", content="?")
    peer.connection.send("not json")
    peer.connection.send("[]")
    peer.send("agent_response", seq=3, turn_id="t1", agent="a", html="<p>yours</p>")

    expect(page.locator(".prose")).to_have_text(["yours"])
