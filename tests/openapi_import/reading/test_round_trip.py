"""From a schema over arguments and a request to the bytes that a real server reads: it is what was meant."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.models import Tool
from agents.tool_request import RecipeError, Request, build
from openapi_import.reading import build as reading
from tests.openapi_import.documents import json_body, one_operation, parameter
from tests.openapi_import.reading.listening import Listening, Seen, decoded, listening
from tests.openapi_import.reading.style_rules import read, text

Object = dict[str, Any]
STRINGS = {"one": {"type": "string"}, "list": {"type": "array", "items": {"type": "string"}},
           "object": {"type": "object", "additionalProperties": {"type": "string"}}}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Listening]:
    with listening() as running:
        yield running


def tool_of(raw: Object, url: str, *, path: str = "/orders", method: str = "post", **more: Any) -> Tool:
    """The tool that a document with this one operation makes."""
    operation = one_operation(raw, method=method, path=path, servers=[{"url": url}], **more)
    built = reading.build(operation, reading.Names())
    assert built.unusable == ""
    jsonschema.Draft202012Validator.check_schema(built.tool["input_schema"])
    return Tool(name=built.name, method=built.method, path=built.path, **built.tool)


def made(tool: Tool, arguments: Object) -> Request:
    """The request for arguments that the tool's own schema allows."""
    jsonschema.validate(arguments, tool.input_schema)
    return build(tool, arguments, {})


def sent(server: Listening, raw: Object, arguments: Object, **more: Any) -> Seen:
    return server.send(made(tool_of(raw, server.url, **more), arguments))


def styled(place: str, style: str, explode: bool, schema: Any, **more: Any) -> Object:
    name = "P" if place == "header" else "p"
    return {
        "parameters": [parameter(name, place, schema, style=style, explode=explode, required=True, **more)]
    }


STYLES = [
    ("path", "simple", "one list object"),
    ("path", "label", "one list object"),
    ("path", "matrix", "one list object"),
    ("query", "form", "one list object"),
    ("query", "spaceDelimited", "list object"),
    ("query", "pipeDelimited", "list object"),
    ("query", "deepObject", "object"),
    ("header", "simple", "one list object"),
    ("cookie", "form", "one list object"),
    ("cookie", "cookie", "one list object"),
]
CASES = [
    (place, style, explode, shape)
    for place, style, shapes in STYLES
    for explode in (False, True)
    for shape in shapes.split()
    # What the specification does not define, explode included, is written as style form writes it.
    if not (explode and style.endswith("Delimited")) and not (style == "deepObject" and not explode)
]
PLAIN = {"one": "blue", "list": ["blue", "black", "brown"], "object": {"R": "100", "G": "200", "B": "150"}}
ODD = "a,b;c=d&e|f g.h/i?j#k%20l+m~n:ö 订单 🙂 {x} \"q\" 'r' <s> $t [u] @v !w *x (y) ^z \\"
TAME = "x.y"


@pytest.mark.parametrize(("place", "style", "explode", "shape"), CASES)
def test_every_style_arrives_as_it_was_meant(
    server: Listening, place: str, style: str, explode: bool, shape: str
) -> None:
    tool = tool_of(styled(place, style, explode, STRINGS[shape]), server.url, path=path_of(place))
    argument = tool.parameters[0]["argument"]
    for value in (PLAIN[shape], _odd(place, style, explode, shape)):
        seen = server.send(made(tool, {argument: value}))

        assert read(seen, place, style, explode, shape) == value


def path_of(place: str) -> str:
    return "/at/{p}/end" if place == "path" else "/at"


