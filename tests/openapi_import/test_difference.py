"""A newer document beside what is published: what changed, what that means, and what is kept of people's decisions."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.models import Tool
from openapi_import import difference, review, same_documents
from openapi_import.models import Change, Classification, ImportJob
from openapi_import.publish import publish
from tests.agents.tool_rows import make_tool
from tests.openapi_import.review_rows import (
    CANCEL,
    KIM,
    LOOK,
    REFUND,
    SAM,
    SHOP,
    Object,
    changed,
    in_path,
    operation,
    ready,
    row_of,
    schema,
)

pytestmark = pytest.mark.django_db


def published(*operations: Object, **edits: Any) -> ImportJob:
    """A first import, with these edits of the operation `cancel_order`, published."""
    job = ready(*operations)
    if edits:
        review.edit(job.pk, row_of(job, "cancel_order").index, edits, by=SAM)
    publish(job.pk, SAM)
    return job


def fields(row: Classification) -> dict[str, bool]:
    return {entry["field"]: entry["meaning"] for entry in row.difference}


def test_a_first_import_is_all_new() -> None:
    job = ready()

    assert difference.compare(job) == {"added": 3, "changed": 0, "same": 0, "removed": 0}
    assert {row.change for row in job.classifications.all()} == {"added"}


def test_the_same_document_again_is_as_it_was_and_keeps_what_people_decided() -> None:
    published(approval="customer", title="Stop it", risk="money", agent_group="stop")
    Tool.objects.filter(name="refund_order").update(approval="customer", title="Staff's own words")

    job = ready()

    rows = {row.operation_id: row for row in job.classifications.all()}
    assert {row.change for row in rows.values()} == {"same"}
    cancel, refund = rows["cancel_order"], rows["refund_order"]
    assert (cancel.approval, cancel.title, cancel.risk, cancel.agent_group) == (
        "customer",
        "Stop it",
        "money",
        "stop",
    )
    assert (cancel.reviewed_by, cancel.judged_by, cancel.uncertain) == ("sam", "kept", False)
    assert (refund.approval, refund.title) == ("customer", "Staff's own words")
    assert cancel.judged["approval"] == "staff"  # what the rules say is still there


def test_a_document_is_told_apart_by_operation() -> None:
    published()
    newer = (
        LOOK,
        changed(CANCEL, tool={"server_url": "https://other.example"}),
        operation("ship_order", "POST"),
    )

    job = ready(*newer)

    assert {row.operation_id: row.change for row in job.classifications.all()} == {
        "look_order": "same", "cancel_order": "changed", "ship_order": "added", "refund_order": "removed",
    }  # fmt: skip
    gone = row_of(job, "refund_order")
    assert (gone.index, gone.selected, gone.name) == (3, False, "refund_order")
    assert gone.unusable == difference.NO_LONGER_THERE
    assert difference.compare(job) == {"added": 1, "changed": 1, "same": 1, "removed": 1}
    assert job.classifications.count() == 4


AMOUNT = {"type": "integer", "minimum": 1, "maximum": 100, "description": "How much."}
PAY = operation("pay", "POST", "/pay/{order_id}", tool={"input_schema": schema("order_id", amount=AMOUNT)})


def args(*required: str, **properties: Any) -> Object:
    return {"input_schema": schema(*required, **properties)}


@pytest.mark.parametrize(
    ("newer", "expected"),
    [
        ({}, {}),
        ({"method": "PUT"}, {"method": True}),
        ({"path": "/payments/{order_id}"}, {"path": True}),
        ({"tool": {"server_url": "https://evil.example"}}, {"server_url": True}),
        ({"tool": {"security": [{"key": {"kind": "apiKey"}}]}}, {"security": True}),
        ({"tool": args("order_id")}, {"argument amount": True}),
        ({"tool": args("order_id", "amount", amount=AMOUNT)}, {"argument amount is required": True}),
        ({"tool": args("order_id", "why", amount=AMOUNT)}, {"argument why": True}),
        ({"tool": args("order_id", amount=AMOUNT, why={"type": "string"})}, {"argument why": False}),
        ({"tool": args("order_id", amount={**AMOUNT, "maximum": 1000})}, {"argument amount": True}),
        ({"tool": args("order_id", amount={**AMOUNT, "type": "string"})}, {"argument amount": True}),
        ({"tool": args("order_id", amount={**AMOUNT, "default": 100})}, {"argument amount": True}),
        ({"tool": args("order_id", amount={**AMOUNT, "description": "Else."})},
         {"argument amount": False}),
        ({"tool": {"parameters": [{**in_path("order_id")[0], "in": "query"}]}}, {"how order_id is sent": True}),
        ({"tool": {"response": {"binary": True}}}, {"response": False}),
        ({"tool_description": "Pays, in other words."}, {"description": False}),
        ({"title": "Pay up"}, {"title": False}),
        ({"operation_id": "payOrder"}, {"operation_id": False}),
        ({"operation_id": "payOrder", "path": "/pay/{order}", "tool": {
            "parameters": [{**in_path("order")[0]}], "input_schema": schema("order", amount=AMOUNT)}},
         {"path": True, "argument order_id": True, "argument order": True, "operation_id": False}),
    ],
)  # fmt: skip
def test_what_changed_and_whether_it_means_something_else(newer: Object, expected: dict[str, bool]) -> None:
    published(PAY)

    row = ready(changed(PAY, **newer)).classifications.get(index=0)

    assert fields(row) == expected
    assert row.change == ("changed" if expected else "same")
    assert row.uncertain is any(expected.values())
    assert (row.name, row.selected) == ("pay", True)
    values = [entry["meaning"] for entry in row.difference]
    assert values == sorted(values, reverse=True)  # what matters first


def test_only_what_changed_is_open_again() -> None:
    first = published()
    assert first.classifications.filter(reviewed_at=None).count() == 3
    Classification.objects.filter(job=first).update(reviewed_by="sam", reviewed_at=first.finished_at)

    job = ready(changed(LOOK, tool={"security": [{"key": {}}]}), changed(CANCEL, title="Cancel it"), REFUND)

    rows = job.classifications.order_by("index")
    assert [row.reviewed_by for row in rows] == ["", "", "sam"]
    assert [row.uncertain for row in rows] == [True, False, False]


def test_another_operation_under_the_old_id_is_judged_anew() -> None:
    published(approval="customer", risk="reversible", title="Stop it")

    row = row_of(ready(LOOK, changed(CANCEL, path="/accounts/{order_id}"), REFUND), "cancel_order")

    assert (row.approval, row.risk, row.uncertain, row.title) == ("staff", "destructive", True, "Stop it")


def test_staffs_own_words_stay_and_the_documents_newer_ones_are_taken() -> None:
    published(tool_description="In our own words.")

    newer = [changed(one, tool_description="In newer words.") for one in SHOP]
    rows = {row.operation_id: row for row in ready(*newer).classifications.all()}

    assert rows["cancel_order"].tool_description == "In our own words."
    assert rows["cancel_order"].change == "same"
    assert rows["look_order"].tool_description == "In newer words."
    assert fields(rows["look_order"]) == {"description": False}


def test_what_is_bound_stays_bound_and_a_new_argument_is_bound_as_judged() -> None:
    published(customer_params={"order_id": "customer.id"})
    judged = {"order_id": "customer.id", "account_id": "customer.id"}
    newer = changed(
        CANCEL,
        customer_params=judged,
        tool={"input_schema": schema("order_id", account_id={"type": "string"})},
    )

    cancel = row_of(ready(LOOK, newer, REFUND), "cancel_order")
    look = row_of(
        ready(changed(LOOK, customer_params={"order_id": "customer.id"}), CANCEL, REFUND), "look_order"
    )

    assert cancel.customer_params == judged
    assert fields(cancel) == {"argument account_id": False}
    assert look.customer_params == {}  # nobody bound it when it was published


def test_a_bound_argument_that_has_gone_is_told() -> None:
    published(customer_params={"order_id": "customer.id"})

    row = row_of(ready(LOOK, changed(CANCEL, path="/all", tool={"parameters": [], "input_schema": schema()}), REFUND),
                 "cancel_order")  # fmt: skip

    assert row.customer_params == {}
    assert {
        "field": "argument order_id",
        "was": "bound to customer.id",
        "now": None,
        "meaning": True,
    } in row.difference


def test_what_was_left_out_stays_left_out() -> None:
    first = ready()
    review.edit_many(first.pk, [1], {"selected": False}, SAM)
    publish(first.pk, SAM)
    second = ready()
    review.edit_many(second.pk, [2], {"selected": False}, SAM)
    publish(second.pk, SAM)

    third = ready()

    assert [row.selected for row in third.classifications.order_by("index")] == [True, False, False]


def test_names_that_others_have_are_not_given_out_again() -> None:
    make_tool("look_order")  # of another API

    row = row_of(ready(name="second"), "look_order")

    assert row.name.startswith("look_order_")
    assert len(row.name) == len("look_order_") + 8


def test_comparing_again_keeps_the_edits_and_opens_what_differs_since() -> None:
    waiting, other = ready(), ready()
    review.edit(waiting.pk, 1, {"approval": "customer", "title": "Mine"}, by=KIM)
    review.edit(waiting.pk, 2, {"agent_group": "desk"}, by=KIM)
    publish(other.pk, SAM)

    counts = difference.compare_again(waiting.pk)

    rows = list(waiting.classifications.order_by("index"))
    assert counts == {"added": 0, "changed": 0, "same": 3, "removed": 0}
    assert {row.change for row in rows} == {Change.SAME}
    assert (rows[1].approval, rows[1].title, rows[1].judged_by) == ("customer", "Mine", "staff")
    assert (rows[2].agent_group, rows[2].reviewed_by) == ("desk", "kim")
    publish(waiting.pk, KIM)
    assert Tool.objects.get(name="cancel_order").title == "Mine"


def test_of_documents_that_say_the_same_none_is_loaded() -> None:
    published(customer_params={"order_id": "customer.id"})
    job = ready(LOOK, CANCEL, changed(REFUND, tool={"server_url": "https://other.example"}))
    changed_rows = job.classifications.filter(change="changed")

    with CaptureQueriesContext(connection) as asked:
        difference.compare(job)

    loaded = [query["sql"] for query in asked if '"tool" ' in query["sql"] or '"tool",' in query["sql"]]
    assert len(loaded) == 1
    assert re.findall(r"unnest\('\{([\d,]*)\}", loaded[0]) == [str(changed_rows.get().pk)]


NOBODYS = {**in_path("order_id")[0], "argument": "X-User-Id", "name": "X-User-Id", "in": "header"}


@pytest.mark.parametrize(
    ("newer", "differs"),
    [
        ({}, False),
        (
            {
                "tool": {
                    "input_schema": {**schema("order_id", amount=AMOUNT), "required": ["order_id", "amount"]}
                }
            },
            True,
        ),
        (
            {"tool": {"request_body": {"content_type": "application/json", "required": False, "fields": {}}}},
            True,
        ),
        ({"tool": {"request_body": None, "response": {"binary": True}}}, True),
        ({"tool": {"parameters": [*in_path("order_id"), NOBODYS]}}, True),
        ({"tool": {"input_schema": schema(amount=AMOUNT)}}, True),  # the bound argument has gone
        ({"method": "PUT"}, True),
        ({"title": "Words are compared elsewhere"}, False),
    ],
)
def test_the_database_finds_whatever_a_document_says_in_another_way(newer: Object, differs: bool) -> None:
    published(changed(PAY, operation_id="cancel_order"), customer_params={"order_id": "customer.id"})
    row = ready(changed(PAY, operation_id="cancel_order", **newer)).classifications.get(index=0)
    tool = Tool.objects.get()

    assert same_documents.differing([(row.pk, tool.pk)], []) == ({row.pk} if differs else set())


def test_what_nobody_decided_is_as_strict_as_it_is_judged_once_its_meaning_has_changed() -> None:
    lax: dict[str, Any] = {"approval": "customer", "risk": "reversible"}
    operations = [
        operation(name, "POST", **lax) for name in ("unseen", "looked_at", "of_staff", "lax_now", "same")
    ]
    first = ready(*operations)
    review.look(first.pk, [row_of(first, "looked_at").index], SAM)
    publish(first.pk, SAM)
    Tool.objects.filter(name="of_staff").update(risk="personal")
    elsewhere = {"server_url": "https://other.example"}
    strict = {"approval": "staff", "risk": "money"}
    newer = [changed(one, **strict, tool=elsewhere) for one in operations[:3]]
    newer.append(changed(operations[3], approval="customer", risk="safe", tool=elsewhere))
    newer.append(changed(operations[4], **strict))

    job = ready(*newer)

    rows = {row.operation_id: (row.approval, row.risk) for row in job.classifications.all()}
    assert rows == {
        "unseen": ("staff", "money"), "looked_at": ("customer", "reversible"), "of_staff": ("customer", "personal"),
        "lax_now": ("customer", "reversible"), "same": ("customer", "reversible"),
    }  # fmt: skip
    assert fields(row_of(job, "unseen")) == {"server_url": True, "approval": False, "risk": False}
    publish(job.pk, SAM)
    tool = Tool.objects.get(name="unseen")
    assert (tool.approval, tool.risk, tool.enabled) == ("staff", "money", False)
    assert Tool.objects.get(name="looked_at").approval == "customer"


def test_a_stricter_rule_does_not_take_the_place_of_what_staff_decide_meanwhile() -> None:
    first = operation("unseen", "POST", approval="customer", risk="reversible")
    published(first)
    job = ready(changed(first, approval="staff", risk="money", tool={"server_url": "https://other.example"}))

    Tool.objects.update(risk="personal")
    publish(job.pk, SAM)

    assert Tool.objects.values_list("approval", "risk", "server_url").get() == (
        "customer", "personal", "https://other.example",
    )  # fmt: skip
