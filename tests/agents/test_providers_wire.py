"""What the OpenAI provider makes of what comes over the wire: text, tools, structured answers, usage."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage

from agents import providers
from agents.spending.usage import Usage

WEATHER = {
    "name": "get_order_status",
    "description": "Look up an order.",
    "parameters": {
        "type": "object",
        "properties": {"order_id": {"type": "string"}},
        "required": ["order_id"],
    },
}
ROUTING = {
    "title": "Routing",
    "type": "object",
    "properties": {
        "intents": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "agent": {"type": "string", "enum": ["discount", "order_actions", "order_lookup"]},
                    "confidence": {"type": "number"},
                    "why": {"type": "string"},
                },
                "required": ["agent", "confidence", "why"],
                "additionalProperties": False,
            },
        },
        "question": {"type": "string"},
    },
    "required": ["intents", "question"],
    "additionalProperties": False,
}


@pytest.fixture
async def model(settings, scripted_model) -> AsyncIterator[Any]:
    settings.LLM_PROVIDER = "openai"
    settings.OPENAI_API_KEY = "sk-secret"
    settings.OPENAI_BASE_URL = scripted_model.url
    settings.LLM_MODEL = "scripted"
    yield providers.chat_model()
    await providers.close_models()


async def streamed(model, prompt: Any = "Hello") -> tuple[list[AIMessageChunk], AIMessageChunk]:
    pieces = [piece async for piece in model.astream(prompt)]
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    return pieces, whole


async def test_text_arrives_word_by_word_with_its_usage(model, scripted_model):
    scripted_model.script({"reply": {"text": "Your order 1042 is on its way."}})

    pieces, whole = await streamed(model, [SystemMessage("Be kind."), HumanMessage("Where is it?")])

    assert [
        piece.content for piece in pieces if piece.content
    ] == "Your| order| 1042| is| on| its| way.".split("|")
    assert whole.content == "Your order 1042 is on its way."
    assert whole.response_metadata["finish_reason"] == "stop"
    [asked] = scripted_model.requests()
    assert whole.usage_metadata["input_tokens"] == asked["prompt_tokens"]
    assert whole.usage_metadata["output_tokens"] == 7
    assert asked["path"] == "/v1/chat/completions"
    assert asked["headers"]["authorization"] == "Bearer sk-secret"
    assert asked["body"]["stream_options"] == {"include_usage": True}
    assert [message["role"] for message in asked["body"]["messages"]] == ["system", "user"]


async def test_usage_counts_cached_tokens_apart(model, scripted_model):
    usage = {
        "prompt_tokens": 900,
        "completion_tokens": 3,
        "total_tokens": 903,
        "prompt_tokens_details": {"cached_tokens": 640},
    }
    scripted_model.script({"reply": {"text": "Hello.", "usage": usage}})

    _, whole = await streamed(model)

    assert whole.usage_metadata["input_tokens"] == 900
    assert whole.usage_metadata["input_token_details"]["cache_read"] == 640


async def test_odd_pieces_keep_every_character(model, scripted_model):
    scripted_model.script({"reply": {"chunks": ["", "嗯", "  two  spaces\n", {"content": None}, "**end**"]}})

    _, whole = await streamed(model)

    assert whole.content == "嗯  two  spaces\n**end**"


async def test_a_tool_call_in_pieces_is_put_together(model, scripted_model):
    call = {"name": "get_order_status", "args": {"order_id": "1042", "note": "naïve “quotes”"}}
    scripted_model.script({"match": {"offers_tool": "get_order_status"}, "reply": {"tool_calls": [call]}})

    pieces, whole = await streamed(model.bind_tools([WEATHER]))

    assert len([piece for piece in pieces if piece.tool_call_chunks]) > 2
    [found] = whole.tool_calls
    assert (found["name"], found["args"]) == (call["name"], call["args"])
    assert found["id"]
    assert whole.response_metadata["finish_reason"] == "tool_calls"


async def test_parallel_tool_calls_keep_their_order_and_their_arguments(model, scripted_model):
    calls = [
        {"name": "get_order_status", "args": {"order_id": number}} for number in ("1042", "1043", "1044")
    ]
    scripted_model.script({"reply": {"text": "I will look.", "tool_calls": calls}})

    _, whole = await streamed(model.bind_tools([WEATHER]))

    assert whole.content == "I will look."
    assert [call["args"]["order_id"] for call in whole.tool_calls] == ["1042", "1043", "1044"]
    assert len({call["id"] for call in whole.tool_calls}) == 3


async def test_a_piece_with_text_and_a_tool_call_loses_neither(model, scripted_model):
    call = {"name": "get_order_status", "args": {"order_id": "1042"}}
    scripted_model.script({"reply": {"text": "Looking it up.", "tool_calls": [call], "together": True}})

    pieces, whole = await streamed(model.bind_tools([WEATHER]))

    assert any(piece.content and piece.tool_call_chunks for piece in pieces)
    assert whole.content == "Looking it up."
    assert whole.tool_calls[0]["args"] == {"order_id": "1042"}


async def test_arguments_that_are_not_json_are_handed_on_as_invalid(model, scripted_model):
    scripted_model.script(
        {"reply": {"tool_calls": [{"name": "get_order_status", "args": '{"order_id": 10'}]}}
    )

    message = await model.bind_tools([WEATHER]).ainvoke("Hello")

    assert message.tool_calls == []
    assert message.invalid_tool_calls[0]["args"] == '{"order_id": 10'


async def test_a_whole_answer_without_streaming(model, scripted_model):
    call = {"name": "get_order_status", "args": {"order_id": "1042"}}
    scripted_model.script({"match": {"stream": False}, "reply": {"text": "Looking.", "tool_calls": [call]}})

    message = await model.bind_tools([WEATHER]).ainvoke("Hello")

    assert message.content == "Looking."
    assert message.tool_calls[0]["args"] == {"order_id": "1042"}
    assert message.usage_metadata["total_tokens"] > 0


async def test_a_structured_answer_is_parsed_and_its_raw_message_kept(model, scripted_model):
    chooser = model.with_structured_output(ROUTING, method="json_schema", include_raw=True)

    answer = await chooser.ainvoke("Cancel order 1042 and give me a 10% discount")

    assert [intent["agent"] for intent in answer["parsed"]["intents"]] == ["order_actions", "discount"]
    assert answer["parsing_error"] is None
    assert isinstance(answer["raw"], AIMessage)
    [asked] = scripted_model.requests()
    assert answer["raw"].usage_metadata["input_tokens"] == asked["prompt_tokens"]
    assert asked["body"]["response_format"]["type"] == "json_schema"


async def test_a_structured_answer_that_is_no_json_is_a_parsing_error_that_keeps_its_tokens(
    model, scripted_model
):
    scripted_model.script({"match": {"structured": True}, "reply": {"text": "I would rather chat."}})
    chooser = model.with_structured_output(ROUTING, method="json_schema", include_raw=True)

    answer = await chooser.ainvoke("Cancel order 1042")

    assert answer["parsed"] is None
    assert answer["parsing_error"] is not None
    assert answer["raw"].usage_metadata["input_tokens"] > 0


@pytest.mark.parametrize(
    ("reason", "error"),
    [("length", openai.LengthFinishReasonError), ("content_filter", openai.ContentFilterFinishReasonError)],
)
async def test_a_structured_answer_that_was_cut_off_is_not_completed_by_guessing(
    model, scripted_model, reason, error
):
    scripted_model.script({"reply": {"text": '{"intents": [', "finish_reason": reason}})
    chooser = model.with_structured_output(ROUTING, method="json_schema", include_raw=True)

    with pytest.raises(error):
        await chooser.ainvoke("Cancel order 1042")


async def test_a_structured_answer_can_be_streamed(model):
    chooser = model.with_structured_output(ROUTING, method="json_schema")

    seen = [state async for state in chooser.astream("Cancel order 1042")]

    assert seen[-1]["intents"][0]["agent"] == "order_actions"


async def test_a_tool_result_goes_back_to_the_call_that_asked_for_it(model, scripted_model):
    asking = AIMessage(
        "", tool_calls=[{"id": "call_7", "name": "get_order_status", "args": {"order_id": "1042"}}]
    )
    scripted_model.script(
        {"match": {"tool_result_contains": "shipped"}, "reply": {"text": "It was shipped."}}
    )

    _, whole = await streamed(
        model, [HumanMessage("Where?"), asking, ToolMessage("shipped", tool_call_id="call_7")]
    )

    assert whole.content == "It was shipped."
    sent = scripted_model.requests()[0]["body"]["messages"]
    assert sent[1]["tool_calls"][0]["id"] == sent[2]["tool_call_id"] == "call_7"


async def test_an_azure_deployment_streams_the_same_way(settings, scripted_model):
    settings.LLM_PROVIDER = "azure_openai"
    settings.AZURE_OPENAI_API_KEY = "azure-secret"
    settings.AZURE_OPENAI_ENDPOINT = scripted_model.host_url
    settings.AZURE_OPENAI_DEPLOYMENT = "support"
    scripted_model.script({"reply": {"text": "Hello from Azure."}})

    _, whole = await streamed(providers.chat_model())
    await providers.close_models()

    assert whole.content == "Hello from Azure."
    assert whole.usage_metadata["output_tokens"] == 3
    [asked] = scripted_model.requests()
    assert asked["path"].startswith("/openai/deployments/support/chat/completions?api-version=")
    assert asked["headers"]["api-key"] == "azure-secret"


def test_without_a_loop_a_model_answers_synchronously(settings, scripted_model):
    settings.LLM_PROVIDER = "openai"
    settings.OPENAI_API_KEY = "sk-secret"
    settings.OPENAI_BASE_URL = scripted_model.url
    scripted_model.script({"reply": {"text": "Hello."}})

    assert providers.chat_model().invoke("Hello").content == "Hello."
    assert "".join(piece.text for piece in providers.chat_model().stream("Hello")) == "Hello."


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_cost_that_a_gateway_reports_is_taken(model, scripted_model, streaming):
    reported = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.00123}
    scripted_model.script({"match": {}, "reply": {"text": "Hello there", "usage": reported}})

    answer = (await streamed(model))[1] if streaming else await model.ainvoke("Hello", stream=False)

    assert Usage.of(answer).reported_micros == 1_230
    assert answer.response_metadata["model_name"] == "scripted"
    assert answer.text == "Hello there"


async def test_kinds_of_tokens_come_over_the_wire(model, scripted_model):
    details = {
        "prompt_tokens_details": {"cached_tokens": 6},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, **details}
    scripted_model.script({"match": {}, "reply": {"text": "Hello", "usage": usage}})

    whole = (await streamed(model))[1]

    assert Usage.of(whole) == Usage(10, 5, 6, None, 3)
