"""Every route of the product, found and not listed: a route that is added tomorrow is here tomorrow."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator

EXAMPLES = {
    "email": "eve@example.com",
    "uri": "https://example.com/",
    "date-time": "2100-01-01T00:00:00Z",
}
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


class NoIdeaWhatToSend(Exception):
    """A path parameter or a body that the generator does not know: teach `tests/isolation/routes.py` about it."""


@dataclass(frozen=True)
class Ids:
    """What a path parameter is filled with, by its name: ids of one customer's things, or of nothing."""

    thread_id: str
    turn_id: str
    interrupt_id: str
    row: dict[str, str]
    """Primary keys for the console, by the model's label."""
    name: str
    job_id: str
    index: str
    source_name: str
    publication_id: str
    number: str
    customer: str
    customer_id: str
    key_id: str
    link_id: str
    webhook_id: str
    delivery_id: str
    token: str = "apl_of-nobody"
    content_type_id: str = "1"
    app_label: str = "chat"
    url: str = "no/such/page"

    def of(self, parameter: str, model: str) -> str:
        if parameter in ("object_id", "id"):
            if model and model not in self.row:
                raise NoIdeaWhatToSend(f"a row of {model}")
            return self.row[model or "chat.Conversation"]
        if parameter not in self.__dataclass_fields__ or parameter == "row":
            raise NoIdeaWhatToSend(f"the path parameter {parameter!r}")
        return str(getattr(self, parameter))


@dataclass(frozen=True)
class Route:
    pattern: str
    """As it is written in the URL configuration, with everything that was included before it."""
    name: str
    view: Any
    parts: tuple[Any, ...]

    def __str__(self) -> str:
        return "/" + self.pattern

    @property
    def is_api(self) -> bool:
        return self.pattern.startswith("api/")

    @property
    def is_console(self) -> bool:
        return self.pattern.startswith("admin/")

    @property
    def parameters(self) -> list[str]:
        return [name for part in self.parts for name in _named(part)]

    def url(self, ids: Ids, *, others: Ids | None = None, model: str = "") -> str:
        """Its address. With `others`, everything but the first parameter is theirs."""
        path, seen = "/", 0
        for part in self.parts:
            text = _plain(part)
            for name in _named(part):
                given = (others if others and seen else ids).of(name, model)
                seen += 1
                text = text.replace(f"\0{name}\0", given)
            path += text
        return path


def all_routes(urlconf: Any = None) -> list[Route]:
    found = {route.pattern: route for route in _walk(get_resolver(urlconf), (), "")}
    return list(found.values())


def _walk(resolver: URLResolver, before: tuple[Any, ...], namespace: str) -> Iterator[Route]:
    for entry in resolver.url_patterns:
        parts = (*before, entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _walk(entry, parts, entry.namespace or namespace)
            continue
        assert isinstance(entry, URLPattern)
        pattern = "".join(str(part) for part in parts)
        name = f"{namespace}:{entry.name}" if namespace and entry.name else (entry.name or "")
        yield Route(pattern, name, entry.callback, parts)


def _named(part: Any) -> list[str]:
    if hasattr(part, "_route"):
        return list(part.converters)
    return list(part.regex.groupindex)


def _plain(part: Any) -> str:
    """The text of one piece of a route, with `\\0name\\0` where a parameter stands."""
    if hasattr(part, "_route"):
        text = str(part._route)
        for name, converter in part.converters.items():
            kind = next(kind for kind in (f"<{name}>", *_spelled(name, text)) if kind in text)
            assert converter is not None
            text = text.replace(kind, f"\0{name}\0")
        return text
    return _of_expression(part)


def _spelled(name: str, route: str) -> list[str]:
    return [
        f"<{piece.split('>')[0]}>"
        for piece in route.split("<")[1:]
        if piece.split(">")[0].endswith(f":{name}")
    ]


def _of_expression(part: Any) -> str:
    """A regular expression with nothing but named groups in it, as the console has two of."""
    text = part._regex.removeprefix("^").removesuffix("$")
    for name in part.regex.groupindex:
        start = text.index(f"(?P<{name}>")
        depth, end = 0, start
        while True:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
            if not depth:
                break
        text = text[:start] + f"\0{name}\0" + text[end:]
    if any(sign in text for sign in "()[]*+?|\\"):
        raise NoIdeaWhatToSend(f"the expression {part._regex!r}")
    return text


def bodies(urlconf: Any = None) -> dict[tuple[str, str], Any]:
    """A plausible JSON body for each (path of the published document, method) that takes one."""
    document = SchemaGenerator(urlconf=urlconf).get_schema(request=None, public=True)
    made: dict[tuple[str, str], Any] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            content = (
                operation.get("requestBody", {}).get("content", {}) if isinstance(operation, dict) else {}
            )
            if "application/json" in content:
                schema = content["application/json"]["schema"]
                made[path, method.upper()] = _example(schema, document["components"]["schemas"], path)
    return made


def _example(schema: Any, named: dict[str, Any], where: str) -> Any:
    if "$ref" in schema:
        return _example(named[schema["$ref"].rpartition("/")[2]], named, where)
    for joined in ("allOf", "oneOf", "anyOf"):
        if joined in schema:
            return _example(schema[joined][0], named, where)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    kind = next(one for one in kind if one != "null") if isinstance(kind, list) else kind
    match kind:
        case "object":
            return {name: _example(of, named, where) for name, of in schema.get("properties", {}).items()}
        case "array":
            return [_example(schema["items"], named, where)]
        case "string":
            return EXAMPLES.get(schema.get("format", ""), "Hello")
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
    raise NoIdeaWhatToSend(f"a body of {where} with {schema}")
