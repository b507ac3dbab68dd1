"""The console's home page, its frame, and every page of it."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents.models import Action, Budget, Credential
from agents.spending import ledger
from agents.spending.usage import Call, Usage
from analytics.rollups import roll_up
from chat.models import Conversation, Turn, TurnStatus
from openapi_import.models import ImportJob
from smartsupport.lib.console import age
from tests import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(rows.staff("root", superuser=True))
    return client


def cards(client: Client, **query: str) -> dict[str, tuple[int, str]]:
    """{title: (the number, the note with the age that ends it)} of all cards."""
    shown = client.get("/admin/", query).context
    return {
        card.title: (card.number, card.note + (f" {age(card.since)} ago." if card.since else ""))
        for card in [*shown["cards"], *shown["period_cards"]]
    }


def listed(client: Client, link: str) -> int:
    """What the list behind a number counts, as its own page has it."""
    page = client.get(link)
    assert page.status_code == 200, link
    shown = page.context
    for name in ("found", "report"):
        if name in shown:
            return int(shown[name].counted if name == "found" else shown[name].whole.micros)
    if "total" in shown:
        return int(shown["total"])
    return shown["cl"].result_count if "cl" in shown else len(shown["rows"])


def test_an_empty_house_says_what_to_do_first(root: Client, settings: Any) -> None:
    settings.LLM_PROVIDER = "offline"

    page = root.get("/admin/")

    assert {step.title: step.done for step in page.context["steps"]} == {
        "Import an API": False,
        "Add an agent": False,
        "Set a model key": False,
        "Open the chat and write": False,
    }
    assert f'href="{reverse("admin:openapi_import_importjob_add")}"' in page.content.decode()
    assert "LLM_PROVIDER is offline" in page.content.decode()
    assert "Nothing has: no failed message" in page.content.decode()
    assert cards(root) == {
        "Approvals waiting for you": (0, "Nothing waits for a decision."),
        "Waiting for a person": (0, "Nobody has asked for a person."),
        "With a colleague": (0, "Nobody has taken one over."),
        "Live now": (0, "Something was said or done in the last 10 minutes."),
        "Conversations today": (0, "With anything said since midnight UTC."),
        "Conversations with a failure today": (0, "Every message was answered."),
        "Cost today": (0, "No budget is set for a day."),
        "Conversations begun": (0, ""),
        "Resolved": (0, ""),
        "Needed a person": (0, ""),
        "First response, p95": (0, ""),
    }


def test_what_is_done_is_ticked_and_a_house_that_runs_shows_no_steps(root: Client, settings: Any) -> None:
    settings.LLM_PROVIDER = "openai"
    rows.tool("apply_discount")

    ticked = [step.title for step in root.get("/admin/").context["steps"] if step.done]
    rows.agent("order_lookup")
    rows.turn(rows.customer(), "t-1")

    assert ticked == ["Import an API", "Set a model key"]
    assert root.get("/admin/").context["steps"] == []


def busy_house() -> None:
    """One or two of everything that is counted."""
    rows.waiting_for_staff()
    Action.objects.update(created_at=timezone.now() - timedelta(minutes=17))
    rows.outcome_unknown()
    Action.objects.filter(status="unknown").update(created_at=timezone.now() - timedelta(days=2))
    failed = rows.turn(rows.customer(), "t-failed")
    Turn.objects.filter(pk=failed.pk).update(status=TurnStatus.FAILED, sealed_at=timezone.now(), error="boom")
    rows.turn(rows.customer(), "t-held")
    rows.turn(rows.customer(), "t-old")
    asked, held = timezone.now() - timedelta(hours=3), timezone.now() - timedelta(minutes=5)
    long_ago = timezone.now() - timedelta(days=1)
    Conversation.objects.filter(thread_id="t-held").update(
        last_activity_at=long_ago, status="held", held_by="sam", held_at=held
    )
    Conversation.objects.filter(thread_id="t-old").update(
        last_activity_at=long_ago, status="waiting", handoff_at=asked
    )
    ledger.record(
        Call(
            purpose="answer", provider="openai", model="m", agent="a", usage=Usage(reported_micros=2_500_000)
        ),
        conversation_id=failed.conversation_id,
    )
    Budget.objects.create(scope="deployment", period="day", limit_micros=10_000_000)
    rows.waiting_for_a_person()
    solved = rows.turn(rows.customer(), "t-solved")
    rows.finish(solved)
    Conversation.objects.filter(thread_id="t-solved").update(solved=True, status="resolved")
    for status in ("parsing", "pending", "failed", "done"):
        ImportJob.objects.create(title=f"Shop {status}", status=status, stage_done=3, stage_total=9)
    roll_up()


def test_every_number_and_its_list_agree(root: Client) -> None:
    busy_house()

    page = root.get("/admin/", {"range": "7d"})

    found = cards(root)
    assert found["Approvals waiting for you"] == (1, "The oldest was asked for 17 min ago.")
    assert found["Outcome unknown"][0] == 1
    assert found["Waiting for a person"] == (2, "The first asked 3 h ago.")
    assert found["With a colleague"] == (1, "The first was taken over 5 min ago.")
    assert found["Conversations today"][0] == 5
    assert found["Live now"][0] == 4, "the resolved one is over"
    assert found["Conversations with a failure today"] == (1, "A message could not be answered.")
    assert found["Cost today"] == (2_500_000, "25 % of the day's budget of $10.00.")
    assert found["Conversations begun"][0] == 7
    assert found["Needed a person"][0] == 1
    for card in [*page.context["cards"], *page.context["period_cards"]]:
        if not card.title.startswith("First response"):
            assert listed(root, card.link) == card.number, card.title
    assert page.context["imports_number"] == 2
    assert listed(root, page.context["imports_link"]) == 2
    assert "Reading: 3 of 9" in page.content.decode()


def test_what_went_wrong_last_is_told_newest_first_with_what_to_do(root: Client) -> None:
    busy_house()
    rows.webhook_given_up()
    credential = Credential.objects.create(source=rows.source(), scheme="key", kind="api_key")
    Credential.objects.update(refused_at=timezone.now() + timedelta(minutes=1))

    page = root.get("/admin/")

    failures = page.context["failures"]
    assert [one.what for one in failures] == [
        "A business system refused a credential",
        "A webhook was given up",
        "An import failed",
        "A message could not be answered",
        "Nobody knows whether this was done",
    ]
    assert [one.said for one in failures if one.what.startswith("A message")] == ["boom"]
    assert failures[0].link == reverse("admin:agents_credential_change", args=[credential.pk])
    for one in failures:
        assert root.get(one.link).status_code == 200, one.what
        assert one.next in page.content.decode()


@pytest.mark.parametrize(("asked", "days"), [("1d", 1), ("30d", 30), ("90d", 90)])
def test_the_range_stands_in_the_address(root: Client, asked: str, days: int) -> None:
    assert root.get("/admin/", {"range": asked}).context["days"] == days


@pytest.mark.parametrize("asked", ["3d", "d", "7", "\uff17d", "\u0667d", "-7d", "", "99999999d"])
def test_a_range_that_is_none_is_said_to_be_none(root: Client, asked: str) -> None:
    page = root.get("/admin/", {"range": asked})

    assert page.context["days"] == 7
    assert "Shown are the last 7 days." in page.content.decode()


def test_an_open_page_hears_only_of_what_changed(root: Client) -> None:
    rows.waiting_for_staff()
    state = root.get("/admin/").context["state"]
    url = reverse("home-live")

    unchanged = root.get(url, {"range": "7d", "state": state})
    rows.waiting_for_staff()
    moved = root.get(url, {"range": "7d", "state": state})

    assert (unchanged.status_code, unchanged.content) == (204, b"")
    assert moved.status_code == 200
    assert moved.context["cards"][0].number == 2
    assert moved.context["state"] != state
    assert "<html" not in moved.content.decode()


def test_the_live_piece_is_for_staff(client: Client) -> None:
    assert client.get(reverse("home-live")).status_code == 302


def test_people_see_only_what_they_may(client: Client) -> None:
    busy_house()
    client.force_login(rows.staff("nina"))

    for address in ("/admin/", reverse("home-live")):
        page = client.get(address)

        assert (page.context["cards"], page.context["period_cards"], page.context["failures"]) == ([], [], [])
        assert page.context["imports"] == []
        assert reverse("admin:agents_action_changelist") not in page.content.decode()
        assert "boom" not in page.content.decode()
    assert "you have no permissions yet" in client.get("/admin/").content.decode()


@pytest.mark.parametrize(
    ("permission", "seen"),
    [
        ("agents.view_action", {"Approvals waiting for you", "Outcome unknown"}),
        ("agents.view_modelcall", {"Cost today"}),
        (
            "analytics.view_analytics",
            {"Conversations begun", "Resolved", "Needed a person", "First response, p95"},
        ),
    ],
)
def test_each_number_needs_its_own_permission(client: Client, permission: str, seen: set[str]) -> None:
    busy_house()
    client.force_login(rows.staff("nina", permission))

    assert set(cards(client)) == seen
    for card in client.get("/admin/").context["period_cards"]:
        assert not card.link or client.get(card.link).status_code == 200


def test_home_asks_the_database_little(client: Client, django_assert_max_num_queries: Any) -> None:
    busy_house()
    client.force_login(rows.staff("root", superuser=True))
    client.get("/admin/")

    with django_assert_max_num_queries(15):
        client.get("/admin/", {"range": "90d"})


def approvals_item(client: Client) -> str:
    return item(client, reverse("admin:agents_action_changelist"))


def item(client: Client, link: str) -> str:
    """The sidebar's entry for a list, as HTML on one line."""
    page = client.get("/admin/").content.decode()
    sidebar = page[page.index('id="nav-sidebar-apps"') :]
    entry = next(part for part in re.findall(r"<a\b.*?</a>", sidebar, re.DOTALL) if f'href="{link}"' in part)
    return re.sub(r"\s+", " ", entry)


