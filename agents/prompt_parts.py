"""A prompt as it was sent, in pieces that can be kept: each once, however often it is sent.

A piece is JSON text: `{"messages": [...]}`, `{"parts": [digest, ...]}`, `{"tools": [...]}` or `{"format": {...}}`. What
a call is told of a long conversation is a window that moves: its messages are pieces of their own, and the list of them
is cut where the messages themselves say (by their digests), so that most of its stretches are those of the call before.
What a turn adds is as much in its sixtieth turn as in its tenth.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from django.conf import settings
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from smartsupport.lib.text import storable

ROLES = {"system": "system", "human": "user", "ai": "assistant", "tool": "tool"}
LAST_OF_STRETCH = frozenset("ABCDEFGH")
"""What the digest of a stretch's last message begins with: of 64 letters every eighth."""
Message = dict[str, Any]


class Part(NamedTuple):
    """`shared`: it names nobody, so one row serves all conversations. `content` is JSON text that Postgres can hold."""

    digest: str
    shared: bool
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """`names` goes into the event: {"parts": [digest, ...], "tools": digest} or {"parts": ..., "format": digest}.
    `parts`: what may not be stored yet."""

    names: dict[str, Any]
    parts: tuple[Part, ...]


def of_answer(
    messages: Sequence[BaseMessage],
    tools: Sequence[dict[str, Any]],
    before: Mapping[str, Any] | None = None,
) -> Prompt | None:
    """The prompt of an agent's model, its system prompt first. `before`: the `names` of the call before it in the same
    turn, which is stored already. None where the deployment keeps no prompts."""
    if not settings.KEEP_PROMPTS:
        return None
    system, offered = (
        _part({"messages": [message_of(messages[0])]}, shared=True),
        _part({"tools": list(tools)}, shared=True),
    )
    stretches = list(
        _stretches([_part({"messages": group}, shared=False) for group in _groups(messages[1:])])
    )
    named = [name for stretch, members in stretches for name in ([stretch] if stretch else members)]
    names = {"parts": [system.digest, *(part.digest for part in named)], "tools": offered.digest}
    stored = {*(before or {}).get("parts", ()), (before or {}).get("tools", "")}
    return Prompt(names, tuple(_unsent([system, offered], stretches, stored)))


def of_routing(messages: Sequence[BaseMessage], schema: dict[str, Any]) -> Prompt | None:
    """The prompt that chooses agents, as `of_answer`. Its history is a window that moves, so it is one piece."""
    if not settings.KEEP_PROMPTS:
        return None
    system, form = (
        _part({"messages": [message_of(messages[0])]}, shared=True),
        _part({"format": schema}, shared=True),
    )
    asked = _part({"messages": [message_of(message) for message in messages[1:]]}, shared=False)
    return Prompt({"parts": [system.digest, asked.digest], "format": form.digest}, (system, form, asked))


def message_of(message: BaseMessage) -> Message:
    """A message as every provider is sent it: role, content, and for tools the calls or the call that it answers."""
    told: Message = {"role": ROLES.get(message.type, message.type), "content": message.content}
    if message.name:
        told["name"] = message.name
    if isinstance(message, AIMessage) and message.tool_calls:
        told["tool_calls"] = [
            {"id": call["id"], "name": call["name"], "args": call["args"]} for call in message.tool_calls
        ]
    if isinstance(message, ToolMessage):
        told["tool_call_id"] = message.tool_call_id
    return told


def _part(content: dict[str, Any], *, shared: bool) -> Part:
    text = _json(content)
    if "\\u0000" in text or not _encodes(
        text
    ):  # which hardly ever happens: looking at every text in it takes longer
        text = _json(storable(content))
    digest = urlsafe_b64encode(sha256(text.encode()).digest()[:16]).decode().rstrip("=")
    return Part(digest, shared, text)


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=str)


def _encodes(text: str) -> bool:
    """Whether there is no lone surrogate in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _groups(messages: Sequence[BaseMessage]) -> Iterator[list[Message]]:
    """Each message; results of tools stand with the answer that called them."""
    group: list[Message] = []
    for place, message in enumerate(messages):
        group.append(message_of(message))
        following = messages[place + 1] if place + 1 < len(messages) else None
        if not isinstance(following, ToolMessage):
            yield group
            group = []


def _stretches(parts: Sequence[Part]) -> Iterator[tuple[Part | None, list[Part]]]:
    """(a piece that lists these, these); None for the last ones, behind which nothing says that the list is cut."""
    members: list[Part] = []
    for part in parts:
        members.append(part)
        if part.digest[0] in LAST_OF_STRETCH:
            yield _part({"parts": [member.digest for member in members]}, shared=False), members
            members = []
    yield None, members


def _unsent(
    shared: list[Part], stretches: list[tuple[Part | None, list[Part]]], stored: set[str]
) -> Iterator[Part]:
    yield from (part for part in shared if part.digest not in stored)
    for stretch, members in stretches:
        if stretch and stretch.digest in stored:
            continue
        yield from (part for part in (*members, *([stretch] if stretch else [])) if part.digest not in stored)
