"""The replay's page: every step and all that is known of it, at any length, for those who may look."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents import approvals, executor, facts
from agents.models import Action, ActionStatus
from chat.models import Conversation, Event, Turn
from replay import step_page, timeline
from tests import rows
from tests.replay.test_prompts import called, conversation_of

pytestmark = pytest.mark.django_db
CARD = "4111 1111 1111 1111"


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(rows.staff("vera", "chat.view_conversation", "agents.view_action"))
    return client


def address(turn: Turn, query: str = "") -> str:
    return reverse("admin:chat_conversation_replay", args=[turn.conversation_id]) + query


class Page(HTMLParser):
    """A page as a reader has it: the texts of elements with an id, steps of the list, links by what they lead to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.texts: dict[str, str] = {}
        self.listed: list[int] = []
        self.links: dict[str, str] = {}
        self.chosen = ""
        self._open: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in ("input", "link", "meta", "img", "br"):
            self._open.append((tag, given.get("id", "")))
        if given.get("id") == "player-detail":
            self.chosen = given["data-step"]
        elif tag == "a" and "data-step" in given:
            self.listed.append(int(given["data-step"]))
        if tag == "a" and "data-go" in given:
            self.links[given["data-go"]] = given["href"]

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _, own in self._open:
            if own:
                self.texts[own] = f"{self.texts.get(own, '')} {data}"

    def text(self, own: str) -> str:
        return " ".join(self.texts.get(own, "").split())


def shown(client: Client, turn: Turn, query: str = "") -> Page:
    answer = client.get(address(turn, query))
    assert answer.status_code == 200
    return Page(answer.content.decode())


def detail(page: Page) -> str:
    return page.text("player-detail")


def listed(page: Page) -> list[int]:
    return page.listed


def a_turn() -> Turn:
    """Steps: 1 message, 2 routed, 3 model, 4 call, 5 answer, 6 reply, 7 end."""
    turn = rows.turn(rows.customer(name="Ada Stone"), "t-replay", f"Where is 1042? My card is {CARD}.")
    candidates = [
        {"agent": "order_lookup", "confidence": 0.91, "why": "asks for a status"},
        {"agent": "discount", "confidence": 0.2, "why": ""},
    ]
    request = {
        "method": "GET",
        "url": "https://shop.example/orders/1042",
        "query": [["api_key", "k-12345678"], ["full", "true"]],
        "headers": {"Accept": "application/json"},
        "body": None,
    }
    rows.happened(
        turn,
        facts.routed(
            agents=["order_lookup"],
            reason="Looks your order up.",
            by="model",
            usage=rows.USAGE,
            duration_ms=41,
            model="small-1",
            provider="offline",
            weighed={"candidates": candidates, "least": 0.5},
        ),
        called(conversation_of(2)),
        facts.tool_called(
            agent="order_lookup", tool="get", title="Get an order", args={"id": 1042}, call_id="c1"
        ),
        facts.tool_returned(
            agent="order_lookup",
            tool="get",
            call_id="c1",
            ok=True,
            result={"status": "packed", "password": "hunter2"},
            status=200,
            duration_ms=57,
            request=request,
        ),
    )
    rows.finish(turn)
    return turn


@pytest.mark.parametrize("make", [lambda: a_turn(), lambda: an_approval().turn], ids=["read", "write"])
def test_no_step_takes_more_than_fifteen_queries(
    viewer: Client, make: Callable[[], Turn], django_assert_max_num_queries: Any
) -> None:
    turn = make()
    viewer.get(address(turn))  # permissions are read once in a request
    for step in range(1, turn.conversation.events.count() + 1):
        with django_assert_max_num_queries(15):
            viewer.get(address(turn, f"?step={step}"))


def test_each_step_says_what_is_known_of_it(viewer: Client) -> None:
    turn = a_turn()
    page = shown(viewer, turn)
    assert listed(page) == [1, 2, 3, 4, 5, 6, 7]
    assert CARD not in page.html
    assert "[card number hidden]" in detail(page)

    routing = detail(shown(viewer, turn, "?step=2"))
    for words in (
        "The model chose",
        "order_lookup",
        "91 %",
        "asks for a status",
        "discount 20 % No",
        "small-1",
        "41 ms",
    ):
        assert words in routing
    model = detail(shown(viewer, turn, "?step=3"))
    for words in (
        "Prompt as sent",
        "You help.",
        "message 0",
        "and now?",
        "Tools offered: 1 (get)",
        "Tokens in 120",
        "$0.00",
    ):
        assert words in model
    for step in (4, 5):
        call = detail(shown(viewer, turn, f"?step={step}"))
        for words in (
            "GET https://shop.example/orders/1042",
            "api_key [hidden]",
            "full true",
            "HTTP status 200",
            "57 ms",
        ):
            assert words in call, step
        assert '"status": "packed"' in call
        assert "hunter2" not in call


