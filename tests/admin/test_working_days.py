"""Working days in a real browser, role by role: a manager's, a viewer's, an administrator's. Those of an agent and of
an approver are in test_conversations_browser.py and test_inbox_browser.py."""

import csv
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from agents.models import Action, Agent, Revision, Tool
from agents.spending.models import Budget, ModelPrice
from analytics import rollups
from chat.models import ApiKey, Conversation
from openapi_import.models import Classification, ImportJob
from smartsupport import staff
from smartsupport.models import AuditEntry
from tests import rows
from tests.admin import import_rows
from tests.admin.test_browser import DESK, _in_a_thread, staff_browser, taken, wider
from tests.agents.tool_rows import make_tool
from tests.analytics.scripted import write
from tests.demo.program import Program, journal
from tests.factories import close_threads

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "correct horse 1042"
ORDER_SCHEMA = {
    "type": "object",
    "properties": {"order_id": {"type": "integer", "minimum": 1}},
    "required": ["order_id"],
}
ORDER_PATH = [
    {"argument": name, "name": name, "in": "path", "required": True} for name in ("customer_id", "order_id")
]


def member(name: str, role: str) -> User:
    """A member of staff with this role and nothing else."""
    staff.make_roles()
    user = rows.staff(name)
    user.groups.add(Group.objects.get(name=role))
    return user


def newest_entry() -> int:
    """The number of the audit's newest entry; 0 before the first. Entries of earlier tests stay."""
    return AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})


def sidebar(page: Page, name: str) -> None:
    """Go where this link of the sidebar leads."""
    page.locator("#nav-sidebar-apps").get_by_role("link", name=name).click()


