"""How each provider is told of a tool, and what it is known to refuse. Put together from the documents of the providers
and their error messages; which of them a deployment meets depends on its model."""

import json
import re
from dataclasses import dataclass
from typing import Any

from agents.registry import ToolSpec

DESCRIPTION_MOST = 1024
"""OpenAI's older models, and Azure's, refuse a longer description."""
DEPTH_MOST = 10
"""Levels of objects in each other: OpenAI's limit for strict schemas, and where others begin to fail."""
_BEGINS = re.compile(r"[A-Za-z_]")


@dataclass(frozen=True)
class Told:
    """A tool as one provider is told of it. `text`: JSON as it stands in the request. `warnings`: sentences."""

    key: str
    title: str
    text: str
    warnings: list[str]


def told(tool: ToolSpec) -> list[Told]:
    """The tool for each provider."""
    schema = tool.input_schema
    function = {"name": tool.name, "description": tool.description, "parameters": schema}
    anthropic = {"name": tool.name, "description": tool.description, "input_schema": schema}
    deep = _depth(schema) > DEPTH_MOST
    nested = [f"Its arguments are nested {_depth(schema)} levels deep. Models fill such arguments in badly."]
    long = (
        f"The description has {len(tool.description):,} characters. Some models take at most {DESCRIPTION_MOST:,} and "
        "refuse the whole request: shorten it."
    )
    combined = [key for key in ("anyOf", "oneOf", "allOf") if key in schema]
    return [
        Told(
            "openai",
            "OpenAI, Azure OpenAI and compatible",
            _json({"type": "function", "function": function}),
            [*([long] if len(tool.description) > DESCRIPTION_MOST else []), *(nested if deep else [])],
        ),
        Told(
            "anthropic",
            "Anthropic",
            _json(anthropic),
            [
                *(
                    [f"Its arguments begin with {', '.join(combined)}, which is refused at the top."]
                    if combined
                    else []
                ),
                *(nested if deep else []),
            ],
        ),
        Told(
            "google",
            "Google",
            _json(function),
            [
                *([] if _BEGINS.match(tool.name) else ["Its name must begin with a letter or _."]),
                *(_unread(schema)),
                *(nested if deep else []),
            ],
        ),
    ]


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _unread(schema: Any) -> list[str]:
    """What Google's schemas do not know; its package leaves it out."""
    unknown = {"patternProperties", "not", "if", "then", "else", "dependentRequired", "uniqueItems"}
    found = sorted(unknown & _keywords(schema))
    return (
        [f"Google does not read {', '.join(found)}; a call is checked against them all the same."]
        if found
        else []
    )


def _keywords(schema: Any, *, names: bool = False) -> set[str]:
    if isinstance(schema, list):
        return set().union(*(_keywords(part) for part in schema))
    if not isinstance(schema, dict):
        return set()
    own = set() if names else set(schema)
    parts = (
        _keywords(part, names=not names and key in ("properties", "$defs")) for key, part in schema.items()
    )
    return own.union(*parts)


def _depth(schema: Any) -> int:
    if isinstance(schema, list):
        return max((_depth(part) for part in schema), default=0)
    if not isinstance(schema, dict):
        return 0
    inner = max((_depth(part) for part in schema.values()), default=0)
    return inner + ("properties" in schema)