def _odd(place: str, style: str, explode: bool, shape: str) -> Any:
    """A value with every character that the place can carry."""
    odd = ODD
    if place == "header" or style == "cookie":
        odd = "a=b/c:d~e" if style == "simple" else "a/b:c~d"
    if place == "header" and shape == "object" and explode:
        odd = "a/b:c~d"
    for mark in {"spaceDelimited": " ", "pipeDelimited": "|"}.get(style, ""):
        odd = odd.replace(mark, "")
    if style == "label" and explode:
        odd = odd.replace(".", "")
    more = "x-y" if style == "label" and explode else TAME
    return {"one": odd, "list": [odd, more], "object": {"k": odd, more.replace(".", "_"): more}}[shape]


# The OpenAPI specification's own table of examples (3.1.1, "Style Examples"), to the letter.

WRITTEN = [
    ("path", "simple", False, "list", "/at/blue,black,brown/end"),
    ("path", "simple", False, "object", "/at/R,100,G,200,B,150/end"),
    ("path", "simple", True, "object", "/at/R=100,G=200,B=150/end"),
    ("path", "label", False, "one", "/at/.blue/end"),
    ("path", "label", False, "list", "/at/.blue,black,brown/end"),
    ("path", "label", True, "list", "/at/.blue.black.brown/end"),
    ("path", "label", True, "object", "/at/.R=100.G=200.B=150/end"),
    ("path", "matrix", False, "one", "/at/;p=blue/end"),
    ("path", "matrix", False, "list", "/at/;p=blue,black,brown/end"),
    ("path", "matrix", True, "list", "/at/;p=blue;p=black;p=brown/end"),
    ("path", "matrix", False, "object", "/at/;p=R,100,G,200,B,150/end"),
    ("path", "matrix", True, "object", "/at/;R=100;G=200;B=150/end"),
    ("query", "form", False, "list", "/at?p=blue,black,brown"),
    ("query", "form", True, "list", "/at?p=blue&p=black&p=brown"),
    ("query", "form", False, "object", "/at?p=R,100,G,200,B,150"),
    ("query", "form", True, "object", "/at?R=100&G=200&B=150"),
    ("query", "spaceDelimited", False, "list", "/at?p=blue%20black%20brown"),
    ("query", "spaceDelimited", False, "object", "/at?p=R%20100%20G%20200%20B%20150"),
    ("query", "pipeDelimited", False, "list", "/at?p=blue%7Cblack%7Cbrown"),
    ("query", "pipeDelimited", False, "object", "/at?p=R%7C100%7CG%7C200%7CB%7C150"),
    ("query", "deepObject", True, "object", "/at?p%5BR%5D=100&p%5BG%5D=200&p%5BB%5D=150"),
]


@pytest.mark.parametrize(("place", "style", "explode", "shape", "target"), WRITTEN)
def test_the_examples_of_the_specification_hold(
    server: Listening, place: str, style: str, explode: bool, shape: str, target: str
) -> None:
    seen = sent(
        server, styled(place, style, explode, STRINGS[shape]), {"p": PLAIN[shape]}, path=path_of(place)
    )

    assert seen.target == target


def test_allow_reserved_leaves_what_it_names_and_encodes_what_would_end_the_value(server: Listening) -> None:
    raw = {"parameters": [parameter("p", allowReserved=True), parameter("q", allowReserved=True)]}
    value = "a/b?c=d&e#f+g%20h:i@j,k"

    seen = sent(server, raw, {"p": value, "q": "1"})

    assert seen.target == "/orders?p=a/b?c=d%26e%23f%2Bg%2520h:i@j,k&q=1"
    assert seen.query == [("p", value), ("q", "1")]


def test_a_parameter_that_is_a_document_of_its_own(server: Listening) -> None:
    schema = {"type": "object", "properties": {"at": {"type": "array", "items": {"type": "number"}}}}
    content = {"application/json": {"schema": schema}}
    raw = {
        "parameters": [
            {"name": "where", "in": "query", "content": content},
            {"name": "X-Where", "in": "header", "content": content},
        ]
    }
    value = {"at": [1.5, None, 3], "ö": "&"}

    seen = sent(server, raw, {"where": {"at": [1.5, 3], "ö": "&"}, "X-Where": {"at": [2]}})

    assert json.loads(dict(seen.query)["where"]) == {"at": [1.5, 3], "ö": "&"}
    assert json.loads(seen.headers["X-Where"]) == {"at": [2]}
    assert value["at"] != [1.5, 3]


