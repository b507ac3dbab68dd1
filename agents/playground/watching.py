"""What a model was asked in a trial, exactly as it was sent, what it answered, and what that cost."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from agents import tokens
from agents.models import ModelCall
from agents.playground.trial import Step
from agents.spending import ledger
from agents.spending.usage import Call, Usage
from smartsupport.lib.ids import canonical_json
from smartsupport.lib.threads import in_thread

log = structlog.get_logger(__name__)

ROLES = {"system": "System prompt", "human": "Customer", "ai": "Agent", "tool": "Tool result"}


@dataclass(slots=True)
class _Asked:
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    structured: bool
    started: float


class Watcher(AsyncCallbackHandler):
    """Tells each answer of the model as a step, and enters it into the ledger as a trial."""

    raise_error = False

    def __init__(self, tell: Callable[[Step], None]) -> None:
        self._tell = tell
        self._asked: dict[UUID, _Asked] = {}

    async def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        given = kwargs.get("invocation_params") or {}
        self._asked[run_id] = _Asked(
            messages=[shown_message(one) for one in messages[0]],
            tools=[tool for tool in given.get("tools") or () if isinstance(tool, dict)],
            structured=bool(given.get("response_format") or given.get("ls_structured_output_format")),
            started=time.monotonic(),
        )

    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        asked = self._asked.pop(run_id, None)
        generation = response.generations[0][0] if response.generations and response.generations[0] else None
        if asked is None or not isinstance(generation, ChatGeneration):
            return
        answer = generation.message
        call = Call(
            purpose=ModelCall.Purpose.PLAYGROUND,
            provider=settings.LLM_PROVIDER,
            model=str(answer.response_metadata.get("model_name") or settings.LLM_PROVIDER),
            usage=Usage.of(answer),
            duration_ms=round((time.monotonic() - asked.started) * 1000),
        )
        self._tell(_step(asked, answer, call, await in_thread(lambda: entered(call))))


def entered(call: Call) -> int | None:
    """Enter the call into the ledger; its cost in micro-dollars, None where nobody knows it. An answer that was paid
    for is shown also where the ledger cannot be written just now: the log tells."""
    try:
        with connection.cursor() as cursor:
            given: dict[str, Any] = {"calls": ledger.parameter([(0, call)]), "now": timezone.now()}
            cursor.execute(f"SELECT cost FROM ({ledger.PRICED}) AS priced", given)  # noqa: S608 - a constant
            [cost] = cursor.fetchone()
        ledger.record(call)
    except DatabaseError:
        log.exception("trial_not_in_ledger", model=call.model)
        return None
    micros: int | None = cost
    return micros


def _step(asked: _Asked, answer: BaseMessage, call: Call, cost: int | None) -> Step:
    calls = answer.tool_calls if isinstance(answer, AIMessage) else []
    schemas = tokens.estimated(canonical_json(asked.tools)) if asked.tools else 0
    return Step(
        "asked",
        "The model chose who answers" if asked.structured else "The model answered",
        text=_candidates(str(answer.text)) if asked.structured else "",
        payload={
            "messages": asked.messages,
            "tools": asked.tools,
            "tools_text": json.dumps(asked.tools, indent=2, ensure_ascii=False) if asked.tools else "",
            "tools_tokens": schemas,
            "estimated": sum(one["tokens"] for one in asked.messages) + schemas,
            "answer": str(answer.text),
            "calls": [
                {"name": one["name"], "args": json.dumps(one["args"], ensure_ascii=False)} for one in calls
            ],
            "model": call.model,
            "tokens_in": call.usage.tokens_in,
            "tokens_out": call.usage.tokens_out,
            "duration_ms": call.duration_ms,
            "cost_micros": cost,
        },
    )


def _candidates(answer: str) -> str:
    """Who might answer and how sure the model is, of a routing answer; the answer itself where it is none."""
    try:
        intents = json.loads(answer)["intents"]
        return ", ".join(f"{one['agent']} {one['confidence']:.0%}" for one in intents) or answer
    except (ValueError, KeyError, TypeError):
        return answer


def shown_message(message: BaseMessage) -> dict[str, Any]:
    """{"role", "text", "tokens"} of one message of a prompt."""
    text = str(message.text)
    calls: Sequence[Any] = message.tool_calls if isinstance(message, AIMessage) else ()
    if calls:
        made = "\n".join(f"{one['name']} {json.dumps(one['args'], ensure_ascii=False)}" for one in calls)
        text = f"{text}\n{made}".strip()
    role = "Record" if message.name == "record" else ROLES.get(message.type, message.type)
    return {"role": role, "text": text, "tokens": tokens.of_message(text)}
