"""Transactions that meet: whoever comes second waits, and nobody is thrown out because two wait for each other."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from agents import approvals
from chat import events, submission
from chat.models import Turn
from tests import rows
from tests.factories import claim

pytestmark = pytest.mark.django_db(transaction=True)


def meanwhile(work: Callable[[], object]) -> tuple[threading.Thread, list[Exception]]:
    """Start `work` on a connection of its own and return once it waits for a lock."""
    faults: list[Exception] = []
    known = threading.Event()
    backend: list[int] = []

    def run() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            backend.append(cursor.fetchone()[0])
        known.set()
        try:
            work()
        except Exception as error:
            faults.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert known.wait(60)
    with connection.cursor() as cursor:
        waits = False
        while not waits and thread.is_alive():
            cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", backend)
            waits = cursor.fetchone()[0]
    assert waits, "it did not have to wait"
    return thread, faults


def test_a_message_that_comes_while_an_approval_is_opened_waits_for_it() -> None:
    owner = rows.customer()
    turn = rows.turn(owner)
    tool = rows.tool()
    claim()

    with transaction.atomic():
        Turn.objects.select_for_update(no_key=True).get(pk=turn.pk)
        action, _ = approvals.open_action(
            turn_id=turn.pk,
            customer_id=owner.pk,
            tool=tool,
            tool_call_id="call_1",
            agent="order_actions",
            arguments={"order_id": "1042"},
            bound={},
        )
        events.append(turn.conversation_id, [approvals.opened_fact(action)], turn_id=turn.pk)
        second, faults = meanwhile(
            lambda: submission.submit(
                customer_id=owner.pk,
                thread_id=turn.conversation.thread_id,
                content="And the second one?",
                client_message_id=None,
            )
        )
    second.join(60)

    assert faults == []
    kinds = [event.kind for event in turn.conversation.events.all()]
    assert kinds == ["message_received", "approval_opened", "message_received"]
