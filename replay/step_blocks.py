"""Pieces of a step's page: facts, texts, tables, links, messages. Text is never markup, and what nobody would see in it
is made visible."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from smartsupport.lib.console import money

MOST_CHARACTERS = 100_000
CUT = "\n… [{:,} more characters: the JSON of this step has them all]"
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt; `calls` are (name, arguments as JSON)."""

    role: str
    text: str
    calls: list[tuple[str, str]] = field(default_factory=list)
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """`kind` says which of the others is filled: facts [(name, value)], text, code, note, table (head and rows), links
    [(address, words)], messages."""

    kind: str
    title: str = ""
    text: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)
    head: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()
    links: list[tuple[str, str]] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    folded: bool = False


def visible(text: str) -> str:
    """Text with control characters and marks that turn the direction of writing written out."""
    return _UNSEEN.sub(lambda mark: f"⟨U+{ord(mark[0]):04X}⟩", text)


def cut(text: str) -> str:
    more = len(text) - MOST_CHARACTERS
    return text if more <= 0 else text[:MOST_CHARACTERS] + CUT.format(more)


def facts(title: str, rows: list[tuple[str, Any]]) -> Block:
    """Those that are known: None and "" are left out."""
    said = [
        (visible(name), visible(cut(str(value)))) for name, value in rows if value is not None and value != ""
    ]
    return Block("facts", visible(title), facts=said)


def text(title: str, value: str, *, folded: bool = False) -> Block:
    return Block("text", visible(title), text=visible(cut(value)), folded=folded)


def code(title: str, value: Any, *, folded: bool = False) -> Block:
    """JSON, or a text as it is."""
    return Block("code", visible(title), text=visible(cut(written(value))), folded=folded)


def written(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, indent=2, ensure_ascii=False, default=str)
    except (RecursionError, ValueError):
        return "[cannot be written out]"


def note(value: str) -> Block:
    return Block("note", text=value)


def cost(micros: int | None) -> str:
    return "not known" if micros is None else money(micros)


def span(seconds: float) -> str:
    """A length of time: `0.4 s`, `3 min 5 s`, `2 h 10 min`, `3 days 4 h`."""
    if seconds < 60:
        return f"{max(0.0, seconds):.1f} s"
    whole = int(seconds)
    for size, one, below, small in (
        (86_400, "days", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            words = one if whole // size != 1 or one != "days" else "day"
            return f"{whole // size} {words} {whole % size // below} {small}"
    raise AssertionError("unreachable")
