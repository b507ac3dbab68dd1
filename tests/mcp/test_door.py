"""What `/mcp` says before it reads a message: who may come in, from where, how often, and with what."""

import itertools
import json
import secrets
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from channels.testing import HttpCommunicator
from django.conf import LazySettings
from django.db import connection
from django.db.models import Max

from agents.models import Agent, DirectCall, Tool
from chat import api_keys
from chat.mcp.app import beside
from chat.mcp.caller import identify
from chat.models import ApiKey, Customer, Turn
from smartsupport.lib.threads import in_thread
from smartsupport.models import AuditEntry
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
        timeout=60
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
    await db(lambda: Agent.objects.update(enabled=False))
    switched_off = listed((await ask(path="/mcp?agent=desk", x_api_key=key, x_customer_id="cus_1"))[2])

    assert without == ["get_action_status", "open"]
    assert with_one == ["get_action_status", "mine", "open"]
    assert of_agent == ["get_action_status", "mine"]
    assert of_nobody == switched_off == ["get_action_status"]
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
    ({"path": "/mcp?agents=desk"}, 400, "invalid_filter"),
    ({"path": "/mcp?q=order&acess=read"}, 400, "invalid_filter"),
    ({"path": "/mcp?agent=nobody"}, 404, "agent_not_found"),
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


async def test_a_key_that_is_held_to_a_customer_acts_for_that_one_alone() -> None:
    def prepare() -> tuple[str, str, Customer]:
        make_tool("open")
        make_tool("mine", bound={"customer_id": "customer.id"})
        Customer.objects.create(subject="cus_2", business_id="cus_2")
        terms: dict[str, Any] = {"scopes": ["tools:call", "interrupts:read"]}
        ada = Customer.objects.create(subject="cus_1", business_id="shop-1")
        visitor = Customer.objects.create()
        own = api_keys.issue(name="Ada's", customer="cus_1", **terms)[1]
        return own, api_keys.issue(name="A visitor's", customer=str(visitor.pk), **terms)[1], ada

    own, visitors, ada = await db(prepare)
    before = await db(Customer.objects.count)

    for named in ({}, {"x_customer_id": "cus_1"}, {"x_customer_id": str(ada.pk)}):
        assert listed((await ask(x_api_key=own, **named))[2]) == ["get_action_status", "mine", "open"]
    for somebody in ("cus_2", "shop-1", "cus_nobody"):
        call = LIST | {"method": "tools/call", "params": {"name": "open", "arguments": {}}}
        status, _, body = await ask(call, x_api_key=own, x_customer_id=somebody)
        assert (status, body["error"]["data"]["code"]) == (404, "customer_not_found"), somebody
    assert listed((await ask(x_api_key=visitors))[2]) == ["get_action_status", "open"]
    assert (await ask(x_api_key=visitors, x_customer_id="cus_1"))[0] == 404
    # What it acts for is the row that it is held to, and no other that happens to be called so.
    scope = {"type": "http", "method": "POST", "path": "/mcp", "query_string": b"", "scheme": "http"}
    headers = [(b"host", b"localhost"), (b"x-api-key", own.encode())]
    caller = await db(lambda: identify({**scope, "headers": headers}))
    assert (caller.subject, await db(caller.customer), await db(caller.known_customer)) == (
        "shop-1",
        ada.pk,
        ada.pk,
    )
    assert await db(Customer.objects.count) == before
    assert not await db(Turn.objects.exists)


def turned_away(since: int) -> list[tuple[str, str, str, int, str]]:
    rows = AuditEntry.objects.filter(object_type="mcp", pk__gt=since).order_by("pk")
    return [
        (row.actor_name, row.outcome, row.address, row.status, row.detail["messages"][0].split(".")[0])
        for row in rows
    ]


def newest_entry() -> int:
    return AuditEntry.objects.aggregate(newest=Max("pk", default=0))["newest"]


async def test_who_is_turned_away_is_in_the_audit_once_a_minute(key: str, settings: LazySettings) -> None:
    settings.WRONG_KEYS_PER_MINUTE = 2
    settings.TRUST_PROXY_HEADERS = True
    here = f"203.0.113.{secrets.randbelow(250)}"
    since = await db(newest_entry)
    await db(lambda: ApiKey.objects.filter(name="assistant").update(per_minute=1))
    reader = await db(lambda: api_keys.issue(name="reader", scopes=["read"])[1])
    ones = await db(lambda: api_keys.issue(name="one's", scopes=["tools:call"], customer="cus_1")[1])

    for _ in range(3):
        await ask(x_api_key=reader, x_forwarded_for=here)
        await ask(x_api_key=ones, x_customer_id="cus_2", x_forwarded_for=here)
        await ask(x_api_key=key, x_forwarded_for=here)
        await ask(authorization="Bearer sk_guessed", x_forwarded_for=here)
        await ask(x_forwarded_for=here)  # nobody: there is nothing to tell

    told = await db(lambda: turned_away(since))
    assert told == [
        ("reader", "refused", here, 403, "This API key lacks the scope tools:call"),
        ("one's", "refused", here, 404, "Customer not found: this key is held to another one"),
        ("A key that is not valid", "refused", here, 403, "Invalid API key"),
        ("assistant", "refused", here, 429, "Too many requests with this API key"),
        ("A key that is not valid", "refused", here, 403, "Invalid API key"),
    ]  # more than two guesses of one address are not even looked up
    assert "sk_guessed" not in str(await db(lambda: list(AuditEntry.objects.filter(pk__gt=since).values())))


async def test_an_audit_that_is_away_hides_no_refusal() -> None:
    def rename(old: str, new: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")

    await db(lambda: rename("smartsupport_auditentry", "gone_for_a_moment"))
    try:
        answered = await ask(x_api_key="sk_wrong")
    finally:
        await db(lambda: rename("gone_for_a_moment", "smartsupport_auditentry"))

    assert (answered[0], answered[2]["error"]["data"]["code"]) == (403, "invalid_api_key")


async def test_over_https_browsers_are_told_to_stay_with_it(key: str, settings: LazySettings) -> None:
    settings.SECURE_HSTS_SECONDS = 3600
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    answers = [
        {"x_api_key": key},
        {"x_api_key": "sk_wrong"},
        {"method": "GET"},
        {"content_type": "application/json; charset=\x00"},
    ]

    for headers in answers:
        over, plain = await ask(x_forwarded_proto="https", **headers), await ask(**headers)
        assert over[1]["strict-transport-security"] == "max-age=3600", headers
        assert "strict-transport-security" not in plain[1], headers
        assert plain[1]["x-content-type-options"] == "nosniff"
        assert plain[1]["cache-control"] == "no-store"


async def test_everything_else_is_a_page() -> None:
    for path in ("/", "/mcpx", "/mcp/x", "/api/v1/health", "//mcp"):
        assert (await ask(path=path))[0] == 299