def an_approval() -> Action:
    action = rows.waiting_for_staff(order_id="1042", percent=10)
    by = approvals.Decider(kind="staff", name="sam", id="user:7")
    approvals.decide(action_id=action.pk, approved=True, by=by, arguments={"order_id": "1042", "percent": 5})
    sent = {
        "method": "POST",
        "url": "https://shop.example/orders/1042/discount",
        "query": [],
        "headers": {"Idempotency-Key": str(action.pk), "Authorization": "(hidden)"},
        "body": {"percent": 5, "card": CARD},
    }
    Action.objects.filter(pk=action.pk).update(
        status=ActionStatus.DISPATCHING,
        dispatched_at=timezone.now() - timedelta(minutes=9),
        attempts=1,
        sent=sent,
    )
    turn = Turn.objects.select_related("conversation").get(pk=action.turn_id)
    rows.happened(
        turn,
        facts.tool_called(
            agent="order_actions", tool="apply_discount", title="Discount", args={"order_id": "1042", "percent": 5},
            call_id=action.tool_call_id, action_id=action.pk,
        ),
    )  # fmt: skip
    rows.finish(turn)
    assert executor.settle_abandoned() == 1
    return Action.objects.select_related("turn__conversation").get(pk=action.pk)


def test_an_approval_says_who_decided_what_was_changed_and_what_became_of_it(viewer: Client) -> None:
    action = an_approval()
    kinds = dict(Event.objects.filter(turn=action.turn_id).values_list("kind", "seq"))

    decided = detail(shown(viewer, action.turn, f"?step={kinds['approval_decided']}"))
    for words in ("By sam", "percent 10 5", "Changed by sam", "Status Outcome unknown", "Open the approval"):
        assert words in decided
    assert f"Step {kinds['tool_called']}:" in decided
    sent = detail(shown(viewer, action.turn, f"?step={kinds['tool_called']}"))
    for words in (
        "POST https://shop.example/orders/1042/discount",
        f"Idempotency-Key {action.pk}",
        "Nobody knows",
        '"percent": 5',
    ):
        assert words in sent
    assert CARD not in sent


def test_who_may_not_see_approvals_gets_no_link_to_them(client: Client) -> None:
    action = an_approval()
    client.force_login(rows.staff("vera", "chat.view_conversation"))

    page = shown(client, action.turn, "?step=2")

    assert "Open the approval" not in page.html


@pytest.mark.parametrize("name", ["chat_conversation_replay", "chat_conversation_replay_export"])
def test_it_needs_the_permission_to_see_conversations(client: Client, name: str) -> None:
    url = reverse(f"admin:{name}", args=[a_turn().conversation_id])

    assert client.get(url).status_code == 302
    client.force_login(rows.staff("other", "agents.view_action", "chat.view_customer"))
    refused = client.get(url)

    assert refused.status_code == 403
    assert b"packed" not in refused.content
    client.force_login(rows.staff("vera", "chat.view_conversation"))
    assert client.get(reverse(f"admin:{name}", args=[uuid4()])).status_code == 404
    assert client.get(reverse(f"admin:{name}", args=["x' OR 1=1"])).status_code == 404


def test_filters_stand_in_the_address_and_a_link_shows_its_step_all_the_same(viewer: Client) -> None:
    turn = a_turn()
    rows.happened(
        turn,
        facts.tool_returned(
            agent="discount", tool="x", call_id="c9", ok=False, error={"kind": "auth", "message": "no"}
        ),
    )

    assert listed(shown(viewer, turn, "?kind=tools")) == [4, 5, 8]
    assert listed(shown(viewer, turn, "?kind=tools&kind=routing")) == [2, 4, 5, 8]
    assert listed(shown(viewer, turn, "?agent=discount")) == [8]
    assert listed(shown(viewer, turn, "?failed=1")) == [8]
    assert listed(shown(viewer, turn, "?kind=other")) == []
    hidden = shown(viewer, turn, "?kind=tools&step=2")
    assert "Step 2 does not fit the filter" in detail(hidden)
    assert "The model chose" in detail(hidden)
    assert hidden.links["next"] == "?step=4&kind=tools"
    assert shown(viewer, turn, "?kind=tools&near=6").chosen == "8"
    assert "No step fits this filter" in shown(viewer, turn, "?kind=feedback").html


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?step=999", "There is no step 999: this is the last one of 7."),
        ("?turn=9", "There is no turn 9: this conversation has 1."),
        ("?step=-1&near=x&after=%00&kind=zzz&agent=%00", "Customer"),
        ("?step=99999999999999999999999", "Customer"),
    ],
)
def test_what_is_not_there_is_said(viewer: Client, query: str, words: str) -> None:
    assert words in detail(shown(viewer, a_turn(), query))


