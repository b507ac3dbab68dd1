"""What a budget refuses: the customer's next message, in its place among the refusals, and nothing is written."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.approvals import Decider
from agents.spending import changes, limits, periods
from agents.spending.limits import UsageLimitReached
from chat import submission, takeover, turns
from chat.models import Conversation, Customer, Event, Turn, TurnStatus
from tests import rows
from tests.agents.spending_rows import budget, spent

pytestmark = pytest.mark.django_db


def say(owner: Customer, thread_id: str, content: Any = "Hello", **more: Any) -> submission.Submitted:
    Customer.objects.filter(pk=owner.pk).update(accepted_at=more.pop("accepted_at", []))
    wanted: dict[str, Any] = {"client_message_id": None, **more}
    return submission.submit(customer_id=owner.pk, thread_id=thread_id, content=content, **wanted)


def log() -> tuple[int, int, int]:
    return Conversation.objects.count(), Turn.objects.count(), Event.objects.count()


def used_up() -> Customer:
    """A customer whose limit of the day is used up; every conversation of theirs is idle."""
    ada = rows.customer()
    budget(1_000)
    spent(1_000, ada)
    Turn.objects.update(status=TurnStatus.COMPLETED)
    return ada


def refusal(work: Callable[[], Any]) -> str:
    with pytest.raises(Exception) as refused:  # noqa: PT011 - which one is what is asked
        work()
    return str(refused.value)


def test_a_message_is_refused_with_the_reset_and_nothing_is_written() -> None:
    ada = used_up()
    known = Conversation.objects.get()
    before, accepted = log(), Customer.objects.get(pk=ada.pk).accepted_at

    for thread in ("t-new", known.thread_id):
        with pytest.raises(UsageLimitReached) as refused:
            say(ada, thread)
        assert refused.value.message == "Usage limit reached"
        assert refused.value.extra == {"resets_at": periods.ends("day").isoformat()}

    assert log() == before
    assert Customer.objects.get(pk=ada.pk).accepted_at == []
    assert accepted != []
    assert Conversation.objects.get().last_seq == known.last_seq


def test_a_visitor_who_never_wrote_leaves_no_row_where_the_deployment_is_used_up() -> None:
    budget(1_000, "deployment")
    spent(1_000)
    new = uuid4()

    with pytest.raises(UsageLimitReached):
        submission.submit(
            customer_id=new,
            thread_id="t-1",
            content="Hello",
            client_message_id=None,
            new_customer=lambda: Customer.objects.create(pk=new),
        )

    assert not Customer.objects.exists()
    assert log() == (0, 0, 0)


def test_it_comes_after_every_other_refusal_of_the_contract_and_before_being_busy() -> None:
    ada = used_up()
    thread = Conversation.objects.get().thread_id
    now = timezone.now()
    eve = rows.turn(rows.customer()).conversation.thread_id

    assert refusal(lambda: say(ada, eve)) == "Thread not found"
    assert refusal(lambda: say(ada, thread, " ")) == "Missing message content"
    assert refusal(lambda: say(ada, thread, "x" * 10_001)) == "Message content too long"
    assert refusal(lambda: say(ada, thread, accepted_at=[timezone.now()] * 10)) == "Rate limit exceeded"
    Conversation.objects.filter(thread_id=thread).update(last_activity_at=now - timedelta(days=40))
    assert "Session expired" in refusal(lambda: say(ada, thread))
    Conversation.objects.filter(thread_id=thread).update(last_activity_at=now)
    Turn.objects.filter(conversation__thread_id=thread).update(status=TurnStatus.QUEUED, messages=10)
    assert refusal(lambda: say(ada, thread)) == "Too many queued messages"
    Turn.objects.filter(conversation__thread_id=thread).update(messages=1)
    assert refusal(lambda: say(ada, thread, strategy="reject")) == "Usage limit reached"


def test_a_message_that_would_only_be_queued_is_looked_at_too() -> None:
    ada = rows.customer()
    budget(1_000)
    running = rows.turn(ada, "t-1")
    assert say(ada, "t-1", "And this?").position > 0
    spent(1_000, ada)
    before = log()

    assert refusal(lambda: say(ada, "t-1", "And that?")) == "Usage limit reached"

    assert log() == before
    assert Turn.objects.get(pk=running.pk).status == TurnStatus.QUEUED


def test_a_repeat_of_an_accepted_message_is_acknowledged_all_the_same() -> None:
    ada = rows.customer()
    budget(1_000)
    first = say(ada, "t-1", client_message_id="m-1")
    spent(1_000, ada)

    again = say(ada, "t-1", client_message_id="m-1")

    assert (again.repeated, again.seq) == (True, first.seq)


def test_whoever_talks_with_a_person_is_not_refused() -> None:
    ada = used_up()
    row = Conversation.objects.get()
    takeover.take_over(thread_id=row.thread_id, by=Decider("staff", "sam", id="user:1"))

    assert say(ada, row.thread_id, "Thank you").turn_id is None


def test_the_next_message_passes_when_it_is_granted_or_a_new_day_begins() -> None:
    ada = used_up()
    changes.grant(customer_id=ada.pk, period="day", micros=1, reason="x", by_name="sam")

    assert say(ada, "t-new").turn_id


def test_a_failed_turn_is_not_tried_again_by_the_customer_but_by_staff() -> None:
    ada = used_up()
    turn = Turn.objects.get()
    Turn.objects.update(status=TurnStatus.FAILED, sealed_at=timezone.now())
    thread, before = turn.conversation.thread_id, log()

    assert refusal(lambda: turns.retry(customer_id=ada.pk, thread_id=thread)) == "Usage limit reached"
    assert (log(), Turn.objects.get().status) == (before, TurnStatus.FAILED)
    assert turns.retry(customer_id=None, thread_id=thread) == turn.pk


def test_a_program_with_a_key_tries_no_more_again_than_the_customer() -> None:
    used_up()
    turn = Turn.objects.get()
    Turn.objects.update(status=TurnStatus.FAILED, sealed_at=timezone.now())
    url, before = f"/api/v1/conversations/{turn.conversation.thread_id}/retry", log()
    nina = Client(enforce_csrf_checks=False)
    nina.force_login(rows.staff("nina", "chat.change_conversation"))

    refused = Client(headers={"X-API-Key": rows.key("chat")}).post(url)

    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "usage_limit_reached")
    assert refused.headers["Retry-After"]
    assert (log(), Turn.objects.get().status) == (before, TurnStatus.FAILED)
    assert nina.post(url).status_code == 202


def test_without_budgets_a_message_costs_no_further_statement_and_with_them_one() -> None:
    ada = rows.customer()
    say(ada, "t-1")

    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            say(ada, "t-1")
        return len(queries)

    without = statements()
    budget(10**9)
    budget(10**9, "deployment", "week")
    assert statements() == without + 1
    with CaptureQueriesContext(connection) as queries:
        limits.check(ada.pk)
    assert len(queries) == 1


def test_rest_says_so_with_429(client: Client) -> None:
    ada = used_up()
    thread = Conversation.objects.get().thread_id
    before = log()

    answer = client.post(
        f"/api/v1/conversations/{thread}/messages",
        {"content": "Hello"},
        content_type="application/json",
        headers={"X-API-Key": rows.key("conversations:write")},
    )

    assert answer.status_code == 429
    assert answer.json()["error"] == {
        "code": "usage_limit_reached",
        "message": "Usage limit reached",
        "resets_at": periods.ends("day").isoformat(),
    }
    left = (periods.ends("day") - timezone.now()).total_seconds()
    assert left <= int(answer.headers["Retry-After"]) < left + 60
    assert log() == before
    assert ada.conversations.count() == 1
