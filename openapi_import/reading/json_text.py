"""JSON text to values; a key that appears twice in one object is refused, because readers disagree about it."""

import json
import re
from typing import Any, NoReturn

from openapi_import.errors import SpecInvalid

_LONG_NUMBER = re.compile(r"[0-9]{4000,}")


class NotJson(Exception):
    """The text is no JSON; the message says where."""


class _DuplicateKey(Exception):
    pass


def from_json(text: str) -> Any:
    """The value of a JSON text. Raises NotJson, or SpecInvalid for JSON that is refused."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError:
        raise SpecInvalid("The document is nested hundreds of levels deep.") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except _DuplicateKey as error:
        key = str(error)
        raise SpecInvalid(f"The key {key[:100]!r} appears twice in one object{_where(text, key)}.") from None
    except ValueError:  # more digits than Python turns into a number
        found = _LONG_NUMBER.search(text)
        line = f" (line {text.count(chr(10), 0, found.start()) + 1})" if found else ""
        raise SpecInvalid(f"The document contains a number that is too long to be read{line}.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKey(key)
            seen.add(key)
    return made


def _no_constant(name: str) -> NoReturn:
    raise SpecInvalid(f"The document contains {name}, which is not JSON.")


def _where(text: str, key: str) -> str:
    """The line of the first object that has the key twice, found by decoding token after token."""
    depth: list[set[str]] = []
    wanted = re.compile(r'"(?:[^"\\]|\\.)*"(\s*:)?|[{}]', re.DOTALL)
    for token in wanted.finditer(text):
        if token[0] == "{":
            depth.append(set())
        elif token[0] == "}":
            if depth:
                depth.pop()
        elif token[1] and depth:
            name = json.loads(token[0][: -len(token[1])], strict=False)
            if name == key and name in depth[-1]:
                return f" (line {text.count(chr(10), 0, token.start()) + 1})"
            depth[-1].add(name)
    return ""