def test_values_that_are_no_text_are_written_as_json_writes_them(server: Listening) -> None:
    raw = {"parameters": [parameter(name, schema=schema) for name, schema in
                          [("n", {"type": "integer"}), ("f", {"type": "number"}), ("b", {"type": "boolean"}),
                           ("e", {"type": "string"}), ("none", {"type": "array"})]]}  # fmt: skip

    seen = sent(server, raw, {"n": 3.0, "f": 1e-7, "b": False, "e": "", "none": []})

    assert seen.target == "/orders?n=3&f=1e-07&b=false&e="


def test_a_deep_object_keeps_lists_and_objects_apart(server: Listening) -> None:
    value = {
        "gt": "1",
        "in": ["a", "b&c"],
        "by": {"name": {"first": "Ö"}},
        "lines": [{"sku": "x"}, {"sku": "y"}],
    }

    seen = sent(server, styled("query", "deepObject", True, {"type": "object"}), {"p": value}, path="/at")

    assert read(seen, "query", "deepObject", True, "object") == value


REFUSED = [
    ("path", "simple", False, "one", ["", ".", "..", "../x", "a/../b", "%2e%2e/x", "..\\x"]),
    ("path", "simple", False, "list", [[], ["a", ".."]]),
    ("path", "label", True, "list", [["a.b"]]),
    ("query", "spaceDelimited", False, "list", [["a b"]]),
    ("query", "pipeDelimited", False, "list", [["a|b"]]),
    ("query", "deepObject", True, "object", [{"a[b]": "1"}]),
    ("query", "form", True, "one", ["\ud800"]),
    ("header", "simple", False, "one", ["a\r\nX-Other: 1", "ö", " a", "\x00"]),
    ("header", "simple", False, "list", [["a,b"]]),
    ("cookie", "cookie", True, "one", ["a;b=c", "a b", "ö"]),
]


@pytest.mark.parametrize(("place", "style", "explode", "shape", "values"), REFUSED)
def test_what_would_arrive_as_something_else_is_refused(
    place: str, style: str, explode: bool, shape: str, values: list[Any]
) -> None:
    tool = tool_of(styled(place, style, explode, STRINGS[shape]), "https://shop.example", path=path_of(place))
    for value in values:
        with pytest.raises(RecipeError):
            build(tool, {tool.parameters[0]["argument"]: value}, {})


# Bodies


def test_json_arrives_as_it_was_meant(server: Listening) -> None:
    schema = {
        "type": "object",
        "required": ["note"],
        "properties": {
            "note": {"type": "string"},
            "gone": {"type": ["string", "null"]},
            "deep": {
                "type": "object",
                "properties": {"list": {"type": "array", "items": {"type": ["integer", "null"]}}},
            },
        },
    }
    value = {"note": ODD + "\u2028\n", "gone": None, "deep": {"list": [1, None], "x": {}}}

    seen = sent(server, {"requestBody": json_body(schema)}, value)

    assert json.loads(seen.content) == value
    assert seen.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "array", "items": {"type": "integer"}}, [1, 2]),
        ({"type": "array"}, []),
        ({"type": "string"}, "ö"),
        ({"type": "boolean"}, False),
        ({"oneOf": [{"type": "string"}, {"type": "object"}]}, {"a": 1}),
        ({"type": ["object", "null"]}, None),
    ],
)
def test_a_body_that_is_no_object_is_one_argument(server: Listening, schema: Object, value: Any) -> None:
    seen = sent(server, {"requestBody": json_body(schema)}, {"body": value})

    assert json.loads(seen.content) == value


