"""The arguments of one tool, and how much of each is shown so that the tool stays small enough for a model."""

import re
from dataclasses import dataclass
from typing import Any

from openapi_import.errors import SpecInvalid
from openapi_import.reading.keywords import MAX_DESCRIPTION, size_of, words
from openapi_import.reading.parts import Loss, Part, Schema
from openapi_import.reading.schemas import Schemas

MAX_TOOL_BYTES = 24 * 1024
MAX_SCHEMA_BYTES = 256 * 1024
MAX_DEPTH = 8
MAX_ARGUMENT_WORDS = 600
MAX_SENTENCES = 20
_ANNOTATIONS = ("description", "examples", "title")


@dataclass
class _Argument:
    name: str
    schema: Any
    required: bool
    description: str
    nullable: bool  # whether null can be sent
    filled: bool  # whether it has to have something in it, because nothing cannot be written there
    fixed: Schema | None = None
    part: Part | None = None


class Arguments:
    """`take` each argument in order, then `finish` once."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._taken: dict[str, _Argument] = {}

    def take(
        self,
        name: str,
        place: str,
        schema: Any,
        *,
        required: bool,
        description: str = "",
        nullable: bool = False,
        filled: bool = False,
        fixed: Schema | None = None,
    ) -> str:
        """Its name as an argument: legal for every model provider, and not taken by another place.

        schema: as in the document; or `fixed`, which is taken as it is. nullable: null can be sent. filled: an empty
        value cannot.
        """
        legal = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:55] or place
        argument, number = legal, 1
        if argument in self._taken:
            legal = argument = f"{legal}_{place}"
        while argument in self._taken:
            number += 1
            argument = f"{legal}_{number}"
        text = words(description, MAX_ARGUMENT_WORDS)
        self._taken[argument] = _Argument(argument, schema, required, text, nullable, filled, fixed)
        return argument

    def finish(self, losses: list[str]) -> Schema:
        """The schema of all arguments; what it lacks is added to `losses`. Raises SpecInvalid where even what is
        required is too large."""
        arguments = [argument for argument in self._taken.values() if self._begun(argument, losses)]
        total = sum(_size(argument) for argument in arguments)
        if total > MAX_TOOL_BYTES:
            arguments, total = _fewer(arguments, total, losses)
        self._deepen(arguments, total)
        sentences: list[str] = []
        for argument in arguments:
            assert argument.part is not None
            sentences += [_sentence(loss.under(argument.name)) for loss in argument.part.losses]
        losses += dict.fromkeys(sentences[:MAX_SENTENCES])
        if len(sentences) > MAX_SENTENCES:
            losses.append(f"And {len(sentences) - MAX_SENTENCES} more of this kind.")
        schema: Schema = {
            "type": "object",
            "properties": {argument.name: _shown(argument) for argument in arguments},
            "additionalProperties": False,
        }
        if required := [argument.name for argument in arguments if argument.required]:
            schema["required"] = required
        if size_of(schema) > MAX_SCHEMA_BYTES:
            raise SpecInvalid(f"Its arguments need a schema larger than {MAX_SCHEMA_BYTES // 1024} KiB.")
        return schema

    def _begun(self, argument: _Argument, losses: list[str]) -> bool:
        """With only what is required of it; False where it can be left out because no value of it would end."""
        if argument.fixed is not None:
            argument.part = Part(argument.fixed, size_of(argument.fixed))
            return True
        argument.part = self._part(argument, 0)
        if argument.part is None and argument.required:
            text = "requires itself without end, so it is left open"
            argument.part = Part(
                {"type": "object", "additionalProperties": True}, 45, losses=(Loss("", text),)
            )
        elif argument.part is None:
            losses.append(f"{argument.name} is left out, because it requires itself without end.")
        return argument.part is not None

    def _deepen(self, arguments: list[_Argument], total: int) -> None:
        """Level by level, what is required first, for as long as all of it fits."""
        growing = sorted(arguments, key=lambda argument: not argument.required)
        for depth in range(1, MAX_DEPTH + 1):
            still = []
            for argument in growing:
                if argument.part is None or not argument.part.cut:
                    continue
                deeper = self._part(argument, depth)
                if deeper is None or total - argument.part.size + deeper.size > MAX_TOOL_BYTES:
                    continue
                total += deeper.size - argument.part.size
                argument.part = deeper
                still.append(argument)
            growing = still
            if not growing:
                return

    def _part(self, argument: _Argument, depth: int) -> Part | None:
        found = self._schemas.part(argument.schema, depth)
        if found is None:
            return None
        found = found if argument.nullable else _without_null(found)
        return _filled(found) if argument.filled else found


def _fewer(arguments: list[_Argument], total: int, losses: list[str]) -> tuple[list[_Argument], int]:
    """Without the words of the longest, then without the last optional ones, until the rest fits."""
    for argument in sorted(arguments, key=_size, reverse=True):
        if total <= MAX_TOOL_BYTES:
            break
        assert argument.part is not None
        before, value = _size(argument), _bare(argument.part.value)
        part = argument.part
        argument.part = Part(value, size_of(value), part.cut, part.losses)
        argument.description = words(argument.description, MAX_DESCRIPTION // 3)
        total += _size(argument) - before
    kept = list(arguments)
    left = []
    for argument in reversed(arguments):
        if total <= MAX_TOOL_BYTES:
            break
        if not argument.required:
            kept.remove(argument)
            left.append(argument.name)
            total -= _size(argument)
    if left:
        named = ", ".join(reversed(left[-10:])) + (f" and {len(left) - 10} more" if len(left) > 10 else "")
        losses.append(f"There are too many optional arguments for one tool; left out: {named}.")
    return kept, total


def _bare(value: Any) -> Any:
    """A schema without its words. Properties may be called like keywords."""
    found = {}
    for key, inner in value.items():
        if key in _ANNOTATIONS:
            continue
        if key == "properties":
            inner = {name: _bare(part) for name, part in inner.items()}
        elif key in ("items", "additionalProperties") and isinstance(inner, dict):
            inner = _bare(inner)
        elif key == "anyOf":
            inner = [_bare(part) for part in inner]
        found[key] = inner
    return found


def _without_null(part: Part) -> Part:
    """Where null cannot be written: in a path, a query or a header."""
    branches = part.value.get("anyOf")
    if part.value.get("type") == "null":
        return Part({}, 2, part.cut, part.losses)
    if not branches or {"type": "null"} not in branches:
        return part
    rest = [branch for branch in branches if branch != {"type": "null"}]
    notes = {key: value for key, value in part.value.items() if key != "anyOf"}
    value = {**rest[0], **notes} if len(rest) == 1 else {"anyOf": rest, **notes}
    return Part(value, part.size, part.cut, part.losses, part.hidden)


def _filled(part: Part) -> Part:
    """With at least one character, item or field."""
    least = {"string": "minLength", "array": "minItems", "object": "minProperties"}.get(
        part.value.get("type", "")
    )
    if least is None or part.value.get(least) or not part.value.get("maxItems", 1):
        return part
    return Part({**part.value, least: 1}, part.size + 16, part.cut, part.losses, part.hidden)


def _size(argument: _Argument) -> int:
    return (argument.part.size if argument.part else 2) + len(argument.name) + len(argument.description) + 24


def _shown(argument: _Argument) -> Schema:
    assert argument.part is not None
    value = argument.part.value
    if not argument.description:
        return value
    said = value.get("description", "")
    extra = f" {said}" if said.startswith(("One of", "Pattern:")) and said not in argument.description else ""
    return {**value, "description": argument.description + extra}


def _sentence(loss: Loss) -> str:
    return f"{loss.path} {loss.text}."