@pytest.fixture(scope="module")
def business(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(tmp_path_factory.mktemp("books"))
    yield program
    program.stop()


@pytest.fixture
def order_status(business: Program, settings: LazySettings, transactional_db: None) -> Iterator[Tool]:
    """A tool that reads at the demo business, which answers."""
    settings.SAFE_HTTP_ALLOWED_HOSTS = [business.url.removeprefix("http://")]
    yield make_tool(
        "get_order_status",
        title="Order status",
        server_url=f"{business.url}/shop",
        path="/customers/{customer_id}/orders/{order_id}",
        parameters=ORDER_PATH,
        input_schema=ORDER_SCHEMA,
        bound={"customer_id": "customer.id"},
    )
    close_threads()


def two_weeks_ago() -> Conversation:
    """Answered from evidence, so it counts for 30 days and not for 7."""
    start = timezone.now() - timedelta(days=14)
    made = write("t-old", customer="ada", start=start, script="0s m, 1s read.ok/40, 2s r, 2s end")
    Conversation.objects.filter(pk=made.pk).update(last_line="It left this morning.")
    rollups.roll_up()
    return made


def billing() -> ImportJob:
    """A document that has been read: one operation needs a look."""
    job = import_rows.job()
    import_rows.operation(job, name="get_invoice")
    import_rows.writing(job, "/refunds", name="refund", uncertain=True)
    return job


def test_a_managers_day(
    live_server: Any, business: Program, order_status: Tool, settings: LazySettings
) -> None:
    assert settings.LLM_PROVIDER == "offline"
    conversation, job = two_weeks_ago(), billing()
    rows.customer(subject="cus_1001")
    cancelling = rows.tool(server_url=f"{business.url}/shop")
    agent = rows.agent("order_actions", order_status, cancelling, permission="write", keywords=["cancel"])

    with staff_browser(live_server, member("mona", staff.MANAGER), viewport=DESK) as (page, faults):
        _numbers(page, conversation)
        _money(page)
        _an_agent(page, agent)
        _tried_out(page, agent, business.url)
        _published(page, job)
        _a_tool_is_tested(page, order_status)
        on_a_phone(page)
        page.goto(reverse("admin:agents_modelprice_changelist"))
        expect(page.get_by_role("rowheader", name="gpt-5.4-mini")).to_be_visible()
        assert wider(page) <= 0
        page.goto(reverse("admin:agents_agent_history", args=[agent.pk]))
        assert wider(page) <= 0
        assert faults == []

    budget, price = Budget.objects.get(), ModelPrice.objects.get()
    assert (budget.scope, budget.limit_micros, budget.updated_by) == ("deployment", 25_500_000, "mona")
    assert (price.model, price.input_micros, price.created_by) == ("gpt-5.4-mini", 750_000, "mona")
    agent.refresh_from_db()
    assert (agent.tone, agent.description) == ("", "Looks after order_actions.")
    changes = Revision.objects.filter(subject_id=agent.pk, kind="changed").exclude(by_name="")
    assert [one.by_name for one in changes] == ["mona", "mona"]  # edited and put back
    assert journal(business.client) == []  # the business was asked, and nothing was changed there
    assert not Action.objects.exists()
    assert Conversation.objects.count() == 1
    assert set(Tool.objects.filter(source__name="billing").values_list("name", flat=True)) == {
        "get_invoice",
        "refund",
    }
    assert Classification.objects.get(name="refund").reviewed_by == "mona"


def _numbers(page: Page, conversation: Conversation) -> None:
    """A number of the last 30 days leads to the conversation that it counts."""
    page.goto("/admin/")
    expect(page.get_by_role("heading", name="Now", exact=True)).to_be_visible()
    sidebar(page, "Analytics")
    expect(page.get_by_text("No conversation began in these days")).to_be_visible()
    page.get_by_role("link", name="30 days", exact=True).click()
    expect(page.get_by_role("heading", name="What came of 1 conversation")).to_be_visible()
    page.locator("#console-main").get_by_role("link", name=re.compile(r"^1 .*evidence.*: see which")).click()
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("link", name="It left this morning.").click()
    page.wait_for_url(f"**{reverse('admin:chat_conversation_change', args=[conversation.pk])}")


def _money(page: Page) -> None:
    sidebar(page, "Costs")
    expect(page.get_by_text("No limit is in force here")).to_be_visible()
    page.get_by_role("link", name="All budgets").click()
    page.get_by_role("link", name="Add a limit").click()
    limit = page.get_by_label("Limit, in dollars")
    limit.fill("a lot")
    save(page)
    expect(page.get_by_text("Dollars in digits: 12.50.")).to_be_visible()
    expect(limit).to_have_value("a lot")
    page.get_by_label("Whose").select_option("deployment")
    limit.fill("25.50")
    save(page)
    expect(page.get_by_text("$25.50 left.")).to_be_visible()

    page.get_by_role("link", name="Prices", exact=True).click()
    page.get_by_role("link", name="Add a price").click()
    page.get_by_label("Provider").select_option("openai")
    page.get_by_role("textbox", name="Model").fill("gpt-5.4-mini")
    page.locator("[name=input]").fill("0.75")
    page.get_by_role("button", name="Add the price").click()
    expect(page.get_by_text("Dollars for a million tokens, in digits: 0.75.")).to_be_visible()
    page.locator("[name=output]").fill("4.5")
    page.get_by_role("button", name="Add the price").click()
    expect(page.get_by_text("gpt-5.4-mini has this price from now on.")).to_be_visible()
    expect(page.get_by_role("row", name="gpt-5.4-mini")).to_contain_text("$0.75")


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()


def _an_agent(page: Page, agent: Agent) -> None:
    """Edited, with a fault on the way; its history tells it; and it is put back."""
    sidebar(page, "Agents")
    page.get_by_role("link", name="order_actions", exact=True).click()
    tone, model = page.get_by_label("Tone"), page.get_by_label("Model", exact=True)
    tone.fill("Warm and short")
    model.fill("gpt 5")
    save(page)
    fault = page.locator(".field-model")
    expect(fault).to_contain_text("A model's name has no blanks")
    expect(tone).to_have_value("Warm and short")
    model.fill("")
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()

    page.goto(reverse("admin:agents_agent_history", args=[agent.pk]))
    change = page.get_by_role("row", name="Tone")
    expect(change).to_contain_text("Warm and short")
    page.get_by_role("link", name="Put back order_actions").first.click()
    expect(page.get_by_role("row", name="Tone")).to_contain_text("Warm and short")
    page.get_by_role("button", name="Put it back").click()
    expect(page.get_by_role("row", name="Tone")).to_have_count(2)


def _tried_out(page: Page, agent: Agent, business: str) -> None:
    """A draft answers, and what it would change is shown and not sent."""
    page.goto(f"{reverse('admin:agents_agent_playground')}?agent={agent.pk}")
    page.get_by_label("Description").fill("Cancels orders, in rhymes.")
    page.get_by_text("Who writes, and what is really called").click()
    page.get_by_label("As which customer").fill("cus_1001")
    page.get_by_role("textbox", name="Message").fill("Cancel order 1042")
    page.get_by_role("button", name="Send", exact=True).click()
    steps = page.locator("#steps")
    expect(steps.get_by_text("Would do: Cancel order")).to_be_visible(timeout=60_000)
    expect(steps.get_by_text("The customer would be asked")).to_be_visible()
    expect(steps).to_contain_text(f"POST {business}/shop/orders/1042/cancel_order")
    expect(steps.locator(".playground-agent")).to_be_visible()
    expect(page.get_by_label("Description")).to_have_value("Cancels orders, in rhymes.")


def _published(page: Page, job: ImportJob) -> None:
    sidebar(page, "Imports")
    page.get_by_role("link", name="Billing API").click()
    page.get_by_role("link", name="Review the operations").click()
    page.wait_for_url("**/review/**")
    page.get_by_role("button", name="Edit POST /refunds").click()
    dialog = taken(page)
    dialog.get_by_label("In plain words").fill("Refund an invoice")
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("#review-told")).to_have_text("Saved: POST /refunds.")
    expect(dialog).to_be_hidden()
    page.locator("#content-main").get_by_role("button", name="Publish").click()
    taken(page)
    expect(dialog).to_contain_text("Agents that are made: invoices.")
    dialog.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published. Tools: 2 added. New agents: invoices.")).to_be_visible()