def test_what_waits_for_a_person_is_counted_beside_the_conversations(client: Client) -> None:
    client.force_login(rows.staff("sam", "chat.view_conversation"))
    link = reverse("admin:chat_conversation_changelist")

    nothing = item(client, link)
    rows.waiting_for_a_person()
    one = item(client, link)

    assert re.findall(r"<span[^>]*> ?(.*?) ?</span>", nothing) == ["forum", "Conversations"]
    assert re.findall(r"<span[^>]*> ?(.*?) ?</span>", one) == ["forum", "Conversations", "1"]


def test_nothing_waiting_is_no_badge_and_not_an_empty_one(client: Client) -> None:
    client.force_login(rows.staff("sam", "agents.view_action"))

    nothing = approvals_item(client)
    rows.waiting_for_staff()
    one = approvals_item(client)

    assert re.findall(r"<span[^>]*> ?(.*?) ?</span>", nothing) == ["gavel", "Approvals"]
    assert "bg-red-100" not in nothing
    assert re.findall(r"<span[^>]*> ?(.*?) ?</span>", one) == ["gavel", "Approvals", "1"]
    assert "bg-red-100" in one


@pytest.mark.parametrize("model", list(admin.site._registry), ids=lambda model: model._meta.label)
def test_every_list_and_every_form_opens(root: Client, model: type) -> None:
    rows.waiting_for_staff()
    rows.agent("fallback", rows.reading_tool())
    rows.key("admin")
    rows.happened(rows.turn(rows.customer(), "t-2"))
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"  # type: ignore[attr-defined]

    assert root.get(reverse(f"{name}_changelist")).status_code == 200
    assert root.get(reverse(f"{name}_changelist"), {"q": "a"}).status_code == 200
    assert root.get(reverse(f"{name}_add")).status_code in (200, 403)
    for row in model.objects.all()[:1]:  # type: ignore[attr-defined]
        assert root.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200
        assert root.get(reverse(f"{name}_history", args=[row.pk])).status_code == 200


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        ({"seconds": 59}, "under a minute"),
        ({"seconds": 60}, "1 min"),
        ({"minutes": 59}, "59 min"),
        ({"minutes": 60}, "1 h"),
        ({"hours": 24}, "1 day"),
        ({"days": 3}, "3 days"),
        ({"seconds": -5}, "under a minute"),
    ],
)
def test_ages_are_told_in_words(ago: dict[str, int], words: str) -> None:
    now = timezone.now()

    assert age(now - timedelta(**ago), now=now) == words
