import pytest
from django.test import Client

from agents import facts
from chat.models import Conversation
from tests import rows

pytestmark = pytest.mark.django_db

STEP = {
    "step", "type", "timestamp", "content", "agent", "tool", "params", "result", "reasoning", "tokens",
    "tokens_cached", "cost_usd", "duration_ms", "title", "turn_id",
}  # fmt: skip


@pytest.fixture
def reader(client: Client) -> Client:
    client.defaults["HTTP_X_API_KEY"] = rows.key("conversations:read")
    return client


@pytest.fixture
def thread() -> str:
    turn = rows.turn(rows.customer(), "t-replay", "Cancel order 1042")
    rows.happened(
        turn,
        facts.routed(
            agents=["order_actions"], reason="Cancelling", by="model", usage=rows.USAGE, duration_ms=12
        ),
        facts.tool_called(agent="order_actions", tool="get", title="Get", args={"id": 1}, call_id="c1"),
        facts.tool_returned(
            agent="order_actions", tool="get", call_id="c1", ok=True, result={"a": 1}, duration_ms=5
        ),
    )
    rows.finish(turn, "It is cancelled.", "order_actions")
    return turn.conversation.thread_id


def test_a_replay_tells_every_event_in_order(reader: Client, thread: str) -> None:
    answer = reader.get(f"/api/v1/replay/{thread}").json()["data"]

    assert (answer["thread_id"], answer["total_steps"], answer["page"], answer["per_page"]) == (
        thread,
        6,
        1,
        20,
    )
    assert [step["type"] for step in answer["steps"]] == [
        "user_message", "supervisor_routing", "tool_call", "tool_result", "agent_response", "turn_completed",
    ]  # fmt: skip
    assert [step["step"] for step in answer["steps"]] == [1, 2, 3, 4, 5, 6]
    assert all(set(step) == STEP for step in answer["steps"])
    user, routing, call, result, reply, _ = answer["steps"]
    assert user["content"] == "Cancel order 1042"
    assert (routing["reasoning"], routing["tokens"], routing["duration_ms"]) == ("Cancelling", 150, 12)
    assert (call["agent"], call["tool"], call["params"]) == ("order_actions", "get", {"id": 1})
    assert (result["result"], result["duration_ms"]) == ({"a": 1}, 5)
    assert reply["content"] == "It is cancelled."


def test_pages_do_not_overlap_and_past_the_end_is_empty(reader: Client, thread: str) -> None:
    pages = [
        reader.get(f"/api/v1/replay/{thread}?page={page}&per_page=4").json()["data"]["steps"]
        for page in (1, 2, 3)
    ]

    assert [[step["step"] for step in page] for page in pages] == [[1, 2, 3, 4], [5, 6], []]


@pytest.mark.parametrize("thread_id", ["a b", "a.b", "x" * 129, "t%0A", "é"])
def test_a_thread_id_of_another_form_is_refused(reader: Client, thread_id: str) -> None:
    answer = reader.get(f"/api/v1/replay/{thread_id}")

    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "Invalid thread_id format"


def test_an_unknown_thread_is_not_found(reader: Client) -> None:
    answer = reader.get("/api/v1/replay/nobody")

    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "Thread not found")


@pytest.mark.parametrize("query", ["page=0", "page=x", "per_page=0", "per_page=101", "page=10001"])
def test_a_page_that_cannot_be_is_refused(reader: Client, thread: str, query: str) -> None:
    answer = reader.get(f"/api/v1/replay/{thread}?{query}")

    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == [query.split("=")[0]]


def test_a_long_replay_costs_as_many_queries_as_a_short_one(
    reader: Client, thread: str, django_assert_num_queries: object
) -> None:
    turn = Conversation.objects.get(thread_id=thread).turns.get()
    rows.happened(turn, *(facts.Fact("replied", {"content": str(n)}) for n in range(60)))

    reader.get(f"/api/v1/replay/{thread}")
    with django_assert_num_queries(3):  # the key, the thread, the events
        reader.get(f"/api/v1/replay/{thread}?per_page=100")
