"""Prompts are kept once, as they were sent, and put together again; what is missing is said."""

from typing import Any

import pytest
from django.conf import LazySettings
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agents import facts, prompt_parts
from chat.models import Conversation, Event, PromptPart
from replay import prompts
from tests import rows
from tests.agents.graph_script import answers, call, routed
from tests.live.chatter import Chatter
from tests.live.stack import Stack
from tests.scripted_model.fixture import RunningModel

TOOL = {"type": "function", "function": {"name": "get", "description": "Get it.", "parameters": {}}}


def conversation_of(count: int) -> list[BaseMessage]:
    said = [(HumanMessage, AIMessage)[n % 2](f"message {n}") for n in range(count)]
    return [SystemMessage("You help."), *said, HumanMessage("and now?")]


def called(asked: list[BaseMessage], step: int = 1, before: dict[str, Any] | None = None) -> facts.Fact:
    prompt = prompt_parts.of_answer(asked, [TOOL], before)
    return facts.model_called(
        step=step,
        agent="a",
        text="hm",
        tool_calls=[],
        model="m",
        provider="offline",
        usage=rows.USAGE,
        duration_ms=1,
        prompt=prompt,
    )


@pytest.mark.django_db
@pytest.mark.parametrize("count", [0, 1, 7, 60])
def test_a_prompt_comes_back_as_it_was_sent(count: int) -> None:
    turn = rows.turn(rows.customer())
    asked = [
        *conversation_of(count),
        AIMessage(
            "",
            tool_calls=[
                {"id": "c1", "name": "get", "args": {"n": 1}},
                {"id": "c2", "name": "get", "args": {}},
            ],
        ),
        ToolMessage('{"ok": true}', tool_call_id="c1", name="get"),
        ToolMessage("\x00 odd \ud800", tool_call_id="c2", name="get"),
    ]

    rows.happened(turn, called(asked))

    shown = prompts.sent(Event.objects.get(kind="model_called"))
    assert shown.why == ""
    assert shown.tools == [TOOL]
    assert [message["role"] for message in shown.messages[-4:]] == ["user", "assistant", "tool", "tool"]
    assert [message["content"] for message in shown.messages[:-1]] == [one.content for one in asked[:-1]]
    assert shown.messages[-3]["tool_calls"][0] == {"id": "c1", "name": "get", "args": {"n": 1}}


@pytest.mark.django_db
def test_a_piece_is_stored_once_and_shared_ones_once_for_everybody() -> None:
    one, other = rows.turn(rows.customer()), rows.turn(rows.customer())
    for turn in (one, other, one):
        rows.happened(
            turn,
            facts.Fact("replied", {"content": "x"}),
            called(conversation_of(20), step=turn.events.count()),
        )

    shared = PromptPart.objects.filter(conversation=None)
    assert shared.count() == 2  # the system prompt and the tool list
    assert (
        PromptPart.objects.filter(conversation=one.conversation_id).count()
        == PromptPart.objects.filter(conversation=other.conversation_id).count()
    )
    assert {event.payload["prompt"]["tools"] for event in Event.objects.filter(kind="model_called")} <= set(
        shared.values_list("digest", flat=True)
    )


def test_a_second_call_sends_only_what_the_first_one_has_not_stored(settings: LazySettings) -> None:
    settings.KEEP_PROMPTS = True
    first = prompt_parts.of_answer(conversation_of(40), [TOOL])
    assert first
    further = [*conversation_of(40), AIMessage("", tool_calls=[{"id": "c", "name": "get", "args": {}}])]
    second = prompt_parts.of_answer(further, [TOOL], first.names)
    assert second
    whole = prompt_parts.of_answer(further, [TOOL])
    assert whole

    assert whole.names == second.names
    assert len(second.parts) <= 2  # the answer, and a stretch that may end with it
    assert {part.digest for part in whole.parts} == {part.digest for part in first.parts + second.parts}


def test_a_window_that_moves_adds_a_few_pieces_however_long_it_is(settings: LazySettings) -> None:
    settings.KEEP_PROMPTS = True
    said: list[BaseMessage] = [HumanMessage(f"line {n}") for n in range(400)]
    stored: set[str] = set()
    added = []
    for start in range(0, 200, 4):
        prompt = prompt_parts.of_answer([SystemMessage("s"), *said[start : start + 200]], [TOOL])
        assert prompt
        added.append(len({part.digest for part in prompt.parts} - stored))
        stored |= {part.digest for part in prompt.parts}
        assert len(prompt.names["parts"]) < 80

    assert sum(added[1:]) / len(added[1:]) < 8  # 4 messages, and stretches at both ends


