"""The console's home page, its frame, and every page of it."""

import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents.models import Action
from chat.models import Conversation, Turn, TurnStatus
from smartsupport.lib.console import age
from tests import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(rows.staff("root", superuser=True))
    return client


def cards(client: Client) -> dict[str, tuple[int, str]]:
    return {card.title: (card.number, card.note) for card in client.get("/admin/").context["cards"]}


def test_an_empty_house_says_what_to_do_first(root: Client) -> None:
    page = root.get("/admin/")

    assert "Nobody has written yet" in page.content.decode()
    assert cards(root) == {
        "Approvals waiting for you": (0, "Nothing waits for a decision."),
        "Waiting for a person": (0, "Nobody has asked for a person."),
        "With a colleague": (0, "Nobody has taken one over."),
        "Conversations today": (0, "With anything said since midnight UTC."),
        "Conversations with a failure today": (0, "Every turn worked."),
    }


def test_the_numbers_and_their_lists_agree(root: Client) -> None:
    action = rows.waiting_for_staff()
    Action.objects.update(created_at=timezone.now() - timedelta(minutes=17))
    failed = rows.turn(rows.customer(), "t-failed")
    Turn.objects.filter(pk=failed.pk).update(status=TurnStatus.FAILED, sealed_at=timezone.now())
    rows.turn(rows.customer(), "t-old")
    rows.turn(rows.customer(), "t-held")
    Conversation.objects.filter(thread_id="t-held").update(
        last_activity_at=timezone.now() - timedelta(days=1),
        status="held",
        held_by="sam",
        held_at=timezone.now() - timedelta(minutes=5),
    )
    yesterday = timezone.now() - timedelta(days=1)
    Conversation.objects.filter(thread_id="t-old").update(
        last_activity_at=yesterday, status="waiting", handoff_at=timezone.now() - timedelta(hours=3)
    )

    assert cards(root) == {
        "Approvals waiting for you": (1, "The oldest has waited 17 min."),
        "Waiting for a person": (1, "The first asked 3 h ago."),
        "With a colleague": (1, "The longest for 5 min."),
        "Conversations today": (2, "With anything said since midnight UTC."),
        "Conversations with a failure today": (1, "One turn failed."),
    }
    page = root.get("/admin/")
    assert "Nobody has written yet" not in page.content.decode()
    for card in page.context["cards"]:
        assert len(root.get(card.link).context["cl"].result_list) == card.number, card.title
    assert action.message in root.get("/admin/agents/action/").content.decode()


def test_an_outcome_that_nobody_saw_is_brought_up(root: Client) -> None:
    rows.waiting_for_staff()
    Action.objects.update(status="unknown")

    page = root.get("/admin/")

    card = next(card for card in page.context["cards"] if card.title == "Outcome unknown")
    assert card.number == 1
    assert len(root.get(card.link).context["cl"].result_list) == 1


def test_people_see_only_what_they_may(client: Client) -> None:
    rows.waiting_for_staff()
    client.force_login(rows.staff("nina"))

    page = client.get("/admin/")

    assert page.context["cards"] == []
    assert "you have no permissions yet" in page.content.decode()
    assert reverse("admin:agents_action_changelist") not in page.content.decode()


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
