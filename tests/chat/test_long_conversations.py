"""A long conversation over the wire: what the model server receives, turn after turn, and the summary by the jobs."""

import json
from itertools import pairwise
from typing import Any

import pytest

from tests.chat.sockets import age_messages
from tests.live.chatter import Chatter
from tests.live.stack import START_SECONDS, Stack, until
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.xdist_group("live-scripted")

PADDING = (
    "I have been a customer for many years and would like to know exactly what is going on with it. " * 6
)


@pytest.fixture
def stack(scripted_stack: Stack) -> Stack:
    scripted_stack.business.post("/_reset")
    return scripted_stack


def asked_agents(model: RunningModel) -> list[dict[str, Any]]:
    """The bodies of the agents' own requests, oldest first."""
    return [one["body"] for one in model.requests() if one["body"].get("stream")]


def bytes_of(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False)


def up_to_the_customer(body: dict[str, Any]) -> list[dict[str, Any]]:
    """A prompt up to the message that its turn answers."""
    messages: list[dict[str, Any]] = body["messages"]
    last = max(place for place, message in enumerate(messages) if message["role"] == "user")
    return messages[: last + 1]


async def test_a_prompt_begins_with_the_bytes_of_the_one_before(
    stack: Stack, scripted_model_server: RunningModel
) -> None:
    model = scripted_model_server
    async with Chatter(stack.socket_url) as customer:
        for order in (1042, 1043, 1044, 1045):
            await customer.say(f"What is the status of order {order}? {PADDING}")
    bodies = asked_agents(model)
    turns = [body for body in bodies if body["messages"][-1]["role"] == "user"]

    assert len(turns) == 4
    assert len({bytes_of([body["tools"], body["messages"][0]]) for body in bodies}) == 1
    for earlier, later in pairwise(turns):
        start = up_to_the_customer(earlier)
        assert bytes_of(later["messages"][: len(start)]) == bytes_of(start)
    events = stack.api.get(f"/conversations/{customer.thread_id}/events?limit=500").json()["data"]["events"]
    called = [event for event in events if event["kind"] == "model_called"]
    cached = [event["tokens_cached"] for event in called]
    assert cached == sorted(cached)
    assert cached[0] == 0
    assert cached[-1] > 1_000
    assert all(event["tokens_cached"] < event["tokens_in"] for event in called)
    steps = stack.api.get(f"/replay/{customer.thread_id}?per_page=100").json()["data"]["steps"]
    assert [step["tokens_cached"] for step in steps if step["type"] == "model_call"] == [
        event["tokens_cached"] for event in called
    ]


async def test_the_action_of_a_stopped_turn_is_told_to_the_model_and_not_as_the_customers_words(
    stack: Stack, scripted_model_server: RunningModel
) -> None:
    model = scripted_model_server
    half = {"text": "It has been done, and so on", "hold": 4}
    model.script({"match": {"has_tool_result": True}, "reply": half, "times": 1})
    async with Chatter(stack.socket_url) as customer:
        await customer.say("Cancel order 1046")
        await customer.decide(True)
        await customer.until("token")
        await customer.send({"type": "stop", "thread_id": customer.thread_id})
        await customer.until("message_complete")
        await customer.say("What is the status of order 1046?")
    messages = asked_agents(model)[-2]["messages"]

    records = [one for one in messages if str(one["content"]).startswith("[Record]")]
    [done] = [one for one in records if "} was done." in one["content"]]
    assert done["role"] == "assistant"
    assert done["name"] == "record"
    assert done["content"].startswith('[Record] cancel_order {"order_id":1046} was done.')
    assert [one["role"] for one in messages[:2]] == ["system", "user"]
    assert "1046" not in messages[0]["content"]
    calls = [call["id"] for one in messages for call in one.get("tool_calls") or []]
    answers = [one["tool_call_id"] for one in messages if one["role"] == "tool"]
    assert calls == answers


async def test_the_jobs_summarise_and_the_next_turn_reads_it(
    stack: Stack, scripted_model_server: RunningModel
) -> None:
    model = scripted_model_server
    notes = {"summary": "Notes of the scripted model.", "language": "English"}
    model.script({"match": {"system_contains": "You keep the notes"}, "reply": {"json": notes}})
    stack.run("jobs", "-m", "celery", "-A", "smartsupport", "worker", "--pool", "solo", "--without-gossip")
    try:
        async with Chatter(stack.socket_url) as customer:
            for order in range(1042, 1056):
                await customer.say(f"What is the status of order {order}? {PADDING}")
                age_messages(stack, customer.thread_id, 60)
            summaries = until(lambda: summarised(stack, customer.thread_id), seconds=START_SECONDS)
            await customer.say("What is the status of order 1060?")
    finally:
        stack.kill("jobs")

    first = asked_agents(model)[-2]["messages"][1]
    assert (first["role"], first["name"]) == ("assistant", "record")
    assert first["content"].startswith(
        "[Record] Summary of the conversation before this: Notes of the scripted"
    )
    assert "1042" in first["content"]
    assert summaries[0]["payload"]["after_seq"] == 0
    assert all(frame["type"] != "summarised" for frame in customer.seen)


def summarised(stack: Stack, thread_id: str) -> list[dict[str, Any]]:
    return [event for event in stack.events(thread_id) if event["kind"] == "summarised"]


async def test_what_a_model_thinks_is_not_shown_where_nobody_asked_for_it(
    stack: Stack, scripted_model_server: RunningModel
) -> None:
    thinking = [{"reasoning": "I wonder."}, "It is on its way."]
    scripted_model_server.script({"match": {"stream": True}, "reply": {"chunks": thinking}})
    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say("What is the status of order 1042?")

    assert "reasoning" not in {frame["type"] for frame in frames}
    assert "I wonder" not in json.dumps([*frames, *stack.events(customer.thread_id)], default=str)