@pytest.mark.django_db
def test_where_prompts_are_not_kept_nothing_of_them_is_stored(settings: LazySettings) -> None:
    settings.KEEP_PROMPTS = False
    turn = rows.turn(rows.customer())

    rows.happened(turn, called(conversation_of(3)))

    event = Event.objects.get(kind="model_called")
    assert "prompt" not in event.payload
    assert not PromptPart.objects.exists()
    assert "KEEP_PROMPTS" in prompts.sent(event).why


@pytest.mark.django_db
def test_what_is_missing_of_a_prompt_is_said_and_the_rest_shown() -> None:
    turn = rows.turn(rows.customer())
    rows.happened(turn, called(conversation_of(3)))
    event = Event.objects.get(kind="model_called")
    PromptPart.objects.filter(content__messages__0__content="message 1").delete()

    shown = prompts.sent(event)

    assert "1 of 6 are missing" in shown.why
    assert [message["content"] for message in shown.messages] == [
        "You help.",
        "message 0",
        "message 2",
        "and now?",
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "prompt", [3, "x", [], {}, {"parts": 3}, {"parts": [1, ["x"], {}, None], "tools": {}, "format": []}]
)
def test_an_odd_prompt_breaks_nothing(prompt: Any) -> None:
    turn = rows.turn(rows.customer())
    rows.happened(turn, facts.Fact("model_called", {"prompt": prompt}))

    assert prompts.sent(Event.objects.get(kind="model_called")).messages == []


@pytest.mark.django_db
def test_nobody_is_shown_a_piece_of_another_conversation() -> None:
    mine, other = rows.turn(rows.customer()), rows.turn(rows.customer())
    rows.happened(other, called([SystemMessage("s"), HumanMessage("my secret wish")]))
    names = Event.objects.get(kind="model_called").payload["prompt"]
    rows.happened(mine, facts.Fact("model_called", {"prompt": names}))

    shown = prompts.sent(Event.objects.filter(kind="model_called", turn=mine).get())

    assert [message["content"] for message in shown.messages] == ["s"]
    assert "missing" in shown.why


@pytest.mark.xdist_group("live-scripted")
async def test_what_is_kept_is_what_the_model_was_sent(
    scripted_stack: Stack, scripted_model_server: RunningModel
) -> None:
    model = scripted_model_server
    for question in ("What is the status of order 1042?", "And what is the status of order 1043?"):
        model.script(
            routed("order_lookup"),
            answers(call("get_order_status", {"order_id": 1042})),
            answers(text="It is being packed."),
        )
        if question.startswith("What"):
            customer = await Chatter(scripted_stack.socket_url).__aenter__()
        await customer.say(question)
    await customer.__aexit__(None, None, None)
    sent = [request["body"] for request in model.requests()]
    db = scripted_stack.db
    [row] = db("SELECT * FROM chat_conversation WHERE thread_id = %s", customer.thread_id)
    named = db(
        "SELECT kind, payload FROM chat_event WHERE conversation_id = %s AND payload ? 'prompt' ORDER BY seq",
        row["id"],
    )
    parts = {
        part["digest"]: part["content"]
        for part in db(
            "SELECT * FROM chat_promptpart WHERE conversation_id = %s OR conversation_id IS NULL", row["id"]
        )
    }

    assert len(named) == len(sent)
    for event, body in zip(named, sent, strict=True):
        prompt = event["payload"]["prompt"]
        listed = [name for piece in prompt["parts"] for name in parts[piece].get("parts", [piece])]
        kept = [message for name in listed for message in parts[name]["messages"]]
        assert [(one["role"], one["content"] or None) for one in kept] == [
            (one["role"], one["content"] or None) for one in body["messages"]
        ]
        if event["kind"] == "model_called":
            assert parts[prompt["tools"]]["tools"] == body["tools"]
    assert [event["kind"] for event in named][:3] == ["routed", "model_called", "model_called"]
    request = db(
        "SELECT payload FROM chat_event WHERE conversation_id = %s AND kind = 'tool_returned'", row["id"]
    )[0]
    assert request["payload"]["request"]["method"] == "GET"
    assert "/orders/1042" in request["payload"]["request"]["url"]
    weighed = named[0]["payload"]
    assert [one["agent"] for one in weighed["candidates"]] == ["order_lookup"]
    assert weighed["least"] == 0.5


def test_conversations_are_gone_with_their_pieces(db: None) -> None:
    turn = rows.turn(rows.customer())
    rows.happened(turn, called(conversation_of(3)))

    Conversation.objects.filter(pk=turn.conversation_id).delete()

    assert list(PromptPart.objects.values_list("conversation", flat=True)) == [None, None]
