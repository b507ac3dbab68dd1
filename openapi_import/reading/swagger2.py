"""What an operation of Swagger 2.0 takes and answers, in the terms of OpenAPI 3."""

from typing import Any

from openapi_import.reading.described import Media, Parameter, RequestBody
from openapi_import.reading.faults import Unusable
from openapi_import.reading.inputs import SCHEMA_KEYS, Declared, Inputs, Object, is_true, text

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
# collectionFormat -> (style, explode), where the values stand in a query or form, and elsewhere.
_QUERY = {
    "csv": ("form", False),
    "multi": ("form", True),
    "ssv": ("spaceDelimited", False),
    "pipes": ("pipeDelimited", False),
}
_ELSEWHERE = {"csv": ("simple", False)}


class SwaggerInputs(Inputs):
    """As Inputs, for Swagger 2.0."""

    places = ("path", "query", "header")
    place_names = "path, query, header, body or formData"

    def read(
        self, raw: Object, pointer: str, item: Object, item_pointer: str
    ) -> tuple[tuple[Parameter, ...], RequestBody | None]:
        parameters: list[Parameter] = []
        bodies: list[Declared] = []
        fields: list[Declared] = []
        for declared, at in self.declared(raw, pointer, item, item_pointer):
            if declared["in"] == "body":
                bodies.append((declared, at))
            elif declared["in"] == "formData":
                fields.append((declared, at))
            elif (parameter := self._plain(declared, at)) is not None:
                parameters.append(parameter)
        return tuple(parameters), self._swagger_body(raw, bodies, fields)

    def answered(self, response: Object, operation: Object, pointer: str) -> dict[str, Any]:
        schema = response.get("schema")
        if not isinstance(schema, dict):
            return {}
        kinds = self._kinds(operation, "produces")
        if schema.get("type") == "file":
            return dict.fromkeys(kinds or ["application/octet-stream"], _binary(schema))
        return dict.fromkeys(kinds or ["application/json"], schema)

    def _plain(self, raw: Object, pointer: str) -> Parameter | None:
        """A path, query or header parameter; None where its list could not be written and need not be."""
        style, explode = "", None
        if raw.get("type") == "array":
            try:
                style, explode = self._list_style(raw, pointer)
            except Unusable as error:
                if is_true(raw.get("required")) or raw["in"] == "path":
                    raise
                self.faults.error(error.pointer, f"{error.message} The parameter was left out.")
                return None
        if raw["in"] == "path" and raw.get("required") is not True:
            self.faults.warning(
                pointer, "A parameter in the path has to be required; it is taken as required."
            )
        return Parameter(
            name=raw["name"],
            place=raw["in"],
            required=is_true(raw.get("required")) or raw["in"] == "path",
            schema=self._schema(raw, pointer),
            description=text(raw, "description"),
            style=style,
            explode=explode,
            deprecated=raw.get("deprecated") is True or raw.get("x-deprecated") is True,
            pointer=pointer,
        )

    def _schema(self, raw: Object, pointer: str) -> Any:
        if isinstance(raw.get("schema"), dict):  # OpenAPI 3's way
            self.faults.warning(
                pointer, "A parameter has a schema, which only a body has in Swagger 2.0; it was read."
            )
            return raw["schema"]
        schema = {key: raw[key] for key in raw if key in SCHEMA_KEYS}
        return _binary(schema) if schema.get("type") == "file" else schema

    def _list_style(self, raw: Object, pointer: str) -> tuple[str, bool]:
        known = _QUERY if raw["in"] in ("query", "formData") else _ELSEWHERE
        wanted = raw.get("collectionFormat", "csv")
        if isinstance(wanted, str) and wanted in known:
            return known[wanted]
        raise Unusable(
            f"A list in {raw['in']} cannot be written as {str(wanted)[:20]!r}.", f"{pointer}/collectionFormat"
        )

    def _swagger_body(
        self, raw: Object, bodies: list[Declared], fields: list[Declared]
    ) -> RequestBody | None:
        if len(bodies) > 1:
            self.faults.warning(bodies[1][1], "The operation has more than one body; the first one counts.")
        if bodies and fields:
            self.faults.error(
                fields[0][1], "The operation has a body and form fields; the form fields were left out."
            )
        if bodies:
            declared, at = bodies[0]
            schema = declared.get("schema")
            if not isinstance(schema, dict):
                schema = {key: declared[key] for key in declared if key in SCHEMA_KEYS}
                self.faults.warning(at, "The body has no schema of its own; what stands beside it was read.")
            kinds = self._kinds(raw, "consumes") or ["application/json"]
            return RequestBody(
                is_true(declared.get("required")),
                {kind: Media(schema) for kind in kinds},
                text(declared, "description"),
            )
        return self._form(raw, fields) if fields else None

    def _form(self, raw: Object, fields: list[Declared]) -> RequestBody:
        properties: dict[str, Any] = {}
        required: list[str] = []
        encoding: dict[str, Any] = {}
        files = False
        for declared, at in fields:
            name = declared["name"]
            files |= declared.get("type") == "file"
            schema = self._schema(declared, at)
            if description := text(declared, "description"):
                schema = {**schema, "description": description}
            properties[name] = schema
            if is_true(declared.get("required")):
                required.append(name)
            if declared.get("type") == "array":
                style, explode = self._list_style(declared, at)
                encoding[name] = {"style": style, "explode": explode}
        schema = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        kinds = [
            kind for kind in self._kinds(raw, "consumes") if kind.partition(";")[0].strip().lower() in FORMS
        ]
        if files:
            kinds = [kind for kind in kinds if "multipart" in kind.lower()] or [FORMS[1]]
        return RequestBody(bool(required), {kind: Media(schema, encoding) for kind in kinds or [FORMS[0]]})

    def _kinds(self, operation: Object, key: str) -> list[str]:
        """`consumes` or `produces`: the operation's own, which may be empty, else the document's."""
        kinds = operation.get(key, self.document.get(key))
        return (
            [kind for kind in kinds if isinstance(kind, str) and "/" in kind]
            if isinstance(kinds, list)
            else []
        )


def _binary(schema: Object) -> Object:
    return {**schema, "type": "string", "format": "binary"}
