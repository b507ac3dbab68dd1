"""What a business system answers, made fit to keep and to show: decoded whole for the log, then cut for the model.
Nothing in an answer is ever more than a value."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx

from smartsupport.lib import safe_http
from smartsupport.lib.text import shorten, storable

TEXTUAL = ("xml", "csv", "yaml", "javascript", "graphql", "x-www-form-urlencoded", "x-ndjson", "html")


HIDDEN = "[hidden]"
SHORTEST_SECRET = 6
"""Of a shorter one, the rest of an answer would suffer."""


def without(response: safe_http.Response, secrets: Sequence[str]) -> safe_http.Response:
    """The response with each of these texts hidden, in its body and headers."""
    content, link = response.content, str(response.headers.get("link", ""))
    hidden = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
    for secret in hidden:
        for written in {secret, json.dumps(secret)[1:-1], quote(secret, safe="")}:
            content = content.replace(written.encode(), HIDDEN.encode())
            link = link.replace(written, HIDDEN)
    if not hidden:
        return response
    kept = {name: value for name, value in response.headers.items() if name != "link"}
    return replace(response, content=content, headers=httpx.Headers(kept | ({"link": link} if link else {})))


def cleaned(value: Any, secrets: Sequence[str]) -> Any:
    """The decoded answer with each of these texts hidden: JSON may write a slash or a plus in several ways."""
    hidden = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
    return _cleaned(value, hidden) if hidden else value


def _cleaned(value: Any, hidden: Sequence[str]) -> Any:
    if isinstance(value, str):
        for secret in hidden:
            value = value.replace(secret, HIDDEN)
        return value
    if isinstance(value, dict):
        return {_cleaned(key, hidden): _cleaned(item, hidden) for key, item in value.items()}
    return [_cleaned(item, hidden) for item in value] if isinstance(value, list) else value


def decoded(response: safe_http.Response) -> Any:
    """The body as JSON, as text, or as a reference to what is neither: {"content_type", "bytes", "sha256"}."""
    content, kind = response.content, response.media_type
    if not content:
        return None
    labelled = kind.endswith(("/json", "+json")) or not kind
    if labelled or content.lstrip()[:1] in (b"{", b"["):
        try:
            return _json(response)
        except RecursionError:
            return _reference(kind, content)
        except ValueError:
            pass
    if kind.startswith("text/") or any(word in kind for word in TEXTUAL) or labelled:
        try:
            return storable(content.decode("utf-8-sig") if labelled else response.text)
        except UnicodeDecodeError:
            pass
    return _reference(kind, content)


def _json(response: safe_http.Response) -> Any:
    """Numbers that JSON does not have (NaN, 1e999) become text: they could not be stored."""
    try:
        value = json.loads(response.content, parse_constant=str, parse_float=_float_or_text)
    except UnicodeDecodeError:
        value = json.loads(response.text, parse_constant=str, parse_float=_float_or_text)
    return storable(value)


def _float_or_text(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _reference(kind: str, content: bytes) -> dict[str, Any]:
    return {
        "content_type": kind or "application/octet-stream",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def error_text(result: Any) -> str:
    """The sentence in an error answer: problem details, {"error": {"message"}}, {"message"}, {"detail"},
    {"errors": [...]}, or text."""
    if isinstance(result, str):
        return "" if result.lstrip()[:1] == "<" else shorten(result, 500)
    if not isinstance(result, dict):
        return ""
    errors = result.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    for inner in (result.get("error"), result, first):
        if isinstance(inner, str) and inner.strip():
            return shorten(inner, 500)
        if isinstance(inner, dict):
            for field in ("message", "detail", "title", "error_description", "error"):
                if isinstance(inner.get(field), str) and inner[field].strip():
                    return shorten(inner[field], 500)
    return ""


RESULT_LIMIT = 70_000


def fitted(envelope: dict[str, Any], *, limit: int = RESULT_LIMIT) -> str:
    """The envelope as JSON of at most `limit` characters. Of a longer one the longest list loses its end, and a note
    says so; where that does not do, the text is cut and says so itself."""
    text = _text(envelope)
    if len(text) <= limit:
        return text
    shorter = _with_less(envelope, len(text), limit)
    if shorter is not None:
        return shorter
    told = "… [cut: {} of {} characters left out]"
    room = limit - len(told) - 20
    return text[:room] + told.format(len(text) - room, len(text))


def _with_less(envelope: dict[str, Any], length: int, limit: int) -> str | None:
    """The envelope with fewer items in its longest list; None where too few would be left."""
    place = _longest_list(envelope.get("result"), 0)
    if place is None:
        return None
    items = place[1]
    excess = length - limit + 300  # for the note
    kept = len(items)
    while kept > 1 and excess > 0:
        kept -= 1
        excess -= len(_text(items[kept])) + 2
    if excess > 0:
        return None
    told = f"The answer was cut: only the first {kept:,} of {len(items):,} items are here. Ask for less, or for a part."
    result = _replaced(envelope["result"], items, items[:kept])
    before = {key: value for key, value in envelope.items() if key != "result"}
    note = " ".join(filter(None, [str(before.pop("note", "")), told]))
    return _text({**before, "note": note, "result": result})


def _longest_list(value: Any, depth: int) -> tuple[int, list[Any]] | None:
    """(length as JSON, the list)"""
    if isinstance(value, list):
        return (len(_text(value)), value) if len(value) > 1 else None
    if not isinstance(value, dict) or depth > 3:
        return None
    found = [one for item in value.values() if (one := _longest_list(item, depth + 1))]
    return max(found, key=lambda one: one[0], default=None)


def _replaced(value: Any, old: Any, new: Any) -> Any:
    if value is old:
        return new
    if isinstance(value, dict):
        return {key: _replaced(item, old, new) for key, item in value.items()}
    return value


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
