"""The tools that an agent was given, read from their OpenAI-style declarations: name, description, JSON
schema.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.cards import ToolCard
from agents.lexical import concept_of
from agents.lexical_fit import ToolProfile, profile_of, split_name
from smartsupport.lib.patterns import ends_soon

HAND_OFF = "hand_off_to_person"
FIND_TOOLS = "find_tools"
_ID_PARTS = frozenset({"id", "number", "no", "nr", "num", "code", "ref", "reference", "uuid", "key"})
_FREE_TEXT = frozenset(
    "reason note notes message comment comments description question query subject text body content details "
    "feedback explanation summary title prompt topic search instructions".split()
)


@dataclass(frozen=True)
class Parameter:
    """One parameter. `schema` is its JSON schema with references and `null` alternatives resolved."""

    name: str
    schema: Mapping[str, Any]
    required: bool

    @property
    def parts(self) -> list[str]:
        return split_name(self.name)

    @property
    def type(self) -> str:
        return str(self.schema.get("type", "string"))

    @property
    def description(self) -> str:
        return str(self.schema.get("description", ""))

    @property
    def choices(self) -> list[Any]:
        return list(self.schema.get("enum", ()))

    @property
    def is_identifier(self) -> bool:
        if (
            self.type not in ("string", "integer")
            or self.choices
            or self.schema.get("format") in ("date", "email")
        ):
            return False
        return bool(self.parts) and (self.parts[-1] in _ID_PARTS - {"code", "number"} or self._numbered)

    @property
    def _numbered(self) -> bool:
        return (
            self.parts[-1] in {"number", "code"} and "phone" not in self.parts and "coupon" not in self.parts
        )

    @property
    def noun(self) -> str:
        """What an identifier names: `order` for `order_id`, `transaction` for `txn_id`'s longer brother,
        "" for `id`.
        """
        words = [part for part in self.parts if part not in _ID_PARTS]
        if not words:
            return ""
        concept = concept_of(words[-1])
        return concept if concept and concept.islower() else words[-1]

    @property
    def is_free_text(self) -> bool:
        plain = self.type == "string" and not self.choices and not self.schema.get("format")
        return plain and not self.is_identifier and bool(set(self.parts) & _FREE_TEXT)


@dataclass(frozen=True)
class Tool:
    """A tool the model may call."""

    name: str
    description: str
    parameters: tuple[Parameter, ...] = ()
    profile: ToolProfile = field(default_factory=lambda: profile_of(ToolCard("none")), compare=False)

    @property
    def required(self) -> list[Parameter]:
        return [parameter for parameter in self.parameters if parameter.required]

    @property
    def takes_any_question(self) -> bool:
        """True for a tool that answers free questions: it reads, and all it needs is a text (`question`)."""
        needed = self.required
        return (
            self.profile.reads and len(needed) == 1 and needed[0].is_free_text and needed[0].name != "reason"
        )

    @property
    def spoken_name(self) -> str:
        return " ".join(split_name(self.name))


def read_tools(declared: Sequence[Mapping[str, Any]]) -> list[Tool]:
    """Tools from `[{"type": "function", "function": {"name", "description", "parameters"}}]`."""
    tools = []
    for entry in declared:
        function = entry.get("function", entry)
        name, description = str(function.get("name", "")), str(function.get("description", "") or "")
        schema = function.get("parameters") or {}
        parameters = parameters_of(schema, schema)
        spoken = " ".join(" ".join(parameter.parts) for parameter in parameters)
        profile = profile_of(ToolCard(name, f"{description} . {spoken}"))
        tools.append(Tool(name, description, parameters, profile))
    return tools


def parameters_of(schema: Mapping[str, Any], root: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """The properties of an object schema, in their order."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return ()
    required = schema.get("required") or ()
    return tuple(Parameter(name, _resolved(sub, root), name in required) for name, sub in properties.items())


def _resolved(schema: Any, root: Mapping[str, Any], depth: int = 0) -> Mapping[str, Any]:
    """The schema with a local `$ref` followed and the first alternative that is not `null` taken."""
    if not isinstance(schema, Mapping) or depth > 8:
        return {}
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        target: Any = root
        for part in reference[2:].split("/"):
            target = target.get(part, {}) if isinstance(target, Mapping) else {}
        return _resolved({**target, **{k: v for k, v in schema.items() if k != "$ref"}}, root, depth + 1)
    for word in ("anyOf", "oneOf", "allOf"):
        options = [
            o for o in schema.get(word, ()) if not (isinstance(o, Mapping) and o.get("type") == "null")
        ]
        if options:
            outer = {k: v for k, v in schema.items() if k != word}
            return {**_resolved(options[0], root, depth + 1), **outer}
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return {**schema, "type": next((kind for kind in kinds if kind != "null"), "string")}
    return schema


def belongs_to(prefix: str, noun: str) -> bool:
    """Is `txn` short for `transaction`, `dsp` for `dispute`, `ord` for `order`? The same letters in the
    same order.
    """
    if not prefix or not noun or prefix[0] != noun[0]:
        return False
    letters = iter(noun)
    return all(letter in letters for letter in prefix if letter != "x")


def prefix_of(identifier: str) -> str:
    match = re.match(r"([A-Za-z]{2,10})[_-]", identifier)
    return match.group(1).lower() if match else ""


def pattern_of(schema: Mapping[str, Any]) -> re.Pattern[str] | None:
    """The schema's `pattern`, None when it has none, or one that is not valid or could be slow.

    Patterns come from somebody else's specification and run on what customers type.
    """
    pattern = schema.get("pattern")
    return re.compile(pattern) if isinstance(pattern, str) and ends_soon(pattern) else None
