"""What the server fills in: the model does not see it, cannot fill it in, and the log tells that it tried."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import policy, tool_request
from agents.models import Tool
from agents.policy import judge
from openapi_import.binding import without_bound
from tests.agents.graph_script import answers, call, one, routed
from tests.agents.test_policy import agent, tool
from tests.live.chatter import Chatter
from tests.live.stack import Stack
from tests.openapi_import.documents import json_body, parameter, recipe_of
from tests.scripted_model.fixture import RunningModel

ORDER = {"order_id": 1042}
FOREIGN = "cus_1002"

# For every schema

NAME = st.from_regex(r"[a-z][a-z_]{0,11}", fullmatch=True)
LEAF = st.sampled_from([{"type": "string"}, {"type": "integer"}, {"type": "boolean"}, {"enum": ["a", "b"]}])
SCHEMA = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(
            lambda parts: {"type": "object", "properties": parts}, st.dictionaries(NAME, inner, max_size=3)
        ),
    ),
    max_leaves=6,
)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just(FOREIGN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def operations(draw: st.DrawFn) -> tuple[dict[str, Any], list[str]]:
    """An operation with parameters everywhere and a body, and the names of the arguments that are bound."""
    names = draw(st.lists(NAME, min_size=2, max_size=7, unique=True))
    places = [draw(st.sampled_from(["path", "query", "header", "body"])) for _ in names]
    named = dict(zip(names, places, strict=True))
    operation: dict[str, Any] = {
        "operationId": "do",
        "parameters": [
            parameter(name, place, None if place == "path" else draw(SCHEMA), required=place == "path")
            for name, place in named.items()
            if place != "body"
        ],
    }
    properties = {name: draw(SCHEMA) for name, place in named.items() if place == "body"}
    if properties:
        required = draw(st.lists(st.sampled_from(sorted(properties)), unique=True))
        operation["requestBody"] = json_body(
            {"type": "object", "properties": properties, "required": required}
        )
    path = "/do" + "".join(f"/{{{name}}}" for name, place in named.items() if place == "path")
    bound = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    return {"raw": operation, "path": path}, bound


@given(operations())
def test_no_schema_shows_the_model_what_is_bound(made: tuple[dict[str, Any], list[str]]) -> None:
    operation, names = made
    recipe = recipe_of(**operation)
    bound = {name: "customer.id" for name in names if name in recipe.input_schema["properties"]}

    shown = without_bound(recipe.input_schema, bound)

    assert set(shown["properties"]) == set(recipe.input_schema["properties"]) - set(bound)
    assert set(bound).isdisjoint(shown.get("required", []))
    assert set(shown.get("required", [])) == set(recipe.input_schema.get("required", [])) - set(bound)


@given(st.dictionaries(st.sampled_from(["order_id", "customer_id", "account", "note", "percent"]), ANY))
def test_whatever_a_model_sends_the_customer_is_the_verified_one(raw: dict[str, Any]) -> None:
    bound = {"customer_id": "customer.id", "account": "customer.id"}

    verdict = judge(agent(), tool(bound=bound), raw, {"customer.id": "cus_1001"}, name="apply_discount")

    assert set(bound).isdisjoint(verdict.arguments)
    assert set(verdict.overridden) == set(bound) & set(raw)
    if not verdict.fault:
        assert verdict.bound == {"customer_id": "cus_1001", "account": "cus_1001"}


@given(ANY, ANY)
def test_whatever_a_model_sends_the_request_names_the_verified_customer(foreign: Any, note: Any) -> None:
    row = Tool(
        name="apply_discount",
        method="POST",
        server_url="http://127.0.0.1:8001/shop",
        path="/customers/{customer_id}/notes",
        parameters=[{"argument": "customer_id", "name": "customer_id", "in": "path", "required": True}],
        request_body={
            "content_type": "application/json",
            "required": False,
            "fields": {"note": "note", "account": "customer"},
        },
    )
    schema = {"type": "object", "properties": {"note": {}}}
    spec = tool(schema=schema, bound={"customer_id": "customer.id", "account": "customer.id"})
    raw = {"customer_id": foreign, "account": foreign, "note": note}

    verdict = policy.judge(agent(), spec, raw, {"customer.id": "cus_1001"}, name="apply_discount")
    request = tool_request.build(row, verdict.arguments, verdict.bound)

    assert verdict.fault == ""
    assert request.url == "http://127.0.0.1:8001/shop/customers/cus_1001/notes"
    assert json.loads(request.body or b"{}")["customer"] == "cus_1001"


# What is bound, and beside it everything that a model may fill in, in every style that writes names of its own.
NAMES = st.sampled_from(
    ["customer_id", "Customer_ID", "customer_id[]", "customer_id[0]", "customer.id", "x", "a[b]"]
)
NESTED = st.dictionaries(
    NAMES | st.text(max_size=3), st.just(FOREIGN) | st.lists(st.just(FOREIGN)), max_size=3
)


def _read_laxly(name: str) -> str:
    """A name as PHP, Rails or a server without case reads it."""
    return re.sub(r"[.\s]", "_", name.strip().casefold()).partition("[")[0]


@given(NESTED, NESTED, NESTED)
def test_whatever_a_model_sends_no_field_stands_beside_the_one_that_is_bound(
    form: Any, deep: Any, fields: Any
) -> None:
    places = [
        ("customer_id", {}),
        ("form", {"style": "form", "explode": True}),
        ("deep", {"style": "deepObject"}),
    ]
    row = Tool(
        name="find_orders",
        method="POST",
        server_url="http://127.0.0.1:8001/shop",
        path="/orders",
        parameters=[{"argument": name, "name": name, "in": "query", **how} for name, how in places],
        request_body={
            "content_type": "application/x-www-form-urlencoded",
            "required": True,
            "fields": {"account": "customer_id", "fields": "fields"},
            "encoding": {"fields": {"style": "form", "explode": True}},
        },
    )
    bound = {"customer_id": "cus_1001", "account": "cus_1001"}
    raw = {"form": form, "deep": deep, "fields": fields, "customer_id": FOREIGN, "account": FOREIGN}

    try:
        request = tool_request.build(row, raw, bound)
    except tool_request.RecipeError:
        return

    for pairs in (parse_qsl(urlsplit(request.address).query), parse_qsl((request.body or b"").decode())):
        assert [value for name, value in pairs if _read_laxly(name) == "customer_id"] == ["cus_1001"]


# In the log

on_the_wire = pytest.mark.xdist_group("live-scripted")


def called(stack: Stack, thread_id: str) -> dict[str, Any]:
    """The one `tool_called` of the conversation."""
    [payload] = [event["payload"] for event in stack.events(thread_id) if event["kind"] == "tool_called"]
    return payload


@on_the_wire
async def test_the_log_notes_it_of_a_read(stack: Stack, model: RunningModel) -> None:
    raw = {**ORDER, "customer_id": FOREIGN}
    model.script(
        routed("order_lookup"), answers(call("get_order_status", raw)), answers(text="It is packed.")
    )

    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say("What is the status of order 1042?")

    told = called(stack, customer.thread_id)
    assert (told["args"], told["overridden"]) == (ORDER, ["customer_id"])
    assert one(frames, "tool_result")["ok"]
    assert "overridden" not in one(frames, "tool_call")  # for staff
    assert FOREIGN not in str(frames)


@on_the_wire
async def test_the_log_notes_it_of_an_action(stack: Stack, model: RunningModel) -> None:
    raw = {**ORDER, "customer_id": FOREIGN}
    model.script(routed("order_actions"), answers(call("cancel_order", raw)), answers(text="Done."))

    async with Chatter(stack.socket_url) as customer:
        waiting = await customer.say("Cancel order 1042")
        await customer.answer(True)

    assert waiting[-1]["params"] == ORDER
    told = called(stack, customer.thread_id)
    assert (told["args"], told["overridden"]) == (ORDER, ["customer_id"])
    [effect] = stack.journal()
    assert effect["path"] == "/shop/customers/cus_1001/orders/1042/cancellation"
    assert FOREIGN not in str(effect)
    assert FOREIGN not in str(customer.seen)


@on_the_wire
async def test_the_log_notes_it_of_a_refused_call(stack: Stack, model: RunningModel) -> None:
    raw = {"order_id": "the red one", "customer_id": FOREIGN}
    model.script(routed("order_lookup"), answers(call("get_order_status", raw)), answers(text="Which one?"))

    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say("What is the status of my order?")

    told = called(stack, customer.thread_id)
    assert (told["args"], told["overridden"]) == ({"order_id": "the red one"}, ["customer_id"])
    assert FOREIGN not in str(frames)


@on_the_wire
async def test_where_the_model_kept_to_its_schema_nothing_is_noted(stack: Stack, model: RunningModel) -> None:
    model.script(
        routed("order_lookup"), answers(call("get_order_status", ORDER)), answers(text="It is packed.")
    )

    async with Chatter(stack.socket_url) as customer:
        await customer.say("What is the status of order 1042?")

    assert "overridden" not in called(stack, customer.thread_id)


FORM = "application/x-www-form-urlencoded"
SPREAD = {"argument": "filter", "name": "filter", "in": "query", "style": "form", "explode": True}
IN_QUERY = {"argument": "customer_id", "name": "customer_id", "in": "query"}
IN_PATH = {"argument": "customer_id", "name": "customer_id", "in": "path", "required": True}
OWN_FIELD = {"fields": {"customer_id": "customer_id"}, "required": True}
SPREAD_FIELD = {"fields": {"filter": "filter"}, "encoding": {"filter": {"style": "form", "explode": True}}}
WHOLE = {"argument": "filter", "required": True}


@pytest.mark.parametrize("name", ["customer_id", "Customer_ID", "customer_id[]", "customer.id"])
@pytest.mark.parametrize(
    ("parameters", "body"),
    [
        ([IN_PATH, SPREAD], None),
        ([SPREAD], {"content_type": FORM, **OWN_FIELD}),
        ([SPREAD], {"content_type": "application/json", **OWN_FIELD}),
        ([IN_QUERY], {"content_type": FORM, **SPREAD_FIELD}),
        ([IN_QUERY], {"content_type": FORM, **WHOLE}),
        ([IN_QUERY], {"content_type": "application/json", **WHOLE}),
        ([IN_QUERY, {**SPREAD, "in": "querystring", "content_type": FORM}], None),
    ],
)
def test_an_object_that_is_spread_or_sent_whole_names_nobody_else_in_any_place(
    parameters: list[dict[str, Any]], body: dict[str, Any] | None, name: str
) -> None:
    """Rails reads path, query and body as one, PHP body before query, servlets query before body."""
    recipe = Tool(
        method="POST",
        path="/c/{customer_id}" if IN_PATH in parameters else "/c",
        server_url="https://shop.example",
        parameters=parameters,
        request_body=body,
        bound={"customer_id": "customer.id"},
    )

    with pytest.raises(tool_request.RecipeError, match="cannot contain"):
        tool_request.build(recipe, {"filter": {"sku": "a", name: FOREIGN}}, {"customer_id": "cus_1001"})
    made = tool_request.build(recipe, {"filter": {"sku": "a"}}, {"customer_id": "cus_1001"})
    assert FOREIGN not in f"{made.address} {made.body!r}"
    assert "sku" in f"{made.address} {made.body!r}"


def test_an_object_that_is_spread_does_not_make_another_method_of_a_post() -> None:
    recipe = Tool(method="POST", path="/c", server_url="https://shop.example", parameters=[SPREAD])

    with pytest.raises(tool_request.RecipeError, match="cannot contain _method"):
        tool_request.build(recipe, {"filter": {"_method": "DELETE"}}, {})
