"""The pages of the console over many conversations: few statements each, and none that reads a large table from end to
end. The data are those of `manage.py make_dataset`."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings

from agents.models import Action, ModelCall
from analytics.models import ConversationFact, Day
from chat.models import Conversation, Customer, Event, Turn
from tests import rows
from tests.admin.console_pages import Page, furnished, pages

pytestmark = pytest.mark.django_db
CONVERSATIONS = 4_000
"""Enough for every page to be full. Reading whole tables is turned off below, however small they are."""
LARGE = ("chat_event", "chat_conversation", "agents_modelcall", "agents_action")
MOST_STATEMENTS = 15


def database() -> str:
    return str(connection.settings_dict["NAME"])


def make(count: int, **options: Any) -> None:
    with override_settings(DEBUG=True):
        call_command("make_dataset", conversations=count, scratch=database(), verbosity=0, **options)


@contextmanager
def as_if_large() -> Iterator[None]:
    """Reading a whole table costs as it would with a hundred million rows: planned only where nothing else can do."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        yield
        cursor.execute("SET LOCAL enable_seqscan = on")


def scanned(sql: str) -> set[str]:
    """The large tables that this statement reads from end to end."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql.replace('%', '%%')}", ())
        [(plan,)] = cursor.fetchall()
    return set(_scans(plan if isinstance(plan, list) else json.loads(plan)))


def _scans(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for one in node:
            yield from _scans(one)
    elif isinstance(node, dict):
        if node.get("Node Type") == "Seq Scan" and node.get("Relation Name") in LARGE:
            yield node["Relation Name"]
        for value in node.values():
            if isinstance(value, (dict, list)):
                yield from _scans(value)


def faults(client: Client, page: Page) -> list[str]:
    """Of a page that was opened just before, so that what is cached is cached."""
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get(page.url).status_code == 200
    statements = [
        one["sql"]
        for one in asked.captured_queries
        if not re.match(r"(RELEASE )?SAVEPOINT|ROLLBACK|BEGIN|SET |SELECT set_config|SELECT pg_", one["sql"])
    ]
    found = []
    if len(statements) > MOST_STATEMENTS:
        found.append(f"{page.name}: {len(statements)} statements")
    with as_if_large():
        for sql in statements:
            if re.match(r"(WITH|SELECT|\()", sql) and (tables := scanned(sql)):
                found.append(f"{page.name} reads all of {', '.join(sorted(tables))}: {sql[:400]}")
    return found


def test_every_page_costs_little_however_much_there_is(client: Client) -> None:
    make(CONVERSATIONS, batch=2_000)
    ids = furnished()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    client.force_login(rows.staff("root", superuser=True))

    found = [fault for page in pages(client, ids) for fault in faults(client, page)]

    assert not found, "\n" + "\n".join(found)


def test_the_data_are_whole_and_the_same_when_made_again() -> None:
    make(600, batch=200)
    tables = (
        Customer,
        Conversation,
        Turn,
        Event,
        Action,
        ModelCall,
        ConversationFact,
        Conversation.tags.through,
    )
    before = [model.objects.count() for model in tables]
    make(600, batch=200)

    assert [model.objects.count() for model in tables] == before
    assert min(before) > 0
    assert Conversation.objects.count() == sum(Day.objects.values_list("total", flat=True)) == 600
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(micros), sum(calls) FROM agents_spendtotal")
        spent, calls = cursor.fetchone()
        cursor.execute(
            "SELECT count(*) FROM chat_conversation c WHERE last_seq <> "
            "(SELECT count(*) FROM chat_event e WHERE e.conversation_id = c.id AND e.seq <= c.last_seq)"
        )
        assert cursor.fetchone() == (0,)
    assert calls == ModelCall.objects.count()
    assert spent == sum(Conversation.objects.values_list("cost_micros", flat=True))


@pytest.mark.parametrize(
    ("debug", "scratch", "said"), [(False, "", "DEBUG is off"), (True, "production", "--scratch must name")]
)
def test_no_other_database_is_filled(settings: Any, debug: bool, scratch: str, said: str) -> None:
    settings.DEBUG = debug
    with pytest.raises(CommandError, match=said):
        call_command("make_dataset", conversations=10, scratch=scratch or database())

    assert not Conversation.objects.exists()
    assert not Customer.objects.exists()
