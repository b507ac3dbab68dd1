"""YAML text to JSON values, built from the parser's events in one pass.

libyaml's composer crashes on deep nesting and its constructors expand aliases and look up tags, so neither is used:
events are counted, keys compared and aliases priced as they come. Plain words mean what YAML 1.2's core schema says
(`no` and `12:30` are words, dates are text), keys are text (response codes), and tags make nothing.
"""

import re
from typing import Any

import yaml

from openapi_import.errors import SpecInvalid
from openapi_import.reading.faults import Fault

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = dict.fromkeys(("", "~", "null", "Null", "NULL")) | {
    word: word[0] in "tT" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}
MAX_DIGITS = 3_000  # Python writes and reads 4,300 decimal ones
_STRING = "tag:yaml.org,2002:str"
_KNOWN = frozenset(f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null", "map", "seq"))


def from_yaml(
    text: str, faults: list[Fault], *, max_depth: int, max_nodes: int, json_fault: str = ""
) -> tuple[Any, int]:
    """The value of the one document in a YAML text, and its number of nodes with every alias counted as what it
    stands for. An alias and its anchor are one object. Raises SpecInvalid."""
    try:
        return _Builder(faults, max_depth, max_nodes).build(_Parser(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        why = json_fault or f"{where}{error.problem or error.context}"
        raise SpecInvalid(f"The document is neither JSON nor YAML ({why}).") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = json_fault or str(error).splitlines()[0][:200]
        raise SpecInvalid(f"The document is neither JSON nor YAML ({why}).") from None


class _Frame:
    """A collection that is being read."""

    __slots__ = ("anchor", "key", "merges", "nodes_before", "value")

    def __init__(self, value: Any, anchor: str | None, nodes_before: int) -> None:
        self.value = value
        self.anchor = anchor
        self.nodes_before = nodes_before
        self.key: str | None = None
        self.merges: list[Any] | None = None


class _Builder:
    def __init__(self, faults: list[Fault], max_depth: int, max_nodes: int) -> None:
        self.faults = faults
        self.max_depth = max_depth
        self.max_nodes = max_nodes
        self.nodes = 0
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.open: set[str] = set()
        self.tagged = False

    def build(self, parser: Any) -> tuple[Any, int]:
        stack: list[_Frame] = []
        frame: _Frame | None = None
        root: Any = None
        documents = 0
        get_event = parser.get_event
        while True:
            event = get_event()
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self.nodes += 1
                if frame is not None and frame.key is None and type(frame.value) is dict:
                    self.take_key(frame, event)
                    continue
                value = self.scalar(event)
                if event.anchor:
                    self.anchors[event.anchor] = value, 1
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self.nodes += 1
                self.check(event, len(stack) + 1)
                if frame is not None and frame.key is None and type(frame.value) is dict:
                    raise yaml.MarkedYAMLError(problem="a key is not text", problem_mark=event.start_mark)
                frame = _Frame({} if kind is yaml.MappingStartEvent else [], event.anchor, self.nodes - 1)
                stack.append(frame)
                self.see_tag(event)
                if event.anchor:
                    self.open.add(event.anchor)
                    self.anchors.pop(event.anchor, None)
                continue
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                value = self.close(stack.pop())
                frame = stack[-1] if stack else None
            elif kind is yaml.AliasEvent:
                value = self.alias(event, frame)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise SpecInvalid(
                        f"The file holds a second document (line {_line(event)}). Give one only."
                    )
                continue
            elif kind is yaml.StreamEndEvent:
                return root, self.nodes
            else:
                continue
            if frame is None:
                root = value
            elif type(frame.value) is list:
                frame.value.append(value)
            else:
                self.put(frame, value, event)

    def check(self, event: Any, depth: int) -> None:
        if depth > self.max_depth:
            raise SpecInvalid(
                f"The document is nested more than {self.max_depth} levels deep (line {_line(event)})."
            )
        if self.nodes > self.max_nodes:
            raise SpecInvalid(f"The document has more than {self.max_nodes:,} values (line {_line(event)}).")

    def take_key(self, frame: _Frame, event: Any) -> None:
        key = event.value
        if key == "<<" and event.implicit[0]:
            frame.key = key
            frame.merges = frame.merges if frame.merges is not None else []
            return
        if key in frame.value:
            raise SpecInvalid(f"The key {key[:100]!r} appears twice in one object (line {_line(event)}).")
        frame.key = key
        frame.value[key] = None

    def put(self, frame: _Frame, value: Any, event: Any) -> None:
        key, frame.key = frame.key, None
        if key == "<<" and frame.merges is not None and key not in frame.value:
            parts = value if isinstance(value, list) else [value]
            if not all(isinstance(part, dict) for part in parts):
                raise SpecInvalid(f"What is merged with << is not an object (line {_line(event)}).")
            frame.merges.extend(parts)
        else:
            frame.value[key] = value

    def close(self, frame: _Frame) -> Any:
        for part in frame.merges or ():
            for key, value in part.items():
                frame.value.setdefault(key, value)
        if frame.anchor:
            self.open.discard(frame.anchor)
            self.anchors[frame.anchor] = frame.value, self.nodes - frame.nodes_before
        return frame.value

    def alias(self, event: Any, frame: _Frame | None) -> Any:
        if frame is not None and frame.key is None and type(frame.value) is dict:
            raise yaml.MarkedYAMLError(problem="a key is an alias", problem_mark=event.start_mark)
        if event.anchor in self.open:
            raise SpecInvalid(
                f"The alias *{event.anchor} stands for something it is part of (line {_line(event)})."
            )
        if event.anchor not in self.anchors:
            raise SpecInvalid(f"The alias *{event.anchor} stands for nothing (line {_line(event)}).")
        value, size = self.anchors[event.anchor]
        self.nodes += size
        if self.nodes > self.max_nodes:
            raise SpecInvalid(
                f"With its aliases written out, the document has more than {self.max_nodes:,} values "
                f"(line {_line(event)})."
            )
        return value

    def scalar(self, event: Any) -> Any:
        text: str = event.value
        if event.implicit[0]:
            return _plain(text, event)
        if event.tag is not None and not event.implicit[1] and event.tag != _STRING:
            self.see_tag(event)
            if event.tag in _KNOWN:
                return _plain(text, event)
        return text

    def see_tag(self, event: Any) -> None:
        tag = event.tag
        if tag is None or tag in _KNOWN or tag in (_STRING, "!") or self.tagged:
            return
        self.tagged = True
        self.faults.append(
            Fault(
                "",
                f"The tag {tag[:100]} (line {_line(event)}) means nothing here and was ignored.",
                "warning",
            )
        )


def _plain(text: str, event: Any) -> Any:
    first = text[:1]
    if first in "~nNtTfF":  # "" too
        return _WORDS.get(text, text)
    if first not in "-+.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise SpecInvalid(
                f"The document contains a number that is too long to be read (line {_line(event)})."
            )
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
