"""The API's search in conversations: what it finds is what the console's finds, by the same indexes, and in bounded
time."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from agents.approvals import Decider
from chat import handoff, notes, search_filter
from chat.api import reads
from chat.models import Conversation
from chat.search import Found, search
from chat.search_filter import with_words
from tests import rows

pytestmark = pytest.mark.django_db
URL = "/api/v1/conversations"
SAM = Decider("staff", "sam", id="user:1")


@pytest.fixture
def reader() -> Client:
    return Client(headers={"X-API-Key": rows.key("conversations:read")})


def said(text: str, answer: str = "Fine.", **customer: str) -> Conversation:
    turn = rows.turn(rows.customer(**customer), content=text)
    rows.finish(turn, answer)
    return turn.conversation


def found(client: Client, typed: str, **query: Any) -> list[str]:
    """The ids of all threads that fit, read page by page behind a cursor."""
    threads: list[str] = []
    cursor = ""
    while cursor is not None:
        answer = client.get(URL, {"q": typed, "cursor": cursor, "per_page": 2, **query}).json()["data"]
        assert answer["total"] is None
        threads += [row["thread_id"] for row in answer["conversations"]]
        cursor = answer["next"]
    return threads


@pytest.fixture
def talk() -> list[Conversation]:
    """Five conversations, of which four are about a tent."""
    made = [
        said(
            "The blue tent is torn", "A new TENT is on its way.", name="Ada Stone", email="ada@shop.example"
        ),
        said("Where is my invoice?", subject="cus_77"),
        said("Tents?", "The tent is sold out."),
        said("tent pegs", name="Adrian Tent"),
        said("100% of it", "<b>No</b>"),
    ]
    notes.write(thread_id=made[1].thread_id, text="Wants a tent, too.", by=SAM)
    return made


@pytest.mark.parametrize("enough", [0, 99], ids=["one after the other", "by the index"])
def test_what_it_finds_is_what_the_console_finds(
    reader: Client, talk: list[Conversation], enough: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By either way: as a word that many lines have, and as one that few have."""
    monkeypatch.setattr(search_filter, "ENOUGH", enough)
    typed = [
        "tent",
        "ten",
        "blue te",
        '"blue tent"',
        "tent -torn",
        "torn or invoice",
        "ada",
        "Stone",
        "100%",
    ]
    typed += [
        "ada@shop.example",
        "shop.exam",
        "cus_77",
        talk[2].thread_id,
        talk[2].thread_id[:8],
        "nothing",
        "b",
        "no",
    ]
    typed += [handoff.ticket_of(talk[3].pk).lower(), "?!", "%", "a' | 'b", "((", ":*", "\ud800x", "x" * 200]
    somewhere = 0

    for text in typed:
        shown = search(text)
        expected = {row.thread_id for row in shown.conversations}
        expected |= {hit.conversation.thread_id for hit in shown.hits}
        threads = found(reader, text.replace("\ud800", ""))
        numbered = reader.get(URL, {"q": text.replace("\ud800", ""), "per_page": 100}).json()["data"]
        assert (set(threads), len(threads)) == (expected, len(expected)), text
        assert [row["thread_id"] for row in numbered["conversations"]] == threads, text
        assert numbered["total"] == len(threads)
        somewhere += bool(threads)
    assert somewhere > 12


@pytest.mark.parametrize("typed", ["-refund", "-blue -tent", '-"blue tent"', "tent or -torn"])
def test_words_that_are_only_left_out_are_refused_with_what_to_do(
    reader: Client, talk: list[Conversation], typed: str
) -> None:
    answer = reader.get(URL, {"q": typed})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "only_left_out")
    assert answer.json()["error"]["message"].startswith("Say also what to look for")
    assert search(typed) == Found(fault=answer.json()["error"]["message"])


def test_a_thread_id_that_begins_with_a_hyphen_is_found(reader: Client, talk: list[Conversation]) -> None:
    Conversation.objects.filter(pk=talk[0].pk).update(thread_id="-x8_aB")

    assert found(reader, "-x8_a") == ["-x8_aB"]
    shown = search("-x8_a")
    assert ([row.thread_id for row in shown.conversations], shown.hits, shown.fault) == (["-x8_aB"], (), "")


def test_newest_activity_comes_first_and_other_filters_hold(reader: Client, talk: list[Conversation]) -> None:
    Conversation.objects.filter(pk=talk[0].pk).update(status="waiting")

    assert found(reader, "tent") == [talk[place].thread_id for place in (3, 2, 1, 0)]
    assert found(reader, "tent", status="waiting") == [talk[0].thread_id]
    assert found(reader, "invoice", status="waiting") == []
    assert found(reader, "tent", customer="cus_77") == [talk[1].thread_id]


