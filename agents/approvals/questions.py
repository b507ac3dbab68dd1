"""What an approval asks, and whom."""

import json
import math
import re
from decimal import Decimal
from typing import Any

from agents.models import Approver, Tool
from smartsupport.lib.text import readable, shorten


def approver_for(tool: Tool, arguments: dict[str, Any]) -> str:
    """Who decides on this call. An amount above the tool's limit, or one that cannot be read, goes to staff."""
    if not tool.staff_above_argument or tool.staff_above_amount is None:
        return tool.approval
    amount = arguments.get(tool.staff_above_argument)
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not math.isfinite(amount):
        return Approver.STAFF
    # As decimals: what is written 100.01 is not a binary fraction beside it.
    return Approver.STAFF if Decimal(repr(amount)) > tool.staff_above_amount else tool.approval


def ask(tool: Tool, arguments: dict[str, Any]) -> str:
    """The question to the approver, in the tool's own words. Arguments go in as plain text, never as a format."""
    if not tool.confirmation:
        listed = ", ".join(f"{name} {_written(value)}" for name, value in arguments.items())
        return shorten(f"{tool.title}: {listed}" if listed else tool.title, 500)

    # In one pass: a value that looks like a place of its own is not filled in again.
    def shown(place: re.Match[str]) -> str:
        return _written(arguments.get(place[1], place[0]))

    return shorten(re.sub(r"\{([^{}]+)\}", shown, tool.confirmation), 500)


def _written(value: Any) -> str:
    """Without what would turn the rest of the question around; the values themselves are shown beside it, marked."""
    return readable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
