"""May this call be made, and with which arguments? Decided from the tool as it is declared, never from the wording of
a prompt. The functions are pure: nothing is read or written here."""

import json
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from agents.registry import AgentSpec, ToolSpec
from smartsupport.lib.patterns import ends_soon

INVALID_JSON = "_invalid_json"
"""The argument name under which the graph passes on arguments that were not JSON."""

HAND_OFF = "hand_off_to_person"
HAND_OFF_TOOL = {
    "type": "function",
    "function": {
        "name": HAND_OFF,
        "description": "Ask a colleague (a person) to take over this conversation: when the customer asks for one, or "
        "when your tools cannot help.",
        "parameters": {
            "type": "object",
            "properties": {
                "reason": {"type": "string", "description": "Why, in one sentence, for the colleague."}
            },
            "required": ["reason"],
        },
    },
}

FIND_TOOLS = "find_tools"
FIND_TOOLS_TOOL = {
    "type": "function",
    "function": {
        "name": FIND_TOOLS,
        "description": "Look among all of your tools for ones that fit. You have more than are listed here. Use it "
        "before you say that you cannot do something; what it finds can be called right away.",
        "parameters": {
            "type": "object",
            "properties": {
                "query": {
                    "type": "string",
                    "description": "What the tool should do, as a verb and a thing, in English: cancel subscription.",
                }
            },
            "required": ["query"],
        },
    },
}

_VALIDATORS: OrderedDict[str, Draft202012Validator] = OrderedDict()
_VALIDATORS_KEPT = 512


@dataclass(frozen=True, slots=True)
class Verdict:
    """`fault` is a sentence for the model when the call is refused; else `arguments` and `bound` are what is called.
    `overridden` names arguments that a model sent although the server fills them in."""

    fault: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    bound: dict[str, Any] = field(default_factory=dict)
    overridden: tuple[str, ...] = ()


def judge(
    agent: AgentSpec,
    tool: ToolSpec | None,
    raw: Any,
    bindings: dict[str, str],
    *,
    name: str,
    succeeded: Collection[str] = (),
) -> Verdict:
    """Check one tool call of `agent`. `raw` is what the model sent as arguments; `succeeded` names the tools that have
    succeeded in this conversation so far."""
    if tool is None:
        return Verdict(
            fault=f"There is no tool named {name} for you. Use only the tools that you were given."
        )
    if tool.writes and agent.permission != "write":
        return Verdict(fault=f"{agent.name} may only read; {name} changes something.")
    if not isinstance(raw, dict) or INVALID_JSON in raw:
        return Verdict(fault="The arguments were not a JSON object. Call the tool again with valid JSON.")
    bound: dict[str, Any] = {}
    for argument, binding in tool.bound.items():
        if not bindings.get(binding):
            return Verdict(
                fault="This needs to know who the customer is in our systems, and they are not signed in."
            )
        bound[argument] = bindings[binding]
    fault, arguments = check(tool, raw, bound.keys())
    if not fault and (missing := [wanted for wanted in tool.requires if wanted not in succeeded]):
        fault = (
            f"{name} needs {' and '.join(missing)} to have succeeded in this conversation first. Nothing was done. "
            "Call that first if it is one of your tools; otherwise say what is missing, or hand over to a person."
        )
    overridden = tuple(sorted(key for key in raw if key in bound))
    if fault:
        return Verdict(fault, overridden=overridden)
    return Verdict("", arguments, bound, overridden)


def check(tool: ToolSpec, raw: dict[str, Any], bound: Collection[str]) -> tuple[str, dict[str, Any]]:
    """A sentence that says what is wrong with these arguments ("" when nothing is), and the arguments as they will be
    sent. What the server fills in (`bound`) is left out."""
    schema = tool.input_schema
    nulls = _required_nulls(schema)  # elsewhere models write null for what they do not want to say
    given = {
        key: value for key, value in raw.items() if key not in bound and (value is not None or key in nulls)
    }
    arguments = _tidy(given, schema)
    return _fault(tool, schema, arguments), arguments


def _required_nulls(schema: dict[str, Any]) -> set[str]:
    """The required arguments of which null is a value."""
    properties = schema.get("properties", {})
    return {
        name
        for name in schema.get("required", [])
        if isinstance(properties.get(name), dict) and {"type": "null"} in properties[name].get("anyOf", [])
    }


def _tidy(given: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Whole numbers as integers where the schema wants one, and top-level defaults written out, so that what is
    approved is what is sent."""
    properties = schema.get("properties", {})
    arguments = dict(given)
    for name, declared in properties.items():
        if not isinstance(declared, dict):
            continue
        value = arguments.get(name)
        if declared.get("type") == "integer" and isinstance(value, float) and value.is_integer():
            arguments[name] = int(value)
        if name not in arguments and declared.get("default") is not None:
            arguments[name] = declared["default"]
    return arguments


def _fault(tool: ToolSpec, schema: dict[str, Any], arguments: dict[str, Any]) -> str:
    unknown = sorted(set(arguments) - set(schema.get("properties", {})))
    if unknown and not schema.get("additionalProperties"):
        return f"Unknown argument: {', '.join(unknown)}."
    error = best_match(_validator(tool.schema_text, schema).iter_errors(arguments))
    return _sentence(error) if error else ""


def _validator(key: str, schema: dict[str, Any]) -> Draft202012Validator:
    validator = _VALIDATORS.get(key)
    if validator is None:
        validator = _VALIDATORS[key] = Draft202012Validator(_quick(schema))
        if len(_VALIDATORS) > _VALIDATORS_KEPT:
            _VALIDATORS.popitem(last=False)
    return validator


def _quick(schema: Any, *, names: bool = False) -> Any:
    """The schema without patterns that may take for ever: models read those, the business system checks them."""
    if isinstance(schema, dict):
        return {
            key: _quick(value, names=not names and key in ("properties", "$defs"))
            for key, value in schema.items()
            if names or key != "pattern" or (isinstance(value, str) and ends_soon(value))
        }
    return [_quick(part) for part in schema] if isinstance(schema, list) else schema


def _sentence(error: ValidationError) -> str:
    """The fault in words: the tool's own where it declares some (`x-error-message`, with {value})."""
    own = error.schema.get("x-error-message") if isinstance(error.schema, dict) else None
    if isinstance(own, str) and error.validator != "required":
        shown = (
            error.instance
            if isinstance(error.instance, str)
            else json.dumps(error.instance, ensure_ascii=False)
        )
        return own.replace("{value}", shown)
    where = ".".join(str(part) for part in error.absolute_path)
    return f"Invalid argument {where}: {error.message}." if where else f"Invalid arguments: {error.message}."
