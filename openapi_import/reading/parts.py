"""A converted schema with what is known of it, and how several become one."""

from dataclasses import dataclass
from typing import Any

from openapi_import.reading import keywords
from openapi_import.reading.keywords import ERROR_MESSAGE, size_of, words
from openapi_import.reading.merging import both

Schema = dict[str, Any]
MAX_LOSSES = 24
NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Loss:
    """What is not as in the document. `path`: properties joined by dots, `[]` for items; `text` ends a sentence."""

    path: str
    text: str

    def under(self, name: str) -> "Loss":
        if not self.path:
            return Loss(name, self.text)
        return Loss(name + ("" if self.path.startswith("[") else ".") + self.path, self.text)


@dataclass(frozen=True, slots=True)
class Part:
    """One converted schema. `size`: its length as JSON. `cut`: a greater depth would show more. `hidden`: properties
    that are only ever answered. Shared between tools: never change `value`."""

    value: Schema
    size: int
    cut: bool = False
    losses: tuple[Loss, ...] = ()
    hidden: frozenset[str] = NOTHING


ANYTHING = Part({}, 2)


def null_part() -> Part:
    return Part({"type": "null"}, 15)


def left_open(part: Part) -> Part:
    """A part that is too large even with only what is required: any value of its type."""
    kind = part.value.get("type")
    value: Schema = (
        {"type": kind, "additionalProperties": True} if kind == "object" else {"type": kind} if kind else {}
    )
    return Part(value, 45, losses=(Loss("", "is left open, because what it requires is too much"),))


def joined(parts: list[Part]) -> Part:
    """Parts that all hold, as one."""
    value: Schema = {}
    hidden = frozenset[str]().union(*(part.hidden for part in parts))
    losses: list[Loss] = []
    for part in parts:
        value = both(value, part.value)
        losses += [loss for loss in part.losses if loss not in losses][:MAX_LOSSES]
    if hidden and any(name in hidden for name in value.get("required", ())):
        value = dict(value)
        value["required"] = [name for name in value["required"] if name not in hidden]
        if not value["required"]:
            del value["required"]
    if value.get("additionalProperties") is True and value.get("properties"):
        value = {key: part for key, part in value.items() if key != "additionalProperties"}
    if ("properties" in value or "required" in value) and "type" not in value and "anyOf" not in value:
        value = {"type": "object", **value}
    size = sum(part.size for part in parts)
    return Part(value, size, any(part.cut for part in parts), tuple(losses[:MAX_LOSSES]), hidden)


def any_of(branches: list[Part], *, null: bool = False) -> Part:
    """One of the branches; a single one is itself."""
    values: list[Schema] = []
    for branch in branches:
        if not branch.value:
            return Part({}, 2, losses=branch.losses)
        for value in branch.value["anyOf"] if set(branch.value) == {"anyOf"} else [branch.value]:
            if value not in values:
                values.append(value)
    if null and {"type": "null"} not in values:
        values.append({"type": "null"})
    losses = tuple(dict.fromkeys(loss for branch in branches for loss in branch.losses))[:MAX_LOSSES]
    cut = any(branch.cut for branch in branches)
    value = values[0] if len(values) == 1 else {"anyOf": values}
    hidden = branches[0].hidden if len(branches) == 1 else NOTHING
    return Part(value, sum(branch.size + 1 for branch in branches) + 30, cut, losses, hidden)


def with_null(part: Part) -> Part:
    text = part.value.get("description")
    inner = {key: value for key, value in part.value.items() if key != "description"}
    choice = any_of([Part(inner, part.size, part.cut, part.losses), null_part()])
    return described(choice, text) if text else choice


def described(part: Part, text: str) -> Part:
    old = part.value.get("description", "")
    size = part.size + size_of(text) + 15 - len(old)
    return Part({**part.value, "description": text}, size, part.cut, part.losses, part.hidden)


def annotated(part: Part, schema: Schema, losses: list[Loss]) -> Part:
    """With the words of the schema, its default and an example, where these are valid."""
    notes: Schema = {}
    text = words(schema.get("description")) or words(schema.get("title"), 100)
    said = part.value.get("description", "")
    if said and said not in text:
        text = f"{text} {said}".strip() if said.startswith(("One of", "Pattern:")) else text or said
    if schema.get("deprecated") is True and not text.lower().startswith("deprecated"):
        text = f"Deprecated. {text}".strip()
    if text and text != said:
        notes["description"] = text
    kind = part.value.get("type", "")
    if schema.get("default") is not None and "default" not in part.value:
        default = keywords.as_type(schema["default"], kind)
        if default is not None and keywords.fits(default, part.value):
            notes["default"] = default
    example = schema.get("example")
    if example is None and isinstance(schema.get("examples"), list) and schema["examples"]:
        example = schema["examples"][0]
    if example is not None and "enum" not in part.value and kind not in ("object", ""):
        if keywords.fits(example, part.value):
            notes["examples"] = [example]
    if isinstance(schema.get(ERROR_MESSAGE), str):
        notes[ERROR_MESSAGE] = schema[ERROR_MESSAGE]
    if not notes and not losses:
        return part
    size = part.size + (size_of(notes) if notes else 0)
    together = tuple(dict.fromkeys((*losses, *part.losses)))[:MAX_LOSSES]
    return Part({**part.value, **notes}, size, part.cut, together, part.hidden)
