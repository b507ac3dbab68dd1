"""A server generated from a document, as far as judging a request needs one: does the request of a tool reach the
operation that was meant, with every parameter and a body that the document allows?

It is written apart from the product and reads what was really sent: an address, headers, bytes.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.bench.importing.spec_schemas import Dangling, Schemas, follow

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
# What the HTTP client itself, or the step that adds credentials, sends.
CLIENTS = frozenset(
    "accept accept-charset accept-encoding accept-language authorization connection content-length content-type cookie "
    "date host origin referer user-agent idempotency-key expect te trailer upgrade via".split()
)
SEPARATORS = {"spaceDelimited": "%20", "pipeDelimited": "|", "ssv": "%20", "pipes": "|", "tsv": "%09"}


@dataclass(frozen=True)
class Sent:
    """What arrived. `headers` with lower-case names."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


class SpecServer:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.schemas = Schemas(document)
        self.swagger = "swagger" in document
        self.keys = set(self._api_keys())

    def operations(self) -> Iterator[tuple[str, str]]:
        """(METHOD, path) of every operation that is one at all."""
        paths = self.document.get("paths")
        for path, item in (paths if isinstance(paths, dict) else {}).items():
            try:
                item = follow(self.document, item)
            except Dangling:
                continue
            if isinstance(item, dict) and not path.startswith("x-"):
                yield from (
                    (method.upper(), path) for method in METHODS if isinstance(item.get(method), dict)
                )

    def refusals(
        self, method: str, path: str, sent: Sent, proofs: frozenset[tuple[str, str]] = frozenset()
    ) -> list[str]:
        """Why the operation would not take this request; empty where it would. `proofs` are sent with a credential.
        Raises Dangling."""
        item = follow(self.document, self.document["paths"][path])
        operation = item[method.lower()]
        parameters = [
            one
            for one in self._parameters(item, operation)
            if (str(one.get("in")), one["name"].lower()) not in proofs
        ]
        split = urlsplit(sent.url)
        if sent.method != method:
            return [f"method {sent.method}"]
        segments = _matched(path, split.path)
        if segments is None:
            return [f"path {split.path!r} is not {path!r}"]
        faults = [
            fault
            for one in parameters
            for fault in self._parameter(one, parameters, segments, split.query, sent)
        ]
        return faults + self._body(operation, parameters, sent)

    def has_body(self, method: str, path: str) -> bool:
        item = follow(self.document, self.document["paths"][path])
        operation = item[method.lower()]
        if self.swagger:
            return any(one.get("in") in ("body", "formData") for one in self._parameters(item, operation))
        body = follow(self.document, operation.get("requestBody"))
        return isinstance(body, dict) and bool(body.get("content"))

    def _parameters(self, item: dict[str, Any], operation: dict[str, Any]) -> list[dict[str, Any]]:
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for level in (item, operation):
            for raw in level.get("parameters") or []:
                one = follow(self.document, raw)
                if isinstance(one, dict) and isinstance(one.get("name"), str):
                    found[one["name"], str(one.get("in"))] = one
        return list(found.values())

    def _parameter(
        self,
        one: dict[str, Any],
        every: list[dict[str, Any]],
        segments: dict[str, str],
        query: str,
        sent: Sent,
    ) -> list[str]:
        name, place = one["name"], one.get("in")
        if place == "path":
            if name not in segments:
                return []  # declared, but not in the path: nobody can send it
            text: Any = _path_value(one, segments[name])
        elif place == "query":
            text = _query_value(one, every, query)
        elif place == "header":
            text = sent.headers.get(name.lower())
            if name.lower() in CLIENTS:
                return []
            text = text.split(",") if text is not None and _is_array(self.document, _schema(one)) else text
        else:
            return []  # cookies; body and formData are looked at as a body
        if text is None:
            missing = one.get("required") is True and (place, name.lower()) not in self.keys
            return [f"{place} {name} is missing"] if missing else []
        if isinstance(one.get("content"), dict):
            return self._content_parameter(one, text)
        return self._fits(_schema(one), text, f"{place} {name}")

    def _content_parameter(self, one: dict[str, Any], text: Any) -> list[str]:
        kind, media = next(iter(one["content"].items()))
        value = unquote(text) if isinstance(text, str) else text
        if "json" in kind:
            try:
                value = json.loads(value)
            except ValueError:
                return [f"{one['name']} is not JSON"]
        return self._valid(media.get("schema", {}), [value], one["name"])

    def _fits(self, schema: Any, text: Any, what: str) -> list[str]:
        return self._valid(schema, list(_readings(text)), what)

    def _valid(self, schema: Any, candidates: list[Any], what: str) -> list[str]:
        validator = self.schemas.validator(schema)
        if any(validator.is_valid(value) for value in candidates):
            return []
        error = next(iter(validator.iter_errors(candidates[-1])))
        return [f"{what}: {error.message[:160]}"]

    def _body(self, operation: dict[str, Any], parameters: list[dict[str, Any]], sent: Sent) -> list[str]:
        if self.swagger:
            return self._swagger_body(parameters, sent)
        body = follow(self.document, operation.get("requestBody"))
        if not isinstance(body, dict) or not body.get("content"):
            return []
        if not sent.headers.get("content-type"):
            return ["the body is missing"] if body.get("required") is True else []
        media = _media(body["content"], sent.headers["content-type"])
        if media is None:
            return [f"content type {sent.headers['content-type']}"]
        return self._content(media.get("schema", {}) if isinstance(media, dict) else {}, sent)

    def _swagger_body(self, parameters: list[dict[str, Any]], sent: Sent) -> list[str]:
        whole = [one for one in parameters if one.get("in") == "body"]
        fields = [one for one in parameters if one.get("in") == "formData"]
        if not sent.headers.get("content-type"):
            needed = [one["name"] for one in whole + fields if one.get("required") is True]
            return [f"the body is missing ({needed[0]})"] if needed else []
        if whole:
            return self._content(whole[0].get("schema", {}), sent)
        schema = {
            "type": "object",
            "properties": {one["name"]: _schema(one) for one in fields},
            "required": [one["name"] for one in fields if one.get("required") is True],
        }
        return self._content(schema, sent)

    def _content(self, schema: Any, sent: Sent) -> list[str]:
        kind = sent.headers["content-type"].partition(";")[0].strip().lower()
        if kind.endswith("json"):
            try:
                return self._valid(schema, [json.loads(sent.body)], "body")
            except ValueError:
                return ["the body is not JSON"]
        if kind == "application/x-www-form-urlencoded":
            pairs = parse_qsl(sent.body.decode(), keep_blank_values=True)
            return self._form(schema, pairs)
        if kind.startswith("multipart/"):
            return self._form(schema, list(_parts(sent)))
        return []  # text and bytes are what they are

    def _form(self, schema: Any, pairs: list[tuple[str, str]]) -> list[str]:
        resolved = follow(self.document, schema)
        declared = resolved.get("properties") if isinstance(resolved, dict) else None
        required = resolved.get("required") if isinstance(resolved, dict) else None
        faults = []
        for name, part in (declared if isinstance(declared, dict) else {}).items():
            values = [value for key, value in pairs if key == name or key == f"{name}[]"]
            nested = {key: value for key, value in pairs if key.startswith(f"{name}[") and key != f"{name}[]"}
            if values:
                several = _is_array(self.document, part)
                options = [values, values[0].split(",")] if several else [values[0]]
                readings = [reading for text in options for reading in _readings(text)]
                readings += [reading for text in values[:1] for reading in _as_json(text)]
                faults += self._valid(part, readings, f"field {name}")
            elif not nested and isinstance(required, list) and name in required:
                if not self.schemas._only_answered(part) and not _exploded(self.document, part, pairs):
                    faults.append(f"field {name} is missing")
        return faults

    def _api_keys(self) -> Iterator[tuple[str, str]]:
        components = self.document.get("components")
        schemes = components.get("securitySchemes") if isinstance(components, dict) else None
        schemes = schemes or self.document.get("securityDefinitions") or {}
        for scheme in schemes.values() if isinstance(schemes, dict) else ():
            try:
                scheme = follow(self.document, scheme)
            except Dangling:
                continue
            if isinstance(scheme, dict) and scheme.get("type") == "apiKey":
                yield str(scheme.get("in")), str(scheme.get("name")).lower()