def _a_tool_is_tested(page: Page, tool: Tool) -> None:
    sidebar(page, "Tools")
    page.get_by_role("link", name="get_order_status").click()
    page.wait_for_url("**/change/**")
    page.locator("#main").get_by_role("link", name=re.compile(r"\bTest$")).click()
    dialog = taken(page)
    dialog.get_by_label("order_id").fill("1042")
    dialog.get_by_label("customer_id").fill("cus_1001")
    dialog.get_by_label("Really call it").check()
    dialog.locator("button[type=submit]").click()
    expect(dialog).to_contain_text("What came back")
    expect(dialog).to_contain_text("HTTP 200")
    expect(dialog.locator(".console-json").last).to_contain_text("1042")


OFFERS = """() => [...document.querySelectorAll('#main *')].filter((one) => one.checkVisibility() && (
    one.matches('[hx-post], [hx-put], [hx-delete], [hx-target="#modal-content"], textarea, [contenteditable]') ||
    one.matches('a[href$="/add/"], a[href$="/delete/"]') ||
    ['submit', 'image'].includes(one.type) && ((one.form || {}).method === 'post' || one.formMethod === 'post')
)).map((one) => one.outerHTML.slice(0, 200))"""
"""What on the page changes something: whatever posts, opens a dialog, can be written in, or leads to a form."""
LINKS = (
    """() => [...document.querySelectorAll('a[href^="/admin/"]')].map((one) => one.getAttribute('href'))"""
)


