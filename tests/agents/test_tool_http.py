"""A recipe and arguments become one request; an answer becomes one outcome."""

import json
from typing import Any

import httpx
import pytest

from agents.models import Tool
from agents.tool_http import _answered
from agents.tool_request import RecipeError, build
from agents.turn_messages import RESULT_LIMIT, read_result
from smartsupport.lib.safe_http import Response

PATH = {"argument": "order_id", "name": "order_id", "in": "path", "required": True}


def tool(**fields: Any) -> Tool:
    wanted: dict[str, Any] = {
        "method": "post",
        "server_url": "https://shop.example/v1/",
        "path": "/customers/{customer_id}/orders/{order_id}",
        "parameters": [
            {"argument": "customer_id", "name": "customer_id", "in": "path", "required": True},
            PATH,
        ],
        "request_body": None,
    }
    return Tool(name="cancel_order", **{**wanted, **fields})


def query(**fields: Any) -> Tool:
    return tool(path="/orders", parameters=[{"argument": "q", "name": "q", "in": "query", **fields}])


BOUND = {"customer_id": "cus_1001"}


def test_a_request_is_made_of_the_recipe() -> None:
    body = {"content_type": "application/json", "required": True, "fields": {"why": "reason", "more": "more"}}

    request = build(tool(request_body=body), {"order_id": 1042, "why": "Größe"}, BOUND, idempotency_key="abc")

    assert (request.method, request.url) == ("POST", "https://shop.example/v1/customers/cus_1001/orders/1042")
    assert json.loads(request.body or b"") == {"reason": "Größe"}
    assert request.headers["Idempotency-Key"] == "abc"
    assert request.headers["Content-Type"] == "application/json"


def test_what_is_bound_wins() -> None:
    request = build(tool(), {"order_id": 1042, "customer_id": "cus_1002"}, BOUND)

    assert request.url.endswith("/customers/cus_1001/orders/1042")


@pytest.mark.parametrize(
    ("value", "segment"),
    [
        ("../../admin", "..%2F..%2Fadmin"),
        ("1042?x=1#y", "1042%3Fx%3D1%23y"),
        ("a b%2F", "a%20b%252F"),
        ("{customer_id}", "%7Bcustomer_id%7D"),
        ("订单", "%E8%AE%A2%E5%8D%95"),
        (True, "true"),
        ([1, 2], "1%2C2"),
    ],
)
def test_a_value_stays_inside_its_part_of_the_path(value: Any, segment: str) -> None:
    assert build(tool(), {"order_id": value}, BOUND).url.endswith(f"/customers/cus_1001/orders/{segment}")


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_part_of_the_path_that_would_change_it_is_refused(value: str) -> None:
    with pytest.raises(RecipeError):
        build(tool(), {"order_id": value}, BOUND)


def test_an_object_in_the_query_cannot_name_another_customer() -> None:
    parameters = [
        {"argument": "customer_id", "name": "customer_id", "in": "query", "required": True},
        {"argument": "filter", "name": "filter", "in": "query"},
    ]
    listing = tool(method="get", path="/orders", parameters=parameters)

    with pytest.raises(RecipeError, match="filter cannot contain customer_id"):
        build(listing, {"filter": {"state": "open", "customer_id": "cus_1002"}}, BOUND)

    assert build(listing, {"filter": {"state": "open"}}, BOUND).query == (
        ("customer_id", "cus_1001"),
        ("state", "open"),
    )


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(RecipeError, match="Missing argument: order_id"):
        build(tool(), {}, BOUND)
    with pytest.raises(RecipeError, match="A part of the address is missing"):
        build(tool(path="/orders/{other}"), {"order_id": 1}, BOUND)


@pytest.mark.parametrize(
    ("recipe", "value", "pairs"),
    [
        ({}, "a&b=c", (("q", "a&b=c"),)),
        ({}, [1, 2], (("q", "1"), ("q", "2"))),
        ({"explode": False}, [1, 2], (("q", "1,2"),)),
        ({}, {"from": 1, "to": True}, (("from", "1"), ("to", "true"))),
        ({}, {"q": 1}, (("q", "1"),)),
        ({"style": "deepObject"}, {"gt": 1, "lt": 2}, (("q[gt]", "1"), ("q[lt]", "2"))),
        ({}, None, ()),
    ],
)
def test_query_parameters(recipe: dict[str, Any], value: Any, pairs: Any) -> None:
    assert build(query(**recipe), {"q": value}, {}).query == pairs


