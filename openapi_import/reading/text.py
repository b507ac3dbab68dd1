"""From bytes to plain JSON values, within limits that hold before anything large is built.

What a document is, its content type says, else its file name, else its content. JSON is read by the standard library:
with the refusal of duplicate keys and the limits below it takes 35 ms for 2.5 MB, and orjson, which cannot refuse
duplicate keys, saves nothing once they are looked for.
"""

import codecs
import re
import zlib
from dataclasses import dataclass, field
from typing import Any

from openapi_import.errors import SpecInvalid
from openapi_import.reading.faults import Fault

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 100  # The deepest of 3,000 real documents has 32 levels.
MAX_NODES = 2_000_000
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

Document = dict[str, Any]

# An escape in JSON or YAML that may make such a character; a whole surrogate pair makes a good one.
_ODD_ESCAPE = re.compile(r"\\(?:0|x00|u0000|u[dD][89a-fA-F]|U0000(?:0000|[dD]))")
_HTML = re.compile(r"\s*<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSETS = frozenset("utf-8 utf8 utf-16 us-ascii ascii iso-8859-1 iso-8859-15 latin-1 windows-1252".split())
_CHARSET = re.compile(r"charset=[\"']?([A-Za-z0-9_-]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Text:
    """What was read. `nodes` counts values, aliased ones as often as they appear; `refers_out` is whether any `$ref`
    is something else than a pointer into this document; `faults` are warnings about what was mended."""

    value: Any
    bytes: int
    nodes: int
    refers_out: bool
    faults: list[Fault] = field(default_factory=list)


def read_document(
    content: bytes, *, content_type: str = "", filename: str = "", max_bytes: int = MAX_BYTES
) -> Document:
    """The OpenAPI document in `content` (JSON or YAML) as plain JSON values. Raises SpecInvalid."""
    return as_document(read_text(content, content_type=content_type, filename=filename, max_bytes=max_bytes))


def as_document(text: Text) -> Document:
    """The value of a text that has to be an object. Raises SpecInvalid."""
    if not isinstance(text.value, dict):
        raise SpecInvalid("The document is not an object, so it is not an OpenAPI document.")
    return text.value


def read_text(
    content: bytes,
    *,
    content_type: str = "",
    filename: str = "",
    max_bytes: int = MAX_BYTES,
    max_nodes: int = MAX_NODES,
) -> Text:
    """JSON or YAML of any shape, gzip and deflate undone. Raises SpecInvalid with the line where one can be named."""
    content = unpacked(content, max_bytes)
    text = decoded(content, content_type)
    if _HTML.match(text):
        raise SpecInvalid(
            "The document is a web page or XML, not an OpenAPI document. Give the address of the JSON or YAML itself."
        )
    begin = text[:10_000].lstrip()[:1] or text.lstrip()[:1]
    if not begin:
        raise SpecInvalid("The document is empty.")
    faults: list[Fault] = []
    if begin in "{[":
        from openapi_import.reading.json_text import NotJson, from_json

        try:
            value, nodes = from_json(text), 0
        except NotJson as error:  # {a: b} is YAML, and so is JSON with a comma too many
            value, nodes = _from_yaml(text, faults, max_nodes, json_fault=str(error))
            if _declared(content_type, filename) == "JSON":
                faults.append(Fault("", f"This is not valid JSON ({error}); it was read as YAML.", "warning"))
    else:
        value, nodes = _from_yaml(text, faults, max_nodes)
        if not isinstance(value, dict | list) and _declared(content_type, filename) == "JSON":
            raise SpecInvalid("The document is not JSON, although it is said to be.")
    counted, refers_out = _check(value, faults, max_nodes, _ODD_ESCAPE.search(text) is not None)
    return Text(value, len(content), max(nodes, counted), refers_out, faults)


def unpacked(content: bytes, max_bytes: int) -> bytes:
    """The content without gzip or zlib around it. Raises SpecInvalid where it is larger than the limit."""
    if len(content) <= max_bytes and (
        content[:2] == b"\x1f\x8b" or (content[:2] in (b"\x78\x01", b"\x78\x9c", b"\x78\xda"))
    ):
        inflate = zlib.decompressobj(wbits=47)  # gzip or zlib, by its own header
        try:
            content = inflate.decompress(content, max_bytes + 1)
        except zlib.error:
            raise SpecInvalid("The document is compressed and cannot be unpacked.") from None
        if not inflate.eof and len(content) <= max_bytes:
            raise SpecInvalid("The document is compressed and ends too early.")
    if len(content) > max_bytes:
        raise SpecInvalid(f"The document is larger than {_size(max_bytes)}.")
    return content


def decoded(content: bytes, content_type: str) -> str:
    """Text by its byte order mark, else its content type's charset, else its zero bytes, else UTF-8."""
    mark, encoding = next((pair for pair in _BOMS if content.startswith(pair[0])), (b"", ""))
    if not encoding:
        charset = _CHARSET.search(content_type)
        encoding = charset[1].lower() if charset and charset[1].lower() in _CHARSETS else "utf-8"
        if content[:1] == b"\0" and content[1:2] != b"\0":
            encoding = "utf-16-be"
        elif content[1:2] == b"\0" and content[:1] != b"\0":
            encoding = "utf-16-le"
    content = content[len(mark) :]
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        name = encoding.upper().removesuffix("-LE").removesuffix("-BE")
        raise SpecInvalid(
            f"The document is not {name} text (line {line}). Save it as UTF-8 and try again."
        ) from None


def _size(amount: int) -> str:
    return f"{amount // 1024 // 1024} MiB" if amount >= 1024 * 1024 else f"{amount // 1024} KiB"


def _declared(content_type: str, filename: str) -> str:
    """JSON, YAML, or "": what the content type says, else the file's name."""
    media = content_type.partition(";")[0].strip().lower()
    name = filename.partition("?")[0].lower().removesuffix(".gz")
    if media.endswith(("/json", "+json")):
        return "JSON"
    if media.endswith(("yaml", "yml")):
        return "YAML"
    return "JSON" if name.endswith(".json") else "YAML" if name.endswith((".yaml", ".yml")) else ""


def _from_yaml(text: str, faults: list[Fault], max_nodes: int, *, json_fault: str = "") -> tuple[Any, int]:
    """PyYAML takes as long to import as a JSON document takes to be read, so only YAML imports it."""
    from openapi_import.reading.yaml_text import from_yaml

    return from_yaml(text, faults, max_depth=MAX_DEPTH, max_nodes=max_nodes, json_fault=json_fault)


def _check(value: object, faults: list[Fault], max_nodes: int, odd_escapes: bool) -> tuple[int, bool]:
    """Count, level by level and without recursion; mend what could not be stored. (nodes, refers out)"""
    level: list[Any] = [value]
    nodes = depth = 0
    refers_out = unstorable = False
    while level:
        depth += 1
        nodes += len(level)
        if depth > MAX_DEPTH:
            raise SpecInvalid(f"The document is nested more than {MAX_DEPTH} levels deep.")
        if nodes > max_nodes:
            raise SpecInvalid(f"The document has more than {max_nodes:,} values.")
        below: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is dict:
                below.extend(item.values())
                if "$ref" in item:
                    reference = item["$ref"]
                    refers_out |= type(reference) is str and not reference.startswith("#/")
            elif kind is list:
                below.extend(item)
            elif kind is float and item - item != 0:
                unstorable = True
        level = below
    if (unstorable or odd_escapes) and isinstance(value, dict | list):
        _mend(value, faults)
    return nodes, refers_out


def _mend(value: Any, faults: list[Fault]) -> None:
    """In place: what neither JSON nor the database can hold becomes U+FFFD, or null for an infinite number."""
    waiting: list[tuple[Any, str]] = [(value, "")]
    seen: set[int] = set()
    while waiting:
        item, pointer = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        pairs = list(item.items() if isinstance(item, dict) else enumerate(item))
        for key, child in pairs:
            if isinstance(child, dict | list):
                waiting.append((child, f"{pointer}/{escaped(str(key))}"))
                continue
            if isinstance(child, str) and UNSTORABLE.search(child):
                item[key] = UNSTORABLE.sub("\ufffd", child)
                what = "a character that cannot be stored (NUL or half a surrogate pair)"
            elif isinstance(child, float) and child - child != 0:
                item[key] = None
                what = "a number that is not finite"
            else:
                continue
            faults.append(
                Fault(f"{pointer}/{escaped(str(key))}", f"Here is {what}; it was replaced.", "warning")
            )
        if isinstance(item, dict) and any(UNSTORABLE.search(key) for key in item):
            raise SpecInvalid(
                "The document contains a name with a character that cannot be stored (NUL or half a surrogate pair)."
            )


def escaped(token: str) -> str:
    """A step of a JSON pointer (RFC 6901)."""
    return UNSTORABLE.sub("\ufffd", token).replace("~", "~0").replace("/", "~1")
