"""The ledger in the conversation's log: one statement, so that call, turn, conversation and day always add up."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from structlog.testing import capture_logs

from agents import facts
from agents.context import StaleTurn
from agents.spending import ledger, prices
from agents.spending.models import ModelCall, SpendTotal
from agents.spending.usage import Usage
from chat import events
from chat.models import Conversation, Event, Turn
from tests import rows
from tests.agents.spending_rows import MODEL, call, price, spent
from tests.at_once import at_once
from tests.factories import claim

pytestmark = pytest.mark.django_db

OPENAI = {"provider": "openai", "model": MODEL}


def answered(step: int = 1, tokens: int = 1_000, **more: Any) -> facts.Fact:
    usage = Usage(tokens, 100, 10, 20, 30)
    asked = {"agent": "order_lookup", "text": "x", "tool_calls": [], "duration_ms": 7, **OPENAI, **more}
    return facts.model_called(step=step, usage=usage, **asked)


def routed(tokens: int = 500) -> facts.Fact:
    return facts.routed(
        agents=["order_lookup"], reason="x", by="model", usage=Usage(tokens, 10), duration_ms=3, **OPENAI
    )


def assert_sums_agree() -> None:
    """Call = event = turn = conversation = day, in micro-dollars, and every call of an event has its row."""
    calls = ModelCall.objects.all()
    whole = calls.aggregate(m=Sum("cost_micros"))["m"] or 0
    totals = SpendTotal.objects.aggregate(m=Sum("micros"), c=Sum("calls"), u=Sum("unknown"))
    assert (totals["m"] or 0, totals["c"] or 0) == (whole, calls.count())
    assert (totals["u"] or 0) == calls.filter(cost_micros=None).count()
    for conversation in Conversation.objects.all():
        of_it = calls.filter(conversation=conversation).aggregate(m=Sum("cost_micros"))["m"] or 0
        assert conversation.cost_micros == of_it
    for turn in Turn.objects.all():
        told = Event.objects.filter(turn=turn).aggregate(m=Sum("cost_micros"))["m"] or 0
        assert told == (calls.filter(turn=turn).aggregate(m=Sum("cost_micros"))["m"] or 0)
    for one in calls.exclude(event_seq=None):
        event = Event.objects.get(conversation=one.conversation, seq=one.event_seq)
        assert (event.cost_micros, event.tokens_in, event.agent) == (
            one.cost_micros,
            one.tokens_in,
            one.agent,
        )
        assert (event.payload["model"], event.payload["provider"]) == (one.model, one.provider)


def test_a_call_is_entered_with_its_event_and_everything_adds_up() -> None:
    made = price(input="1", cached_input="0.1", cache_write="2", output="10", reasoning="20")
    turn = rows.turn(rows.customer())

    with CaptureQueriesContext(connection) as queries:
        batch = events.insert(turn.conversation_id, [routed(), answered()], turn_id=turn.pk)

    assert len(queries) == 1
    first, second = ModelCall.objects.order_by("event_seq")
    assert (first.purpose, first.cost_micros, first.event_seq, first.agent) == ("route", 600, batch.first, "")
    assert (second.purpose, second.event_seq, second.agent) == ("answer", batch.last, "order_lookup")
    assert second.cost_micros == 970 + 1 + 40 + 700 + 600
    assert (second.customer_id, second.turn_id) == (turn.conversation.customer_id, turn.pk)
    assert (second.tokens_in, second.tokens_cached, second.tokens_cache_write) == (1_000, 10, 20)
    assert (second.tokens_out, second.tokens_reasoning, second.duration_ms) == (100, 30, 7)
    assert (second.price, second.cost_source) == (made, "price")
    assert_sums_agree()


def test_what_is_told_by_no_call_enters_nothing_and_costs_one_statement() -> None:
    turn = rows.turn(rows.customer())
    continued = facts.routed(agents=["a"], reason="x", by="continued", usage=Usage(), duration_ms=None)
    replied = facts.replied(agent="a", content="Hello", key="reply:1")

    with CaptureQueriesContext(connection) as queries:
        events.insert(turn.conversation_id, [continued, replied], turn_id=turn.pk)

    assert len(queries) == 1
    assert not ModelCall.objects.exists()
    assert not SpendTotal.objects.exists()
    assert "provider" not in Event.objects.get(kind="routed").payload


def test_a_repeated_turn_enters_no_second_row() -> None:
    price()
    turn = rows.turn(rows.customer())
    events.insert(turn.conversation_id, [answered()], turn_id=turn.pk)

    with pytest.raises(IntegrityError), transaction.atomic():
        events.insert(turn.conversation_id, [answered()], turn_id=turn.pk)

    assert ModelCall.objects.count() == 1
    assert_sums_agree()


def test_a_worker_that_lost_its_turn_enters_nothing() -> None:
    price()
    turn = rows.turn(rows.customer())
    held = claim()

    with pytest.raises(StaleTurn):
        events.insert(turn.conversation_id, [answered()], turn_id=turn.pk, fence=held.fence + 1)

    assert not ModelCall.objects.exists()
    assert not SpendTotal.objects.exists()
    events.insert(turn.conversation_id, [answered()], turn_id=turn.pk, fence=held.fence)
    assert_sums_agree()


def test_the_last_answer_and_the_end_of_its_turn_are_one_statement_with_the_row() -> None:
    price()
    turn = rows.turn(rows.customer())
    held = claim()
    end = facts.Fact("turn_completed", key="end")

    events.insert(turn.conversation_id, [answered(), end], turn_id=turn.pk, fence=held.fence, completes=True)

    assert ModelCall.objects.get().event_seq == Event.objects.get(kind="model_called").seq
    assert_sums_agree()


def test_an_unknown_cost_is_logged_once_and_its_event_has_none() -> None:
    turn = rows.turn(rows.customer())

    with capture_logs() as lines:
        events.insert(turn.conversation_id, [answered(model="nobody-knows")], turn_id=turn.pk)

    told = [line for line in lines if line["event"] == "model_call_cost_unknown"]
    assert [(line["provider"], line["model"], line["why"]) for line in told] == [
        ("openai", "nobody-knows", "no price")
    ]
    assert Event.objects.get(kind="model_called").cost_micros is None
    assert_sums_agree()


def test_an_answer_that_broke_off_is_entered_without_an_event() -> None:
    price()
    turn = rows.turn(rows.customer())
    broken = facts.broke_off(agent="order_lookup", duration_ms=5, **OPENAI)
    end = facts.Fact("turn_failed", {"code": "x", "message": "x"}, key="end")

    batch = events.insert(turn.conversation_id, [broken, end], turn_id=turn.pk)

    assert batch.first == batch.last
    row = ModelCall.objects.get()
    assert (row.event_seq, row.cost_source, row.turn_id) == (None, "unknown", turn.pk)
    assert_sums_agree()


@pytest.mark.django_db(transaction=True)
def test_many_writers_at_once_lose_nothing() -> None:
    price(input="1", output="0")
    turns = [rows.turn(rows.customer()) for _ in range(4)]

    def writer(turn: Turn, step: int) -> Any:
        return lambda: events.insert(turn.conversation_id, [answered(step)], turn_id=turn.pk)

    done = at_once(
        [writer(turn, step) for turn in turns for step in (1, 2)]
        + [lambda: ledger.record(call()) for _ in range(4)]
    )

    assert not [one for one in done if isinstance(one, Exception)]
    assert ModelCall.objects.count() == 12
    assert_sums_agree()


@pytest.mark.django_db(transaction=True)
def test_a_price_that_comes_meanwhile_does_not_split_a_call_from_its_sums() -> None:
    price(input="1", output="0")
    turns = [rows.turn(rows.customer()) for _ in range(4)]
    new = prices.NewPrice("openai", MODEL, {"input": "7", "output": "0"})

    at_once(
        [lambda t=turn: events.insert(t.conversation_id, [answered()], turn_id=t.pk) for turn in turns]
        + [lambda: prices.add(new, by_name="sam")]
    )

    assert ModelCall.objects.count() == 4
    assert_sums_agree()


def test_a_call_without_an_event_is_charged_to_its_conversation() -> None:
    turn = rows.turn(rows.customer())
    seq = turn.conversation.last_seq

    ledger.record(call(reported_micros=70, purpose="summary"), conversation_id=turn.conversation_id)

    row = ModelCall.objects.get()
    assert (row.customer_id, row.event_seq) == (turn.conversation.customer_id, None)
    assert Conversation.objects.get().last_seq == seq
    assert_sums_agree()


def test_a_summary_is_entered_with_its_event() -> None:
    turn = rows.turn(rows.customer())
    summary = call(reported_micros=55, purpose="summary")

    events.append(turn.conversation_id, [facts.summarised({"text": "x", "through_seq": 1}, summary)])

    assert ModelCall.objects.get().purpose == "summary"
    assert_sums_agree()


def test_a_customer_waits_from_their_first_unanswered_message_on() -> None:
    def since() -> Any:
        return Conversation.objects.get(pk=turn.conversation_id).waiting_since

    def happened(fact: facts.Fact) -> None:
        events.insert(turn.conversation_id, [fact], turn_id=None)

    before = timezone.now()
    turn = rows.turn(rows.customer())
    first = since()
    assert before <= first <= timezone.now()
    rows.turn(turn.conversation.customer, turn.conversation.thread_id, "Hello?")
    happened(facts.Fact("handed_back", {"by_name": "sam"}))
    assert since() == first
    for fact in (
        facts.replied(agent="a", content="x", key=""),
        facts.Fact("question_asked", {"message": "x"}),
        facts.Fact("staff_wrote", {"content": "x", "by_name": "sam"}),
        facts.Fact("conversation_resolved", {"by_name": "sam"}),
    ):
        happened(facts.Fact("message_received", {"content": "x", "client_message_id": None}))
        assert since() is not None
        happened(fact)
        assert since() is None
    happened(facts.Fact("handed_back", {"by_name": "sam"}))
    assert since() is None


def test_a_call_reported_by_its_provider_needs_no_price() -> None:
    spent(123, rows.customer())

    assert_sums_agree()
