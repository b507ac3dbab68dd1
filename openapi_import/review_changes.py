"""What a reviewer may change about an operation, checked. Nothing is read or written here."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from agents.models import Access, Approver, Risk
from openapi_import import binding, difference
from openapi_import.models import Change, Classification
from openapi_import.reading import naming
from smartsupport.lib.text import shorten, storable

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
PLACE = re.compile(r"\{([^{}]*)\}")
NAME_RULE = "Use 1 to 64 letters, digits, _ or -."
TOOL_NAME_RULE = "Use 1 to 64 letters, digits, _ or -, a letter or _ first."
ALWAYS_WRITES = frozenset({"PUT", "PATCH", "DELETE"})
"""Methods that change something by their nature: only who says so expressly (`confirm_read`) makes one a read."""
COLUMNS = frozenset(
    "name title tool_description access_type risk approval agent_group customer_params selected".split()
)
ONE_BY_ONE = frozenset({"name", "title", "tool_description", "read_back"})
"""What cannot be the same for several operations."""
BY_DOCUMENT = frozenset({"customer_params", "confirmation", "staff_above_argument", "staff_above_amount"})
"""What is checked against what the document says of an operation."""
NAMING = frozenset({"name", "requires", "read_back"})
"""What is checked against other operations and tools."""
_ACCESS = frozenset({"access_type", "approval", "needs_interrupt", "confirm_read"})
_LIMIT = frozenset({"staff_above_argument", "staff_above_amount"})

Values = dict[str, Any]


class Fault(Exception):
    """What is wrong with one field, in a sentence."""


@dataclass(frozen=True)
class Surroundings:
    """What a change may name. `tools`: names that are taken by tools of other operations. `names`: {name: index} of
    the job's rows. `reading`: the operation ids of the job that read."""

    tools: Collection[str] = ()
    names: Mapping[str, int] = field(default_factory=dict)
    reading: Collection[str] = ()


def checked(
    row: Classification, changes: Mapping[str, Any], around: Surroundings
) -> tuple[Values, dict[str, list[str]]]:
    """The fields to set, whole and fitting each other, and what is wrong, by field. With any fault nothing is set."""
    if row.change == Change.REMOVED:
        return {}, {"index": [difference.NO_LONGER_THERE]}
    values: Values = {}
    faults: dict[str, list[str]] = {}
    for name, value in changes.items():
        check = CHECKS.get(name)
        if check is None:
            faults[name] = ["There is no such field."]
            continue
        try:
            values[name] = check(value, row, around)
        except Fault as fault:
            faults[name] = [str(fault)]
    rules = {"access_type": (_access, _ACCESS), "staff_above_argument": (_staff_limit, _LIMIT)}
    for name, (rule, fields) in rules.items():
        if fields & faults.keys():
            continue
        try:
            rule(row, values)
        except Fault as fault:
            faults[name] = [str(fault)]
    return ({} if faults else values), faults


def put(row: Classification, values: Values) -> None:
    """Set the checked fields on the row, and remember them as decided."""
    for name in COLUMNS & values.keys():
        if name in difference.JUDGED:
            row.judged.setdefault(name, getattr(row, name))
        setattr(row, name, values[name])
    row.decided = {**row.decided, **values}
    if difference.BY_STAFF & values.keys():
        row.judged.setdefault("judged_by", row.judged_by)
        row.judged_by = "staff"


def _access(row: Classification, values: Values) -> None:
    """Reads need no approver and writes need one, whichever of them was given."""
    needs = values.pop("needs_interrupt", None)
    confirmed = values.pop("confirm_read", False)
    given = values.get("approval")
    if needs is None and given is None and "access_type" not in values:
        return
    if needs is not None and given is not None and needs != (given != Approver.NONE):
        raise Fault("approval and needs_interrupt contradict each other.")
    access = values.get("access_type", row.access_type)
    if given is None:
        wants = needs if needs is not None else access == Access.WRITE
        given = _approver(row) if wants else Approver.NONE
    if access == Access.READ and given != Approver.NONE:
        raise Fault("What reads needs nobody's approval. Set access_type to write to have it approved.")
    if access == Access.WRITE and given == Approver.NONE:
        raise Fault("What writes needs an approver. Set access_type to read if it changes nothing.")
    if access != row.access_type:
        if access == Access.READ and row.method.upper() in ALWAYS_WRITES and not confirmed:
            raise Fault(
                f"{row.method} changes something by its nature. If this one only reads, say confirm_read: true."
            )
        values.setdefault("risk", _risk(row, access))
    values |= {"access_type": access, "approval": given}


def _approver(row: Classification) -> str:
    judged = difference.as_read(row, "approval")
    return next((one for one in (row.approval, judged) if one != Approver.NONE), Approver.STAFF)


def _risk(row: Classification, access: str) -> str:
    if access == Access.WRITE:
        return Risk.DESTRUCTIVE if row.risk == Risk.SAFE else row.risk
    return row.risk if row.risk == Risk.PERSONAL else Risk.SAFE


def _staff_limit(row: Classification, values: Values) -> None:
    """Both the argument and the amount, or neither."""
    given = _LIMIT & values.keys()
    if not given:
        return
    argument, amount = values.get("staff_above_argument", ""), values.get("staff_above_amount")
    if len(given) == 1 or bool(argument) != (amount is not None):
        raise Fault("Give both the argument and the amount above which staff decide, or neither.")