def _schema(parameter: dict[str, Any]) -> Any:
    """The schema of a parameter; Swagger 2.0 writes it beside the name."""
    if "schema" in parameter:
        return parameter["schema"]
    return {
        key: value for key, value in parameter.items() if key not in ("name", "in", "required", "description")
    }


def _is_array(document: Any, schema: Any) -> bool:
    schema = follow(document, schema)
    kind = schema.get("type") if isinstance(schema, dict) else None
    return kind == "array" or (isinstance(kind, list) and "array" in kind)


def _exploded(document: Any, schema: Any, pairs: list[tuple[str, str]]) -> bool:
    """A form field that is an object may be sent as its properties."""
    schema = follow(document, schema)
    names = schema.get("properties") if isinstance(schema, dict) else None
    return isinstance(names, dict) and any(key in names for key, _ in pairs)


def _matched(template: str, path: str) -> dict[str, str] | None:
    """{name: raw segment} where the end of `path` is `template`, else None."""
    template = template.partition("?")[0].partition("#")[0]
    names = re.findall(r"\{([^{}]*)\}", template)
    pattern = "([^/]*)".join(re.escape(part) for part in re.split(r"\{[^{}]*\}", template))
    found = re.search(pattern + r"\Z", path) or re.search(pattern + r"\Z", unquote(path))
    return dict(zip(names, found.groups(), strict=True)) if found else None


