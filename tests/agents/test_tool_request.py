"""What must hold for a request as a whole, whatever its values: what is ours, what is bound, what staff are shown."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from agents import policy
from agents.models import Tool
from agents.tool_request import RecipeError, Request, build
from tests.agents.test_policy import tool as declared

KEY = {"kind": "apiKey", "in": "query", "name": "api_key", "scopes": []}
SESSION = {"kind": "apiKey", "in": "cookie", "name": "session", "scopes": []}


def tool(*parameters: dict[str, Any], **fields: Any) -> Tool:
    wanted = {"method": "post", "server_url": "https://shop.example/v1/", "path": "/orders"}
    return Tool(name="order", parameters=list(parameters), **{**wanted, **fields})


def entry(name: str, place: str = "query", **more: Any) -> dict[str, Any]:
    return {"argument": name, "name": name, "in": place, "required": False} | more


def body(fields: list[str], kind: str = "application/x-www-form-urlencoded", **more: Any) -> dict[str, Any]:
    return {"content_type": kind, "required": True, "fields": {name: name for name in fields}} | more


OWN = [
    "Authorization", "authorization", "Host", "Cookie", "Content-Length", "Content-Type", "Transfer-Encoding", "Accept",
    "Idempotency-Key", "X-API-Key", "Proxy-Authorization", "X-Forwarded-For", "X-HTTP-Method-Override", "Origin",
]  # fmt: skip


@pytest.mark.parametrize("name", OWN)
def test_no_recipe_sets_the_headers_that_are_ours(name: str) -> None:
    request = build(tool(entry(name, "header")), {name: "mine"}, {}, idempotency_key="abc")

    assert request.headers == {"Accept": "application/json", "Idempotency-Key": "abc"}


def test_a_tool_without_an_address_is_not_called() -> None:
    with pytest.raises(RecipeError, match="The address of this tool is not known yet"):
        build(tool(server_url=""), {}, {})


SHADOWS = [
    {"customer_id": "2"}, {"CUSTOMER_ID": "2"}, {"customer_id[]": "2"}, {"customer.id": "2"}, {" customer_id": "2"},
    {"customer_id[0]": "2"}, {"api_key": "2"}, {"api_key[x]": "2"},
]  # fmt: skip


@pytest.mark.parametrize("value", SHADOWS)
def test_an_object_cannot_bring_in_what_is_bound_or_a_credential(value: dict[str, str]) -> None:
    listing = tool(entry("customer_id"), entry("filter"), security=[{"key": KEY}])

    with pytest.raises(RecipeError, match="filter cannot contain"):
        build(listing, {"filter": {"state": "open"} | value}, {"customer_id": "1"})

    request = build(listing, {"filter": {"state": "open"}, "customer_id": "2"}, {"customer_id": "1"})
    assert request.address == "https://shop.example/v1/orders?customer_id=1&state=open"


def test_an_object_in_a_cookie_cannot_bring_in_another_cookie() -> None:
    wishes = tool(entry("lang", "cookie"), entry("wishes", "cookie"), security=[{"s": SESSION}])

    for value in ({"lang": "de"}, {"session": "mine"}, {"x": "1", "Session": "2"}):
        with pytest.raises(RecipeError, match="wishes cannot contain"):
            build(wishes, {"wishes": value}, {})

    assert build(wishes, {"wishes": {"a b": "1;2"}}, {}).headers["Cookie"] == "a%20b=1%3B2"


def test_an_object_in_a_form_cannot_bring_in_what_is_bound() -> None:
    encoding = {"more": {"style": "form", "explode": True}}
    form = tool(request_body=body(["customer", "more"], encoding=encoding))

    for name in ("customer", "Customer", "customer[]", " customer"):
        with pytest.raises(RecipeError, match="more cannot contain"):
            build(form, {"more": {name: "2"}}, {"customer": "1"})

    assert (
        build(form, {"more": {"note": "x"}, "customer": "2"}, {"customer": "1"}).body == b"customer=1&note=x"
    )


def test_a_whole_body_has_nothing_but_itself() -> None:
    whole = {"content_type": "application/json", "required": True, "argument": "body"}

    with pytest.raises(RecipeError, match="Missing argument: body"):
        build(tool(request_body=whole), {}, {})
    with pytest.raises(RecipeError, match="body has to be an object"):
        build(tool(request_body=whole | {"content_type": "multipart/form-data"}), {"body": "x"}, {})
    with pytest.raises(RecipeError, match="number"):
        build(tool(request_body=whole), {"body": float("nan")}, {})


def test_null_is_sent_where_the_schema_takes_it_and_nowhere_else() -> None:
    properties = {"gone": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "other": {"type": "string"}}
    patch = tool(
        request_body=body(["gone", "other"], "application/merge-patch+json"),
        input_schema={"properties": properties},
    )

    request = build(patch, {"gone": None, "other": None}, {})

    assert request.body == b'{"gone": null}'
    assert request.headers["Content-Type"] == "application/merge-patch+json"


def test_a_null_that_is_required_gets_as_far_as_the_request_and_others_count_as_not_given() -> None:
    nullable = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    schema = {
        "type": "object",
        "properties": {"assignee": nullable, "note": nullable},
        "required": ["assignee"],
    }
    spec = declared(schema=schema)

    fault, arguments = policy.check(spec, {"assignee": None, "note": None}, ())

    assert (fault, arguments) == ("", {"assignee": None})
    row = tool(request_body=body(["assignee", "note"], "application/json"), input_schema=schema)
    assert build(row, arguments, {}).body == b'{"assignee": null}'
    assert policy.check(spec, {}, ())[0] == "Invalid arguments: 'assignee' is a required property."


def test_what_is_too_long_for_an_address_is_refused() -> None:
    with pytest.raises(RecipeError, match="too long"):
        build(tool(entry("q")), {"q": "x" * 17_000}, {})
    with pytest.raises(RecipeError, match="too long"):
        build(tool(entry("X-Note", "header")), {"X-Note": "x" * 40_000}, {})


def test_a_path_keeps_its_own_query_and_loses_its_fragment() -> None:
    request = build(tool(entry("q"), path="/orders?version=2#now"), {"q": "a b"}, {})

    assert request.address == "https://shop.example/v1/orders?version=2&q=a%20b"


def test_two_values_cannot_make_a_step_upwards_together() -> None:
    both = tool(entry("a", "path"), entry("b", "path", style="label"), path="/x/{a}{b}/end")

    for a, b in ((".", "x"), ("..", "x"), ("x", "."), ("x", "..")):
        with pytest.raises(RecipeError):
            build(both, {"a": a, "b": b}, {})


def test_a_value_with_steps_stays_below_where_the_path_lets_it_have_them() -> None:
    file = tool(entry("+name", "path", argument="name", allow_reserved=True), path="/v1/{+name}")

    assert build(file, {"name": "projects/a b/x"}, {}).url == "https://shop.example/v1/v1/projects/a%20b/x"
    for value in ("a/../b", "../x", "a/./b", "%2e%2e/x", "a?b#c/.."):
        with pytest.raises(RecipeError):
            build(file, {"name": value}, {})


@pytest.mark.parametrize(
    ("kinds", "accept"),
    [
        ([], "application/json"),
        (["text/html", "application/json"], "application/json"),
        (["application/pdf"], "application/pdf, */*;q=0.1"),
        (["text/csv\r\nX-Evil: 1"], "application/json"),
    ],
)
def test_what_is_asked_for_is_what_the_operation_answers(kinds: list[str], accept: str) -> None:
    row = tool(response={"content_types": kinds, "binary": False, "paging": None})

    assert build(row, {}, {}).headers == {"Accept": accept}


def test_staff_are_shown_what_is_sent_in_words_that_can_be_read() -> None:
    parts = body(["note", "file"], "multipart/form-data", encoding={"file": {"binary": True}})
    upload = tool(entry("tags", explode=False), entry("X-Auth-Ticket", "header"), request_body=parts)
    file = base64.b64encode(b"\x00" * 5_000).decode()

    shown = build(
        upload, {"tags": ["ä", "b"], "note": "Größe", "file": file, "X-Auth-Ticket": "T"}, {}
    ).shown()

    assert (shown["method"], shown["url"], shown["query"]) == (
        "POST",
        "https://shop.example/v1/orders",
        [["tags", "ä,b"]],
    )
    assert shown["body"] == [["note", "Größe"], ["file", "(5,000 bytes of application/octet-stream)"]]
    assert shown["headers"]["X-Auth-Ticket"] == "(hidden)"


def test_pairs_may_be_added_to_a_request_and_taken_out() -> None:
    request = build(tool(entry("ids", explode=False)), {"ids": ["1", "a,b"]}, {})

    assert request.address.endswith("?ids=1,a%2Cb")
    signed = replace(request, query=(*request.query, ("key", "s e&c")))
    assert signed.address.endswith("?ids=1,a%2Cb&key=s%20e%26c")
    assert isinstance(signed, Request)
    assert replace(request, query=()).address == "https://shop.example/v1/orders"


def test_parameters_of_one_family_do_not_stand_in_each_others_way() -> None:
    paged = tool(
        entry("page", style="deepObject"), entry("page[size]"), entry("filter[a]"), entry("filter[b]")
    )

    request = build(paged, {"page": {"number": 2}, "page[size]": 5, "filter[a]": "x", "filter[b]": "y"}, {})

    assert request.query == (
        ("page[number]", "2"),
        ("page[size]", "5"),
        ("filter[a]", "x"),
        ("filter[b]", "y"),
    )
    with pytest.raises(RecipeError, match="page cannot contain"):
        build(paged, {"page": {"size": 1}}, {"page[size]": 5})
