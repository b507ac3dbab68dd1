"""What a tool is called, by models and by people, and what a model reads to choose it."""

import re
import unicodedata
from collections.abc import Mapping

from openapi_import.reading.described import Operation
from openapi_import.reading.keywords import words
from smartsupport.lib.ids import digest

MAX_NAME = 64
MAX_TITLE = 120
MAX_DESCRIPTION = 1_000
MAX_SUMMARY = 300
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")  # a letter first, which one of the providers asks for
RESERVED = frozenset({"hand_off_to_person", "find_tools"})  # tools of our own
_BREAKS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
_MARKS = re.compile(r"[`*#]+")


class Names:
    """The names of the tools of one document.

    known: {operation id: name}, from an earlier reading: these are kept. A new name depends on the operation's id
    alone, so it is the same whatever else is in the document, and it is taken once.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self._known = dict(known or {})
        self._taken = set(self._known.values())

    def name_for(self, operation: Operation) -> str:
        """The name of an operation's tool: 1 to 64 of A-Z a-z 0-9 _ -, unique. Ask once for each operation."""
        kept = self._known.get(operation.operation_id)
        if kept is not None:
            return kept
        name = tool_name(operation.operation_id)
        number = 0
        while name in self._taken:
            number += 1
            name = f"{_plain(operation.operation_id)}_{digest([operation.operation_id, number])[:8]}"
        self._taken.add(name)
        return name


def tool_name(operation_id: str) -> str:
    """A name that every model provider takes. Where anything had to be changed, it has at most 55 characters and
    then a hash, which keeps similar ids apart."""
    if NAME.fullmatch(operation_id) and operation_id not in RESERVED:
        return operation_id
    return f"{_plain(operation_id)}_{digest(operation_id)[:8]}"


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", folded).strip("_-") or "operation"
    if not plain[0].isalpha():
        plain = f"op_{plain}"
    return plain[:55].rstrip("_-")


def title(operation: Operation) -> str:
    """In plain words, at most 120 characters: the summary, else words made of the id, else method and path."""
    text = plain_words(operation.summary, MAX_TITLE).rstrip(". ")
    if text:
        return text[:1].upper() + text[1:]
    source = operation.operation_id if operation.declared_id else f"{operation.method} {operation.path}"
    parts = [part for part in _BREAKS.split(source) if part]
    spoken = " ".join(part if part.isupper() and len(part) > 1 else part.lower() for part in parts)
    spoken = spoken or f"{operation.method} {operation.path}"
    return words(spoken[:1].upper() + spoken[1:], MAX_TITLE)


def description(operation: Operation) -> str:
    """What the model reads: summary and description, once each, cut; that it is deprecated; what it calls where the
    document says nothing. The document's words are a description: nothing is decided by them."""
    summary = plain_words(operation.summary, MAX_SUMMARY)
    longer = plain_words(operation.description, MAX_DESCRIPTION)
    bare = summary.rstrip(".…").lower()
    if not longer or (bare and longer.lower().rstrip(".…") == bare):
        text = summary
    elif not summary or longer.lower().startswith(bare):
        text = longer
    else:
        text = f"{summary.rstrip('. ')}. {longer}"
    if not text:
        text = f"{title(operation)} ({operation.method} {operation.path[:200]})."
    if operation.deprecated and not text.lower().startswith("deprecated"):
        text = f"Deprecated: use something else where there is a choice. {text}"
    return words(text, MAX_DESCRIPTION)


def plain_words(text: str, limit: int) -> str:
    """Without HTML, links and the signs of Markdown."""
    return words(_MARKS.sub("", text[: limit * 6]), limit)
