"""Webhooks and callbacks: requests that the other side makes. They are shown to people and never called."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from openapi_import.errors import SpecInvalid
from openapi_import.reading.described import Listed
from openapi_import.reading.faults import MAX_POINTER
from openapi_import.reading.inputs import text
from openapi_import.reading.references import follow
from openapi_import.reading.text import Document, escaped

if TYPE_CHECKING:
    from openapi_import.reading.operations import Place

MAX_LISTED = 1_000
_METHODS = frozenset("get put post delete options head patch query".split())


def listed(document: Document, places: "list[Place]", dialect: str) -> Iterator[Listed]:
    """At most MAX_LISTED of them, in the document's order. What cannot be read is passed over."""
    return islice(_all(document, places, dialect), MAX_LISTED)


def _all(document: Document, places: "list[Place]", dialect: str) -> Iterator[Listed]:
    for key in ("webhooks", "x-webhooks"):
        hooks = _object(document, document.get(key))
        for name, item in hooks.items():
            yield from _requests(document, "webhook", name, item, f"/{key}/{escaped(name)}")
    if dialect == "2.0":
        return
    for place in places:
        declared = place.raw.get("callbacks") if isinstance(place.raw, dict) else None
        for name, callback in _object(document, declared).items():
            at = f"{place.listed_at}/callbacks/{escaped(name)}"
            for expression, item in _object(document, callback).items():
                if not expression.startswith("x-"):
                    yield from _requests(document, "callback", name, item, f"{at}/{escaped(expression)}")


def _requests(document: Document, kind: str, name: str, item: Any, pointer: str) -> Iterator[Listed]:
    found = _object(document, item)
    for method, raw in found.items():
        if method.lower() in _METHODS and isinstance(raw, dict):
            summary = text(raw, "summary") or text(raw, "description") or text(found, "summary")
            yield Listed(
                kind, name[:200], method.upper(), summary[:500], f"{pointer}/{escaped(method)}"[:MAX_POINTER]
            )


def _object(document: Document, value: Any) -> dict[str, Any]:
    try:
        found = follow(document, value)
    except SpecInvalid:
        return {}
    return found if isinstance(found, dict) else {}