def form(kind: str, properties: Object, **more: Any) -> Object:
    media = {"schema": {"type": "object", "properties": properties}} | more
    return {"requestBody": {"required": True, "content": {kind: media}}}


FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


def test_a_form_arrives_as_it_was_meant(server: Listening) -> None:
    properties = {
        "text": {"type": "string"}, "empty": {"type": "string"}, "many": {"type": "array", "items": {"type": "string"}},
        "object": {"type": "object"}, "deep": {"type": "object"}, "csv": {"type": "array", "items": {"type": "string"}},
        "number": {"type": "number"}, "none": {"type": "array"},
    }  # fmt: skip
    encoding = {"deep": {"style": "deepObject", "explode": True}, "csv": {"style": "form", "explode": False}}
    value = {
        "text": ODD, "empty": "", "many": ["a b", "c&d"], "object": {"k": [1, "ö"]},
        "deep": {"a": {"b": ["x", "y"]}}, "csv": ["p", "q"], "number": 2.5, "none": [],
    }  # fmt: skip

    seen = sent(server, form(FORM, properties, encoding=encoding), value)

    assert seen.headers["Content-Type"] == FORM
    assert [pair for pair in seen.fields if pair[0] != "object"] == [
        ("text", ODD), ("empty", ""), ("many", "a b"), ("many", "c&d"),
        ("deep[a][b][0]", "x"), ("deep[a][b][1]", "y"), ("csv", "p,q"), ("number", "2.5"),
    ]  # fmt: skip
    assert json.loads(dict(seen.fields)["object"]) == {"k": [1, "ö"]}


def test_multipart_arrives_as_it_was_meant(server: Listening) -> None:
    properties = {
        "text": {"type": "string"}, "many": {"type": "array", "items": {"type": "string"}},
        "object": {"type": "object"},
        "file": {"type": "string", "format": "binary"}, "pictures": {"type": "array", "items": {"format": "binary"}},
        'odd"name ö': {"type": "string"},
    }  # fmt: skip
    encoding = {"file": {"contentType": "application/pdf, image/*"}, "pictures": {"contentType": "image/png"}}
    content = bytes(range(256)) + b"\r\n--"
    tool = tool_of(form(MULTIPART, properties, encoding=encoding), server.url)
    fields = {name: argument for argument, name in tool.request_body["fields"].items()}
    arguments = {
        "text": ODD, "many": ["a\r\nb", ""], "object": {"k": "ö"}, "file": base64.b64encode(content).decode(),
        "pictures": ["data:image/png;base64,iVBORw==", base64.urlsafe_b64encode(b"\xff\xfe").decode().rstrip("=")],
        fields['odd"name ö']: "there",
    }  # fmt: skip

    request = made(tool, arguments)
    seen = server.send(request)

    assert seen.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    found = [pair for pair in seen.fields if pair[0] != "object"]
    assert found == [
        ("text", ODD), ("many", "a\r\nb"), ("many", ""), ("file", ("file", "application/pdf", content)),
        ("pictures", ("pictures", "image/png", b"\x89PNG")), ("pictures", ("pictures", "image/png", b"\xff\xfe")),
        ("odd%22name ö", "there"),
    ]  # fmt: skip
    assert json.loads(dict(seen.fields)["object"]) == {"k": "ö"}
    assert build(tool, arguments, {}).body == request.body  # the same call is the same bytes
    assert ["file", "(260 bytes of application/pdf)"] in request.shown()["body"]


@pytest.mark.parametrize("kind", ["application/pdf", "image/png", "application/octet-stream"])
def test_bytes_arrive_as_they_were_meant(server: Listening, kind: str) -> None:
    raw = {
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": {"type": "string", "format": "binary"}}},
        }
    }

    seen = sent(server, raw, {"body": base64.b64encode(bytes(range(256))).decode()})

    assert (seen.headers["Content-Type"], seen.content) == (kind, bytes(range(256)))


