"""Local references (`#/components/schemas/Order`), followed one at a time and never expanded.

References to other files and hosts are refused: nothing here opens a connection or a file.
"""

from typing import Any
from urllib.parse import unquote

from openapi_import.errors import SpecInvalid
from openapi_import.reading.text import Document

MAX_HOPS = 50


def pointer_tokens(reference: str) -> list[str]:
    """The unescaped steps of a local reference: percent-decoding first, then `~1` and `~0` (RFC 6901)."""
    if not reference.startswith("#"):
        raise SpecInvalid(
            f"The reference {reference[:200]!r} leads out of the document, which is not supported."
        )
    pointer = unquote(reference[1:])
    if pointer and not pointer.startswith("/"):
        raise SpecInvalid(f"The reference {reference[:200]!r} is not a JSON pointer.")
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def target(document: Document, reference: str) -> Any:
    """What a local reference points to, which may be a reference itself. Raises SpecInvalid."""
    value: Any = document
    for token in pointer_tokens(reference):
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and token.isascii() and token.isdecimal() and int(token) < len(value):
            value = value[int(token)]
        else:
            raise SpecInvalid(f"The reference {reference[:200]!r} points to nothing.")
    return value


def follow(document: Document, value: Any) -> Any:
    """`value`, or what it refers to through any chain of references. Raises SpecInvalid, for a circle too."""
    for _ in range(MAX_HOPS):
        if not (isinstance(value, dict) and isinstance(value.get("$ref"), str)):
            return value
        value = target(document, value["$ref"])
    raise SpecInvalid("A chain of references does not end.")
