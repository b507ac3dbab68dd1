"""May this call be made, and with which arguments? Decided from the tool as it is declared."""

import uuid
from typing import Any

import pytest

from agents.policy import INVALID_JSON, Verdict, judge
from agents.registry import AgentSpec, ToolSpec
from smartsupport.lib.ids import canonical_json

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order_id": {"type": "integer"},
        "percent": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "x-error-message": "Invalid discount: {value}%.",
        },
        "days": {"type": "integer", "default": 30, "minimum": 1},
        "note": {"type": "string", "maxLength": 5},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
    },
    "required": ["order_id"],
}


def tool(
    *, access: str = "write", schema: dict[str, Any] = SCHEMA, bound: dict[str, str] | None = None
) -> ToolSpec:
    return ToolSpec(
        id=uuid.uuid4(),
        name="apply_discount",
        title="Give a discount",
        description="",
        access=access,
        approval="staff" if access == "write" else "none",
        risk="money",
        confirmation="",
        bound={"customer_id": "customer.id"} if bound is None else bound,
        schema_text=canonical_json(schema),
    )


def agent(permission: str = "write") -> AgentSpec:
    return AgentSpec("discount", "", permission, "", "", "", (), "", ())


def verdict(
    raw: Any, *, given: ToolSpec | None = None, permission: str = "write", **bindings: str
) -> Verdict:
    known = {"customer.id": "cus_1001"} if not bindings else {"customer.id": bindings["customer"]}
    return judge(agent(permission), given or tool(), raw, known, name="apply_discount")


def test_a_call_as_declared_is_allowed_with_what_is_bound() -> None:
    allowed = verdict({"order_id": 1042, "percent": 10})

    assert allowed == Verdict(
        "", {"order_id": 1042, "percent": 10, "days": 30}, {"customer_id": "cus_1001"}, ()
    )


def test_what_is_bound_is_never_the_models_to_fill() -> None:
    allowed = verdict({"order_id": 1042, "customer_id": "cus_1002"})

    assert "customer_id" not in allowed.arguments
    assert allowed.bound == {"customer_id": "cus_1001"}
    assert allowed.overridden == ("customer_id",)


def test_a_customer_whom_nobody_knows_cannot_use_a_bound_tool() -> None:
    refused = judge(agent(), tool(), {"order_id": 1042}, {}, name="apply_discount")

    assert (
        refused.fault == "This needs to know who the customer is in our systems, and they are not signed in."
    )
    assert (refused.arguments, refused.bound) == ({}, {})


def test_an_unknown_tool_is_refused_by_its_name() -> None:
    refused = judge(agent(), None, {}, {}, name="wire_money")

    assert (
        refused.fault == "There is no tool named wire_money for you. Use only the tools that you were given."
    )


def test_a_reading_agent_may_not_write_whatever_it_was_given() -> None:
    assert (
        verdict({"order_id": 1}, permission="read").fault
        == "discount may only read; apply_discount changes something."
    )
    assert verdict({"order_id": 1}, permission="read", given=tool(access="read")).fault == ""


@pytest.mark.parametrize("raw", [None, [], "1042", 1042, {INVALID_JSON: '{"order_id": 10'}])
def test_arguments_that_are_no_object_are_refused(raw: Any) -> None:
    assert verdict(raw).fault == "The arguments were not a JSON object. Call the tool again with valid JSON."


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        ({"order_id": 1, "percent": 150}, "Invalid discount: 150%."),
        ({"order_id": 1, "percent": 0}, "Invalid discount: 0%."),
        ({"order_id": 1, "percent": -5}, "Invalid discount: -5%."),
        ({"order_id": 1, "percent": 12.5}, "Invalid discount: 12.5%."),
        ({"order_id": 1, "percent": "10"}, "Invalid discount: 10%."),
        ({"order_id": 1, "percent": True}, "Invalid discount: true%."),
        ({"order_id": "1042"}, "Invalid argument order_id: '1042' is not of type 'integer'."),
        ({"order_id": True}, "Invalid argument order_id: True is not of type 'integer'."),
        ({}, "Invalid arguments: 'order_id' is a required property."),
        ({"order_id": None}, "Invalid arguments: 'order_id' is a required property."),
        ({"order_id": 1, "note": "longer"}, "Invalid argument note: 'longer' is too long."),
        ({"order_id": 1, "lines": [{"sku": 5}]}, "Invalid argument lines.0.sku: 5 is not of type 'string'."),
        ({"order_id": 1, "sudo": 1, "admin": 1}, "Unknown argument: admin, sudo."),
    ],
)
def test_what_is_out_of_range_is_refused_in_words(raw: dict[str, Any], fault: str) -> None:
    refused = verdict(raw)

    assert refused.fault == fault
    assert (refused.arguments, refused.bound) == ({}, {})


@pytest.mark.parametrize("percent", [1, 100, 10.0])
def test_the_limits_themselves_are_allowed_and_whole_numbers_are_integers(percent: float) -> None:
    allowed = verdict({"order_id": 1, "percent": percent})

    assert allowed.fault == ""
    assert type(allowed.arguments["percent"]) is int


def test_further_arguments_are_allowed_where_the_tool_says_so() -> None:
    open_tool = tool(schema={**SCHEMA, "additionalProperties": True})

    assert verdict({"order_id": 1, "extra": "x"}, given=open_tool).arguments["extra"] == "x"


def test_two_tools_with_one_name_are_judged_by_their_own_schema() -> None:
    strict = tool(schema={**SCHEMA, "required": ["order_id", "percent"]})

    assert verdict({"order_id": 1}).fault == ""
    assert verdict({"order_id": 1}, given=strict).fault != ""


def test_a_pattern_that_could_take_for_ever_is_not_run_and_one_that_ends_soon_is() -> None:
    quick, slow = {"type": "string", "pattern": "^a[0-9]+$"}, {"type": "string", "pattern": "^(a+)+$"}
    schema = {"type": "object", "properties": {"quick": quick, "slow": slow, "pattern": {"type": "string"}}}
    given = tool(schema=schema, bound={})

    assert not verdict({"slow": "a" * 60 + "!", "quick": "a1", "pattern": "x"}, given=given).fault
    assert "does not match" in verdict({"quick": "b1"}, given=given).fault
    assert "not of type" in verdict({"pattern": 1}, given=given).fault
