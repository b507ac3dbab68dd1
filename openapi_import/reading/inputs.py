"""What an operation of OpenAPI 3 takes and answers: parameters, request body, responses."""

from collections.abc import Iterator
from typing import Any

from openapi_import.reading.described import PLACES, Media, Parameter, RequestBody, Response
from openapi_import.reading.faults import Faults, Unusable
from openapi_import.reading.references import follow_at, is_reference
from openapi_import.reading.text import Document, escaped

MAX_PARAMETERS = 2_000
Object = dict[str, Any]
Declared = tuple[Object, str]  # a parameter as it is written, and its pointer
# Swagger 2.0 writes these on the parameter itself; documents of version 3 sometimes do, too.
SCHEMA_KEYS = frozenset(
    "type format items default enum maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern "
    "maxItems minItems uniqueItems multipleOf example x-nullable x-example title".split()
)


class Inputs:
    """Reads the parts of one document's operations. What cannot be read and is not required is left out with a fault;
    else Unusable is raised."""

    places: tuple[str, ...] = PLACES
    place_names = "path, query, header or cookie"

    def __init__(self, document: Document, dialect: str, faults: Faults) -> None:
        self.document = document
        self.dialect = dialect
        self.faults = faults

    def read(
        self, raw: Object, pointer: str, item: Object, item_pointer: str
    ) -> tuple[tuple[Parameter, ...], RequestBody | None]:
        """The parameters and the body of an operation, with those of its path."""
        parameters: list[Parameter] = []
        for declared, at in self.declared(raw, pointer, item, item_pointer):
            if declared["in"] in ("body", "formData"):
                self.faults.error(at, f"A parameter is in {declared['in']!r}, which OpenAPI 3 does not have.")
                if declared.get("required") is True:
                    raise Unusable("A required parameter is where OpenAPI 3 has none.", at)
                continue
            parameters.append(self.parameter(declared, at))
        return tuple(parameters), self.body(raw, pointer)

    def declared(self, raw: Object, pointer: str, item: Object, item_pointer: str) -> list[Declared]:
        """The path's parameters, overridden by the operation's of the same name and place."""
        found: dict[tuple[str, str], Declared] = {}
        for level, at in ((item, item_pointer), (raw, pointer)):
            here: set[tuple[str, str]] = set()
            for parameter, where in self._listed(level, at):
                key = parameter["name"], parameter["in"]
                if key in here:
                    self.faults.warning(
                        where, f"The parameter {key[0]!r} is listed twice; the last one counts."
                    )
                here.add(key)
                found[key] = parameter, where
        if len(found) > MAX_PARAMETERS:
            raise Unusable(f"It has more than {MAX_PARAMETERS} parameters.", f"{pointer}/parameters")
        return list(found.values())

    def _listed(self, level: Object, at: str) -> Iterator[Declared]:
        declared = level.get("parameters")
        if declared is None:
            return
        if not isinstance(declared, list):
            raise Unusable("Its parameters are not a list.", f"{at}/parameters")
        for index, reference in enumerate(declared):
            parameter, where = follow_at(self.document, reference, f"{at}/parameters/{index}")
            if not isinstance(parameter, dict):
                self.faults.error(where, "A parameter is not an object; it was left out.")
                continue
            name, place = parameter.get("name"), parameter.get("in")
            known = isinstance(place, str) and (place in self.places or place in ("body", "formData"))
            if isinstance(name, str) and name and known:
                yield self.described(reference, parameter), where
                continue
            message = f"A parameter has no name or no valid place ({self.place_names})."
            if is_true(parameter.get("required")):
                raise Unusable(message, where)
            self.faults.error(where, f"{message} It was left out.")

    def parameter(self, raw: Object, pointer: str) -> Parameter:
        schema, content_type = raw.get("schema"), ""
        content = raw.get("content")
        if isinstance(content, dict) and content:
            content_type = next(iter(content))
            media, _ = follow_at(
                self.document, content[content_type], f"{pointer}/content/{escaped(content_type)}"
            )
            schema = media_schema(media)
        elif schema is None and "type" in raw:
            self.faults.warning(
                pointer, "The type stands beside the schema instead of in it; it was read there."
            )
            schema = {key: raw[key] for key in raw if key in SCHEMA_KEYS}
        if not isinstance(schema, dict | bool):
            self.faults.warning(pointer, "A parameter has no schema; any value is taken.")
            schema = {}
        style, explode, place = raw.get("style"), raw.get("explode"), raw["in"]
        if place == "path" and raw.get("required") is not True:
            self.faults.warning(
                pointer, "A parameter in the path has to be required; it is taken as required."
            )
        return Parameter(
            name=raw["name"],
            place=place,
            required=is_true(raw.get("required")) or place == "path",
            schema=schema,
            description=text(raw, "description"),
            style=style if isinstance(style, str) else "",
            explode=explode if isinstance(explode, bool) else None,
            allow_reserved=raw.get("allowReserved") is True,
            content_type=content_type,
            deprecated=raw.get("deprecated") is True,
            pointer=pointer,
        )

    def body(self, raw: Object, pointer: str) -> RequestBody | None:
        if raw.get("requestBody") is None:
            return None
        body, at = follow_at(self.document, raw["requestBody"], f"{pointer}/requestBody")
        if not isinstance(body, dict):
            raise Unusable("The request body is not an object.", at)
        content = body.get("content")
        required = is_true(body.get("required"))
        if not isinstance(content, dict) or not content:
            if required or content not in (None, {}):
                raise Unusable("The request body does not say what it contains.", f"{at}/content")
            self.faults.warning(at, "The request body does not say what it contains; none is sent.")
            return None
        body = self.described(raw["requestBody"], body)
        return RequestBody(required, self._content(content, f"{at}/content"), text(body, "description"))

    def described(self, reference: Any, value: Object) -> Object:
        """From 3.1 on, a reference may bring its own description of what it refers to."""
        if self.dialect in ("3.1", "3.2") and is_reference(reference) and text(reference, "description"):
            return {**value, "description": reference["description"]}
        return value

    def _content(self, content: Object, pointer: str) -> dict[str, Media]:
        found: dict[str, Media] = {}
        for kind, declared in content.items():
            media, at = follow_at(self.document, declared, f"{pointer}/{escaped(kind)}")
            if not isinstance(media, dict):
                self.faults.warning(at, "A kind of body is not an object; anything is taken.")
            encoding = media.get("encoding") if isinstance(media, dict) else None
            found[kind] = Media(media_schema(media), encoding if isinstance(encoding, dict) else {})
        return found

    def responses(self, raw: Object, pointer: str) -> tuple[Response, ...]:
        """Answers are not needed to make a call, so what cannot be read of them only leaves a fault."""
        declared = raw.get("responses")
        if not isinstance(declared, dict):
            if declared is not None or self.dialect in ("2.0", "3.0"):
                self.faults.warning(f"{pointer}/responses", "The operation does not say what it answers.")
            return ()
        found: list[Response] = []
        for status, reference in declared.items():
            if status.startswith("x-"):
                continue
            at = f"{pointer}/responses/{escaped(status)}"
            try:
                response, at = follow_at(self.document, reference, at)
                if not isinstance(response, dict):
                    raise Unusable("A response is not an object.", at)
                found.append(Response(status, self.answered(response, raw, at)))
            except Unusable as error:
                self.faults.warning(error.pointer, error.message)
        return tuple(found)

    def answered(self, response: Object, operation: Object, pointer: str) -> dict[str, Any]:
        content = response.get("content")
        if not isinstance(content, dict):
            return {}
        at = f"{pointer}/content"
        return {
            kind: media_schema(follow_at(self.document, media, f"{at}/{escaped(kind)}")[0])
            for kind, media in content.items()
        }


def media_schema(media: Any) -> Any:
    """The schema of a media type; a sequence of items (3.2) is a list of them."""
    if not isinstance(media, dict):
        return {}
    if "schema" not in media and "itemSchema" in media:
        return {"type": "array", "items": media["itemSchema"]}
    schema = media.get("schema", {})
    return schema if isinstance(schema, dict | bool) else {}


def is_true(value: Any) -> bool:
    """`required`, also where it was written as text."""
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def text(raw: Object, key: str) -> str:
    value = raw.get(key)
    return value.strip() if isinstance(value, str) else ""
