"""A budget that is used up while messages wait: who waited is not answered, and nothing is charged."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db.models import F
from django.utils import timezone

from agents.providers import close_models
from agents.spending import periods
from agents.spending.models import ModelCall
from chat import events, submission, summaries
from chat.engine import TurnEngine
from chat.models import Conversation, Customer, Event, Turn
from smartsupport.lib import valkey
from tests import rows
from tests.agents.graph_script import answers, routed
from tests.agents.spending_rows import budget, spent
from tests.chat import long_conversation as long
from tests.factories import on_loop
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def model(settings: LazySettings, scripted_model: RunningModel) -> RunningModel:
    settings.LLM_PROVIDER, settings.OPENAI_API_KEY = "openai", "none"
    settings.OPENAI_BASE_URL = scripted_model.url
    return scripted_model


def say(owner: Customer, thread_id: str, content: str = "Hello") -> submission.Submitted:
    return submission.submit(
        customer_id=owner.pk, thread_id=thread_id, content=content, client_message_id=None
    )


def waited(seconds: float) -> None:
    Turn.objects.update(queued_at=F("queued_at") - timedelta(seconds=seconds))


def worked_off() -> None:
    """A worker takes what is queued, and works it off."""

    async def work() -> None:
        engine = TurnEngine()
        await engine._runner.open()
        try:
            await engine._claim_all()
            for run in list(engine._running.values()):
                assert run.task is not None
                await run.task
        finally:
            await engine.drain(1)
            await valkey.close()
            await close_models()

    on_loop(work())


def test_who_waited_behind_what_used_it_up_is_told_so_and_costs_nothing(
    model: RunningModel, settings: LazySettings
) -> None:
    settings.HANDOFF_AFTER_FAILURES = 1
    rows.agent("order_lookup", rows.reading_tool())
    ada = rows.customer()
    budget(1_000)
    say(ada, "t-late")
    spent(1_000, ada)
    waited(5)
    calls = ModelCall.objects.count()

    worked_off()

    turn = Turn.objects.get(conversation__thread_id="t-late")
    failed = Event.objects.get(kind="turn_failed")
    resets_at = periods.ends("day").isoformat()
    assert turn.status == "failed"
    assert (failed.payload["code"], failed.payload["resets_at"]) == ("usage_limit_reached", resets_at)
    frames, _ = events.frames_after(turn.conversation_id, "t-late", 0)
    [error] = [frame for frame in frames if frame["type"] == "error"]
    assert (error["message"], error["resets_at"]) == ("Usage limit reached", resets_at)
    assert frames[-1]["type"] == "message_complete"
    assert model.requests() == []
    assert ModelCall.objects.count() == calls
    assert Conversation.objects.get(thread_id="t-late").status == "open", (
        "no person is asked to help with a budget"
    )


def test_who_did_not_wait_is_answered_whatever_was_spent_meanwhile(model: RunningModel) -> None:
    rows.agent("order_lookup", rows.reading_tool())
    model.script(routed("order_lookup"), answers(text="Hello to you."))
    ada = rows.customer()
    budget(1_000)
    say(ada, "t-quick")
    spent(1_000, ada)
    waited(-60)  # however slow this machine is

    worked_off()

    assert Turn.objects.get(conversation__thread_id="t-quick").status == "completed"


def test_who_waited_and_has_something_left_is_answered(model: RunningModel) -> None:
    rows.agent("order_lookup", rows.reading_tool())
    model.script(routed("order_lookup"), answers(text="Hello to you."))
    ada = rows.customer()
    budget(1_000)
    say(ada, "t-left")
    spent(999, ada)
    waited(60)

    worked_off()

    assert Turn.objects.get(conversation__thread_id="t-left").status == "completed"


def test_nothing_is_summarised_while_the_deployments_budget_is_used_up(
    settings: LazySettings, model: RunningModel
) -> None:
    settings.PROMPT_HISTORY_TOKENS = 1_500
    talk = long.conversation()
    long.grow(talk, 30)
    budget(1_000, "deployment")
    spent(1_000)
    before = Event.objects.count()

    assert summaries.make(talk.pk) is False

    assert Event.objects.count() == before
    assert model.requests() == []


@pytest.mark.parametrize(
    ("used", "usage"),
    [(799, {}), (800, {"percent": 80}), (999, {"percent": 99})],
)
def test_a_customer_hears_from_80_percent_on_what_is_used_and_no_amount(
    used: int, usage: dict[str, Any]
) -> None:
    ada = rows.customer()
    budget(1_000)
    budget(900_000_000, "deployment")
    spent(used, ada)

    told = say(ada, "t-1").usage

    expected = {**usage, "resets_at": periods.ends("day", timezone.now()).isoformat()} if usage else None
    assert told == ({"usage": expected} if expected else {})


def test_the_deployments_budget_is_no_customers_business() -> None:
    ada = rows.customer()
    budget(1_000, "deployment")
    spent(900)

    assert say(ada, "t-1").usage == {}
