"""The offline model as a chat model: streaming, usage, determinism, structured answers."""

import json

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from pydantic import BaseModel

from agents.providers.offline import MODEL_NAME, OfflineChatModel, approximate_tokens
from agents.routing import Routing, routing_prompt, routing_schema
from tests.agents.offline_tools import SYSTEM, ask, cards, offline, tools_of

HELLO = [SystemMessage(SYSTEM), HumanMessage("hi")]
CANCEL = [SystemMessage(SYSTEM), HumanMessage("cancel orders 1042 and 1043")]


async def test_text_streams_word_by_word_and_adds_up():
    pieces = [chunk async for chunk in offline().astream(HELLO)]
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece

    assert [piece.text for piece in pieces if piece.text] == ["Welcome ", "to ", "Harbour ", "& ", "Co.!"]
    assert whole.text == (await offline().ainvoke(HELLO)).text
    assert isinstance(whole, AIMessageChunk)
    assert whole.usage_metadata == (await offline().ainvoke(HELLO)).usage_metadata
    assert whole.response_metadata["model_name"] == MODEL_NAME


async def test_chinese_text_streams_in_small_pieces():
    pieces = [chunk.text async for chunk in offline().astream([HumanMessage("谢谢")]) if chunk.text]

    assert len(pieces) > 5
    assert "".join(pieces).startswith("不客气")


async def test_tool_calls_stream_as_chunks():
    model = offline().bind_tools(tools_of("ecommerce", "order_actions"))
    whole = None
    async for chunk in model.astream(CANCEL):
        whole = chunk if whole is None else whole + chunk

    assert [(c["name"], c["args"]) for c in whole.tool_calls] == [
        ("cancel_order", {"order_id": 1042}),
        ("cancel_order", {"order_id": 1043}),
    ]
    assert whole.tool_calls == model.invoke(CANCEL).tool_calls
    assert len({call["id"] for call in whole.tool_calls}) == 2


def test_the_same_prompt_gets_the_same_answer():
    tools = tools_of("ecommerce", "order_actions")

    assert ask(tools, "cancel order 1042").tool_calls == ask(tools, "cancel order 1042").tool_calls


def test_usage_counts_prompt_tools_and_answer():
    bare = offline().invoke(CANCEL).usage_metadata
    armed = offline().bind_tools(tools_of("ecommerce", "order_actions")).invoke(CANCEL).usage_metadata

    assert armed["input_tokens"] > bare["input_tokens"] > approximate_tokens(SYSTEM)
    assert armed["total_tokens"] == armed["input_tokens"] + armed["output_tokens"]
    assert approximate_tokens("取消订单") == 4
    assert approximate_tokens("cancel the order") == 4


def test_no_tool_is_called_where_none_may_be():
    model = offline().bind_tools(tools_of("ecommerce", "order_actions"), tool_choice="none")

    assert model.invoke(CANCEL).tool_calls == []


def test_it_says_what_it_is():
    assert OfflineChatModel.label == "Offline demo model (rules, no network)"
    assert offline().model_name == "offline-rules-1"


async def test_a_structured_answer_comes_as_json_schema_or_class():
    prompt = [SystemMessage(routing_prompt(cards("ecommerce"))), HumanMessage("Cancel order 1042")]
    schema = routing_schema(cards("ecommerce"))

    plain = await offline().with_structured_output(schema, method="json_schema").ainvoke(prompt)
    raw = await offline().with_structured_output(schema, include_raw=True).ainvoke(prompt)
    typed = await offline().with_structured_output(Routing).ainvoke(prompt)

    assert plain["intents"][0]["agent"] == "order_actions"
    assert isinstance(raw["raw"], AIMessage)
    assert raw["parsed"] == plain == json.loads(raw["raw"].text)
    assert raw["parsing_error"] is None
    assert isinstance(typed, Routing)


def test_another_schema_is_refused_in_words():
    class Colour(BaseModel):
        name: str

    with pytest.raises(NotImplementedError, match="Colour"):
        offline().with_structured_output(Colour)


def test_a_prompt_without_a_customer_gets_a_greeting():
    assert offline().invoke([SystemMessage(SYSTEM)]).text == "Welcome to Harbour & Co.!"