def test_what_is_no_base64_is_refused() -> None:
    raw = {"requestBody": {"required": True, "content": {"image/png": {}}}}
    tool = tool_of(raw, "https://shop.example")

    for value in ("not base64!", 7):
        with pytest.raises(RecipeError, match=r"body (is not base64|has to be text)"):
            build(tool, {"body": value}, {})


@pytest.mark.parametrize(
    ("kind", "sent_kind"),
    [("text/plain", "text/plain; charset=utf-8"), ("text/csv; charset=utf-8", "text/csv; charset=utf-8"),
     ("application/xml", "application/xml")],
)  # fmt: skip
def test_text_arrives_as_it_was_meant(server: Listening, kind: str, sent_kind: str) -> None:
    raw = {"requestBody": {"required": True, "content": {kind: {"schema": {"type": "string"}}}}}

    seen = sent(server, raw, {"body": ODD + "\r\n"})

    assert (seen.headers["Content-Type"], seen.content.decode()) == (sent_kind, ODD + "\r\n")


def test_an_optional_body_without_arguments_is_not_sent(server: Listening) -> None:
    body = json_body({"type": "object", "properties": {"a": {}}}, required=False)

    seen = sent(server, {"requestBody": body}, {})

    assert seen.content == b""
    assert "Content-Type" not in seen.headers


def test_all_of_the_query_may_be_one_value(server: Listening) -> None:
    kinds = {"application/json": {"schema": {"type": "object"}}}
    raw = {"parameters": [{"name": "q", "in": "querystring", "required": True, "content": kinds}]}

    seen = sent(server, raw, {"q": {"a": ["ö", 1]}}, method="get", version="3.2.0")

    assert json.loads(decoded(seen.target.partition("?")[2])) == {"a": ["ö", 1]}


# Whatever the values: they arrive, or nothing is sent.

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALAR = ANY_TEXT | st.integers(-(10**12), 10**12) | st.booleans()
KEY = st.text("abcXYZ-_.ö [", min_size=1, max_size=6)
VALUES = {
    "one": SCALAR,
    "list": st.lists(SCALAR, min_size=1, max_size=4),
    "object": st.dictionaries(KEY, SCALAR, min_size=1, max_size=4),
}
LOOSE = {"one": {}, "list": {"type": "array"}, "object": {"type": "object"}}
often = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize(("place", "style", "explode", "shape"), CASES)
def test_any_value_arrives_or_is_refused(
    server: Listening, place: str, style: str, explode: bool, shape: str
) -> None:
    tool = tool_of(styled(place, style, explode, LOOSE[shape]), server.url, path=path_of(place))
    argument = tool.parameters[0]["argument"]

    @often
    @given(VALUES[shape])
    def holds(value: Any) -> None:
        try:
            request = build(tool, {argument: value}, {})
        except RecipeError:
            assert style != "form"  # which carries everything
            return
        assert read(server.send(request), place, style, explode, shape) == text(value)

    holds()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


def test_any_json_arrives(server: Listening) -> None:
    whole = tool_of({"requestBody": json_body({})}, server.url)
    deep = {"p": {"type": "object"}}
    formed = tool_of(form(FORM, deep, encoding={"p": {"style": "deepObject", "explode": True}}), server.url)

    inner = st.dictionaries(st.text("xyz", min_size=1), ANY_TEXT, min_size=1)

    @often
    @given(JSON, st.dictionaries(st.text("abc", min_size=1), inner, min_size=1, max_size=3))
    def holds(value: Any, nested: Any) -> None:
        if value is not None:
            assert json.loads(server.send(build(whole, {"body": value}, {})).content) == value
        seen = server.send(build(formed, {"p": nested}, {}))
        assert dict(seen.fields) == {
            f"p[{key}][{name}]": item for key, items in nested.items() for name, item in items.items()
        }

    holds()
