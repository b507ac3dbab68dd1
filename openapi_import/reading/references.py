"""Local references (`#/components/schemas/Order`), followed one at a time and never expanded.

References that lead out of the document are made local by `openapi_import.reading.bundle` before; what still leads out
here could not be followed. Nothing here opens a connection or a file.
"""

from typing import Any
from urllib.parse import unquote

from openapi_import.errors import SpecInvalid
from openapi_import.reading.faults import Unusable
from openapi_import.reading.text import Document, escaped

MAX_HOPS = 50


def pointer_tokens(reference: str) -> list[str]:
    """The unescaped steps of a local reference: percent-decoding first, then `~1` and `~0` (RFC 6901)."""
    if not reference.startswith("#"):
        raise SpecInvalid(
            f"The reference {reference[:200]!r} leads out of the document and was not followed."
        )
    pointer = unquote(reference[1:]) if "%" in reference else reference[1:]
    if pointer and not pointer.startswith("/"):
        raise SpecInvalid(f"The reference {reference[:200]!r} is not a JSON pointer.")
    tokens = pointer.split("/")[1:]
    if "~" in pointer:
        return [token.replace("~1", "/").replace("~0", "~") for token in tokens]
    return tokens


def is_reference(value: Any) -> bool:
    """A `$ref` that is no text is a property of that name, which real documents have."""
    return isinstance(value, dict) and isinstance(value.get("$ref"), str)


def target(document: Document, reference: str) -> Any:
    """What a local reference points to, which may be a reference itself. Raises SpecInvalid."""
    return _resolved(document, reference, [MAX_HOPS])


def follow(document: Document, value: Any) -> Any:
    """`value`, or what it refers to through any chain of references. Raises SpecInvalid, for a circle too."""
    for _ in range(MAX_HOPS):
        if not is_reference(value):
            return value
        value = target(document, value["$ref"])
    raise SpecInvalid("A chain of references does not end.")


def follow_at(document: Document, value: Any, pointer: str) -> tuple[Any, str]:
    """As `follow`, with the pointer at which the value is found in the end. Raises Unusable."""
    begin = pointer
    for _ in range(MAX_HOPS):
        if not is_reference(value):
            return value, pointer
        reference = value["$ref"]
        try:
            value = target(document, reference)
            pointer = "".join(f"/{escaped(token)}" for token in pointer_tokens(reference))
        except SpecInvalid as error:
            raise Unusable(error.message, f"{pointer}/$ref") from None
    raise Unusable("A chain of references does not end.", f"{begin}/$ref")


def _resolved(document: Document, reference: str, hops: list[int]) -> Any:
    """`hops` holds how many more references may be followed for this one, whichever way they branch."""
    value: Any = document
    for token in pointer_tokens(reference):
        found = _child(value, token)
        if found is None and is_reference(value) and hops[0] > 0:
            # A pointer into something that is itself elsewhere: components: {schemas: {$ref: ...}}
            hops[0] -= 1
            try:
                found = _child(_resolved(document, value["$ref"], hops), token)
            except SpecInvalid:
                found = None
        if found is None:
            raise SpecInvalid(f"The reference {reference[:200]!r} points to nothing.")
        value = found[0]
    return value


def _child(value: Any, token: str) -> tuple[Any] | None:
    if isinstance(value, dict):
        return (value[token],) if token in value else None
    if isinstance(value, list) and token.isascii() and token.isdecimal() and len(token) < 8:
        return (value[int(token)],) if int(token) < len(value) else None
    return None