def test_a_viewers_day(live_server: Any) -> None:
    escalated = rows.waiting_for_a_person()
    rows.waiting_for_staff()
    two_weeks_ago()
    agent = rows.agent("order_lookup", rows.reading_tool())
    vera = member("vera", staff.VIEWER)
    paths = [
        "/admin/",
        reverse("admin:chat_conversation_changelist"),
        reverse("admin:chat_conversation_change", args=[escalated.pk]),
        reverse("admin:chat_conversation_replay", args=[escalated.pk]),
        f"{reverse('analytics')}?range=30d",
        reverse("admin:agents_modelcall_costs"),
        reverse("admin:agents_budget_changelist"),
        reverse("admin:agents_modelprice_changelist"),
        reverse("admin:agents_agent_change", args=[agent.pk]),
    ]
    closed = [
        reverse("admin:auth_user_changelist"),
        reverse("admin:chat_apikey_add"),
        reverse("admin:smartsupport_auditentry_changelist"),
        reverse("admin:agents_agent_playground"),
        reverse("admin:agents_modelprice_add"),
        reverse("admin:chat_conversation_take_over", args=[escalated.pk]),
    ]

    links: set[str] = set()
    last = newest_entry()

    with staff_browser(live_server, vera, viewport=DESK) as (page, faults):
        for path in paths:
            page.goto(path)
            assert page.evaluate(OFFERS) == [], path
            links.update(page.evaluate(LINKS))
        _replayed_by_keys(page, escalated)
        on_a_phone(page)
        page.goto(paths[2])
        assert (page.evaluate(OFFERS), wider(page), faults) == ([], 0, [])

        for path in closed:
            page.goto(path)
            expect(page.get_by_role("heading", name="You may not open this")).to_be_visible()
            expect(page.get_by_text("ask an administrator for a role that has it")).to_be_visible()
            assert wider(page) <= 0
        assert [one for one in faults if one.startswith("http")] == [
            live_server.url + path for path in closed
        ]
        assert {one for one in faults if not one.startswith("http")} == {
            "Failed to load resource: the server responded with a status of 403 (Forbidden)"
        }
        page.get_by_role("link", name="Back to the home page").click()
        expect(page.get_by_role("heading", name="Now", exact=True)).to_be_visible()

        _in_a_thread(lambda: vera.groups.add(Group.objects.get(name=staff.MANAGER)))
        for path in paths[2:3] + paths[6:]:  # the same pages do offer something to who may change it
            page.goto(path)
            page.wait_for_function(f"({OFFERS})().length > 0")

    vera.groups.set(Group.objects.filter(name=staff.VIEWER))
    assert len(links) > 20
    assert _refused(vera, links) == []
    escalated.refresh_from_db()
    assert (escalated.status, escalated.held_by) == ("waiting", "")
    assert Action.objects.get().status == "awaiting"
    refused = AuditEntry.objects.filter(pk__gt=last, actor_name="vera", outcome="refused")
    assert set(refused.values_list("path", flat=True)) == set(closed)


def _refused(user: User, links: set[str]) -> list[str]:
    """Which of these addresses the member of staff may not open."""
    client = Client()
    client.force_login(user)
    return sorted(link for link in links if client.get(link).status_code == 403)


def _replayed_by_keys(page: Page, conversation: Conversation) -> None:
    page.goto(reverse("admin:chat_conversation_replay", args=[conversation.pk]))
    detail = page.locator("#player-detail")
    expect(detail).to_have_attribute("data-step", "1")
    page.keyboard.press("j")
    expect(detail).to_have_attribute("data-step", "2")
    expect(detail).to_contain_text("The parcel is damaged.")
    page.keyboard.press("k")
    expect(detail).to_have_attribute("data-step", "1")
    expect(detail).to_contain_text("I want to talk to a person.")
    page.keyboard.press("G")
    expect(detail).to_have_attribute("data-step", str(conversation.last_seq))


def test_an_administrators_day(live_server: Any, tmp_path: Path) -> None:
    adam = member("adam", staff.ADMIN)
    last = newest_entry()

    with staff_browser(live_server, adam, viewport=DESK, accept_downloads=True) as (page, faults):
        _a_new_colleague(page)
        key = _a_key(page)
        _told_in_the_audit(page)
        files = [_taken_away(page, name, tmp_path) for name in ("CSV", "JSON lines")]
        on_a_phone(page)
        page.goto(reverse("admin:smartsupport_auditentry_changelist"))
        expect(page.get_by_role("row").nth(1)).to_be_visible()
        assert (wider(page), faults) == (0, [])

    nina = User.objects.get(username="nina")
    assert (nina.is_staff, nina.is_superuser) == (True, False)
    assert [group.name for group in nina.groups.all()] == [staff.AGENT]
    assert not ApiKey.objects.get().enabled
    done = AuditEntry.objects.filter(pk__gt=last).exclude(outcome="begun").order_by("pk")
    assert [(one.verb, one.object_type, one.outcome) for one in done] == [
        ("login", "", "done"),
        ("add", "auth.user", "answered"),
        ("add", "auth.user", "done"),
        ("change", "auth.user", "done"),
        ("add", "chat.apikey", "done"),
        ("disable", "chat.apikey", "done"),
        ("export", "smartsupport.auditentry", "done"),
        ("export", "smartsupport.auditentry", "done"),
    ]
    assert {one.actor_name for one in done} == {"adam"}
    assert [line["verb"] for line in csv.DictReader(StringIO(files[0]))] == ["add", "disable"]
    lines = [json.loads(line) for line in files[1].splitlines()]
    assert [(line["verb"], line["before"]) for line in lines] == [
        ("add", None),
        ("disable", {"enabled": True}),
    ]
    assert key not in "".join(files)
    said = StringIO()
    call_command("verify_audit", stdout=said)
    assert f"{AuditEntry.objects.count()} entries, all as they were written." in said.getvalue()


