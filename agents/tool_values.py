"""Values of arguments as text on the wire, in OpenAPI's parameter styles. See docs/openapi-tools.md, "Styles".

What cannot be written so that the other side reads the same value again is refused, never written approximately.
"""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import quote, unquote

# What allowReserved leaves as it is, less what would end a value: # & + and %.
_RESERVED_IN_QUERY = ":/?@!$'()*,;=[]"
_RESERVED_IN_PATH = ":@!$&'()*+,;="
_DELIMITERS = {"form": ",", "spaceDelimited": " ", "pipeDelimited": "|"}
_COOKIE_REFUSED = frozenset('",;\\ ')
MAX_NESTING = 20

Pair = tuple[str, str]


class ValueRefused(Exception):
    """The value cannot be written in this place: (what is wrong, as the end of a sentence about it; the property)."""


def plain(value: Any) -> str:
    """One value as text: numbers and booleans as JSON writes them, lists and objects as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))  # 3.0 is the number 3, and many would not read it back
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        raise ValueRefused("has a number that cannot be written") from None


def given(value: Any) -> Any:
    """Without what RFC 6570 calls undefined: null items and properties. None where nothing is left."""
    if isinstance(value, list):
        return [item for item in value if item is not None] or None
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if item is not None} or None
    return value


def in_path(parameter: dict[str, Any], value: Any) -> str:
    """A value of a path parameter, percent-encoded: simple, label or matrix."""
    reserved = bool(parameter.get("allow_reserved"))
    safe = _RESERVED_IN_PATH if reserved else ""
    several = parameter["name"].startswith("+") or parameter["name"].endswith("+")  # {+name} has slashes
    if parameter.get("content_type"):
        return quote(serialised(parameter["content_type"], value), safe="")
    style, explode = parameter.get("style", "simple"), parameter.get("explode", False)
    dot = style == "label" and explode

    def written(item: Any) -> str:
        text = plain(item)
        if dot and "." in text:
            raise ValueRefused("cannot contain a dot, which separates its values")
        listed = isinstance(value, list | dict)
        kept = "".join(mark for mark in safe if not (listed and mark in ",;=&")) + ("/" if several else "")
        return quote(text, safe=kept)

    if style == "matrix":
        return _matrix(quote(parameter["name"].strip("+*"), safe=""), value, explode, written)
    prefix, between = (".", "." if explode else ",") if style == "label" else ("", ",")
    return prefix + between.join(_items(value, explode, written))


def _matrix(name: str, value: Any, explode: bool, written: Any) -> str:
    if isinstance(value, dict) and explode:
        return "".join(f";{key}" for key in _items(value, True, written))
    if isinstance(value, list) and explode:
        return "".join(f";{name}={written(item)}" for item in value)
    text = ",".join(_items(value, False, written))
    return f";{name}={text}" if text else f";{name}"


def _items(value: Any, explode: bool, written: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if explode:
                yield f"{written(key)}={written(item)}"
            else:
                yield from (written(key), written(item))
    elif isinstance(value, list):
        yield from map(written, value)
    else:
        yield written(value)


def in_query(parameter: dict[str, Any], value: Any) -> list[tuple[Pair, str]]:
    """The pairs of a query parameter or form field, each as it is meant and as it is written."""
    name = parameter["name"]
    if parameter.get("content_type"):
        return [_pair(name, serialised(parameter["content_type"], value))]
    style, explode = (
        parameter.get("style", "form"),
        parameter.get("explode", parameter.get("style", "form") == "form"),
    )
    reserved = bool(parameter.get("allow_reserved"))
    if style == "deepObject":
        return [_pair(key, text, reserved=reserved) for key, text in _bracketed(name, value)]
    if not isinstance(value, list | dict):
        return [_pair(name, plain(value), reserved=reserved)]
    if explode and isinstance(value, dict):
        return [_pair(str(key), plain(item), reserved=reserved) for key, item in value.items()]
    if explode:
        return [_pair(name, plain(item), reserved=reserved) for item in value]
    return [_delimited(name, value, _DELIMITERS.get(style, ","), reserved=reserved)]


def _pair(name: str, text: str, *, reserved: bool = False) -> tuple[Pair, str]:
    safe = _RESERVED_IN_QUERY if reserved else ""
    return (name, text), f"{quote(name, safe='')}={quote(text, safe=safe)}"


def _delimited(name: str, value: Any, delimiter: str, *, reserved: bool) -> tuple[Pair, str]:
    """`a,b`: the commas bare and those inside a value encoded; the other delimiters are always encoded, so a value
    with one of them could not be told apart."""
    items = (
        [plain(part) for pair in value.items() for part in pair]
        if isinstance(value, dict)
        else map(plain, value)
    )
    texts = list(items)
    if delimiter != "," and any(delimiter in text for text in texts):
        mark = {" ": "a space", "|": "a vertical bar"}[delimiter]
        raise ValueRefused(f"cannot contain {mark}, which separates its values")
    safe = _RESERVED_IN_QUERY.replace(",", "") if reserved else ""
    joint = "," if delimiter == "," else quote(delimiter)
    written = joint.join(quote(text, safe=safe) for text in texts)
    return (name, delimiter.join(texts)), f"{quote(name, safe='')}={written}"


def _bracketed(name: str, value: Any, depth: int = 0) -> Iterator[Pair]:
    """`a[b][c]`, lists by index: how PHP, Rails, Node and the big payment APIs read nested forms."""
    if depth > MAX_NESTING:
        raise ValueRefused("is nested too deeply")
    if isinstance(value, dict):
        for key, item in value.items():
            if not key or "[" in key or "]" in key:
                raise ValueRefused("has a name that cannot be written in brackets")
            if item is not None:
                yield from _bracketed(f"{name}[{key}]", item, depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if item is not None:
                yield from _bracketed(f"{name}[{index}]", item, depth + 1)
    else:
        yield name, plain(value)


def in_header(parameter: dict[str, Any], value: Any) -> str:
    """The value of a header, style simple. Nothing is encoded there, so what a header cannot carry is refused."""
    if parameter.get("content_type"):
        text = json.dumps(value, allow_nan=False) if _is_json(parameter["content_type"]) else plain(value)
    elif isinstance(value, list | dict):
        parts = (
            [plain(part) for pair in value.items() for part in pair]
            if isinstance(value, dict)
            else list(map(plain, value))
        )
        marks = ",=" if isinstance(value, dict) and parameter.get("explode") else ","
        if any(mark in part for mark in marks for part in parts):
            raise ValueRefused("cannot contain a comma, which separates its values")
        text = ",".join(_items(value, bool(parameter.get("explode")), plain))
    else:
        text = plain(value)
    if not text.isprintable() or not text.isascii():
        raise ValueRefused("has a character that a header cannot carry")
    if text != text.strip():
        raise ValueRefused("cannot begin or end with a space")
    return text


def in_cookie(parameter: dict[str, Any], value: Any) -> list[tuple[Pair, str]]:
    """Cookies as (what is meant, what is written): style form is percent-encoded, style cookie (3.2) is not."""
    if parameter.get("style") != "cookie":
        return in_query({**parameter, "style": "form", "allow_reserved": False}, value)
    for item in _items(value, False, plain):
        if not item.isascii() or not item.isprintable() or _COOKIE_REFUSED.intersection(item):
            raise ValueRefused("has a character that a cookie cannot carry")
    name = parameter["name"]
    if isinstance(value, dict) and parameter.get("explode", True):
        pairs = [(str(key), plain(item)) for key, item in value.items()]
    elif isinstance(value, list) and parameter.get("explode", True):
        pairs = [(name, plain(item)) for item in value]
    else:
        pairs = [(name, ",".join(_items(value, False, plain)))]
    return [(pair, f"{pair[0]}={pair[1]}") for pair in pairs]


def serialised(content_type: str, value: Any) -> str:
    """A parameter that is a document of its own."""
    if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded" and isinstance(
        value, dict
    ):
        pairs = (pair for key, item in value.items() for pair in in_query({"name": key}, item))
        return "&".join(written for _, written in pairs)
    if not _is_json(content_type):
        return plain(value)
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise ValueRefused("has a number that cannot be written") from None


def climbs(text: str) -> bool:
    """Whether a value would lead out of its place in a path, also for a server that decodes once more."""
    for reading in (text, unquote(text), unquote(unquote(text))):
        if any(step in (".", "..") for step in reading.replace("\\", "/").split("/")):
            return True
    return False


def stands_for(name: str, own: str, others: Collection[str]) -> bool:
    """Whether a field that came out of the value of `own` would be read as one of `others` by some server: many do not
    look at case, PHP and Rails take `id[]` for `id`, and PHP a dot or space for an underscore."""
    if name == own:
        return False
    known = {_lax(other) for other in others}
    family = name.partition("[")[0]
    return _lax(name) in known or (family != own and _lax(family) in known)


def _lax(name: str) -> str:
    return re.sub(r"[.\s]", "_", name.strip().casefold())


def _is_json(content_type: str) -> bool:
    plain_type = content_type.partition(";")[0].strip().lower()
    return plain_type == "application/json" or plain_type.endswith(("+json", "/json"))
