"""An operation as a tool's recipe: which argument goes where, and what the model may fill in.

The recipe's shapes are those of `agents.models.Tool`; `agents.tool_request` makes the request of it. Headers that
decide where a request goes, what it is, or who sends it are never arguments, and neither are credentials. One that says
whose request it is (`X-User-Id`) stays, to be bound to the customer: unbound, nobody fills it in.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from openapi_import.errors import SpecInvalid
from openapi_import.reading.bodies import Body, chosen
from openapi_import.reading.described import Operation, Parameter
from openapi_import.reading.fitting import Arguments
from openapi_import.reading.keywords import types_of
from openapi_import.reading.shared import Fields, shared_of
from smartsupport.lib.own_headers import is_key, is_own, names_person

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
PLACES = ("path", "query", "querystring", "header", "cookie")
STYLES = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "querystring": ("form",),
    "header": ("simple",),
    "cookie": ("form", "cookie"),
}
# Cookies that log somebody in, and keys in the query that nobody declared as one.
_SECRET_COOKIE = re.compile(
    r"sess|token|auth|jwt|sid\b|csrf|xsrf|secret|passw|api[-_]?key|credential|login|sso", re.I
)
_SECRET_QUERY = frozenset({"access_token", "oauth_token", "api_key", "apikey", "api-key", "client_secret"})


@dataclass(frozen=True)
class Recipe:
    """parameters, request_body, input_schema: as in Tool. `left_out`: what is no argument, and why. `losses`:
    sentences, what of the document is missing in the tool. `keys`: the credentials that the document declares as
    parameters and in no security scheme."""

    parameters: list[dict[str, Any]]
    request_body: dict[str, Any] | None
    input_schema: dict[str, Any]
    left_out: dict[str, str]
    losses: list[str] = field(default_factory=list)
    keys: tuple[Parameter, ...] = ()


def recipe(operation: Operation) -> Recipe:
    """The recipe of an operation. Raises SpecInvalid where no request could be made of it."""
    return _Builder(operation).build()


class _Builder:
    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.shared = shared_of(operation.document, operation.dialect)
        self.shared.schemas.begin()
        self.arguments = Arguments(self.shared.schemas)
        self.left_out: dict[str, str] = {}
        self.losses: list[str] = []
        self.keys: list[Parameter] = []

    def build(self) -> Recipe:
        parameters = [self.parameter(parameter) for parameter in self.wanted_parameters()]
        request_body = self.body()
        schema = self.arguments.finish(self.losses)
        parameters = [entry for entry in parameters if entry["argument"] in schema["properties"]]
        if request_body and "fields" in request_body:
            fields = request_body["fields"]
            request_body["fields"] = {
                key: name for key, name in fields.items() if key in schema["properties"]
            }
        self.losses[:0] = [f"{name} is left out: it is {why}." for name, why in self.left_out.items()]
        return Recipe(parameters, request_body, schema, self.left_out, self.losses, tuple(self.keys))

    def wanted_parameters(self) -> list[Parameter]:
        placeholders = list(dict.fromkeys(PLACEHOLDER.findall(self.operation.path)))
        if "" in placeholders or "{" in PLACEHOLDER.sub("", self.operation.path):
            raise SpecInvalid("Its path has a placeholder without a name.")
        literal = {_plain(name): name for name in reversed(placeholders)}
        found: list[Parameter] = []
        for parameter in self.operation.parameters:
            if reason := self.refusal(parameter, placeholders, literal):
                self.left_out[parameter.name] = reason
            else:
                found.append(parameter)
        declared = {_literal(p.name, placeholders, literal) for p in found if p.place == "path"}
        found += [
            Parameter(name, "path", True, {"type": "string"}) for name in placeholders if name not in declared
        ]
        self.literal = {p.name: _literal(p.name, placeholders, literal) for p in found if p.place == "path"}
        return sorted(found, key=lambda parameter: PLACES.index(parameter.place))

    def refusal(self, parameter: Parameter, placeholders: list[str], literal: dict[str, str]) -> str:
        """Why a parameter is no argument; empty where it is one."""
        name = parameter.name.lower()
        if parameter.place == "path":
            return "" if _literal(parameter.name, placeholders, literal) else "not in the path"
        if (parameter.place, name) in self.shared.credentials:
            return "a credential"
        if parameter.place == "cookie" and _SECRET_COOKIE.search(name):
            return "a credential"
        if (parameter.place == "query" and name in _SECRET_QUERY) or (
            parameter.place == "header" and is_key(name)
        ):
            self.keys.append(parameter)
            return "a credential"
        if parameter.place == "header" and is_own(name):
            return "a header that is not the model's to set"
        if parameter.place == "header" and not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", parameter.name):
            return "not a header's name"
        return ""

    def parameter(self, parameter: Parameter) -> dict[str, Any]:
        text = parameter.description
        if parameter.deprecated and not text.lower().startswith("deprecated"):
            text = f"Deprecated. {text}"
        argument = self.arguments.take(
            _plain(parameter.name) if parameter.place == "path" else parameter.name,
            parameter.place,
            parameter.schema,
            required=parameter.required,
            description=text,
            nullable=bool(parameter.content_type),
            filled=not parameter.content_type and self.must_be_filled(parameter),
        )
        if parameter.place == "header" and names_person(parameter.name):
            self.losses.append(
                f"{parameter.name} says whose request it is: it is sent where it is bound to the customer, "
                f"and left out otherwise."
            )
        styles = STYLES[parameter.place]
        style = parameter.style if parameter.style in styles else styles[0]
        if parameter.style and style != parameter.style and parameter.place != "querystring":
            self.losses.append(
                f"{argument}: the style {parameter.style!r} is none of its place; {style!r} is used."
            )
        entry: dict[str, Any] = {
            "argument": argument,
            "name": self.literal[parameter.name] if parameter.place == "path" else parameter.name,
            "in": parameter.place,
            "required": parameter.required,
            "style": style,
            "explode": style in ("form", "cookie") if parameter.explode is None else parameter.explode,
        }
        if parameter.allow_reserved or entry["name"].startswith("+") or entry["name"].endswith("+"):
            entry["allow_reserved"] = True
        if parameter.content_type:
            entry["content_type"] = parameter.content_type
        return entry

    def must_be_filled(self, parameter: Parameter) -> bool:
        """An empty text can be written everywhere but in the path; an empty list or object nowhere."""
        if parameter.place == "path":
            return True
        found = self.shared.schemas.resolved(parameter.schema)
        kinds = types_of(found)[0] if isinstance(found, dict) else []
        return parameter.required and kinds in (["array"], ["object"])

    def body(self) -> dict[str, Any] | None:
        body = self.operation.request_body
        if body is None or not body.content:
            return None
        found = chosen(body)
        if not body.required and self.is_empty(found.media.schema):
            return None
        others = [kind for kind in body.content if kind != found.declared]
        if others:
            named = ", ".join(others[:5]) + (" and others" if len(others) > 5 else "")
            self.losses.append(f"Its body can also be {named}; {found.content_type} is sent.")
        fields = self.shared.flat(found.media.schema) if found.has_fields else None
        if fields is None and found.form == "multipart" and self.is_one_file(found.media.schema):
            fields = Fields({"file": found.media.schema}, ["file"] if body.required else [])
            self.losses.append(
                "The document does not name the part that the file is sent in; it is called `file`."
            )
        made: dict[str, Any] = {"content_type": found.content_type, "required": body.required}
        encoding = found.encoding(self.shared, fields.schemas if fields else None)
        if found.has_encoding_headers:
            self.losses.append("The headers of the parts of its body are not sent.")
        if fields is None:
            made["argument"] = self.whole(found, body.description, required=body.required)
            if found.form == "binary":
                encoding = {made["argument"]: {"binary": True}}
            elif found.form == "text":
                encoding = {made["argument"]: {"text": True}}
        else:
            made["fields"] = {}
            for name, schema in fields.schemas.items():
                fixed = found.binary_field(encoding.get(name), self.shared, schema)
                needed = name in fields.required
                take = self.arguments.take
                argument = take(
                    name, "body", schema, required=needed, nullable=found.form == "json", fixed=fixed
                )
                made["fields"][argument] = name
            # Real documents forget `required: true` on a body whose fields are required: ask for them.
            made["required"] = body.required or bool(fields.required)
            self.losses += fields.losses
        if encoding:
            made["encoding"] = encoding
        return made

    def is_empty(self, schema: Any) -> bool:
        """Whether a body is described as an object without any property, as some documents do for GET."""
        found = self.shared.schemas.resolved(schema)
        if not isinstance(found, dict) or found.get("properties") != {} or found.get("additionalProperties"):
            return False
        return not {"allOf", "oneOf", "anyOf", "patternProperties"} & found.keys()

    def is_one_file(self, schema: Any) -> bool:
        """Whether a form of parts is described as if it were the file itself."""
        found = self.shared.schemas.resolved(schema)
        return isinstance(found, dict) and types_of(found)[0] == ["string"]

    def whole(self, body: Body, description: str, *, required: bool) -> str:
        """One argument that is all of the body."""
        if body.form in ("text", "binary") and body.loss:
            self.losses.append(body.loss)
        return self.arguments.take(
            "body",
            "body",
            body.media.schema,
            required=required,
            description=description
            if body.fixed is None
            else f"{description} {body.fixed['description']}".strip(),
            nullable=body.form == "json",
            fixed=body.fixed,
        )


def _plain(placeholder: str) -> str:
    """The name in a placeholder that says more: `{+name}`, `{key+}`, `{id:[0-9]+}`."""
    return placeholder.partition(":")[0].strip("+*?&;#. ") or placeholder


def _literal(name: str, placeholders: list[str], literal: dict[str, str]) -> str:
    """The placeholder that a path parameter fills in, as it is written in the path; "" for none."""
    if name in placeholders:
        return name
    if _plain(name) in literal:
        return literal[_plain(name)]
    close = [known for known in placeholders if _plain(known).lower() == _plain(name).lower()]
    return close[0] if len(close) == 1 else ""
