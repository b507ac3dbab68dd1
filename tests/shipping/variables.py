"""Compose's variables (Compose specification, "Interpolation"), as far as our files use them, nested ones included."""

import re
from collections.abc import Mapping
from typing import Any

_PLACE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<form>:?[-?+])?)")


class NotSet(Exception):
    """A variable that is required (`${NAME:?words}`) is missing; says the words."""


def substituted(value: Any, given: Mapping[str, str]) -> Any:
    """The value with every variable in it replaced, in lists and mappings too. Raises NotSet."""
    if isinstance(value, dict):
        return {name: substituted(one, given) for name, one in value.items()}
    if isinstance(value, list):
        return [substituted(one, given) for one in value]
    return _text(value, given) if isinstance(value, str) else value


def _text(text: str, given: Mapping[str, str]) -> str:
    done, at = "", 0
    while place := _PLACE.search(text, at):
        done += text[at : place.start()]
        if place["dollar"]:
            done, at = f"{done}$", place.end()
            continue
        end = _closing(text, place.end())
        done += _value(place["name"], place["form"] or "", text[place.end() : end], given)
        at = end + 1
    return done + text[at:]


def _closing(text: str, at: int) -> int:
    """Where the brace that was opened before `at` is closed."""
    depth = 1
    while depth:
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return at - 1


def _value(name: str, form: str, words: str, given: Mapping[str, str]) -> str:
    value = given.get(name)
    there = bool(value) if form.startswith(":") else value is not None
    if form.endswith("+"):
        return _text(words, given) if there else ""
    if there or not form:
        return value or ""
    if form.endswith("?"):
        raise NotSet(words)
    return _text(words, given)
