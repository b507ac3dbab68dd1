"""Operations become tools: as decided, safe where nobody decided, all or none, and staff's edits are kept."""

import threading
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from agents.models import Tool
from openapi_import.errors import SpecInvalid
from openapi_import.models import SpecSource
from openapi_import.publish import Decision, disable_missing, publish, record_source, tool_name
from openapi_import.reading.operations import Operation, parse
from smartsupport.lib.ids import digest
from tests.openapi_import.documents import document, json_body, parameter

pytestmark = pytest.mark.django_db

OF_ORDER = "/customers/{customer_id}/orders/{order_id}"
OF_CUSTOMER = [
    parameter("customer_id", "path"),
    parameter("order_id", "path", {"$ref": "#/components/schemas/Id"}),
]
PATHS = {
    OF_ORDER: {
        "parameters": OF_CUSTOMER,
        "get": {"operationId": "look", "summary": "Look", "description": "Looks an order up."},
        "delete": {"operationId": "cancel", "summary": "Cancel"},
        "post": {
            "operationId": "refund",
            "requestBody": json_body({"type": "object", "properties": {"amount": {"type": "number"}}}),
        },
    }
}
APPROVER = "A tool that writes needs an approver; a tool that reads needs none."
CUSTOMER = {"customer_id": "customer.id"}


def operations(paths: dict[str, Any] = PATHS, **more: Any) -> tuple[Operation, ...]:
    schemas = {"Id": {"type": "integer", "minimum": 1}}
    return parse(document(paths, components={"schemas": schemas}, **more)).operations


@pytest.fixture
def source() -> SpecSource:
    return SpecSource.objects.create(
        name="shop",
        url="https://shop.example/openapi.json",
        document_hash="0" * 64,
        fetched_at=timezone.now(),
    )


def test_without_a_decision_reading_reads_and_everything_else_waits_for_staff(source: SpecSource) -> None:
    look, cancel, refund = sorted(publish(source, operations(), {}), key=lambda tool: tool.name != "look")

    assert (look.access, look.approval, look.risk) == ("read", "none", "safe")
    for tool in (cancel, refund):
        assert (tool.access, tool.approval, tool.risk) == ("write", "staff", "destructive")
        assert tool.repeat_safe is False
    assert (look.title, look.description) == ("Look", "Looks an order up.")
    assert (look.method, look.path, look.server_url) == ("GET", OF_ORDER, "https://shop.example")
    assert Tool.objects.filter(source=source, bound={}).count() == 3


def test_a_decision_is_carried_out(source: SpecSource) -> None:
    decision = Decision(
        name="cancel_order",
        title="Cancel an order",
        approval="customer",
        risk="money",
        bound=CUSTOMER,
        confirmation="Cancel order {order_id}",
        repeat_safe=True,
    )
    above = Decision(approval="customer", staff_above_argument="amount", staff_above_amount=Decimal(50))

    publish(source, operations(), {"cancel": decision, "refund": above})

    tool = Tool.objects.get(name="cancel_order")
    assert (tool.operation_id, tool.title, tool.access, tool.approval, tool.risk) == (
        "cancel", "Cancel an order", "write", "customer", "money",
    )  # fmt: skip
    assert (tool.confirmation, tool.repeat_safe, tool.bound) == ("Cancel order {order_id}", True, CUSTOMER)
    refund = Tool.objects.get(name="refund")
    assert (refund.staff_above_argument, refund.staff_above_amount) == ("amount", Decimal(50))


def test_what_comes_before_a_tool_and_what_shows_how_things_stand(source: SpecSource) -> None:
    decision = Decision(approvals_needed=2, requires=("look",), read_back="look")

    publish(source, operations(), {"refund": decision})

    refund = Tool.objects.get(name="refund")
    assert (refund.approvals_needed, refund.requires) == (2, ["look"])
    assert refund.read_back == Tool.objects.get(name="look")
    publish(source, operations(), {})  # what was decided is kept
    assert Tool.objects.get(name="refund").read_back == refund.read_back
    publish(source, operations(), {"refund": Decision()})
    assert Tool.objects.get(name="refund").read_back is None


