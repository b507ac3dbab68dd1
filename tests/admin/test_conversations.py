"""Conversations in the console: the list and the timeline."""

import pytest
from django.test import Client
from django.urls import reverse

from agents import facts
from chat import events
from chat.models import Conversation, Turn
from replay import pages
from tests import rows

pytestmark = pytest.mark.django_db

LIST = "/admin/chat/conversation/"


@pytest.fixture
def sam(client: Client) -> Client:
    client.force_login(rows.staff("sam", "chat.view_conversation"))
    return client


def page_url(row: Conversation) -> str:
    return reverse("admin:chat_conversation_change", args=[row.pk])


def test_the_list_filters_and_searches(sam: Client) -> None:
    ada = rows.turn(rows.customer(name="Ada Stone"), "t-ada").conversation
    ben = rows.turn(rows.customer(name="Ben"), "t-ben").conversation
    Conversation.objects.filter(pk=ben.pk).update(status="waiting")
    Turn.objects.filter(conversation=ada).update(status="failed")

    def listed(query: str) -> list[str]:
        return [row.thread_id for row in sam.get(f"{LIST}{query}").context["cl"].result_list]

    assert listed("") == ["t-ben", "t-ada"]
    assert listed("?q=ada") == ["t-ada"]
    assert listed("?status__exact=waiting") == ["t-ben"]
    assert listed("?happened=failed") == ["t-ada"]
    assert listed("?happened=failed_today") == []  # never sealed
    assert listed("?happened=today") == ["t-ben", "t-ada"]
    assert listed("?happened=approval") == []


def test_the_timeline_tells_the_story(sam: Client) -> None:
    turn = rows.turn(rows.customer(name="Ada Stone"), "t-1", "Cancel <b>order</b> 1042")
    rows.happened(
        turn,
        facts.routed(
            agents=["order_actions"], reason="Cancelling.", by="model", usage=rows.USAGE, duration_ms=12
        ),
        facts.tool_called(
            agent="order_actions", tool="t", title="Cancel an order", args={"order_id": "1042"}, call_id="c"
        ),
        facts.tool_returned(
            agent="order_actions", tool="t", call_id="c", ok=True, result={"state": "cancelled"}
        ),
    )
    rows.finish(turn, "It is **cancelled**. <script>alert(1)</script>", "order_actions")

    page = sam.get(page_url(turn.conversation)).content.decode()

    for shown in (
        "Cancel &lt;b&gt;order&lt;/b&gt; 1042", "Passed to order_actions", "120 + 30 tokens", "12 ms",
        "order_actions used “Cancel an order”", "&quot;order_id&quot;: &quot;1042&quot;", "t answered",
        "<strong>cancelled</strong>", "Finished",
    ):  # fmt: skip
        assert shown in page
    assert "<script>alert(1)" not in page


def test_a_long_conversation_is_shown_in_pages_the_newest_first(sam: Client) -> None:
    owner = rows.customer()
    for number in range(pages.TURNS_PER_PAGE + 5):
        rows.finish(rows.turn(owner, "t-long", f"Question {number:02}"), f"Answer {number:02}")
    row = Conversation.objects.get()

    newest = sam.get(page_url(row)).content.decode()
    oldest = sam.get(f"{page_url(row)}?page=1").content.decode()

    assert "Question 24" in newest
    assert "Question 19" not in newest
    assert "Question 00" in oldest
    assert "Question 20" not in oldest
    for odd in ("0", "3", "x", "-1", "9" * 30):
        assert "Question 24" in sam.get(f"{page_url(row)}?page={odd}").content.decode()


def test_the_pages_together_hold_every_step_once() -> None:
    owner = rows.customer()
    for number in range(2 * pages.TURNS_PER_PAGE + 3):
        rows.finish(rows.turn(owner, "t-long", f"Question {number}"))
        if number % 7 == 0:
            row = Conversation.objects.get()
            events.append(row.pk, [facts.Fact("staff_wrote", {"content": "Hello from us"})])
    row = Conversation.objects.get()

    shown = [
        step.seq
        for number in (1, 2, 3)
        for group in pages.page_of(row, number).groups
        for step in group.steps
    ]

    assert sorted(shown) == list(range(1, row.last_seq + 1))


def test_a_page_costs_three_queries_however_long_it_is(django_assert_num_queries: object) -> None:
    owner = rows.customer()
    for number in range(30):
        rows.finish(rows.turn(owner, "t-long", str(number)))
    row = Conversation.objects.get()

    with django_assert_num_queries(3):
        pages.page_of(row, None)


def test_an_open_page_asks_for_news_and_gets_them(sam: Client) -> None:
    turn = rows.turn(rows.customer(), "t-1")
    row = turn.conversation
    live = reverse("admin:chat_conversation_live", args=[row.pk])
    first = sam.get(page_url(row))
    state = first.context["state"]

    assert live in first.content.decode()
    assert sam.get(live, {"state": state}).status_code == 204
    rows.finish(turn, "News!")
    news = sam.get(live, {"state": state})
    assert (news.status_code, "News!" in news.content.decode()) == (200, True)


@pytest.mark.parametrize("path", ["", "{pk}/change/", "{pk}/live/"])
def test_without_the_permission_nothing_is_shown(client: Client, path: str) -> None:
    row = rows.turn(rows.customer(), "t-1").conversation
    client.force_login(rows.staff("nina"))

    assert client.get(f"{LIST}{path.format(pk=row.pk)}").status_code == 403


def test_nobody_edits_adds_or_deletes_conversations(client: Client) -> None:
    client.force_login(rows.staff("root", superuser=True))
    row = rows.turn(rows.customer(), "t-1").conversation

    assert client.post(page_url(row), {"status": "resolved"}).status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    row.refresh_from_db()
    assert row.status == "open"
