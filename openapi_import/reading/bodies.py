"""Which kind of body a tool sends, where an operation takes several, and how its parts are written."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openapi_import.reading.described import Media, RequestBody
from openapi_import.reading.parts import Schema

if TYPE_CHECKING:
    from openapi_import.reading.shared import Shared

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
OCTETS = "application/octet-stream"
BASE64: Schema = {
    "type": "string",
    "contentEncoding": "base64",
    "description": "The content of the file in base64, or a data: URL.",
}
_STYLES = ("form", "spaceDelimited", "pipeDelimited", "deepObject")


@dataclass(frozen=True)
class Body:
    """`declared`: the media type as the document writes it; `content_type`: as it is sent; `form`: json, form,
    multipart, text or binary."""

    declared: str
    content_type: str
    form: str
    media: Media

    @property
    def has_fields(self) -> bool:
        """Whether its properties may be arguments of their own."""
        return self.form in ("json", "form", "multipart")

    @property
    def has_encoding_headers(self) -> bool:
        """Whether parts are declared to carry headers, which nobody could fill in."""
        return any(isinstance(part, dict) and part.get("headers") for part in self.media.encoding.values())

    @property
    def fixed(self) -> Schema | None:
        """The schema of the whole body where that is no JSON; None: as the document says."""
        if self.form == "binary":
            return BASE64
        if self.form == "text":
            return {"type": "string", "description": f"The whole body as text ({self.content_type})."}
        return None

    @property
    def loss(self) -> str:
        """What a body that is written by the model itself lacks."""
        if self.form == "text" and "xml" in self.content_type:
            return "Its body is XML, which the model has to write itself; its structure is not checked before a call."
        return ""

    def encoding(self, shared: "Shared", fields: dict[str, Any] | None) -> dict[str, Any]:
        """How each property is written, as in `Tool.request_body`; only for forms."""
        if self.form not in ("form", "multipart"):
            return {}
        if fields is None:
            whole = shared.schemas.resolved(self.media.schema)
            fields = whole.get("properties") if isinstance(whole, dict) else None
        found = {}
        for name, schema in fields.items() if isinstance(fields, dict) else ():
            declared = self.media.encoding.get(name)
            entry = self._of_part(declared if isinstance(declared, dict) else {}, shared, schema)
            if entry:
                found[name] = entry
        return found

    def _of_part(self, declared: dict[str, Any], shared: "Shared", schema: Any) -> dict[str, Any]:
        entry: dict[str, Any] = {}
        kinds = declared.get("contentType")
        wanted = [kind.strip() for kind in kinds.split(",")] if isinstance(kinds, str) else []
        exact = [kind for kind in wanted if kind and "*" not in kind]
        styled = False
        if declared.get("style") in _STYLES:
            entry["style"], styled = declared["style"], True
        if isinstance(declared.get("explode"), bool):
            entry["explode"], styled = declared["explode"], True
        if declared.get("allowReserved") is True:
            entry["allow_reserved"], styled = True, True
        if exact and not styled:
            entry["content_type"] = exact[0]
        if self.form == "multipart" and _is_binary(schema, wanted, shared):
            entry["binary"] = True
        return entry

    def binary_field(self, entry: dict[str, Any] | None, shared: "Shared", schema: Any) -> Schema | None:
        """The schema of a part that is a file (or a list of files); None where it is none."""
        if not entry or not entry.get("binary"):
            return None
        found = shared.schemas.resolved(schema)
        text = found.get("description") if isinstance(found, dict) else ""
        said = (
            f"{text.strip()[:300]} {BASE64['description']}"
            if isinstance(text, str) and text
            else BASE64["description"]
        )
        if isinstance(found, dict) and found.get("type") == "array":
            return {"type": "array", "items": BASE64, "description": said}
        return {**BASE64, "description": said}


def chosen(body: RequestBody) -> Body:
    """The kind that is sent: JSON where it is taken, then forms, then text, then bytes."""
    found = [_read(kind, media) for kind, media in body.content.items()]
    return min(found, key=_rank)


def _read(kind: str, media: Media) -> Body:
    plain = kind.partition(";")[0].strip().lower()
    main, _, sub = plain.partition("/")
    raw = media.schema if isinstance(media.schema, dict) else {}
    octets = raw.get("format") == "binary"
    if plain in ("*/*", "application/*", "*", ""):
        return (
            Body(kind, OCTETS, "binary", media) if octets else Body(kind, "application/json", "json", media)
        )
    if plain == "application/json" or sub.endswith("+json") or sub in ("json", "x-json"):
        return Body(kind, kind.strip(), "json", media)
    if plain == FORM:
        return Body(kind, FORM, "form", media)
    if main == "multipart":
        return Body(kind, MULTIPART if sub in ("*", "form-data") else plain, "multipart", media)
    if main == "text" or sub.endswith("xml") or sub in (
        "yaml", "x-yaml", "vnd.yaml", "graphql", "javascript", "sql", "x-ndjson", "jsonl", "x-jsonlines", "json-seq",
        "json5", "csv", "sparql-query", "sparql-update", "jwt", "jose", "toml", "n-triples", "n-quads", "trig",
    ) or sub.endswith("+yaml"):  # fmt: skip
        return Body(kind, "text/plain" if sub == "*" else kind.strip(), "text", media)
    if main == "application" and plain != OCTETS and raw.get("type") in ("object", "array"):
        return Body(kind, kind.strip(), "json", media)  # a media type of somebody's own, with a structure
    return Body(kind, OCTETS if "*" in plain else kind.strip(), "binary", media)


def _rank(body: Body) -> tuple[int, int]:
    order = ["json", "form", "multipart", "text", "binary"]
    exact = body.declared.partition(";")[0].strip().lower() == "application/json"
    return order.index(body.form), 0 if exact else 2 if "*" in body.declared else 1


def _is_binary(schema: Any, kinds: list[str], shared: "Shared", hops: int = 0) -> bool:
    found = shared.schemas.resolved(schema)
    if not isinstance(found, dict) or hops > 3:
        return False
    if found.get("type") == "array" and "items" in found:
        return _is_binary(found["items"], kinds, shared, hops + 1)
    if found.get("type") == "file" or found.get("format") == "binary":
        return True
    if isinstance(found.get("allOf"), list) and any(
        _is_binary(part, [], shared, hops + 1) for part in found["allOf"]
    ):
        return True
    if isinstance(found.get("contentMediaType"), str) and "contentEncoding" not in found:
        return not _is_text(found["contentMediaType"]) and found.get("type", "string") == "string"
    opaque = not {"type", "properties", "items", "oneOf", "anyOf", "allOf", "enum"} & found.keys()
    return (
        bool(kinds)
        and not _is_text(kinds[0])
        and (opaque or (found.get("type") == "string" and _is_media(kinds[0])))
    )


def _is_text(kind: str) -> bool:
    plain = kind.partition(";")[0].strip().lower()
    return plain.startswith("text/") or "json" in plain or "xml" in plain or plain == FORM


def _is_media(kind: str) -> bool:
    return kind.partition("/")[0].lower() in ("image", "audio", "video") or kind.lower() in (
        OCTETS,
        "application/pdf",
    )