@pytest.mark.parametrize("name", ["Authorization", "host", "Cookie", "Idempotency-Key", "idempotency-key"])
def test_a_tool_cannot_set_the_headers_that_are_ours(name: str) -> None:
    recipe = tool(path="/orders", parameters=[{"argument": "h", "name": name, "in": "header"}])

    request = build(recipe, {"h": "evil"}, {}, idempotency_key="ours")

    assert "evil" not in request.headers.values()
    assert request.headers["Idempotency-Key"] == "ours"


@pytest.mark.parametrize("value", ["a\r\nX: y", "é", "\x00"])
def test_a_header_carries_no_second_one(value: str) -> None:
    recipe = tool(path="/orders", parameters=[{"argument": "h", "name": "X-Note", "in": "header"}])

    with pytest.raises(RecipeError):
        build(recipe, {"h": value}, {})


def answer(status: int, content: bytes | str = b"", kind: str = "application/json") -> Any:
    raw = content.encode() if isinstance(content, str) else content
    return _answered(
        Response(
            status=status, headers=httpx.Headers({"content-type": kind}), content=raw, url="", elapsed_ms=1
        )
    )


@pytest.mark.parametrize(
    ("status", "ok", "kind", "seen"),
    [
        (200, True, "", True),
        (204, True, "", True),
        (302, False, "unknown", False),
        (400, False, "validation", True),
        (401, False, "auth", True),
        (403, False, "auth", True),
        (404, False, "validation", True),
        (408, False, "transient", False),
        (409, False, "validation", True),
        (422, False, "validation", True),
        (425, False, "transient", True),
        (429, False, "transient", True),
        (500, False, "transient", False),
        (501, False, "unknown", False),
        (502, False, "transient", False),
        (503, False, "transient", False),
        (504, False, "transient", False),
    ],
)
def test_the_kind_of_each_status_and_whether_it_tells_what_happened(
    status: int, ok: bool, kind: str, seen: bool
) -> None:
    outcome = answer(status, "{}")

    assert (outcome.ok, outcome.kind, outcome.seen, outcome.status) == (ok, kind, seen, status)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"error": {"code": "x", "message": "No such order."}}', "No such order."),
        ('{"detail": "Not found."}', "Not found."),
        ('{"title": "Gone"}', "Gone"),
        ('{"error": "Nope"}', "Nope"),
        ('{"error": {"message": 5}}', "The business system answered with status 404."),
        ("[]", "The business system answered with status 404."),
        ("", "The business system answered with status 404."),
    ],
)
def test_the_sentence_of_a_refusal(content: str, message: str) -> None:
    assert answer(404, content).message == message


def test_credentials_that_were_refused_say_nothing_of_the_business() -> None:
    assert (
        answer(401, '{"message": "key sk_live_1 is wrong"}').message
        == "The business system refused our credentials."
    )


@pytest.mark.parametrize(
    ("content", "kind", "result"),
    [
        (
            '{"a": NaN, "b": -Infinity, "c": 1e999, "d": 1.5}',
            "application/json",
            {"a": "NaN", "b": "-Infinity", "c": "1e999", "d": 1.5},
        ),
        (b'{"a": "\\u0000\\ud800"}', "application/json", {"a": "\ufffd\ufffd"}),
        ("plain \x00", "text/plain; charset=utf-8", "plain \ufffd"),
        (b"\xff\xfe", "text/plain", "\ufffd\ufffd"),
        (b"%PDF", "application/pdf", {"content_type": "application/pdf", "bytes": 4}),
        ("[" * 100_000, "application/json", {"content_type": "application/json", "bytes": 100_000}),
        ("", "application/json", None),
    ],
)
def test_any_answer_can_be_stored(content: bytes | str, kind: str, result: Any) -> None:
    outcome = answer(200, content, kind)

    assert outcome.ok is True
    assert outcome.result == result
    json.dumps(outcome.result, allow_nan=False).encode()


def test_a_long_result_is_cut_for_the_model_and_says_so() -> None:
    outcome = answer(200, json.dumps({"rows": ["x" * 100] * 2_000}))

    text = str(read_result({"id": "call_1", "name": "list"}, outcome).content)

    assert len(text) < RESULT_LIMIT + 100
    assert text.endswith("characters left out]")
    assert len(outcome.result["rows"]) == 2_000
