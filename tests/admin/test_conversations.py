"""Conversations in the console: the list and the timeline."""

import re
from datetime import timedelta
from html import unescape
from itertools import chain

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

import replay.list_page
import replay.listed
from agents import facts
from agents.approvals import Decider
from chat import events, tagging
from chat.models import Conversation, Turn
from replay import pages
from tests import rows

pytestmark = pytest.mark.django_db

LIST = "/admin/chat/conversation/"
HTMX = {"HX-Request": "true"}
SAM = Decider("staff", "sam", id="user:1")


@pytest.fixture
def sam(client: Client) -> Client:
    client.force_login(rows.staff("sam", "chat.view_conversation"))
    return client


def page_url(row: Conversation) -> str:
    return reverse("admin:chat_conversation_change", args=[row.pk])


def listed(client: Client, query: str) -> list[str]:
    return [row.thread_id for row in client.get(f"{LIST}{query}").context["cl"].result_list]


def set_on(thread_id: str, **fields: object) -> None:
    Conversation.objects.filter(thread_id=thread_id).update(**fields)


def test_every_filter_finds_its_own_and_nothing_else(sam: Client) -> None:
    now = timezone.now()
    for name in ("ada", "ben", "eve"):
        rows.finish(rows.turn(rows.customer(name=name), f"t-{name}"))
    ada, ben = (Conversation.objects.get(thread_id=f"t-{name}") for name in ("ada", "ben"))
    set_on("t-ada", status="waiting", score=2, solved=False, waiting_since=now - timedelta(minutes=20))
    set_on("t-ben", status="held", held_by="sam", score=5, solved=True, live_agent="billing")
    set_on("t-eve", created_at=now - timedelta(days=40), waiting_since=now - timedelta(hours=2))
    Turn.objects.filter(conversation=ada).update(status="failed", sealed_at=None)
    Turn.objects.filter(conversation=ben).update(status="failed")
    tagging.add(conversation_ids=[ada.pk], name="refund late", by=SAM)
    asked = facts.handoff_requested(reason="x", by="customer", key="handoff")
    events.append(ben.pk, [asked])
    began = (now - timedelta(days=40)).date().isoformat()

    for query, found in {
        "": ["t-ben", "t-eve", "t-ada"],
        "?status=waiting": ["t-ada"],
        "?status__exact=waiting": ["t-ada"],
        "?agent=billing": ["t-ben"],
        "?agent=nobody": [],
        "?tag=refund+late": ["t-ada"],
        "?tag=refund": [],
        "?waiting=15": ["t-eve", "t-ada"],
        "?waiting=60": ["t-eve"],
        "?happened=mine": ["t-ben"],
        "?happened=failed": ["t-ben", "t-ada"],
        "?happened=failed_today": ["t-ben"],
        "?happened=today": ["t-ben", "t-eve", "t-ada"],
        "?happened=approval": [],
        "?escalated=1": ["t-ben"],
        "?score=low": ["t-ada"],
        "?score=5": ["t-ben"],
        "?solved=yes": ["t-ben"],
        "?solved=no": ["t-ada"],
        f"?day={began}": ["t-eve"],
        "?status=waiting&score=5": [],
        "?status=waiting&tag=refund+late&solved=no&waiting=15": ["t-ada"],
    }.items():
        assert listed(sam, query) == found, query


@pytest.mark.parametrize(
    "query",
    [
        "?status=nonsense&waiting=x&escalated=99&score=6&solved=maybe&happened=never&day=2026-13-40",
        "?before=x&after=1_2",
        "?before=99999999999999999999_0f0f0f0f-0000-4000-8000-000000000000",
        "?day=&agent=%00&tag=%00",
    ],
)
def test_what_is_no_filter_counts_as_none(sam: Client, query: str) -> None:
    rows.turn(rows.customer(), "t-1")

    assert listed(sam, query) == ["t-1"]