def _a_new_colleague(page: Page) -> None:
    page.goto("/admin/")
    sidebar(page, "Staff")
    page.locator('#main a[href$="/user/add/"]').first.click()
    once, again = page.locator("[name=password1]"), page.locator("[name=password2]")
    page.get_by_label("Username").fill("nina")
    once.fill(PASSWORD)
    again.fill("another 1042")
    save(page)
    expect(page.get_by_text("The two password fields didn’t match.")).to_be_visible()
    once.fill(PASSWORD)
    again.fill(PASSWORD)
    save(page)
    expect(page.get_by_role("checkbox", name="Staff status")).to_be_checked()
    page.get_by_role("listbox", name="Available roles").select_option(label=staff.AGENT)
    page.get_by_role("button", name="Choose selected roles").click()
    save(page)
    expect(page.get_by_role("rowheader", name="nina")).to_be_visible()


def _a_key(page: Page) -> str:
    """Made, shown once, and disabled; its text."""
    sidebar(page, "API keys")
    page.locator('#main a[href$="/apikey/add/"]').first.click()
    page.get_by_role("textbox", name="Name").fill("crm")
    page.get_by_text("conversations:read: Read conversations").click()
    save(page)
    told = page.locator("code", has_text="sk_")
    expect(told).to_be_visible()
    key = told.inner_text()
    page.get_by_role("link", name="crm", exact=True).click()
    page.wait_for_url("**/change/**")
    expect(page.get_by_text(key)).to_have_count(0)
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    page.get_by_role("link", name="Disable").click()
    taken(page).get_by_role("button", name="Disable the key").click()
    expect(page.get_by_text(re.compile(r"The key crm \(sk_.*\) is disabled\."))).to_be_visible()
    return key


def _told_in_the_audit(page: Page) -> None:
    """What was done stands there with what was before and after, and a filter leaves only what it says."""
    sidebar(page, "Audit")
    page.locator("select[name=who]").select_option("adam")
    page.get_by_label("Kind of object").select_option("auth.user")
    page.get_by_role("button", name="Show", exact=True).click()
    lines = page.locator("#console-main tbody tr")
    expect(lines).to_have_count(3)  # the form with its fault, the new colleague, their role
    expect(lines.nth(0)).to_contain_text("nina")
    lines.nth(0).get_by_role("link").first.click()
    expect(changed(page, "groups")).to_contain_text("Agent")
    expect(changed(page, "is_staff")).to_have_count(0)  # a colleague from the first
    expect(page.locator("#content-main")).not_to_contain_text(PASSWORD)

    page.get_by_role("link", name="Back to the audit").click()
    page.locator("select[name=who]").select_option("adam")
    page.get_by_label("Kind of object").select_option("chat.apikey")
    page.get_by_label("Outcome").select_option("done")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(lines).to_have_count(2)
    lines.nth(0).get_by_role("link", name="disable").click()
    expect(changed(page, "enabled").get_by_role("cell")).to_have_text(["true", "false"])
    page.go_back()
    expect(lines).to_have_count(2)


def changed(page: Page, field: str) -> Locator:
    """The line of an entry that tells of this field."""
    return page.locator("#content-main tr", has=page.get_by_role("rowheader", name=field, exact=True))


def _taken_away(page: Page, name: str, to: Path) -> str:
    with page.expect_download() as waiting:
        page.get_by_role("link", name=name, exact=True).click()
    path = to / name
    waiting.value.save_as(path)
    return path.read_text()
