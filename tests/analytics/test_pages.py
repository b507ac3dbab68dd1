"""The console's pages: each number with what it means and the list that it counts, for those who may see it."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analytics import counted_list, rollups, words
from analytics.definitions import METRICS, Outcome, meaning_of
from analytics.models import ConversationFact
from tests import rows
from tests.analytics.scripted import write

pytestmark = pytest.mark.django_db

PAGE, LIST = "/admin/analytics/", "/admin/analytics/conversations/"


@pytest.fixture
def lead(client: Client) -> Client:
    client.force_login(rows.staff("lead", "analytics.view_analytics", "chat.view_conversation"))
    return client


def text(answer: Any) -> str:
    plain = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return " ".join(html.unescape(plain).split())


def some(number: int = 1, *, days_ago: int = 0, script: str = "0s m, 1s read.ok/40, 2s r, 2s end") -> None:
    made = ConversationFact.objects.count()
    for one in range(made, made + number):
        start = timezone.now() - timedelta(days=days_ago, minutes=one)
        write(f"t-{one}-{days_ago}", customer=f"c-{one}-{days_ago}", start=start, script=script)
    rollups.roll_up()


def test_every_number_says_what_it_means(lead: Client) -> None:
    some()

    shown = text(lead.get(PAGE))

    for metric in METRICS.values():
        assert metric.title in shown
        assert metric.meaning in shown
        assert metric.formula
        assert metric.formula in shown
    for one in Outcome:
        assert f"{one.label} " in shown
        assert meaning_of(one) in shown


def test_numbers_link_to_lists_that_are_as_long(lead: Client) -> None:
    some(3)
    some(2, script="0s m, 1s handoff, 2s r, 2s end")
    some(1, script="0s m, 1s !track read.ok/9, 2s @billing r, 2s end")

    page = lead.get(PAGE)

    links = re.findall(r'href="(/admin/analytics/conversations/\?[^"]+)"', page.content.decode())
    found = {
        link.replace("&amp;", "&").partition("7d&")[2]: len(
            lead.get(html.unescape(link)).context["found"].rows
        )
        for link in links
    }
    assert found == {
        "": 6,
        "outcome=evidence": 4,
        "outcome=escalated": 2,
        "outcome=resolved": 4,
        "with_person=1": 2,
        "without_person=1": 4,
        "agent=order_lookup": 6,
        "agent=billing": 1,
        "tool=get_order_status": 3,
        "tool=track": 1,
    }


def test_the_period_before_is_compared_with(lead: Client) -> None:
    some(3, days_ago=0)
    some(2, days_ago=7)

    cards = {card.metric.name: card for card in lead.get(PAGE).context["groups"]["Outcome"]}

    total = cards["total_conversations"]
    assert (total.value, total.before, total.change) == ("3", "2", "+50 %")
    assert cards["resolution_rate"].change == "no change"


@pytest.mark.parametrize(("asked", "days"), [("1d", 1), ("7d", 7), ("365d", 365), ("14d", 14)])
def test_ranges(lead: Client, asked: str, days: int) -> None:
    some(1, days_ago=days - 1)
    some(1, days_ago=days)

    page = lead.get(PAGE, {"range": asked})

    assert page.context["report"].totals.total == 1
    assert len(page.context["day_rows"]) == days


@pytest.mark.parametrize("asked", ["٧d", "0d", "366d", "x", "7d\n", "9" * 5000 + "d"])
@pytest.mark.parametrize("path", [PAGE, LIST])
def test_a_bad_range_is_said_and_the_week_is_shown(lead: Client, path: str, asked: str) -> None:
    page = lead.get(path, {"range": asked})

    assert page.status_code == 400
    assert "Shown are the last 7 days." in text(page)
    assert page.context["days"] == 7


def test_nothing_yet(lead: Client) -> None:
    assert "No conversation began in these days" in text(lead.get(PAGE))
    assert "There is none" in text(lead.get(LIST))


def test_late_events_are_said(lead: Client) -> None:
    some(1)
    assert "changed since" not in text(lead.get(PAGE))
    write("late", customer="late", start=timezone.now(), script="0s m")

    shown = text(lead.get(PAGE))

    assert "One conversation has changed since; it is counted within a minute." in shown


@pytest.mark.parametrize(
    "permissions", [(), ("chat.view_conversation",), ("agents.view_action", "chat.change_conversation")]
)
def test_who_may_not_look_sees_no_page_and_no_link(client: Client, permissions: tuple[str, ...]) -> None:
    some(1)
    client.force_login(rows.staff("sam", *permissions))

    assert client.get(PAGE).status_code == 403
    assert client.get(LIST).status_code == 403
    assert f'href="{PAGE}' not in client.get("/admin/").content.decode()


def test_strangers_have_to_sign_in(client: Client) -> None:
    assert client.get(PAGE).status_code == 302
    assert client.get(LIST).status_code == 302


def test_who_may_see_numbers_only_sees_no_conversation(client: Client) -> None:
    some(1)
    client.force_login(rows.staff("analyst", "analytics.view_analytics"))

    page = client.get(PAGE)

    assert page.status_code == 200
    assert LIST not in page.content.decode()
    assert f'href="{PAGE}' in client.get("/admin/").content.decode()
    assert client.get(LIST).status_code == 403


def test_the_list_pages_from_the_newest_to_the_oldest(lead: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counted_list, "PAGE", 4)
    for days_ago in (0, 1, 2, 3):
        some(3, days_ago=days_ago)
        some(1, days_ago=days_ago, script="0s m, 1s handoff")
    seen: list[str] = []
    url = f"{LIST}?range=7d&outcome=evidence"

    while url:
        page = lead.get(url)
        seen += [row.conversation.thread_id for row in page.context["found"].rows]
        assert page.context["found"].counted == 12
        url = page.context["older"]

    newest_first = ConversationFact.objects.filter(outcome="evidence").order_by("-started_at")
    assert seen == list(newest_first.values_list("conversation__thread_id", flat=True))
    assert lead.get(f"{LIST}?before=nonsense_%00").status_code == 200


def test_pages_ask_little_of_the_database(lead: Client) -> None:
    some(5)
    some(2, days_ago=3, script="0s m, 1s !track read.ok/9, 2s @billing r, 2s end")
    for path in (PAGE, LIST):
        with CaptureQueriesContext(connection) as queries:
            lead.get(path, {"range": "365d"})
        assert len(queries) <= 15, path


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (None, "ms", "–"),
        (840, "ms", "0.84 s"),
        (1_900, "ms", "1.9 s"),
        (12_000, "ms", "12 s"),
        (316_219, "ms", "5 min 16 s"),
        (7_500_000, "ms", "2 h 5 min"),
        (3 * 86_400_000 + 4 * 3_600_000, "ms", "3 days 4 h"),
        (0.99996, "share", "over 99.9 %"),
        (0.0001, "share", "under 0.1 %"),
        (1.0, "share", "100.0 %"),
        (0.0, "share", "0.0 %"),
        (12_345, "count", "12,345"),
        (1.128, "number", "1.13"),
        (1_500_000.4, "micros", "$1.50"),
    ],
)
def test_numbers_in_words(value: Any, unit: str, said: str) -> None:
    assert words.written(value, unit) == said
