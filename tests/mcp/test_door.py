"""What `/mcp` says before it reads a message: who may come in, from where, how often, and with what."""

import itertools
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from channels.testing import HttpCommunicator
from django.conf import LazySettings

from agents.models import DirectCall, Tool
from chat import api_keys
from chat.mcp.app import beside
from chat.models import ApiKey, Customer, Turn
from smartsupport.lib.threads import in_thread
from tests.agents.tool_rows import make_agent, make_tool
from tests.factories import close_threads

pytestmark = pytest.mark.django_db(transaction=True)
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
TYPES = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


async def pages(scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"a page"})


async def ask(
    body: Any = LIST, *, method: str = "POST", path: str = "/mcp", **headers: str
) -> tuple[int, dict[str, str], Any]:
    """(status, headers, body) of one request."""
    named = {"host": "localhost", **TYPES} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    wire = [(name.encode(), value.encode()) for name, value in named.items()]
    answer = await HttpCommunicator(beside(pages), method, path, body=sent, headers=wire).get_response(
        timeout=20
    )
    head = {name.decode(): value.decode() for name, value in answer["headers"]}
    text = answer["body"]
    return answer["status"], head, json.loads(text) if text[:1] == b"{" else text


@pytest.fixture(autouse=True)
def closed_threads() -> Iterator[None]:
    yield
    close_threads()


@pytest.fixture
def key() -> str:
    return api_keys.issue(name="assistant", scopes=["tools:call", "interrupts:read"])[1]


def listed(answer: Any) -> list[str]:
    return [tool["name"] for tool in answer["result"]["tools"]]


async def db(work: Callable[[], Any]) -> Any:
    return await in_thread(work)


async def test_the_tools_come_in_pages_that_hold_each_of_them_once(key: str) -> None:
    def prepare() -> None:
        first = make_tool("tool_000")
        copies = []
        for number in range(1, 250):
            copies.append(
                Tool(
                    **{
                        field.attname: getattr(first, field.attname)
                        for field in Tool._meta.concrete_fields
                        if field.attname not in ("id", "name", "operation_id")
                    },
                    name=f"tool_{number:03}",
                    operation_id=f"tool_{number:03}",
                )
            )
        Tool.objects.bulk_create(copies)
        make_tool("off", enabled=False)
        make_tool("of_a_customer", bound={"customer_id": "customer.id"})
        make_tool("get_action_status")

    await db(prepare)
    names: list[str] = []
    pages_read, params = 0, {}
    while True:
        _, _, answer = await ask(LIST | {"params": params}, x_api_key=key)
        names += listed(answer)
        pages_read += 1
        if "nextCursor" not in answer["result"]:
            break
        params = {"cursor": answer["result"]["nextCursor"]}

    assert names == ["get_action_status", *(f"tool_{number:03}" for number in range(250))]
    assert pages_read == 3
    for cursor in ("", "x", "/../", "dG9v\x00", "A" * 9_000, 7):
        _, _, refused = await ask(LIST | {"params": {"cursor": cursor}}, x_api_key=key)
        assert refused["error"]["code"] == -32602, cursor


async def test_with_a_customer_there_are_the_tools_that_bind_to_them(key: str) -> None:
    await db(lambda: make_tool("open"))
    await db(lambda: make_agent("desk", make_tool("mine", bound={"customer_id": "customer.id"})))

    without = listed((await ask(x_api_key=key))[2])
    with_one = listed((await ask(authorization=f"bearer {key}", x_customer_id="cus_1"))[2])
    of_agent = listed((await ask(path="/mcp?agent=desk", x_api_key=key, x_customer_id="cus_1"))[2])
    of_nobody = listed((await ask(path="/mcp/?agent=desk", x_api_key=key))[2])

    assert without == ["get_action_status", "open"]
    assert with_one == ["get_action_status", "mine", "open"]
    assert of_agent == ["get_action_status", "mine"]
    assert of_nobody == ["get_action_status"]
    assert not await db(Customer.objects.exists)  # listing makes nobody known


STRANGERS = [
    ({}, 401, "missing_api_key"),
    ({"x_api_key": "sk_wrong"}, 403, "invalid_api_key"),
    ({"authorization": "Bearer sk_wrong"}, 403, "invalid_api_key"),
    ({"authorization": "Basic c2s6"}, 401, "missing_api_key"),
    ({"authorization": "Bearer"}, 401, "missing_api_key"),
    ({"cookie": "sessionid=x"}, 401, "missing_api_key"),
]


async def test_without_a_good_key_nobody_comes_in() -> None:
    await db(lambda: make_tool("open"))
    for headers, status, code in STRANGERS:
        answered, head, body = await ask(**headers)

        assert (answered, body["error"]["data"]["code"]) == (status, code), headers
        assert "Bearer" in head["www-authenticate"]
        assert "open" not in str(body)


