"""The body of a tool's request: JSON, form, multipart, text or bytes, as its recipe says."""

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from agents.tool_values import ValueRefused, given, in_query, plain, stands_for

FORM = "application/x-www-form-urlencoded"
MISSING = object()
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.IGNORECASE)
_QUOTED = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


@dataclass(frozen=True, slots=True)
class Body:
    """`content` as it is sent with this `content_type`; `shown`: the same for people, files as their size."""

    content: bytes
    content_type: str
    shown: Any


def json_body(content_type: str, value: Any) -> Body:
    """JSON. Raises ValueRefused."""
    try:
        content = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:  # also half a surrogate pair
        raise ValueRefused("has a number or character that cannot be sent") from None
    return Body(content, content_type or "application/json", value)


def form_body(fields: dict[str, Any], encoding: dict[str, Any]) -> Body:
    """A URL-encoded form of {property: value}. Raises ValueRefused."""
    pairs = [
        pair for name, value in fields.items() for pair in _field(name, value, encoding.get(name, {}), fields)
    ]
    content = "&".join(written for _, written in pairs).encode()
    return Body(content, FORM, [list(pair) for pair, _ in pairs])


def _field(name: str, value: Any, encoding: dict[str, Any], fields: dict[str, Any]) -> list[Any]:
    value = given(value)
    if value is None:
        return []
    if not {"style", "explode", "allow_reserved"} & encoding.keys():
        # No style: by content type, which is JSON for objects; a list repeats its field.
        items = value if isinstance(value, list) else [value]
        return [pair for item in items for pair in in_query({"name": name}, _as_text(item, encoding))]
    pairs = in_query({"style": "form", **encoding, "content_type": "", "name": name}, value)
    _refuse_taken(name, pairs, fields)
    return pairs


def _refuse_taken(name: str, pairs: list[Any], fields: dict[str, Any]) -> None:
    """What comes out of one field cannot stand for another: that may be bound."""
    for (written, _), _ in pairs:
        if stands_for(written, name, fields.keys() - {name}):
            raise ValueRefused(f"cannot contain {written[:80]}, which is a field of its own", name)


def _as_text(item: Any, encoding: dict[str, Any]) -> Any:
    if isinstance(item, dict | list):
        return plain(item)
    if "json" in encoding.get("content_type", ""):
        return json.dumps(item, ensure_ascii=False)
    return item


def multipart_body(content_type: str, fields: dict[str, Any], encoding: dict[str, Any]) -> Body:
    """One part for each value; a list is one part for each item. Raises ValueRefused.

    The boundary is made of the content, so the same call is the same bytes when it is repeated.
    """
    parts: list[tuple[str, bytes]] = []
    shown: list[list[str]] = []
    for name, value in fields.items():
        how = encoding.get(name, {})
        value = given(value)
        if value is None:
            continue
        if "style" in how and not how.get("binary"):
            pairs = in_query({**how, "content_type": "", "name": name}, value)
            _refuse_taken(name, pairs, fields)
            for (key, text), _ in pairs:
                parts.append(_part(key, text.encode(), ""))
                shown.append([key, text])
            continue
        for item in value if isinstance(value, list) else [value]:
            content, kind, filename, said = _part_of(name, item, how)
            parts.append(_part(name, content, kind, filename))
            shown.append([name, said])
    boundary = hashlib.sha256(b"".join(head.encode() + content for head, content in parts)).hexdigest()[:32]
    lines = [
        b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary.encode(), head.encode(), content) for head, content in parts
    ]
    whole = b"".join(lines) + b"--%s--\r\n" % boundary.encode()
    return Body(whole, f"{content_type}; boundary={boundary}", shown)


def _part_of(name: str, item: Any, how: dict[str, Any]) -> tuple[bytes, str, str, str]:
    """(content, content type, file name, how it is shown) of one part."""
    kind = how.get("content_type", "")
    if how.get("binary"):
        content, said = decoded(name, item)
        kind = kind or said or "application/octet-stream"
        return content, kind, name, _size(content, kind)
    if isinstance(item, dict | list) or "json" in kind:
        body = json_body(kind, item)
        return body.content, body.content_type, "", plain(item)
    return plain(item).encode(), kind, "", plain(item)


def _part(name: str, content: bytes, kind: str, filename: str = "") -> tuple[str, bytes]:
    head = f'Content-Disposition: form-data; name="{name.translate(_QUOTED)}"'
    if filename:
        head += f'; filename="{filename.translate(_QUOTED)}"'
    if kind:
        head += f"\r\nContent-Type: {re.sub(r'[^ -~]', '', kind)}"
    return head, content


def text_body(content_type: str, value: Any) -> Body:
    """Text as it is, in UTF-8."""
    text = plain(value)
    if content_type.lower().startswith("text/") and "charset" not in content_type.lower():
        content_type += "; charset=utf-8"
    return Body(text.encode(), content_type, text)


def binary_body(content_type: str, name: str, value: Any) -> Body:
    """Bytes, given in base64 or as a data: URL. Raises ValueRefused."""
    content, _ = decoded(name, value)
    return Body(content, content_type, _size(content, content_type))


def decoded(name: str, value: Any) -> tuple[bytes, str]:
    """The bytes that a model wrote in base64 or as a data: URL, and the media type that the URL named."""
    if not isinstance(value, str):
        raise ValueRefused("has to be text in base64", name)
    found = _DATA_URL.match(value)
    if found and not found[3]:
        return unquote_to_bytes(value[found.end() :]), found[1] or "text/plain"
    text = re.sub(r"\s+", "", value[found.end() :] if found else value).replace("-", "+").replace("_", "/")
    text = text.rstrip("=")
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueRefused("is not base64", name) from None
    return content, (found[1] or "") if found else ""


def _size(content: bytes, kind: str) -> str:
    return f"({len(content):,} bytes of {kind})"