def _choice(choices: Collection[str]) -> Callable[[Any, Classification, Surroundings], Any]:
    def check(value: Any, row: Classification, around: Surroundings) -> Any:
        if not isinstance(value, str) or value not in choices:
            raise Fault(f"Use one of: {', '.join(choices)}.")
        return value

    return check


def _flag(value: Any, row: Classification, around: Surroundings) -> bool:
    if value is not True and value is not False:
        raise Fault("Must be true or false.")
    return bool(value)


def _text(
    limit: int, *, blank: bool = False, lines: bool = False
) -> Callable[[Any, Classification, Surroundings], str]:
    def check(value: Any, row: Classification, around: Surroundings) -> str:
        if not isinstance(value, str):
            raise Fault("Must be a text.")
        text: str = storable(value).strip() if lines else shorten(storable(value), len(value) + 1)
        if not text and not blank:
            raise Fault("Must not be empty.")
        if len(text) > limit:
            raise Fault(f"Must not be longer than {limit} characters.")
        return text

    return check


def _name(value: Any, row: Classification, around: Surroundings) -> str:
    if not isinstance(value, str) or not naming.NAME.fullmatch(value):
        raise Fault(TOOL_NAME_RULE)
    if value in naming.RESERVED:
        raise Fault(f"{value} is a tool of Smart Support's own. Use another name.")
    if value in around.tools or around.names.get(value, row.index) != row.index:
        raise Fault(f"There is already a tool named {value!r}.")
    return value


def _group(value: Any, row: Classification, around: Surroundings) -> str:
    """None or "": no agent gets it."""
    if value in (None, ""):
        return ""
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise Fault(NAME_RULE)
    return value


def _selected(value: Any, row: Classification, around: Surroundings) -> bool:
    wanted = _flag(value, row, around)
    if wanted and row.unusable:
        raise Fault(f"It can be no tool. {row.unusable}")
    return wanted


def _customer_params(value: Any, row: Classification, around: Surroundings) -> dict[str, str]:
    found = binding.faults(value, row.tool.get("input_schema", {}))
    if found:
        raise Fault(" ".join(found))
    return dict(value)


def _projection(value: Any, row: Classification, around: Surroundings) -> list[str]:
    if not isinstance(value, list) or len(value) > 100:
        raise Fault("Give a list of at most 100 parts of the answer, such as items[].id.")
    if not all(
        isinstance(part, str) and 0 < len(part.strip()) <= 200 and part.isprintable() for part in value
    ):
        raise Fault("Each part is a text of at most 200 characters, such as items[].id.")
    return [part.strip() for part in value]


def _confirmation(value: Any, row: Classification, around: Surroundings) -> str:
    text = _text(300, blank=True)(value, row, around)
    required = set(row.tool.get("input_schema", {}).get("required", [])) - row.customer_params.keys()
    unknown = [place for place in PLACE.findall(text) if place not in required]
    if unknown:
        raise Fault(
            f"{{{unknown[0]}}} is no required argument. They are: {', '.join(sorted(required)) or 'none'}."
        )
    return text


def _limit_argument(value: Any, row: Classification, around: Surroundings) -> str:
    if value in (None, ""):
        return ""
    schemas = binding.arguments(row.tool.get("input_schema", {}))
    numbers = [
        name for name, schema in schemas.items() if _is_number(schema) and name not in row.customer_params
    ]
    if value not in numbers:
        raise Fault(
            f"This is not a number among the tool's arguments. They are: {', '.join(numbers) or 'none'}."
        )
    return str(value)


def _is_number(schema: Any) -> bool:
    kind = schema.get("type") if isinstance(schema, dict) else None
    return bool({"integer", "number"} & set(kind if isinstance(kind, list) else [kind]))


def _limit_amount(value: Any, row: Classification, around: Surroundings) -> str | None:
    if value is None:
        return None
    try:
        amount = Decimal(str(value)) if not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount < Decimal(10) ** 12:
        raise Fault("Give an amount, such as 100 or 99.50.")
    return f"{amount:.2f}"


def _people(value: Any, row: Classification, around: Surroundings) -> int:
    if isinstance(value, bool) or value not in (1, 2):
        raise Fault("One or two people: 1 or 2.")
    return int(value)


def _requires(value: Any, row: Classification, around: Surroundings) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise Fault("Give a list of names of tools.")
    known = {*around.tools, *around.names} - {row.name}
    unknown = [name for name in value if name not in known]
    if unknown:
        raise Fault(f"There is no other tool named {unknown[0]!r}.")
    return list(dict.fromkeys(value))


def _read_back(value: Any, row: Classification, around: Surroundings) -> str:
    if value in (None, ""):
        return ""
    if value not in around.reading or value == row.operation_id:
        raise Fault(f"There is no reading operation {value!r}.")
    return str(value)


CHECKS: dict[str, Callable[[Any, Classification, Surroundings], Any]] = {
    "access_type": _choice(Access.values),
    "approval": _choice(Approver.values),
    "needs_interrupt": _flag,
    "confirm_read": _flag,
    "risk": _choice(Risk.values),
    "agent_group": _group,
    "customer_params": _customer_params,
    "name": _name,
    "title": _text(120),
    "tool_description": _text(4000, lines=True),
    "selected": _selected,
    "projection": _projection,
    "confirmation": _confirmation,
    "repeat_safe": _flag,
    "staff_above_argument": _limit_argument,
    "staff_above_amount": _limit_amount,
    "approvals_needed": _people,
    "requires": _requires,
    "read_back": _read_back,
}
"""Every field that can be changed."""