def _path_value(one: dict[str, Any], raw: str) -> Any:
    style = one.get("style")
    raw = raw[1:] if style == "label" and raw.startswith(".") else raw
    if style == "matrix":
        raw = raw.removeprefix(f";{one['name']}=")
    parts = [unquote(part) for part in raw.split(",")]
    return parts if len(parts) > 1 or _schema(one).get("type") == "array" else parts[0]


def _query_value(one: dict[str, Any], every: list[dict[str, Any]], query: str) -> Any:
    """The raw value, a list of them, or the object that was spread over the query; None where it is absent."""
    name = one["name"]
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    values = [value for key, _, value in pairs if unquote(key.replace("+", " ")) in (name, f"{name}[]")]
    schema = _schema(one)
    kind = schema.get("type") if isinstance(schema, dict) else None
    if values and (len(values) > 1 or kind == "array"):
        separator = SEPARATORS.get(str(one.get("style") or one.get("collectionFormat")), ",")
        spread = one.get("explode") is True or one.get("collectionFormat") == "multi"
        if len(values) > 1 or spread:
            return [_decoded(value) for value in values]
        return [_decoded(part) for part in values[0].replace("+", "%20").split(separator)]
    if values:
        return _decoded(values[0])
    prefix = f"{name}["
    nested = {
        unquote(key)[len(prefix) : -1]: _decoded(value)
        for key, _, value in pairs
        if unquote(key).startswith(prefix)
    }
    if nested and all(key.isdecimal() or not key for key in nested):
        return list(nested.values())  # `expand[0]=a`, as PHP and Rails read it
    if nested:
        return nested
    if kind == "object" or (isinstance(schema, dict) and "$ref" in schema):
        others = {other["name"] for other in every if other.get("in") == "query"}
        spread_out = {unquote(key): _decoded(value) for key, _, value in pairs if unquote(key) not in others}
        return spread_out or None
    return None


def _decoded(value: str) -> str:
    return unquote(value.replace("+", " "))


def _readings(text: Any) -> Iterator[Any]:
    """What a text may stand for: itself, or the number, truth value or list that it spells."""
    if isinstance(text, list):
        yield text
        yield [_literal(part) for part in text]
        yield from ([[_literal(part)] for part in text] if len(text) == 1 else [])
    elif isinstance(text, dict):
        yield text
        yield {key: _literal(part) for key, part in text.items()}
    else:
        yield text
        yield _literal(text)
        yield [_literal(part) for part in str(text).split(",")]
        yield from _as_json(text)
        if isinstance(text, str) and "," in text:  # an object as name,value,name,value
            parts = text.split(",")
            yield dict(zip(parts[::2], map(_literal, parts[1::2]), strict=False))


def _literal(text: Any) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, TypeError):
        return text
    return value if isinstance(value, int | float | bool) or value is None else text


def _as_json(text: Any) -> Iterator[Any]:
    if isinstance(text, str) and text[:1] in ("{", "["):
        try:
            yield json.loads(text)
        except ValueError:
            return


def _media(content: dict[str, Any], kind: str) -> Any:
    sent = kind.partition(";")[0].strip().lower()
    for declared, media in content.items():
        plain = declared.partition(";")[0].strip().lower()
        if re.fullmatch(re.escape(plain).replace(r"\*", ".*"), sent):
            return media if isinstance(media, dict) else {}
    return None


def _parts(sent: Sent) -> Iterator[tuple[str, str]]:
    """(name, text) of a multipart body; a file counts as its bytes."""
    head = b"Content-Type: " + sent.headers["content-type"].encode() + b"\r\n\r\n"
    message = BytesParser(policy=HTTP).parsebytes(head + sent.body)
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        yield str(name), content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
