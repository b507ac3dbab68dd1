"""What a script may say: rules, each with what it matches and what is answered. Checked when it is set.

A rule is {"match": {...}, "reply": {...}, "times": n}. The first rule that matches answers; a rule without
"times" lasts. Keys of `match`, all optional: `last_user_contains`, `last_user_regex`, `system_contains`,
`tool_result_contains`, `has_tool_result` (the newest message is a tool's result), `structured`, `stream`,
`model`, `offers_tool`, `nth` (only the nth request that fits the rest, from 1).
Keys of `reply`: see `Reply`.
"""

import re
from dataclasses import dataclass, field, fields
from typing import Any

from tests.scripted_model.asked import Asked


class BadScript(ValueError):
    """The script cannot be meant: it names a key that does not exist, or a value of the wrong type."""


@dataclass(frozen=True)
class Reply:
    """One answer. Times are in milliseconds; pieces are what is sent between two delays. The first piece of a
    stream says the role, and nothing else."""

    text: str = ""
    tool_calls: list[dict[str, Any]] = field(
        default_factory=list
    )  # [{"name", "args": object or raw text, "id"?}]
    json: Any = None  # the answer to a structured request
    chunks: list[Any] = field(default_factory=list)  # exact deltas instead of text: strings, or delta objects
    together: bool = False  # the first tool call travels in the same chunk as the text
    error: dict[str, Any] | None = None  # {"status", "message"?, "code"?, "retry_after"?, "body"? (raw)}
    in_stream_error: dict[str, Any] | None = None  # an error object sent after the pieces, as gateways do
    malformed: bool = False  # 200 with something that is not what was asked for
    hold: int | None = None  # nothing after so many pieces (0: before the first byte) until a test lets go
    delay_ms: float = 0  # before the first byte
    token_delay_ms: float = 0  # between two pieces
    hang: bool = False  # after the first piece, silence
    drop_after: int | None = None  # cut the connection after so many pieces
    end_after: int | None = None  # end the stream properly after so many pieces: no finish_reason, no [DONE]
    finish_reason: str = ""
    usage: dict[str, Any] | None = None
    send_usage: bool = True


@dataclass
class Rule:
    match: dict[str, Any]
    reply: Reply
    times: int | None = None
    seen: int = 0
    used: int = 0

    def fits(self, asked: Asked) -> bool:
        if self.times is not None and self.used >= self.times:
            return False
        if not all(CONDITIONS[key](asked, wanted) for key, wanted in self.match.items() if key != "nth"):
            return False
        self.seen += 1
        return self.match.get("nth", self.seen) == self.seen


CONDITIONS: dict[str, Any] = {
    "last_user_contains": lambda asked, text: text.lower() in asked.last_user.lower(),
    "last_user_regex": lambda asked, pattern: re.search(pattern, asked.last_user) is not None,
    "system_contains": lambda asked, text: text in asked.system,
    "tool_result_contains": lambda asked, text: text in asked.tool_result,
    "has_tool_result": lambda asked, wanted: asked.has_tool_result is wanted,
    "structured": lambda asked, wanted: (asked.schema is not None) is wanted,
    "stream": lambda asked, wanted: asked.stream is wanted,
    "model": lambda asked, name: asked.model == name,
    "offers_tool": lambda asked, name: name in asked.tool_names,
}
BOOLEAN = {"has_tool_result", "structured", "stream"}


def parse(content: Any) -> list[Rule]:
    """Rules from the JSON of a script: a list, or {"rules": [...]}. Raises BadScript naming what is wrong."""
    listed = content.get("rules") if isinstance(content, dict) else content
    if not isinstance(listed, list):
        raise BadScript("A script is a list of rules.")
    return [_rule(entry, number) for number, entry in enumerate(listed, 1)]


def _rule(entry: Any, number: int) -> Rule:
    if not isinstance(entry, dict) or not isinstance(entry.get("reply"), dict):
        raise BadScript(f"Rule {number} needs a reply.")
    match = entry.get("match", {})
    _refuse_unknown(entry, {"match", "reply", "times"}, f"Rule {number}")
    _refuse_unknown(match, {*CONDITIONS, "nth"}, f"The match of rule {number}")
    _refuse_unknown(entry["reply"], {item.name for item in fields(Reply)}, f"The reply of rule {number}")
    for key, wanted in match.items():
        expected: type = bool if key in BOOLEAN else int if key == "nth" else str
        if type(wanted) is not expected:
            raise BadScript(f"{key} in the match of rule {number} must be a {expected.__name__}.")
    return Rule(match, Reply(**entry["reply"]), entry.get("times"))


def _refuse_unknown(given: dict[str, Any], known: set[str], where: str) -> None:
    if unknown := set(given) - known:
        raise BadScript(f"{where} has no {', '.join(sorted(unknown))}. Known: {', '.join(sorted(known))}.")
