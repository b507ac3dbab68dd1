"""From bytes to a document: JSON first, else YAML, within limits that hold before anything large is built."""

import json
import re
from typing import Any, NoReturn

import yaml

from openapi_import.errors import SpecInvalid

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 100  # The deepest of 503 real documents has 32 levels.
MAX_NODES = 2_000_000
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

Document = dict[str, Any]


def read_document(content: bytes) -> Document:
    """The OpenAPI document in `content` (UTF-8 JSON or YAML) as plain JSON values. Raises SpecInvalid."""
    if len(content) > MAX_BYTES:
        raise SpecInvalid(f"The document is larger than {MAX_BYTES // 1024 // 1024} MiB.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SpecInvalid("The document is not UTF-8 text.") from None
    document = _from_json(text) if text.lstrip()[:1] in ("{", "[") else _from_yaml(text)
    if not isinstance(document, dict):
        raise SpecInvalid("The document is not an object, so it is not an OpenAPI document.")
    return document


def _from_json(text: str) -> object:
    try:
        value: object = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise SpecInvalid("The document is nested too deeply.") from None
    except json.JSONDecodeError as error:
        return _from_yaml(text, json_fault=f"line {error.lineno}: {error.msg}")  # {a: b} is YAML
    except ValueError:  # a number of thousands of digits
        raise SpecInvalid("The document contains a number that cannot be read.") from None
    _check(value)
    return value


def _no_constant(name: str) -> NoReturn:
    raise SpecInvalid(f"The document contains {name}, which is not JSON.")


def _from_yaml(text: str, *, json_fault: str = "") -> object:
    try:
        _check_events(text)
        value: object = yaml.load(text, Loader=_CoreLoader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        why = json_fault or f"{line}{error.problem or error.context}"
        raise SpecInvalid(f"The document is neither JSON nor YAML ({why}).") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise SpecInvalid(
            f"The document is neither JSON nor YAML{f' ({json_fault})' if json_fault else ''}."
        ) from None
    _check(value)
    return value


def _check_events(text: str) -> None:
    """Depth and aliases, counted over the parser's events: the C composer crashes on deep nesting."""
    depth = nodes = 0
    for event in yaml.parse(text, Loader=_CoreLoader):
        if isinstance(event, yaml.AliasEvent):
            line = f" (line {event.start_mark.line + 1})" if event.start_mark else ""
            raise SpecInvalid(f"YAML aliases are not supported{line}.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        nodes += 1
        if depth > MAX_DEPTH or nodes > 2 * MAX_NODES:
            raise SpecInvalid("The document is nested too deeply or has too many parts.")


def _check(value: object) -> None:
    """Only what can be stored as JSON; no recursion."""
    waiting: list[tuple[object, int]] = [(value, 1)]
    nodes = 0
    while waiting:
        item, depth = waiting.pop()
        nodes += 1
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            raise SpecInvalid("The document is nested too deeply or has too many parts.")
        if isinstance(item, dict):
            for key in item:
                _check_text(key)
            waiting.extend((child, depth + 1) for child in item.values())
        elif isinstance(item, list):
            waiting.extend((child, depth + 1) for child in item)
        elif isinstance(item, float):
            if item != item or item in (float("inf"), float("-inf")):
                raise SpecInvalid("The document contains a number that is not finite.")
        elif item is not None and not isinstance(item, bool | int):
            _check_text(item)


def _check_text(value: object) -> None:
    if not isinstance(value, str):
        raise SpecInvalid("The document contains a value that is not JSON.")
    if UNSTORABLE.search(value):
        raise SpecInvalid(
            "The document contains a character that cannot be stored (NUL or half a surrogate pair)."
        )


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _CoreLoader(_Base):
    """YAML 1.2 core schema: `no` and `12:30` are words, dates are text, and so are keys (response codes)."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is not text", key.start_mark)
            found[key.value] = self.construct_object(value, deep=True)
        return found

    def construct_yaml_map(self, node: Any) -> dict[str, Any]:
        return self.construct_mapping(node)

    def construct_integer(self, node: Any) -> int:
        text = node.value
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)


def _resolve(tag: str, pattern: str, first: str) -> None:
    _CoreLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{tag}", re.compile(rf"(?:{pattern})\Z"), list(first)
    )


_resolve("null", r"~|null|Null|NULL", "~nN")
_CoreLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"\Z"), [""])
_resolve("bool", r"true|True|TRUE|false|False|FALSE", "tTfF")
_resolve("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789")
_resolve("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+0123456789.")
_CoreLoader.add_constructor("tag:yaml.org,2002:int", _CoreLoader.construct_integer)
_CoreLoader.add_constructor("tag:yaml.org,2002:map", _CoreLoader.construct_yaml_map)