def many(like: Conversation) -> None:
    """Thousands of customers, each with a conversation, of whom nothing is about what is looked for."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO chat_customer SELECT (jsonb_populate_record(c, jsonb_build_object("
            "'id', gen_random_uuid(), 'subject', 'many-' || n, 'name', 'Many ' || n, 'email', ''))).* "
            "FROM chat_customer c, generate_series(1, 3000) n WHERE c.id = %s",
            [like.customer_id],
        )
        cursor.execute(
            "INSERT INTO chat_conversation SELECT (jsonb_populate_record(v, jsonb_build_object("
            "'id', gen_random_uuid(), 'thread_id', c.subject, 'customer_id', c.id))).* "
            "FROM chat_conversation v, chat_customer c WHERE v.id = %s AND c.subject LIKE 'many-%%'",
            [like.pk],
        )
        cursor.execute(
            "INSERT INTO chat_event SELECT (jsonb_populate_record(e, jsonb_build_object("
            "'id', -row_number() OVER (), 'conversation_id', v.id, 'turn_id', NULL, 'key', '', "
            "'kind', 'replied', 'payload', jsonb_build_object('content', 'Nothing of it')))).* "
            "FROM chat_event e, chat_conversation v WHERE e.id = %s AND v.thread_id LIKE 'many-%%'",
            [like.events.earliest("seq").pk],
        )
        # Whatever another test has left in these indexes unsorted, and of what is known of these tables.
        cursor.execute(
            "SELECT gin_clean_pending_list('event_words'), gin_clean_pending_list('customer_words')"
        )
        cursor.execute("ANALYZE chat_customer, chat_conversation, chat_event")


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("enough", [0, 99])
def test_the_indexes_answer(
    talk: list[Conversation], enough: int, counted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With sequential scans forbidden, Postgres finds a way without one. Among many rows: where it knows that there are
    five, it reads five."""
    monkeypatch.setattr(search_filter, "ENOUGH", enough)
    many(talk[0])
    wanted = reads.conversations({"q": "tent"})
    sql, parameters = (wanted.order_by() if counted else wanted[:21]).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {sql}", parameters)
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "Seq Scan" not in plan
    assert "customer_words" in plan
    assert ("event_words" in plan) == bool(enough), plan


def test_a_word_that_is_only_in_old_lines_is_found(
    reader: Client, talk: list[Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_filter, "_ASKED", search_filter._ASKED.replace("- 2000", "- 1"))

    assert found(reader, "invoice") == [talk[1].thread_id]


def test_a_search_that_takes_too_long_is_refused_with_what_to_do(
    reader: Client, talk: list[Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = search_filter._SPOKEN.replace("kind IN", "(SELECT true FROM pg_sleep(5)) AND kind IN")
    monkeypatch.setattr(search_filter, "_SPOKEN", slow)
    monkeypatch.setattr(search_filter, "ENOUGH", 99)
    monkeypatch.setattr(reads, "SECONDS", 0.05)

    answer = reader.get(URL, {"q": "tent", "cursor": ""})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "search_too_broad")
    monkeypatch.undo()
    assert len(found(reader, "tent")) == 4


def test_what_takes_long_to_count_is_shown_without_a_total(
    reader: Client, talk: list[Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page by its number, then, goes on to the next one all the same."""
    slow = search_filter._SPOKEN.replace("kind IN", "(SELECT true FROM pg_sleep(0.2)) AND kind IN")
    monkeypatch.setattr(search_filter, "_SPOKEN", slow)
    monkeypatch.setattr(search_filter, "ENOUGH", 99)
    monkeypatch.setattr(reads, "COUNTED_WITHIN", 0.05)

    pages = [reader.get(URL, {"q": "tent", "per_page": 3, "page": page}).json()["data"] for page in (1, 2, 3)]

    assert [(page["total"], page["page"], len(page["conversations"])) for page in pages] == [
        (None, 1, 3), (None, 2, 1), (None, 3, 0),
    ]  # fmt: skip
    assert [bool(page["next"]) for page in pages] == [True, False, False]


def test_nobody_finds_what_another_customer_said(talk: list[Conversation]) -> None:
    mine = Conversation.objects.filter(customer=talk[1].customer)

    assert list(with_words(mine, "tent")) == [talk[1]]
    assert list(with_words(mine, "torn")) == []
