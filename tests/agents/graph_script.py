"""Rules for the scripted model, as the graph's tests say them, and what they look up of a turn afterwards."""

from typing import Any

from tests.live.chatter import Frame
from tests.live.stack import Stack, until

Rule = dict[str, Any]


def routed(*agents: str, **fields: Any) -> Rule:
    """The routing answer: these agents, in this order."""
    intents = [{"agent": agent, "confidence": 0.9, "why": "asked"} for agent in agents]
    texts = {"person_reason": "", "question": "", "reason": "The message asks for it."}
    answer = {"intents": intents, "wants_person": False, **texts, **fields}
    return {"match": {"structured": True}, "reply": {"json": answer}}


def call(name: str, args: Any = None, **fields: Any) -> Rule:
    return {"name": name, "args": {} if args is None else args, **fields}


def answers(*calls: Rule, text: str = "", agent: str = "", times: int | None = 1, **reply: Any) -> Rule:
    """One answer of an agent: text, tool calls, or both. It is given once unless told otherwise."""
    match: Rule = {"structured": False}
    if agent:
        match["system_contains"] = f"You are {agent},"
    rule: Rule = {"match": match, "reply": {"text": text, "tool_calls": list(calls), **reply}}
    return rule if times is None else {**rule, "times": times}


def one(frames: list[Frame], kind: str) -> Frame:
    """The one frame of this type."""
    [found] = [frame for frame in frames if frame["type"] == kind]
    return found


def texts(frames: list[Frame]) -> list[str]:
    return [frame["content"] for frame in frames if frame["type"] == "agent_response"]


def kinds(stack: Stack, thread_id: str) -> list[str]:
    return [event["kind"] for event in stack.events(thread_id)]


def results(stack: Stack, thread_id: str) -> list[dict[str, Any]]:
    """What each tool call came to, in the log."""
    return [event["payload"] for event in stack.events(thread_id) if event["kind"] == "tool_returned"]


def actions(stack: Stack, thread_id: str) -> list[dict[str, Any]]:
    """The conversation's actions, oldest first."""
    return stack.db(
        "SELECT a.* FROM agents_action a JOIN chat_turn t ON t.id = a.turn_id "
        "JOIN chat_conversation c ON c.id = t.conversation_id WHERE c.thread_id = %s ORDER BY a.created_at",
        thread_id,
    )


def turns(stack: Stack, thread_id: str) -> list[dict[str, Any]]:
    return stack.db(
        "SELECT t.* FROM chat_turn t JOIN chat_conversation c ON c.id = t.conversation_id "
        "WHERE c.thread_id = %s ORDER BY t.message_seq",
        thread_id,
    )


def assert_nothing_is_kept(stack: Stack, thread_id: str) -> None:
    """LangGraph's tables have nothing of the conversation's turns, once their worker has cleaned up."""
    ids = [str(turn["id"]) for turn in turns(stack, thread_id)]
    tables = ("checkpoints", "checkpoint_writes", "checkpoint_blobs")

    def kept() -> int:
        return sum(
            stack.db(f"SELECT count(*) AS n FROM {table} WHERE thread_id = ANY(%s)", ids)[0]["n"]
            for table in tables
        )

    until(lambda: kept() == 0)


def assert_sound(stack: Stack, thread_id: str) -> None:
    """The log is gapless, each key is there once, and each turn ended once or waits."""
    events = stack.events(thread_id)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    keyed = [(event["turn_id"], event["key"]) for event in events if event["key"]]
    assert len(keyed) == len(set(keyed))
    for turn in turns(stack, thread_id):
        ends = [event["kind"] for event in events if event["turn_id"] == turn["id"] and event["key"] == "end"]
        assert ends == ([f"turn_{turn['status']}"] if turn["sealed_at"] else [])