async def test_a_key_needs_the_scope_and_may_be_used_so_often(key: str) -> None:
    other = await db(lambda: api_keys.issue(name="reader", scopes=["read", "approve", "chat", "manage"])[1])
    whole = await db(lambda: api_keys.issue(name="admin", scopes=["admin"])[1])
    await db(lambda: ApiKey.objects.filter(name="assistant").update(per_minute=2))

    refused = await ask(x_api_key=other)
    assert (refused[0], refused[2]["error"]["data"]["code"]) == (403, "scope_missing")
    assert (await ask(x_api_key=whole))[0] == 200
    first, second, third = [await ask(x_api_key=key) for _ in range(3)]
    assert (first[0], second[0], third[0]) == (200, 200, 429)
    assert "r=1" in first[1]["ratelimit"]
    assert third[2]["error"]["data"]["code"] == "rate_limited"
    assert int(third[1]["retry-after"]) > 0
    await db(lambda: ApiKey.objects.filter(name="admin").update(enabled=False))
    assert (await ask(x_api_key=whole))[0] == 403


OUT_OF_ORDER = [
    ({"host": "evil.example"}, 421, "invalid_host"),
    ({"origin": "http://evil.example"}, 403, "invalid_origin"),
    ({"origin": "https://localhost"}, 403, "invalid_origin"),
    ({"origin": "null"}, 403, "invalid_origin"),
    ({"x_customer_id": ""}, 400, "invalid_customer"),
    ({"x_customer_id": "x" * 256}, 400, "invalid_customer"),
    ({"x_customer_id": "a\u202eb"}, 400, "invalid_customer"),
    ({"x_conversation_id": "a b"}, 400, "invalid_header"),
    ({"x_conversation_id": "x" * 65}, 400, "invalid_header"),
    ({"idempotency_key": "x" * 201}, 400, "invalid_idempotency_key"),
    ({"path": "/mcp?access=all"}, 400, "invalid_filter"),
    ({"path": "/mcp?agent=a%20b"}, 400, "invalid_filter"),
    ({"path": "/mcp?" + "&".join(f"a{number}=1" for number in range(1_500))}, 400, "bad_request"),
    ({"content_type": "application/json; charset=\x00"}, 400, "bad_request"),
    ({"method": "GET"}, 405, "method_not_allowed"),
    ({"method": "DELETE"}, 405, "method_not_allowed"),
]


async def test_a_request_that_is_not_in_order_is_not_read(key: str) -> None:
    for headers, status, code in OUT_OF_ORDER:
        answered, _, body = await ask(x_api_key=key, **headers)

        assert (answered, body["error"]["data"]["code"]) == (status, code), headers


async def test_a_page_of_our_own_and_one_that_is_trusted_may_ask(key: str, settings: LazySettings) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://desk.example"]

    assert (await ask(x_api_key=key, origin="http://localhost"))[0] == 200
    assert (await ask(x_api_key=key, origin="https://desk.example"))[0] == 200
    settings.SECURE_SSL_REDIRECT = True
    assert (await ask(x_api_key=key))[2]["error"]["data"]["code"] == "https_required"


NO_CALLS = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"jsonrpc": "2.0", "id": 1}',
    b'{"jsonrpc": "1.0", "id": 1, "method": "tools/list"}',
    json.dumps([LIST, LIST]).encode(),
    json.dumps(LIST | {"method": "no/such"}).encode(),
    json.dumps(LIST | {"method": "tools/call", "params": {}}).encode(),
    json.dumps(LIST | {"method": "tools/call", "params": {"name": 1}}).encode(),
    json.dumps(LIST | {"method": "tools/call", "params": {"name": "open", "arguments": [1]}}).encode(),
    json.dumps(LIST | {"method": "resources/read", "params": {"uri": "file:///etc/passwd"}}).encode(),
    json.dumps(LIST | {"params": {"x": "y" * (1024 * 1024)}}).encode(),
]
VERSIONS = ["", "2025-06-18", "2026-07-28", "9999-01-01"]


async def test_what_is_no_call_is_told_so_and_does_nothing(key: str) -> None:
    await db(lambda: make_tool("open"))
    for body, version in itertools.product(NO_CALLS, VERSIONS):
        more = {"mcp_protocol_version": version} if version else {}
        status, _, answer = await ask(body, x_api_key=key, **more)

        assert 200 <= status < 500, (body[:80], version)
        assert status >= 400 or "error" in answer, (body[:80], version)
        assert "Traceback" not in str(answer)
    assert not await db(Turn.objects.exists)
    assert not await db(DirectCall.objects.exists)


async def test_everything_else_is_a_page() -> None:
    for path in ("/", "/mcpx", "/mcp/x", "/api/v1/health", "//mcp"):
        assert (await ask(path=path))[0] == 299
