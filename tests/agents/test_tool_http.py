"""A recipe and arguments become one request; an answer becomes one outcome."""

import asyncio
import hashlib
import json
import re
import time
from email.utils import formatdate
from typing import Any

import httpx
import pytest
from django.conf import LazySettings

from agents.models import Tool
from agents.tool_http import _answered, _retry_after, send
from agents.tool_request import RecipeError, build
from smartsupport.lib.safe_http import Response
from tests.agents.calling import request, terms
from tests.lib.wire import Received, Wire, always, response

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
        ("a/b", "a%2Fb"),
        ("1042?x=1#y", "1042%3Fx%3D1%23y"),
        ("a b%2F", "a%20b%252F"),
        ("{customer_id}", "%7Bcustomer_id%7D"),
        ("订单", "%E8%AE%A2%E5%8D%95"),
        (True, "true"),
        ([1, 2], "1,2"),
    ],
)
def test_a_value_stays_inside_its_part_of_the_path(value: Any, segment: str) -> None:
    assert build(tool(), {"order_id": value}, BOUND).url.endswith(f"/customers/cus_1001/orders/{segment}")


@pytest.mark.parametrize("value", ["", ".", "..", "../../admin", "%2e%2e/admin", "a\\..\\b", ["a", ".."]])
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


DEEP = hashlib.sha256(b"[" * 100_000).hexdigest()


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
        (
            "[" * 100_000,
            "application/json",
            {"content_type": "application/json", "bytes": 100_000, "sha256": DEEP},
        ),
        ("", "application/json", None),
    ],
)
def test_any_answer_can_be_stored(content: bytes | str, kind: str, result: Any) -> None:
    outcome = answer(200, content, kind)

    assert outcome.ok is True
    assert outcome.result == result
    json.dumps(outcome.result, allow_nan=False).encode()


def test_nothing_of_a_refusal_of_our_credentials_is_kept() -> None:
    assert answer(401, '{"message": "key sk_live_1 is wrong"}').result is None


async def always_503(_: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(response("503 Busy", b"{}"))


@pytest.fixture
def allowed(settings: LazySettings) -> LazySettings:
    settings.SAFE_HTTP_ALLOWED_HOSTS = ["127.0.0.1"]
    settings.TOOL_TIMEOUT_SECONDS = 20
    return settings


def in_turn(*answers: bytes) -> Any:
    """Answer the first request with the first of these, and so on; the last one stays."""
    left = list(answers)

    async def reply(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return reply


OK = response(body=b'{"ok": 1}', content_type="application/json")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("first", "repeatable", "sent", "ok"),
    [
        (response("503 Busy"), True, 2, True),
        (response("503 Busy"), False, 1, False),
        (response("429 Slow down"), False, 2, True),
        (response("404 Gone"), True, 1, False),
        (response("401 Who"), True, 1, False),
        (response("501 No"), True, 1, False),
    ],
    ids=["read, 503", "write, 503", "write, 429", "404", "401", "501"],
)
async def test_what_is_tried_again(
    first: bytes, repeatable: bool, sent: int, ok: bool, allowed: LazySettings
) -> None:
    async with Wire(in_turn(first, OK)) as server:
        outcome = await send(request(server.url), terms(), repeatable=repeatable)

        assert (outcome.ok, outcome.attempts, len(server.received)) == (ok, sent, sent)


@pytest.mark.asyncio
async def test_it_is_tried_three_times_and_no_more(allowed: LazySettings) -> None:
    async with Wire(always_503) as server:
        outcome = await send(request(server.url), terms(), repeatable=True)

        assert (outcome.kind, outcome.attempts, len(server.received)) == ("transient", 3, 3)


@pytest.mark.asyncio
@pytest.mark.parametrize("as_date", [False, True])
async def test_a_retry_waits_for_as_long_as_it_was_asked_to(as_date: bool, allowed: LazySettings) -> None:
    moments: list[float] = []

    async def busy(_: Received, writer: asyncio.StreamWriter) -> None:
        moments.append(time.time())
        until = formatdate(time.time() + 2, usegmt=True) if as_date else "1"
        writer.write(response("429 Slow down", retry_after=until) if len(moments) == 1 else OK)

    async with Wire(busy) as server:
        outcome = await send(request(server.url), terms(), repeatable=False)

    assert outcome.ok
    assert moments[1] - moments[0] >= 0.95


@pytest.mark.asyncio
@pytest.mark.parametrize("as_date", [False, True])
async def test_nobody_waits_beyond_the_deadline(as_date: bool, allowed: LazySettings) -> None:
    told = formatdate(time.time() + 3600, usegmt=True) if as_date else "3600"
    allowed.TOOL_TIMEOUT_SECONDS = 600
    async with (
        Wire(always(response("429 Slow down", b"{}", retry_after=told))) as server,
        asyncio.timeout(60),
    ):
        outcome = await send(request(server.url), terms(), repeatable=True)

        assert (outcome.kind, outcome.status, len(server.received)) == ("transient", 429, 1)
    assert re.search(r"The business system asked us to wait 3[56]\d\d seconds\.$", outcome.message)


@pytest.mark.parametrize(
    "value", ["", "soon", "-5", "1.5", "Wed, 21 Oct 2015 07:28:00 GMT", "٣", "Mon, 99 Foo"]
)
def test_a_retry_after_that_names_no_moment_ahead_is_none(value: str) -> None:
    assert _retry_after(value) == 0.0


@pytest.mark.asyncio
async def test_a_call_ends_with_its_time(allowed: LazySettings) -> None:
    allowed.TOOL_TIMEOUT_SECONDS = 1

    async def silent(_: Received, __: asyncio.StreamWriter) -> None:
        await server.closing.wait()

    async with Wire(silent) as server, asyncio.timeout(60):
        outcome = await send(request(server.url), terms(), repeatable=True)

    assert (outcome.kind, outcome.seen) == ("transient", False)


@pytest.mark.asyncio
async def test_what_the_model_is_told_of_a_fault_has_no_address_and_nothing_of_the_answer(
    allowed: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    async with Wire(always(b"HTTP/9 secret-of-the-inside\r\n\r\n")) as server:
        broken = await send(request(server.url), terms(), repeatable=False)
        host = server.host
    refused = await send(request("http://169.254.169.254/latest"), terms(), repeatable=False)
    gone = await send(request(f"http://{host}/"), terms(), repeatable=False)

    assert (broken.kind, broken.seen, gone.kind, gone.seen) == ("transient", False, "transient", True)
    assert (refused.kind, refused.seen, refused.message) == (
        "unknown",
        True,
        "The address of this tool is not allowed.",
    )
    for outcome in (broken, refused, gone):
        assert not re.search(r"\d+\.\d+\.\d+|inside", f"{outcome.message} {outcome.result}")