def test_a_conversation_in_which_nothing_has_happened_says_so(viewer: Client) -> None:
    conversation = Conversation.objects.create(thread_id="empty", customer=rows.customer())

    answer = viewer.get(reverse("admin:chat_conversation_replay", args=[conversation.pk]))

    assert answer.status_code == 200
    assert b"Nothing has happened yet" in answer.content
    assert b"player-range" not in answer.content


def test_totals_run_up_to_the_step(viewer: Client) -> None:
    turn = a_turn()
    at_routing = shown(viewer, turn, "?step=2").text("player-totals")
    at_end = shown(viewer, turn, "?step=7").text("player-totals")

    assert "120 tokens in, 30 out" in at_routing.split("The whole conversation")[0]
    assert "240 tokens in, 60 out" in at_end.split("The whole conversation")[0]
    assert "240 tokens in, 60 out" in at_routing.split("The whole conversation")[1]


EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\u202eevil\u0007"


NAMES = (
    "content message text reason tool title action by by_name args params result error request candidates tool_calls "
    "changed difference votes outcomes prompt agents call_id interrupt_id action_id model comment score"
).split()
HOSTILE: list[Any] = [
    dict.fromkeys(NAMES, EVIL),
    {name: {EVIL: [EVIL, {EVIL: None}]} for name in NAMES},
    {name: [[EVIL, EVIL], 3, None, {"name": EVIL, "agent": EVIL, "confidence": EVIL}] for name in NAMES},
    dict.fromkeys(NAMES, 3.5),
    [EVIL],
    EVIL,
    {"text": "x" * 300_000, "content": "y" * 300_000, "result": {"rows": ["z" * 1_000] * 100}, "ok": True},
]


@pytest.mark.parametrize(
    "payload", HOSTILE, ids=["texts", "objects", "lists", "numbers", "list", "text", "huge"]
)
def test_hostile_payloads_are_text(viewer: Client, payload: Any) -> None:
    turn = rows.turn(rows.customer(name=EVIL))
    kinds = (
        ["tool_returned", "model_called"] if "x" * 1_000 in str(payload) else [*timeline.SENTENCES, EVIL[:30]]
    )
    for seq, kind in enumerate(kinds, start=2):
        Event.objects.create(
            conversation=turn.conversation, turn=turn, seq=seq, kind=kind, payload=payload, agent=EVIL[:60],
            created_at=timezone.now(),
        )  # fmt: skip
    Conversation.objects.update(last_seq=1 + len(kinds))

    pieces = [shown(viewer, turn, "?step=3").html]
    for event in Event.objects.filter(seq__gt=1):
        blocks = step_page.of(event, turn.conversation, sees_approvals=True)
        pieces.append(
            render_to_string("replay/player_step.html", {"step": timeline.step(event), "blocks": blocks})
        )

    assert len(pieces) == 1 + len(kinds)
    for html in pieces:
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert "\u202e" not in "".join(Page(html).texts.values())
        assert len(html) < 1_500_000


TURNS = """
    INSERT INTO chat_turn (id, conversation_id, status, content, messages, message_seq, epoch, asked_by, fence, worker,
                           stop_requested, lapses, retries, error, queued_at)
    SELECT gen_random_uuid(), %s, 'completed', 'x', 1, n * 10 + 1, 0, '', 0, '', false, 0, 0, '', now()
    FROM generate_series(1, %s) AS n
"""
STEPS = """
    INSERT INTO chat_event (conversation_id, turn_id, seq, kind, version, key, agent, payload, tokens_in, tokens_out,
                            cost_micros, created_at)
    SELECT %s, t.id, n,
        CASE n %% 10 WHEN 1 THEN 'message_received' WHEN 0 THEN 'turn_completed' WHEN 5 THEN 'tool_returned'
                     ELSE 'model_called' END,
        1, '', 'agent_' || n %% 3,
        jsonb_build_object('content', 'line ' || n, 'text', repeat('word ' || n || ' ', 60), 'ok', n %% 100 <> 5,
                           'tool', 'get', 'client_message_id', NULL),
        100, 10, 7, now() + n * interval '1 second'
    FROM generate_series(2, %s) AS n
    JOIN chat_turn t ON t.conversation_id = %s AND t.message_seq = (n - 1) / 10 * 10 + 1
"""


