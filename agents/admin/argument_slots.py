"""A tool's arguments as fields of a form, from its JSON Schema; what comes back is typed as the schema wants it.

What nobody touches stays exactly what it was. Limits are told, not checked, here: the check that counts is
`agents.policy.check`, which the decision makes too.
"""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from agents.admin.shown import meaning, plain_value, shown_value

LONG_TEXT = 80
REQUIRED = "This is required."


@dataclass(frozen=True, slots=True)
class Slot:
    """One argument: `text` is what its field shows at first, `read` makes a value of what it shows later."""

    key: str
    name: str
    text: str
    required: bool
    widget: forms.Widget
    help_text: str
    read: Callable[[str], Any]

    def field(self) -> forms.CharField:
        return forms.CharField(
            label=self.name,
            required=False,
            strip=False,
            initial=self.text,
            widget=self.widget,
            help_text=self.help_text,
        )

    def untouched(self, text: str) -> bool:
        return _lines(text) == _lines(self.text)

    def value(self, text: str) -> Any:
        """Raises ValidationError in words that say what to write."""
        return self.read(_lines(text))


def slots_for(schema: dict[str, Any], arguments: dict[str, Any]) -> list[Slot]:
    """A slot for each declared argument, the required ones first, and for each other one that is there."""
    declared = schema.get("properties", {})
    required = [name for name in schema.get("required", []) if name in declared]
    names = list(dict.fromkeys([*required, *declared, *arguments]))
    return [
        _slot(f"arg_{place}", name, _plain(declared.get(name)), name in required, arguments)
        for place, name in enumerate(names)
    ]


def _plain(schema: Any) -> dict[str, Any]:
    """The schema without the alternative `null`: left out means the same."""
    if not isinstance(schema, dict):
        return {}
    for word in ("anyOf", "oneOf"):
        others = [one for one in schema.get(word, []) if isinstance(one, dict) and one.get("type") != "null"]
        if len(others) == 1:
            return {**{key: value for key, value in schema.items() if key != word}, **others[0]}
    kind = schema.get("type")
    if isinstance(kind, list):
        kinds = [one for one in kind if one != "null"]
        return {**schema, "type": kinds[0] if len(kinds) == 1 else kinds}
    return schema


def _slot(key: str, name: str, schema: dict[str, Any], required: bool, arguments: dict[str, Any]) -> Slot:
    current = arguments.get(name, schema.get("default"))
    kind = schema.get("type")
    line, block = UnfoldAdminTextInputWidget, UnfoldAdminTextareaWidget(attrs={"rows": 4})
    text = "" if current is None else plain_value(current)
    widget: forms.Widget
    read: Callable[[str], Any]
    if choices := _choices(schema):
        text, widget, read = _chosen(current, choices, required)
    elif kind == "integer":
        widget, read = line(attrs={"inputmode": "numeric"}), _whole_number
    elif kind == "number":
        widget, read = line(attrs={"inputmode": "decimal"}), _number
    elif kind == "string" and schema.get("format") == "date":
        widget, read = line(attrs={"type": "date"} if not text or _is_date(text) else {}), _date
    elif kind == "string" and schema.get("format") == "date-time":
        widget, read = line(), _moment
    elif kind == "string":
        long = len(text) > LONG_TEXT or "\n" in text or schema.get("maxLength", 0) > 4 * LONG_TEXT
        widget, read = block if long else line(), str
    else:
        text = "" if current is None else json.dumps(current, indent=2, ensure_ascii=False)
        widget, read = block, _json
    return Slot(key, name, text, required, widget, _help(schema, kind, required), read)


def _choices(schema: dict[str, Any]) -> list[Any]:
    if "const" in schema:
        return [schema["const"]]
    if isinstance(schema.get("enum"), list):
        return [value for value in schema["enum"] if value is not None]
    return [True, False] if schema.get("type") == "boolean" else []


def _chosen(
    current: Any, choices: list[Any], required: bool
) -> tuple[str, forms.Widget, Callable[[str], Any]]:
    """Options are known by their place, so that 1, "1" and true stay three things."""
    places = {str(place): value for place, value in enumerate(choices)}
    text = next((key for key, value in places.items() if _same(value, current)), "")
    options = [(key, _option(value)) for key, value in places.items()]
    if not required or not text:
        options.insert(0, ("", "Choose one" if required else "Leave it out"))

    def read(key: str) -> Any:
        if key not in places:
            raise forms.ValidationError("Choose one of the options.")
        return places[key]

    return text, UnfoldAdminSelectWidget(choices=options), read


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _option(value: Any) -> str:
    return {True: "Yes", False: "No"}[value] if isinstance(value, bool) else shown_value(value)


def _whole_number(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,400}", text.strip(), re.ASCII):
        raise forms.ValidationError("Write a whole number, such as 10.")
    return int(text)


def _number(text: str) -> int | float:
    try:
        return _whole_number(text)
    except forms.ValidationError:
        pass
    if re.fullmatch(r"[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]{1,3})?", text.strip(), re.ASCII):
        number = float(text)
        if math.isfinite(number):
            return number
    raise forms.ValidationError("Write a number with a point, such as 10.50.")


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _date(text: str) -> str:
    if not _is_date(text.strip()):
        raise forms.ValidationError("Write a date as year-month-day, such as 2026-03-01.")
    return text.strip()


def _moment(text: str) -> str:
    try:
        aware = datetime.fromisoformat(text.strip()).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise forms.ValidationError("Write date, time and zone, such as 2026-03-01T12:00:00Z.")
    return text.strip()


def _json(text: str) -> Any:
    def odd(word: str) -> Any:
        raise forms.ValidationError(f"This is not JSON: {word} is no number there.")

    try:
        return json.loads(text, parse_constant=odd)
    except json.JSONDecodeError as fault:
        raise forms.ValidationError(
            f"This is not JSON: line {fault.lineno}, column {fault.colno}: {fault.msg}."
        ) from fault
    except RecursionError as fault:
        raise forms.ValidationError("This is nested too deeply.") from fault


def _help(schema: dict[str, Any], kind: Any, required: bool) -> str:
    words = [meaning(schema)]
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        words.append(f"From {low} to {high}.")
    elif low is not None or high is not None:
        words.append(f"At least {low}." if low is not None else f"At most {high}.")
    if isinstance(schema.get("maxLength"), int):
        words.append(f"At most {schema['maxLength']} characters.")
    if isinstance(schema.get("minLength"), int) and schema["minLength"] > 1:
        words.append(f"At least {schema['minLength']} characters.")
    if isinstance(schema.get("pattern"), str):
        words.append(f"Has to fit the pattern {schema['pattern']}")
    if kind in ("array", "object") or isinstance(kind, list) or (kind is None and not _choices(schema)):
        words.append("Written as JSON.")
    if not required:
        default = schema.get("default")
        words.append("May be left out." if default is None else f"Left out, it is {_option(default)}.")
    return " ".join(word for word in words if word)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
