"""What is wrong with a tool as it is to be, in words."""

import difflib
import re
from collections.abc import Collection
from decimal import Decimal
from typing import Any

from agents import projection
from agents.models import Access, Approver, Tool
from agents.retired import NOT_RETIRED

NUMERIC = {"integer", "number"}
_PLACE = re.compile(r"\{([^{}]+)\}")


def of_approval(access: str, approval: str, needed: int = 1) -> str:
    """What is wrong with who approves; "" for nothing."""
    if access == Access.READ and (approval != Approver.NONE or needed > 1):
        return "This tool only reads: it needs nobody's approval."
    if access == Access.WRITE and approval == Approver.NONE:
        return "This tool writes: the customer or staff must approve each call."
    return ""


def of_limit(tool: Tool, argument: str, amount: Decimal | None) -> str:
    """What is wrong with the limit above which staff decide."""
    if bool(argument) != (amount is not None):
        return "Give both the argument and the amount above which staff decide, or neither."
    if not argument or argument in numbers_of(tool):
        return ""
    known = ", ".join(numbers_of(tool)) or "none"
    if argument in tool.bound:
        return f"Smart Support fills {argument} in, and it is no amount. Numbers are: {known}."
    if argument in tool.input_schema.get("properties", {}):
        return f"This is not a number among the tool's arguments. They are: {known}."
    return (
        f"This is not a number among the tool's arguments; it has none named {argument}. They are: {known}."
    )


def numbers_of(tool: Tool) -> list[str]:
    """The tool's arguments that are numbers."""
    properties = tool.input_schema.get("properties", {})
    return [name for name, schema in properties.items() if NUMERIC & _types(schema)]


def _types(schema: Any) -> set[str]:
    kind = schema.get("type") if isinstance(schema, dict) else None
    return set(kind) if isinstance(kind, list) else {kind} if isinstance(kind, str) else set()


def of_confirmation(tool: Tool, question: str) -> str:
    """Places in the question that no argument fills."""
    arguments = [*tool.input_schema.get("properties", {}), *tool.bound]
    unknown = [name for name in dict.fromkeys(_PLACE.findall(question)) if name not in arguments]
    if not unknown:
        return ""
    known = ", ".join(f"{{{name}}}" for name in tool.input_schema.get("properties", {})) or "none"
    return f"The tool has no argument {', '.join(unknown)}, so the approver would read the braces. It has: {known}."


def of_requires(name: str, wanted: Collection[str]) -> str:
    """What is wrong with the tools that have to succeed before the tool of this name. Two statements."""
    if name in wanted:
        return "A tool cannot require itself: it could never be used."
    names = set(Tool.objects.filter(NOT_RETIRED).values_list("name", flat=True)) if wanted else set()
    if unknown := [one for one in wanted if one not in names]:
        close = difflib.get_close_matches(unknown[0], names, n=1) if len(unknown) == 1 else []
        hint = f" Did you mean {close[0]}?" if close else ""
        return f"There is no tool named {', '.join(unknown)}.{hint}"
    if circle := _circle(name, wanted):
        return f"They would wait for each other, and none could be used: {' needs '.join(circle)}."
    return ""


def _circle(own: str, wanted: Collection[str]) -> list[str]:
    """The way from a tool back to itself through what each requires; empty where there is none."""
    requires = dict(Tool.objects.exclude(requires=[]).values_list("name", "requires"))
    ways = [[own, name] for name in wanted]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        if way[-1] == own:
            return way
        if way[-1] not in seen:
            seen.add(way[-1])
            ways += [[*way, name] for name in requires.get(way[-1], [])]
    return []


def of_projection(paths: Collection[str]) -> str:
    """What is wrong with the paths of what the model is shown of an answer."""
    for path in paths:
        try:
            projection.steps(path)
        except ValueError as fault:
            return str(fault)
    return ""


def of_read_back(tool: Tool, reading: Tool | None) -> str:
    """What is wrong with the tool that shows how things stand."""
    if reading is None:
        return ""
    if reading.access != Access.READ:
        return f"{reading.name} writes: looking it up would change something. Choose a tool that reads."
    if reading.pk == tool.pk:
        return "A tool cannot look itself up."
    has = {*tool.input_schema.get("properties", {}), *tool.bound}
    lacks = [name for name in reading.input_schema.get("required", []) if name not in has]
    if lacks:
        return (
            f"{reading.name} needs {', '.join(lacks)}, which this tool does not have, so it could never be asked. "
            "Choose a tool that takes this one's arguments."
        )
    return ""