def long_conversation(steps: int) -> Turn:
    """Turns of ten steps, written at once."""
    turn = rows.turn(rows.customer(), "t-long")
    count = steps // 10
    with connection.cursor() as cursor:
        cursor.execute(TURNS, [turn.conversation_id, count - 1])
        cursor.execute(STEPS, [turn.conversation_id, steps, turn.conversation_id])
    Conversation.objects.filter(pk=turn.conversation_id).update(last_seq=steps)
    return turn


def test_ten_thousand_steps_open_anywhere_with_little_work_and_fifteen_queries(
    viewer: Client, django_assert_max_num_queries: Any
) -> None:
    turn = long_conversation(10_000)
    viewer.get(address(turn))
    for query, first, chosen in (
        ("", 1, 1),
        ("?step=5000", 4970, 5000),
        ("?before=10001", 9921, 10_000),
        ("?turn=700", 6961, 6991),
        ("?after=9000", 8971, 9001),
        ("?failed=1&near=9000", 6005, 9005),
        ("?kind=said&agent=agent_1&step=5000", 4111, 5000),
    ):
        began = time.thread_time()  # of the processor: others may be at work on this machine
        with django_assert_max_num_queries(15):
            page = shown(viewer, turn, query)
        assert time.thread_time() - began < 1, query
        assert listed(page)[0] == first, query
        assert page.chosen == str(chosen), query
        assert len(listed(page)) <= 80
    assert "700" in detail(shown(viewer, turn, "?turn=700"))


def test_pages_of_steps_join_without_gaps(viewer: Client) -> None:
    turn = long_conversation(400)
    seen: list[int] = []
    query = "?kind=model"
    while query:
        page = shown(viewer, turn, query)
        seen += [seq for seq in listed(page) if seq not in seen]
        query = page.links.get("later", "")

    wanted = Event.objects.filter(conversation=turn.conversation_id, kind="model_called").order_by("seq")
    assert seen == list(wanted.values_list("seq", flat=True))


def test_the_file_has_every_step_with_its_prompt_and_no_secret(viewer: Client) -> None:
    turn = a_turn()
    Conversation.objects.filter(pk=turn.conversation_id).update(thread_id='t"; x=\r\n../é')
    url = reverse("admin:chat_conversation_replay_export", args=[turn.conversation_id])

    answer = viewer.get(url)
    whole = json.loads(b"".join(answer.streaming_content))  # type: ignore[arg-type]

    assert answer["Content-Disposition"] == 'attachment; filename="replay-t___x_______.json"'
    assert answer["Content-Type"].startswith("application/json")
    assert [step["step"] for step in whole["steps"]] == [1, 2, 3, 4, 5, 6, 7]
    assert "hunter2" not in json.dumps(whole)
    assert CARD not in json.dumps(whole)
    named = whole["steps"][2]["payload"]["prompt"]
    assert whole["prompt_parts"][named["parts"][0]]["messages"][0]["content"] == "You help."
    assert whole["prompt_parts"][named["tools"]]["tools"]
    [only] = json.loads(b"".join(viewer.get(f"{url}?step=4").streaming_content))["steps"]  # type: ignore[arg-type]
    assert (only["step"], only["payload"]["tool"]) == (4, "get")


def test_a_file_of_many_steps_has_them_all(viewer: Client) -> None:
    turn = long_conversation(1_010)

    answer = viewer.get(reverse("admin:chat_conversation_replay_export", args=[turn.conversation_id]))

    steps = json.loads(b"".join(answer.streaming_content))["steps"]  # type: ignore[arg-type]
    assert [step["step"] for step in steps] == list(range(1, 1_011))


def test_an_old_step_without_its_prompt_says_why(viewer: Client) -> None:
    turn = rows.turn(rows.customer())
    rows.happened(turn, facts.Fact("model_called", {"text": "Hi", "tool_calls": [], "model": "m"}, agent="a"))
    rows.happened(turn, facts.Fact("routed", {"agents": ["a"], "reason": "r", "by": "model"}))
    rows.happened(turn, facts.Fact("tool_returned", {"tool": "t", "call_id": "c", "ok": True, "result": 1}))

    assert "older than the keeping of prompts" in detail(shown(viewer, turn, "?step=2"))
    assert step_page.NO_CANDIDATES in detail(shown(viewer, turn, "?step=3"))
    assert "older than the keeping of requests" in detail(shown(viewer, turn, "?step=4"))
