"""Trials: the real graph and model protocol, and nothing written or sent but a row of the ledger."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings

from agents import registry
from agents.context import Said
from agents.models import Action, Agent, ModelCall, Revision, Tool
from agents.playground.drafts import Draft, Rule
from agents.playground.running import run
from agents.playground.trial import Step, Trial
from chat.models import Conversation, Event
from smartsupport.lib.own_loop import on_own_loop
from tests import rows
from tests.agents.graph_script import answers, call, routed
from tests.factories import close_threads
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.django_db(transaction=True)
BOUND = {"customer.id": "cus_1001"}


@pytest.fixture
def model(scripted_model: RunningModel, settings: LazySettings) -> RunningModel:
    settings.LLM_PROVIDER, settings.OPENAI_BASE_URL = "openai", scripted_model.url
    settings.OPENAI_API_KEY, settings.LLM_MODEL = "", "gpt-5.4-mini"
    return scripted_model


@pytest.fixture
def orders() -> Agent:
    refund = rows.tool(
        "refund", approval="customer", staff_above_argument="percent", staff_above_amount=Decimal(20)
    )
    return rows.agent("orders", rows.reading_tool(), refund, permission="write")


def tried(trial: Trial, **limits: Any) -> list[Step]:
    steps: list[Step] = []
    try:
        on_own_loop(run(trial, steps.append, **limits))
    finally:
        close_threads()
    return steps


def trial(message: str = "Refund order 7, please", **fields: Any) -> Trial:
    return Trial(message, registry.current(), **{"bindings": BOUND, **fields})


def one(steps: list[Step], kind: str) -> Step:
    [found] = [step for step in steps if step.kind == kind]
    return found


def test_a_write_is_shown_to_the_last_header_and_not_sent(model: RunningModel, orders: Agent) -> None:
    model.script(
        routed("orders"),
        answers(call("refund", {"order_id": "7", "percent": 30})),
        answers(text="Done, in this trial."),
    )

    steps = tried(trial())

    shown = one(steps, "simulated").payload
    assert (shown["request"]["method"], shown["request"]["url"]) == (
        "POST",
        "http://127.0.0.1:8001/shop/orders/7/refund",
    )
    assert (shown["approver"], shown["question"]) == ("staff", "Refund: order_id 7, percent 30")
    told = model.requests()[-1]["body"]["messages"][-1]["content"]
    assert '"simulated":true' in told.replace(" ", "")
    assert one(steps, "reply").text == "Done, in this trial."
    assert not Action.objects.exists()


def test_nothing_is_written_but_what_the_model_cost(model: RunningModel, orders: Agent) -> None:
    model.script(routed("orders"), answers(call("refund", {"order_id": "7"})), answers(text="Done."))
    before = (list(Agent.objects.values()), list(Tool.objects.values()), Revision.objects.count())

    steps = tried(trial())

    assert before == (list(Agent.objects.values()), list(Tool.objects.values()), Revision.objects.count())
    assert not Conversation.objects.exists()
    assert not Event.objects.exists()
    asked = [step.payload for step in steps if step.kind == "asked"]
    ledger = ModelCall.objects.order_by("id").values_list("purpose", "tokens_in", "tokens_out")
    assert list(ledger) == [("playground", one["tokens_in"], one["tokens_out"]) for one in asked]
    assert len(asked) == 3


def test_each_answer_is_shown_with_the_prompt_as_it_was_sent(model: RunningModel, orders: Agent) -> None:
    model.script(routed("orders"), answers(text="Hello."))

    asked = [step.payload for step in tried(trial("Hi, order 7")) if step.kind == "asked"][1]

    sent = model.requests()[-1]["body"]
    assert [one["text"] for one in asked["messages"]] == [one["content"] for one in sent["messages"]]
    assert asked["tools"] == sent["tools"]
    assert asked["messages"][0]["text"].startswith("You are orders,")
    assert asked["estimated"] > asked["tools_tokens"] > 0


def test_reading_calls_are_not_made_unless_that_is_wanted(model: RunningModel, orders: Agent) -> None:
    script = [
        routed("orders"),
        answers(call("get_order_status", {"order_id": "7"})),
        answers(text="I would look it up."),
    ]
    model.script(*script)

    shown = one(tried(trial()), "simulated")

    assert (shown.payload["outcome"], shown.payload["request"]["method"]) == ("not_called", "GET")
    assert "not_called" in model.requests()[-1]["body"]["messages"][-1]["content"]

    model.script(*script)
    steps = tried(trial(reads=True))  # nothing listens there, so that it was tried can be seen
    assert one(steps, "called").payload["args"] == {"order_id": "7"}
    assert one(steps, "refused").title == "get_order_status failed"


def test_a_visitor_whom_nobody_knows_is_refused_what_needs_a_customer(
    model: RunningModel, orders: Agent
) -> None:
    model.script(routed("orders"), answers(call("refund", {"order_id": "7"})), answers(text="Sign in."))

    steps = tried(trial(bindings={}))

    assert "they are not signed in" in one(steps, "refused").text
    assert not [step for step in steps if step.kind == "simulated"]


def test_what_an_approver_would_decline_skips_the_calls_after_it(model: RunningModel, orders: Agent) -> None:
    calls = [call("refund", {"order_id": "7"}), call("get_order_status", {"order_id": "7"})]
    model.script(routed("orders"), answers(*calls), answers(text="It was declined."))

    steps = tried(trial(approves=False))

    assert one(steps, "simulated").payload["outcome"] == "declined"
    results = [m["content"] for m in model.requests()[-1]["body"]["messages"] if m["role"] == "tool"]
    assert ["rejected" in results[0], "skipped" in results[1]] == [True, True]
    assert one(steps, "end").payload["succeeded"] == []


def test_a_draft_is_what_is_asked_and_its_rules_count(model: RunningModel, orders: Agent) -> None:
    live = registry.current()
    agent = live.agent("orders")
    assert agent is not None
    draft = Draft(
        replace(agent, description="Only speaks in rhymes.", tone="Poetic", model="large"),
        {"refund": Rule("staff", approvals_needed=2)},
    )
    model.script(answers(call("refund", {"order_id": "7", "percent": 1})), answers(text="Done."))

    steps = tried(replace(trial(), registry=draft.among(live), agent="orders", rules=draft.rules))

    assert one(steps, "routed").payload["how"] == "You chose"
    assert "Only speaks in rhymes.\nTone: Poetic" in model.requests()[-1]["body"]["messages"][0]["content"]
    assert model.requests()[-1]["body"]["model"] == "large"
    shown = one(steps, "simulated").payload
    assert (shown["approver"], shown["asked_of"]) == ("staff", "Staff would be asked, two different people")
    assert Tool.objects.get(name="refund").approval == "customer"


def test_a_new_agent_that_is_nowhere_yet_can_be_tried() -> None:
    fresh = registry.AgentSpec("brand_new", "Sings.", "read", "", "", "", (), "", ())

    assert [one.name for one in Draft(fresh).among(registry.current()).agents] == ["brand_new"]


def test_the_next_message_knows_what_was_said_and_done(model: RunningModel, orders: Agent) -> None:
    model.script(routed("orders"), answers(call("refund", {"order_id": "7"})), answers(text="Refunded."))
    first = one(tried(trial()), "end").payload
    assert (first["live_agent"], first["succeeded"]) == ("orders", ["refund"])

    history = tuple(Said(**line) for line in first["said"])
    model.script(routed("orders"), answers(text="You are welcome."))
    tried(trial("Thanks", history=history, live_agent="orders"))

    said = [message["content"] for message in model.requests()[-1]["body"]["messages"]]
    assert said[1:] == [
        "Refund order 7, please",
        "[Record] refund was carried out (simulated in a trial).",
        "Refunded.",
        "Thanks",
    ]


def test_an_outage_is_told_in_words(model: RunningModel, orders: Agent, settings: LazySettings) -> None:
    model.script({"match": {}, "reply": {"error": {"status": 401}}})

    fault = one(tried(trial()), "fault")

    assert fault.title == "The model did not answer"
    assert "401" in fault.text

    settings.OPENAI_BASE_URL = ""
    fault = one(tried(trial()), "fault")
    assert fault.text == "OPENAI_API_KEY must be set when LLM_PROVIDER is openai."


def test_a_trial_that_takes_too_long_is_stopped(model: RunningModel, orders: Agent) -> None:
    model.script({"match": {}, "reply": {"text": "Too late", "delay_ms": 3000}})

    steps = tried(trial(), seconds=0.3)

    assert one(steps, "fault").title == "Stopped"
    assert steps[-1].kind == "end"


def test_without_any_agent_it_says_so(model: RunningModel) -> None:
    assert one(tried(trial()), "fault").title == "Nobody answers"
    assert model.requests() == []