@pytest.mark.parametrize("name", ["cancel", "nothing"])
def test_only_a_reading_operation_shows_how_things_stand(source: SpecSource, name: str) -> None:
    with pytest.raises(SpecInvalid, match=f"refund: there is no reading operation '{name}'"):
        publish(source, operations(), {"refund": Decision(read_back=name)})

    assert Tool.objects.count() == 0


def test_a_bound_argument_is_not_in_the_schema_that_the_model_sees(source: SpecSource) -> None:
    publish(source, operations(), {"look": Decision(bound=CUSTOMER | {"order_id": "customer.id"})})

    look, cancel = Tool.objects.get(name="look"), Tool.objects.get(name="cancel")
    assert look.input_schema == {"type": "object", "properties": {}, "additionalProperties": False}
    assert cancel.input_schema["$defs"] == {"Id": {"type": "integer", "minimum": 1}}
    assert {p["argument"] for p in look.parameters} == {"customer_id", "order_id"}


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (Decision(bound={"nothing": "customer.id"}),
         f"DELETE {OF_ORDER}: There is no argument 'nothing' to bind."),
        (Decision(bound={"customer_id": "staff.id"}),
         f"DELETE {OF_ORDER}: Unknown binding 'staff.id'. Known: customer.id."),
        (Decision(access="read", approval="staff"), f"DELETE {OF_ORDER}: {APPROVER}"),
        (Decision(access="write", approval="none"), f"DELETE {OF_ORDER}: {APPROVER}"),
        (Decision(staff_above_argument="amount"),
         f"DELETE {OF_ORDER}: Give both the argument and the amount above which staff decide, or neither."),
        (Decision(name="two words"), f"DELETE {OF_ORDER}: Use 1 to 64 letters, digits, _ or -."),
        (Decision(name="look"), f"DELETE {OF_ORDER}: There is already a tool named 'look'."),
    ],
)  # fmt: skip
def test_a_decision_that_cannot_be_carried_out_publishes_nothing(
    source: SpecSource, decision: Decision, message: str
) -> None:
    with pytest.raises(SpecInvalid) as refusal:
        publish(source, operations(), {"cancel": decision})

    assert refusal.value.message == message
    assert not Tool.objects.exists()


def test_publishing_again_changes_no_row(source: SpecSource) -> None:
    decisions = {"cancel": Decision(approval="customer", bound=CUSTOMER)}
    publish(source, operations(), decisions)
    before = list(Tool.objects.values())

    publish(source, operations(), decisions)
    publish(source, operations(), {})

    assert list(Tool.objects.values()) == before


def test_a_new_document_keeps_what_staff_decided(source: SpecSource) -> None:
    publish(source, operations(), {"cancel": Decision(approval="customer", bound=CUSTOMER)})
    tool = Tool.objects.get(operation_id="cancel")
    Tool.objects.filter(pk=tool.pk).update(
        name="stop_order", title="Stop it", approval="staff", enabled=False, description="Ours."
    )
    changed = {
        OF_ORDER: PATHS[OF_ORDER] | {"delete": {"operationId": "cancel", "parameters": [parameter("why")]}}
    }

    publish(source, operations(changed), {})

    tool.refresh_from_db()
    assert (tool.name, tool.title, tool.approval, tool.enabled, tool.description) == (
        "stop_order", "Stop it", "staff", False, "Ours.",
    )  # fmt: skip
    assert set(tool.input_schema["properties"]) == {"order_id", "why"}
    assert tool.bound == CUSTOMER


