"""Searching what was said, and who said it."""

import threading
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from agents.approvals import Decider
from chat import handoff, notes, staffing
from chat import search as searching
from chat.models import Conversation, Event
from chat.search import search
from smartsupport.lib.bounded import TooLong, bounded
from tests import rows

pytestmark = pytest.mark.django_db

LIST = "/admin/chat/conversation/"
SAM = Decider("staff", "sam", id="user:1")


def said(text: str, answer: str = "Fine.", **customer: str) -> Conversation:
    turn = rows.turn(rows.customer(**customer), content=text)
    rows.finish(turn, answer)
    return turn.conversation


def lines(typed: str) -> list[str]:
    return [str(hit.html) for hit in search(typed).hits]


def test_words_are_found_marked_and_their_last_one_may_be_unfinished() -> None:
    said("The blue tent is torn", "A new TENT is on its way.")
    said("Where is my invoice?")

    assert lines("tent") == ["A new <mark>TENT</mark> is on its way.", "The blue <mark>tent</mark> is torn"]
    assert lines("blue te") == ["The <mark>blue</mark> <mark>tent</mark> is torn"]
    assert lines("te blue") == []
    assert lines('"blue tent"') == ["The <mark>blue</mark> <mark>tent</mark> is torn"]
    assert lines('"tent blue"') == []
    assert lines("tent -torn") == ["A new <mark>TENT</mark> is on its way."]
    assert len(lines("torn or invoice")) == 2
    assert lines("nothing") == []


def test_everything_that_was_said_is_looked_through_and_only_that() -> None:
    row = said("alpha one", "alpha two")
    staffing.write(thread_id=row.thread_id, text="alpha three", by=SAM)
    notes.write(thread_id=row.thread_id, text="alpha four", by=SAM)
    Event.objects.filter(kind="turn_completed").update(payload={"content": "alpha five"})

    found = search("alpha")

    assert [(hit.kind, str(hit.html)[-4:].strip()) for hit in found.hits] == [
        ("note_written", "four"), ("staff_wrote", "hree"), ("replied", "two"), ("message_received", "one"),
    ]  # fmt: skip


def test_what_was_said_is_never_markup() -> None:
    said("<script>alert(1)</script> tent \x02 <b>")

    [line] = lines("tent")

    assert "<script>" not in line
    assert "<b>" not in line
    assert "<mark>tent</mark>" in line


def test_customers_threads_and_references_are_found() -> None:
    ada = said("Hello", name="Ada Stone", email="ada@shop.example", subject="cus_77")
    said("Hello", name="Adrian Hill", email="hill@other.example")

    for typed in (
        "ada stone",
        "Stone",
        "ada@shop.example",
        "shop.exam",
        "cus_77",
        ada.thread_id,
        ada.thread_id[:6],
    ):
        assert [row.pk for row in search(typed).conversations] == [ada.pk], typed
    assert [row.pk for row in search(handoff.ticket_of(ada.pk).lower()).conversations] == [ada.pk]
    assert len(search("ad").conversations) == 2
    assert search("t_" + ada.thread_id[2:]).conversations == ()  # "_" is a letter here, not any letter


@pytest.mark.parametrize(
    "typed", ["", " ", "?!", "()", "'", "\x00", "&|", "a' | 'b", "%", "((", ":*", "\ud800x", "x" * 5000]
)
def test_nothing_that_is_typed_breaks_it(client: Client, typed: str) -> None:
    said("Where is my order?")

    found = search(typed)

    assert found.hits == ()
    client.force_login(rows.staff("vic", "chat.view_conversation"))
    assert client.get(LIST, {"q": typed.replace("\ud800", "")}).status_code == 200


def test_pages_hold_every_line_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through both ways: among the newest, and by the index."""
    for number in range(7):
        said(f"tent number {number}")
    for newest in (4, 8_000):
        monkeypatch.setattr(searching, "HITS_A_PAGE", 40)
        for name in ("_AMONG_NEWEST", "_SHOWN", "_BY_INDEX"):
            text = getattr(searching, name)
            monkeypatch.setattr(
                searching, name, text.replace("- 8000", f"- {newest}").replace("LIMIT 41", "LIMIT 3")
            )
        monkeypatch.setattr(searching, "HITS_A_PAGE", 2)
        found: list[str] = []
        before = None
        for _ in range(20):
            page = search("tent", before=before)
            found += [str(hit.html)[-1] for hit in page.hits]
            before = page.older
            if before is None:
                break
        assert found == list("6543210")
        monkeypatch.undo()


def test_a_search_is_bounded_in_time_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    said("Where is my tent?")
    slow = searching._AMONG_NEWEST.replace("FROM found", "FROM found, pg_sleep(5)")
    monkeypatch.setattr(searching, "_AMONG_NEWEST", slow)
    monkeypatch.setattr(searching, "SECONDS", 0.05)

    found = search("tent")

    assert (found.hits, found.fault) == (
        (), "This search takes too long. Add a word, or write the last one out.",
    )  # fmt: skip
    monkeypatch.undo()
    assert len(search("tent").hits) == 1  # and the connection goes on as before


def test_a_bound_ends_with_its_block() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '7s', true)")
        cursor.execute("SHOW max_parallel_workers_per_gather")
        workers = cursor.fetchone()
        with bounded(0.05):
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("50ms",)
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("7s",)
        cursor.execute("SHOW max_parallel_workers_per_gather")
        assert cursor.fetchone() == workers
    with pytest.raises(TooLong), bounded(0.05), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(5)")


def test_the_indexes_answer() -> None:
    """The expressions are those of the migrations: with sequential scans forbidden, Postgres takes the indexes."""
    asked = {"text": "tent", "open": True, "before": 2**62, "thread": "t-1%"}
    with connection.cursor() as cursor:
        # What another test has left in them unsorted makes them dear.
        cursor.execute(
            "SELECT gin_clean_pending_list('event_words'), gin_clean_pending_list('customer_words')"
        )
        cursor.execute("SET LOCAL enable_seqscan = off")
        plans = []
        for statement in (searching._BY_INDEX, searching._NAMED, searching._AMONG_NEWEST):
            cursor.execute(f"EXPLAIN {statement}", asked)
            plans.append("\n".join(line for (line,) in cursor.fetchall()))

    assert "event_words" in plans[0]
    assert "customer_words" in plans[1]
    assert "thread_id" in plans[1]
    assert "event_words" not in plans[2]


def test_a_result_leads_to_its_step_and_only_for_who_may_look(client: Client) -> None:
    row = said("The tent is torn")
    hit = search("tent").hits[0]
    client.force_login(rows.staff("vic", "chat.view_conversation"))

    page = client.get(LIST, {"q": "tent"}).content.decode()

    link = f"{reverse('admin:chat_conversation_change', args=[row.pk])}?at={hit.seq}#step-{hit.seq}"
    assert link in page
    assert f'id="step-{hit.seq}"' in client.get(link).content.decode()
    assert "Nothing fits “zebra”" in client.get(LIST, {"q": "zebra"}).content.decode()
    client.force_login(rows.staff("nina", "chat.view_customer"))
    refused: Any = client.get(LIST, {"q": "tent"})
    assert (refused.status_code, b"torn" in refused.content) == (403, False)


@pytest.mark.django_db(transaction=True)
def test_a_search_waits_for_nobody() -> None:
    said("The tent is torn")
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Conversation.objects.select_for_update().get()
            held.set()
            done.wait(60)
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    assert held.wait(60)
    try:
        assert len(search("tent").hits) == 1
    finally:
        done.set()
        other.join()