def test_pages_go_by_the_last_row_and_lose_and_double_nothing(
    sam: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay.listed, "ROWS_A_PAGE", 3)
    owner = rows.customer()
    for number in range(8):
        rows.turn(owner, f"t-{number}")
    same = timezone.now()
    Conversation.objects.filter(thread_id__in=["t-3", "t-4", "t-5"]).update(last_activity_at=same)

    def walk(query: str, rel: str) -> tuple[list[list[str]], str]:
        pages = []
        while True:
            page = sam.get(f"{LIST}{query}")
            pages.append([row.thread_id for row in page.context["cl"].result_list])
            link = re.search(rf'rel="{rel}" href="[^"?]*([^"]*)"', page.content.decode())
            if link is None:
                return pages, query
            query = unescape(link[1])

    older, last = walk("", "next")
    newer, _ = walk(last, "prev")

    assert [len(page) for page in older] == [3, 3, 2]
    assert sorted(chain(*older)) == [f"t-{number}" for number in range(8)]
    assert sorted(chain(*newer)) == sorted(chain(*older))
    assert newer[-1] == older[0]


def test_the_longest_wait_comes_first_and_ages_are_said_in_words(sam: Client) -> None:
    now = timezone.now()
    for name, minutes in (("a", 2), ("b", 45), ("c", 10)):
        rows.turn(rows.customer(), f"t-{name}")
        set_on(f"t-{name}", waiting_since=now - timedelta(minutes=minutes))

    page = " ".join(sam.get(f"{LIST}?waiting=1").content.decode().split())

    assert listed(sam, "?waiting=1") == ["t-b", "t-c", "t-a"]
    assert (page.count("too long"), page.count("getting long")) == (1, 1)
    assert page.index("45 min ago</time> <strong>too long") < page.index(
        "10 min ago</time> <strong>getting long"
    )


def test_chips_count_by_status_and_lead_to_what_they_count(
    sam: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        rows.turn(rows.customer(), f"t-{number}")
    set_on("t-0", status="waiting")

    chips = {chip.text: chip for chip in sam.get(LIST).context["chips"]}

    assert {text: chip.count for text, chip in chips.items() if chip.count is not None} == {
        "Waiting for a person": 1, "With a colleague": 0, "Open": 4, "Resolved": 0,
    }  # fmt: skip
    for chip in chips.values():
        if chip.count is not None:
            assert len(listed(sam, chip.query)) == chip.count
    monkeypatch.setattr(replay.listed, "COUNTED_TO", 3)
    monkeypatch.setattr(replay.list_page, "COUNTED_TO", 3)
    page = " ".join(sam.get(LIST).content.decode().split())
    assert 'Open <span class="desk-count">3+</span>' in page
    assert "More than 3 conversations" in page


def test_an_open_list_gets_what_changed_and_nothing_else(sam: Client) -> None:
    row = rows.turn(rows.customer(), "t-1").conversation
    first = sam.get(LIST)
    state = first.context["state"]
    assert f"state={state}" in first.content.decode()

    assert sam.get(LIST, {"state": state}, headers=HTMX).status_code == 204
    rows.turn(rows.customer(), "t-2", "Anything new?")
    news = sam.get(LIST, {"state": state}, headers=HTMX)

    page = news.content.decode()
    assert (news.status_code, "Anything new?" in page, "<html" in page, "nav-sidebar" in page) == (
        200,
        True,
        False,
        False,
    )
    state = news.context["state"]
    tagging.add(conversation_ids=[row.pk], name="vip", by=SAM)
    assert "vip" in sam.get(LIST, {"state": state}, headers=HTMX).content.decode()


def test_costs_are_for_who_may_see_them(sam: Client) -> None:
    rows.turn(rows.customer(), "t-1")
    set_on("t-1", cost_micros=12_300_000)

    assert "$12.30" not in sam.get(LIST).content.decode()
    sam.force_login(rows.staff("cora", "chat.view_conversation", "agents.view_modelcall"))
    assert "$12.30" in sam.get(LIST).content.decode()


def test_an_empty_list_says_what_to_do(sam: Client) -> None:
    assert "Nobody has written yet" in sam.get(LIST).content.decode()
    rows.turn(rows.customer(), "t-1")
    assert "No conversation fits" in sam.get(f"{LIST}?status=held").content.decode()
    gone = sam.get(f"{LIST}?before=1_0f0f0f0f-0000-4000-8000-000000000000").content.decode()
    assert "There are no more" in gone


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