def test_another_operation_under_the_old_id_is_decided_anew(source: SpecSource) -> None:
    publish(source, operations(), {"look": Decision(bound=CUSTOMER), "cancel": Decision(approval="customer")})
    before = Tool.objects.get(operation_id="look").fingerprint()
    moved = {
        OF_ORDER: {
            "parameters": OF_CUSTOMER,
            "delete": {"operationId": "look"},
            "patch": {"operationId": "cancel"},
        }
    }

    publish(source, operations(moved), {})

    look, cancel = Tool.objects.get(operation_id="look"), Tool.objects.get(operation_id="cancel")
    assert (look.method, look.access, look.approval, look.bound) == ("DELETE", "write", "staff", CUSTOMER)
    assert (cancel.method, cancel.approval) == ("PATCH", "staff")
    assert look.fingerprint() != before


def test_a_tool_that_no_longer_knows_its_customer_is_switched_off(source: SpecSource) -> None:
    publish(source, operations(), {"look": Decision(bound=CUSTOMER)})
    without = {OF_ORDER: {"get": {"operationId": "look", "parameters": []}}}
    without["/orders/{order_id}"] = without.pop(OF_ORDER)

    publish(source, operations(without), {})

    tool = Tool.objects.get(operation_id="look")
    assert tool.enabled is False
    assert tool.bound == CUSTOMER


def test_tools_whose_operation_has_gone_are_switched_off(source: SpecSource) -> None:
    publish(source, operations(), {})
    left = operations({OF_ORDER: {"parameters": OF_CUSTOMER, "get": {"operationId": "look"}}})

    assert sorted(disable_missing(source, left)) == ["cancel", "refund"]

    assert list(Tool.objects.filter(enabled=True).values_list("name", flat=True)) == ["look"]
    assert disable_missing(source, left) == []


def test_the_same_operation_of_two_sources_makes_two_tools(source: SpecSource) -> None:
    other = SpecSource.objects.create(
        name="other",
        url="https://other.example/",
        document_hash="1" * 64,
        fetched_at=timezone.now(),
    )

    (first, *_) = publish(source, operations(), {})
    (second, *_) = publish(other, operations(), {})

    assert first.name != second.name
    assert second.server_url == "https://other.example"


@pytest.mark.parametrize(
    ("operation_id", "name"),
    [
        ("cancel_order", "cancel_order"),
        ("cancel-order", "cancel-order"),
        ("orders.cancel", "orders_cancel_5f3a1a4e"),
        ("get /a/{b}", "get_a_b_"),
        ("订单", "operation_"),
        ("x" * 65, "x" * 55 + "_"),
    ],
)
def test_tool_names_are_legal_and_differ(operation_id: str, name: str) -> None:
    made = tool_name(operation_id)

    assert made.startswith(name[:-8] if name.startswith("orders_cancel_") else name)
    assert len(made) <= 64
    assert made.replace("_", "a").replace("-", "a").isalnum()
    assert made.isascii()


def test_similar_ids_make_different_names() -> None:
    assert len({tool_name(text) for text in ("a.b", "a b", "a/b", "a_b", "{a}b")}) == 5


def test_a_source_is_new_once_and_again_when_document_or_address_change() -> None:
    first = document(PATHS)
    url = "https://shop.example/openapi.json"

    found = [
        record_source(name="s", url=url, document=first, title="S")[1],
        record_source(name="s", url=url, document=dict(reversed(first.items())), title="S")[1],
        record_source(name="s", url=url, document=first | {"x-new": 1}, title="S")[1],
        record_source(name="s", url=url + "?2", document=first | {"x-new": 1}, title="S")[1],
    ]

    assert found == [True, False, True, True]
    assert SpecSource.objects.get().document_hash == digest(first | {"x-new": 1})


@pytest.mark.django_db(transaction=True)
def test_publishing_twice_at_once_makes_each_tool_once() -> None:
    made, _ = record_source(name="s", url="https://shop.example/", document=document(PATHS), title="S")
    together, faults = threading.Barrier(3), []

    def run() -> None:
        try:
            together.wait(30)
            publish(made, operations(), {"cancel": Decision(approval="customer")})
        except BaseException as error:
            faults.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert faults == []
    assert sorted(Tool.objects.values_list("name", flat=True)) == ["cancel", "look", "refund"]
