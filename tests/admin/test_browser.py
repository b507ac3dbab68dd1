"""The console in a real browser: nothing breaks the security policy, nothing is asked of another host,
nothing is wider than a phone, and an approval is decided as people do it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from playwright.sync_api import ConsoleMessage, Locator, Page, Request, TimeoutError, expect

from agents import approvals, facts
from agents.models import Action, Agent, Tool
from chat.models import Conversation
from tests import one_browser, rows

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}


@contextmanager
def staff_browser(site: Any, user: User | None = None, **options: Any) -> Iterator[tuple[Page, list[str]]]:
    """A page that is signed in as `user`, an administrator without one, and what went wrong on it so far.

    Rows are made before it is opened and read after it is closed: meanwhile its loop runs in this thread.
    """
    client = Client()
    client.force_login(user or rows.staff("root", superuser=True))
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    faults: list[str] = []
    with one_browser.opened() as browser:
        context = browser.new_context(base_url=site.url, **options)
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": site.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("console", lambda said: faults.extend(_complained(said)))
        page.on("requestfailed", lambda request: faults.extend(_failed(request)))
        page.on("request", lambda asked: faults.extend(_foreign(asked.url, site.url)))
        page.on("response", lambda answer: faults.extend([answer.url] if answer.status >= 400 else []))
        yield page, faults
        context.close()
    # What the page had asked last is answered before anybody looks at rows. The site takes up connections in the order
    # in which they came: by the time that it answers this, it has taken up all of the page's.
    httpx.get(f"{site.url}/static/console/icon.svg", timeout=60)
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join(60)


ON_ITS_WAY = ".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added"
"""What has asked the server, and what came from it and is not wired yet: a button in it would send its form as if the
page had no script."""


def taken(page: Page) -> Locator:
    """The dialog, once it has put the keyboard where it wants it, and what came last for it is wired: what is filled in
    or pressed before that may go elsewhere."""
    page.wait_for_function(
        """coming => {
            const body = document.getElementById('modal-content');
            return body?.contains(document.activeElement) && !body.querySelector(coming);
        }""",
        arg=ON_ITS_WAY,
    )
    return page.locator("#dialog")


def wired(page: Page) -> Page:
    """The page that is shown, once all its scripts listen, and nothing of it is on its way."""
    page.wait_for_load_state()
    page.wait_for_function("coming => !document.querySelector(coming)", arg=ON_ITS_WAY)
    return page


def wider(page: Page) -> int:
    """By how many pixels the page is wider than its window. Its scripts hear of a new width only after it is there."""
    with suppress(TimeoutError):
        page.wait_for_function(
            "width => innerWidth === width && document.documentElement.scrollWidth <= width",
            arg=page.viewport_size and page.viewport_size["width"],
        )
    found: int = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return found


def _complained(said: ConsoleMessage) -> list[str]:
    """A look for news that is given up for a newer one is no fault; htmx says that it is over, and why."""
    given_up = said.text.startswith(("htmx:afterRequest", "htmx:sendAbort"))
    return [] if said.type != "error" or given_up else [said.text]


def _failed(request: Request) -> list[str]:
    """A request that ended because the page was left is no fault."""
    return [] if request.failure == "net::ERR_ABORTED" else [f"failed: {request.url} {request.failure}"]


def _foreign(url: str, home: str) -> list[str]:
    return [] if url.startswith((home, "data:")) else [f"asked another host: {url}"]


def every_page() -> list[str]:
    """Addresses of all lists, forms and details, with rows in them."""
    action = rows.waiting_for_staff(order_id="1042", percent=10, note="A long reason " * 12)
    rows.happened(
        action.turn,
        facts.tool_returned(
            agent="a", tool="t", call_id="c", ok=True, result={"long": "x" * 300, "list": [1] * 30}
        ),
    )
    rows.agent("order_lookup", rows.reading_tool(), keywords=["order"])
    rows.key("admin")
    names = [
        "chat_conversation",
        "chat_customer",
        "chat_apikey",
        "agents_action",
        "agents_agent",
        "agents_tool",
    ]
    names += ["openapi_import_specsource", "auth_user", "auth_group"]
    one = {
        "chat_conversation": Conversation.objects.get().pk,
        "chat_customer": Conversation.objects.get().customer_id,
        "agents_action": action.pk,
        "agents_agent": Agent.objects.get().pk,
        "agents_tool": Tool.objects.get(name="apply_discount").pk,
    }
    lists = [reverse(f"admin:{name}_changelist") for name in names]
    forms = [
        reverse(f"admin:{name}_add") for name in ("chat_apikey", "agents_agent", "auth_user", "auth_group")
    ]
    details = [reverse(f"admin:{name}_change", args=[pk]) for name, pk in one.items()]
    return ["/admin/", *lists, *forms, *details]


def test_every_page_is_quiet_and_fits(live_server: Any) -> None:
    """On a phone, and at a desk, where half of them were loaded: the other half becomes as wide afterwards."""
    pages = every_page()

    with staff_browser(live_server, viewport=PHONE, color_scheme="dark") as (page, faults):
        for number, path in enumerate(pages):
            looks = [(PHONE, "dark"), (DESK, "light")]
            for viewport, theme in looks if number % 2 else reversed(looks):
                page.set_viewport_size(viewport)
                page.emulate_media(color_scheme=theme)
                if page.url != live_server.url + path:
                    page.goto(path)
                over = wider(page)
                assert over <= 0, f"{path} is {over} px too wide for {viewport}"
                assert faults == [], path


def test_approving_on_a_phone(live_server: Any) -> None:
    action = rows.waiting_for_staff(order_id="1042", percent=10)

    with staff_browser(live_server, viewport=PHONE) as (page, faults):
        page.goto(reverse("admin:agents_action_change", args=[action.pk]))
        page.locator("#content-main").get_by_role("button", name="Approve", exact=True).click()
        dialog = taken(page)
        expect(dialog).to_contain_text("Give 10% off order 1042.")
        dialog.get_by_role("button", name="Approve").click()
        expect(page.get_by_text("Approved: Give 10% off order 1042.")).to_be_visible()
        assert faults == []

    action.refresh_from_db()
    assert (action.status, action.decided_by_name) == ("approved", "root")


def test_editing_and_approving_on_a_phone(live_server: Any) -> None:
    action = rows.waiting_for_staff(order_id="1042", percent=10)

    with staff_browser(live_server, viewport=PHONE) as (page, faults):
        page.goto(reverse("admin:agents_action_change", args=[action.pk]))
        page.locator("#content-main").get_by_role("button", name="Approve with changes").click()
        dialog = taken(page)
        approve = dialog.get_by_role("button", name="Approve with these values")
        dialog.get_by_label("percent").fill("five")
        approve.click()
        expect(dialog).to_contain_text("Write a whole number, such as 10.")
        expect(dialog.get_by_label("percent")).to_have_value("five")
        taken(page)
        over = wider(page)
        dialog.get_by_label("percent").fill("5")
        approve.click()
        expect(page.get_by_text("Approved with changes: Give 5% off order 1042.")).to_be_visible()
        page.goto(reverse("admin:agents_action_change", args=[action.pk]))
        expect(page.get_by_text("Changed by root")).to_be_visible()
        assert (over, faults) == (0, [])

    action.refresh_from_db()
    assert (action.status, action.args) == ("approved", {"order_id": "1042", "percent": 5})


def test_a_call_that_changed_meanwhile_is_shown_before_it_is_approved(live_server: Any) -> None:
    action = rows.waiting_for_staff(order_id="1042", percent=10)
    Tool.objects.update(approvals_needed=2)
    Action.objects.update(approvals_needed=2)
    action.refresh_from_db()
    Action.objects.update(
        arguments_hash=action.expected_hash(), tool_fingerprint=Tool.objects.get().fingerprint()
    )
    Action.objects.update(arguments_hash=Action.objects.get().expected_hash())
    nina = approvals.Decider("staff", "nina", id="user:0")
    other = {"order_id": "1042", "percent": 90}

    with staff_browser(live_server, viewport=DESK) as (page, faults):
        page.goto(reverse("admin:agents_action_change", args=[action.pk]))
        page.locator("#content-main").get_by_role("button", name="Approve", exact=True).click()
        dialog = taken(page)
        expect(dialog).to_contain_text("Give 10% off order 1042.")
        _in_a_thread(lambda: approvals.decide(action_id=action.pk, approved=True, by=nina, arguments=other))
        dialog.get_by_role("button", name="Approve").click()
        expect(dialog).to_contain_text("The arguments were changed while you looked at them.")
        expect(dialog).to_contain_text("Give 90% off order 1042.")
        expect(dialog).to_contain_text("Approved by nina; a second person has to agree.")
        taken(page)
        dialog.get_by_role("button", name="Approve").click()
        expect(page.get_by_text("Approved with changes: Give 90% off order 1042.")).to_be_visible()
        assert faults == []

    action.refresh_from_db()
    assert (action.status, action.decided_by_name, action.args) == ("approved", "root", other)


def test_looking_how_it_stands_does_not_block_the_page(live_server: Any) -> None:
    action = rows.waiting_for_staff()
    reading = rows.reading_tool(server_url="http://127.0.0.1:9/shop")
    Tool.objects.filter(pk=action.tool_id).update(read_back=reading)

    with staff_browser(live_server, viewport=PHONE) as (page, faults):
        page.goto(reverse("admin:agents_action_change", args=[action.pk]))
        page.get_by_role("button", name="Look in the business system").click()
        expect(page.locator("#standing")).to_contain_text("GET http://127.0.0.1:9/shop/orders/1042")
        assert (wider(page), faults) == (0, [])


def test_declining_from_the_list_needs_a_reason(live_server: Any) -> None:
    action = rows.waiting_for_staff()

    with staff_browser(live_server, viewport=DESK) as (page, faults):
        page.goto(reverse("admin:agents_action_changelist"))
        page.get_by_role("link", name="Give 10% off order 1042.").click()
        page.locator(".inbox-decide").get_by_role("button", name="Decline").click()
        dialog = taken(page)
        dialog.get_by_role("button", name="Decline").click()
        expect(dialog).to_contain_text("Say why")
        taken(page)
        dialog.get_by_label("Reason").fill("Above what we give.")
        dialog.get_by_role("button", name="Decline").click()
        expect(page.get_by_text("Declined: Give 10% off order 1042.")).to_be_visible()
        assert faults == []

    action.refresh_from_db()
    assert (action.status, action.reason) == ("rejected", "Above what we give.")
    assert Action.objects.count() == 1


def test_answering_and_resolving_on_a_phone(live_server: Any) -> None:
    row = rows.waiting_for_a_person()

    with staff_browser(live_server, viewport=PHONE) as (page, faults):
        page.goto(reverse("admin:chat_conversation_change", args=[row.pk]))
        content, dialog = page.locator("#content-main"), page.locator("#dialog")
        content.get_by_role("button", name="Write to the customer").click()
        expect(dialog).to_contain_text("by writing, you take it over")
        taken(page)
        dialog.get_by_role("button", name="Send").click()
        expect(dialog).to_contain_text("Write something first.")
        taken(page)
        dialog.get_by_label("Message").fill("Hello Ada,\nwe are **on** it.")
        dialog.get_by_role("button", name="Send").click()
        expect(page.get_by_text("Sent. The customer sees it in the chat.")).to_be_visible()
        expect(content.locator(".timeline-staff strong")).to_have_text("on")
        wired(page)
        composer = page.locator("#reply-form")
        composer.get_by_role("button", name="Send").click()
        expect(composer).to_contain_text("Write something first.")
        wired(page)
        composer.get_by_label("Message").fill("It will be *done* today.")
        composer.get_by_role("button", name="Send").click()
        expect(content.locator(".timeline-staff em")).to_have_text("done")
        wired(page)
        content.get_by_role("button", name="Mark as resolved").click()
        taken(page)
        dialog.get_by_role("button", name="Mark as resolved").click()
        expect(content.get_by_text("Resolved").first).to_be_visible()
        wired(page)
        content.locator(".desk-steps > summary").last.click()
        expect(page.get_by_text("root marked the conversation as resolved")).to_be_visible()
        expect(content.get_by_role("button", name="Mark as resolved")).to_have_count(0)
        assert faults == []

    row.refresh_from_db()
    assert (row.status, row.last_line) == ("resolved", "It will be *done* today.")
    first, second = row.events.filter(kind="staff_wrote").order_by("seq")
    assert first.payload["content"] == "Hello Ada,\nwe are **on** it."
    assert second.payload["content"] == "It will be *done* today."


def test_settling_on_a_phone(live_server: Any) -> None:
    action = rows.outcome_unknown()

    with staff_browser(live_server, viewport=PHONE) as (page, faults):
        page.goto(reverse("admin:agents_action_change", args=[action.pk]))
        page.locator("#content-main").get_by_role("button", name="It did not happen").click()
        dialog = taken(page)
        expect(dialog).to_contain_text(str(action.pk))
        over = wider(page)
        dialog.get_by_label("How do you know?").fill("Not in the ledger.")
        dialog.get_by_role("button", name="It did not happen").click()
        expect(page.get_by_text("Recorded: it did not happen.")).to_be_visible()
        assert (over, faults) == (0, [])

    action.refresh_from_db()
    assert action.status == "failed"


def test_an_open_conversation_shows_what_comes(live_server: Any) -> None:
    turn = rows.turn(rows.customer(), "t-1", "Where is it?")
    rows.happened(
        turn, facts.tool_called(agent="a", tool="t", title="Look", args={"order_id": "77"}, call_id="c")
    )
    news: list[str] = []

    with staff_browser(live_server, viewport=DESK) as (page, faults):
        page.on("request", lambda asked: news.append(asked.url) if "/live/" in asked.url else None)
        page.goto(reverse("admin:chat_conversation_change", args=[turn.conversation_id]))
        page.locator(".desk-steps > summary").first.click()
        page.get_by_text("Details").first.click()
        expect(page.get_by_text('"order_id": "77"')).to_be_visible()
        _in_a_thread(lambda: rows.finish(turn, "It left this morning."))
        expect(page.get_by_text("It left this morning.")).to_be_visible(timeout=60_000)
        expect(page.get_by_text('"order_id": "77"')).to_be_visible()  # what was opened stays open
        assert faults == []

    assert news


def _in_a_thread(work: Any) -> None:
    """Write to the database while the browser's loop runs in this thread."""

    def run() -> None:
        work()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
