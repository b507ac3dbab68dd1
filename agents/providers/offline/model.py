"""The offline chat model: the interface of a chat model over rules. No network, no randomness."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import date
from typing import Any, ClassVar

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolCall
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.output_parsers import JsonOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from agents import summarising
from agents.lexical import language_of
from agents.providers.catalogue import OFFLINE_LABEL
from agents.providers.offline import reply
from agents.providers.offline.conversation import read_prompt
from agents.providers.offline.routing import route_prompt
from agents.providers.offline.tools import read_tools

MODEL_NAME = "offline-rules-1"
_STRUCTURED = "structured_schema"
_FORMS: dict[str, Callable[[Sequence[BaseMessage]], str]] = {
    "Routing": route_prompt,
    summarising.TITLE: summarising.answer_by_rules,
}


def approximate_tokens(text: str) -> int:
    """About what a tokenizer would count: one for each Chinese character, one for four other characters."""
    wide = len(re.findall(r"[\u3000-\u9fff\uff00-\uffef]", text))
    return wide + (len(text) - wide + 3) // 4


class OfflineChatModel(BaseChatModel):
    """Answers by rules alone: picks tools by their words, fills their arguments, and reports their results.

    `today` gives the day from which relative dates count; nothing else depends on the clock.
    `word_pause` is the
    time in seconds between two streamed words, for demonstrations.
    """

    label: ClassVar[str] = OFFLINE_LABEL
    model_name: str = MODEL_NAME
    today: Callable[[], date] = date.today
    word_pause: float = 0.0

    @property
    def _llm_type(self) -> str:
        return MODEL_NAME

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name}

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Give the model tools. `tool_choice="none"` keeps it from calling any; other choices change
        nothing.
        """
        declared = [convert_to_openai_tool(tool) for tool in tools]
        return self.bind(tools=declared, tool_choice=tool_choice, **kwargs)

    def with_structured_output(
        self, schema: dict[str, Any] | type[BaseModel], *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Answers in the schemas of routing and of summaries, and in no other: NotImplementedError. `method` and
        `strict` change nothing.
        """
        is_class = isinstance(schema, type)
        title = schema.__name__ if isinstance(schema, type) else schema.get("title") or schema.get("name")
        if title not in _FORMS:
            raise NotImplementedError(
                f"The offline model routes and summarises; it cannot answer in the schema {title!r}."
            )
        raw = self.bind(**{_STRUCTURED: title})
        parser: Runnable[Any, Any] = JsonOutputParser()
        if is_class:
            parser = parser | schema.model_validate  # type: ignore[union-attr]
        if not include_raw:
            return raw | parser
        parsed = RunnablePassthrough.assign(
            parsed=lambda answer: parser.invoke(answer["raw"]), parsing_error=lambda _: None
        )
        failed = RunnablePassthrough.assign(parsed=lambda _: None)
        return RunnableMap(raw=raw) | parsed.with_fallbacks([failed], exception_key="parsing_error")

    def _answer(self, messages: Sequence[BaseMessage], **kwargs: Any) -> AIMessage:
        declared = kwargs.get("tools") or []
        if form := kwargs.get(_STRUCTURED):
            text, calls = _FORMS[form](messages), []
        else:
            tools = [] if kwargs.get("tool_choice") == "none" else read_tools(declared)
            answer = reply.compose(read_prompt(messages), tools, self.today())
            text, calls = answer.text, _identified(answer.calls, len(messages))
        return AIMessage(
            content=text,
            tool_calls=calls,
            usage_metadata=_usage(messages, declared, text, calls),
            response_metadata={
                "model_name": self.model_name,
                "finish_reason": "tool_calls" if calls else "stop",
            },
        )

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._answer(messages, **kwargs))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._answer(messages, **kwargs))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in _chunks(self._answer(messages, **kwargs)):
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in _chunks(self._answer(messages, **kwargs)):
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk
            if self.word_pause and chunk.text:
                await asyncio.sleep(self.word_pause)


def _identified(calls: Sequence[tuple[str, dict[str, Any]]], position: int) -> list[ToolCall]:
    """Calls with ids that are the same for the same prompt and differ within a turn."""
    identified = []
    for index, (name, arguments) in enumerate(calls):
        seed = json.dumps([position, index, name, arguments], sort_keys=True, default=str)
        call_id = "call_" + hashlib.sha256(seed.encode()).hexdigest()[:20]
        identified.append(ToolCall(name=name, args=arguments, id=call_id, type="tool_call"))
    return identified


def _usage(
    messages: Sequence[BaseMessage], declared: Sequence[Any], text: str, calls: Sequence[ToolCall]
) -> UsageMetadata:
    """What the prompt (tool declarations included) and the answer would cost, approximately."""
    prompt = sum(approximate_tokens(message.text) + 4 for message in messages)
    prompt += sum(
        approximate_tokens(json.dumps(message.tool_calls, default=str))
        for message in messages
        if isinstance(message, AIMessage) and message.tool_calls
    )
    prompt += approximate_tokens(json.dumps(declared, default=str)) if declared else 0
    written = approximate_tokens(text)
    written += sum(approximate_tokens(call["name"] + json.dumps(call["args"], default=str)) for call in calls)
    return UsageMetadata(input_tokens=prompt, output_tokens=written, total_tokens=prompt + written)


def words_of(text: str) -> list[str]:
    """The text in streaming pieces: a word with the space after it; a few characters at a time in Chinese."""
    step = 2 if language_of(text) == "zh" else 0
    pieces = re.findall(r"\S+\s*|\s+", text)
    if not step:
        return pieces
    return [piece[i : i + step] for piece in pieces for i in range(0, len(piece), step)]


def _chunks(answer: AIMessage) -> Iterator[ChatGenerationChunk]:
    for piece in words_of(answer.text):
        yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
    for index, call in enumerate(answer.tool_calls):
        arguments = json.dumps(call["args"], ensure_ascii=False)
        part = tool_call_chunk(name=call["name"], args=arguments, id=call["id"], index=index)
        yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[part]))
    last = AIMessageChunk(
        content="",
        usage_metadata=answer.usage_metadata,
        response_metadata=answer.response_metadata,
        chunk_position="last",
    )
    yield ChatGenerationChunk(message=last)
