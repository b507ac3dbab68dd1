"""What an agent's prompt says: the customer's newest message, what came before, and the tool calls made
since.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agents.lexical import language_of

_REMEMBERED_CHARACTERS = 8000  # of each earlier text: enough for any answer, and quick to search


@dataclass(frozen=True)
class Outcome:
    """What a tool call came to. `kind` and `message` describe a failure, `result` a success."""

    ok: bool
    result: Any = None
    kind: str = ""
    message: str = ""


@dataclass(frozen=True)
class Made:
    """A tool call of this turn; `outcome` is None while no result has arrived."""

    name: str
    arguments: dict[str, Any]
    outcome: Outcome | None


@dataclass(frozen=True)
class Prompt:
    """A prompt taken apart at the customer's newest message."""

    system: str
    earlier: tuple[BaseMessage, ...]
    message: str
    made: tuple[Made, ...]
    size: int

    @property
    def language(self) -> str:
        """`zh` or `en`: of the newest customer message that has letters."""
        said = [m.text for m in reversed(self.earlier) if isinstance(m, HumanMessage)]
        return language_of(self.message, *said)

    @property
    def greeting(self) -> str:
        """The greeting that the agent's system prompt sets, "" when it sets none."""
        found = re.search(r"^[\W_]*greeting[\W_]*[:：]\s*(.+)$", self.system, re.IGNORECASE | re.MULTILINE)
        return found.group(1).strip(" \"'“”") if found else ""

    def calls_of(self, name: str) -> list[Made]:
        return [call for call in self.made if call.name == name]


def read_prompt(messages: Sequence[BaseMessage]) -> Prompt:
    """Take a chat prompt apart. Without any customer message, `message` is empty."""
    system = "\n".join(m.text for m in messages if isinstance(m, SystemMessage))
    spoken = [m for m in messages if not isinstance(m, SystemMessage)]
    last = max((i for i, m in enumerate(spoken) if isinstance(m, HumanMessage)), default=-1)
    message = spoken[last].text if last >= 0 else ""
    return Prompt(
        system=system,
        earlier=tuple(spoken[: max(last, 0)]),
        message=message,
        made=tuple(_calls(spoken[last + 1 :])),
        size=len(messages),
    )


def _calls(messages: Sequence[BaseMessage]) -> list[Made]:
    results = {m.tool_call_id: m for m in messages if isinstance(m, ToolMessage)}
    calls = [call for m in messages if isinstance(m, AIMessage) for call in m.tool_calls]
    return [
        Made(
            call["name"],
            dict(call["args"]),
            outcome_of(results[call["id"]]) if call["id"] in results else None,
        )
        for call in calls
    ]


def outcome_of(message: ToolMessage) -> Outcome:
    """The outcome in a tool message.

    The envelope is `{"ok": true, "result"}` or `{"ok": false, "error": {"kind", "message"}}`.

    Text that is no such envelope is a result as it stands, unless the message itself is marked as an error.
    """
    text = message.text
    try:
        content = json.loads(text)
    except ValueError:
        content = text
    if isinstance(content, dict) and isinstance(content.get("ok"), bool):
        if content["ok"]:
            return Outcome(True, content.get("result"))
        error = content.get("error")
        error = error if isinstance(error, dict) else {"message": str(error or "")}
        return Outcome(
            False, kind=str(error.get("kind") or "unknown"), message=str(error.get("message") or "")
        )
    if message.status == "error":
        return Outcome(False, kind="validation", message=text)
    return Outcome(True, content)


def remembered_texts(earlier: Sequence[BaseMessage]) -> list[tuple[str, str]]:
    """(`human`, `ai` or `tool`, text) of what was said and found so far, newest first."""
    roles = {HumanMessage: "human", AIMessage: "ai", ToolMessage: "tool"}
    return [
        (roles[type(m)], m.text[:_REMEMBERED_CHARACTERS])
        for m in reversed(earlier)
        if type(m) in roles and m.text.strip()
    ]
