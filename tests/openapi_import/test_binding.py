"""Which arguments the server fills in, as they are proposed to a reviewer, and texts that show as something else."""

from typing import Any

import pytest

from openapi_import import binding
from openapi_import.models import Classification
from tests.openapi_import.import_jobs import carried_out, shop, text

CUSTOMER = "customer.id"


def parameter(name: str, place: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}


@pytest.mark.django_db
def test_what_bears_the_name_of_a_bound_argument_in_another_place_is_bound_too() -> None:
    fields = {"customer_id": {"type": "string"}, "sku": {"type": "string"}}
    body = {"content": {"application/json": {"schema": {"type": "object", "properties": fields}}}}
    make = {
        "operationId": "createOrder",
        "parameters": [
            parameter("customer_id", "path"),
            parameter("customer_id", "query"),
            parameter("X-Customer-Id", "header"),
            parameter("target_customer_id", "query"),
        ],
        "requestBody": body,
        "responses": {},
    }

    job = carried_out(content=text(shop(paths={"/customers/{customer_id}/orders": {"post": make}})))

    row = Classification.objects.get(job=job)
    assert row.customer_params == dict.fromkeys(
        ["customer_id", "customer_id_query", "customer_id_body", "X-Customer-Id"], CUSTOMER
    )
    assert row.judged["customer_params"] == row.customer_params
    seen = binding.without_bound(row.tool["input_schema"], row.customer_params)
    assert sorted(seen["properties"]) == ["sku", "target_customer_id"]


def test_where_nothing_is_bound_nothing_has_a_namesake() -> None:
    tool = {"parameters": [{"argument": "id", "name": "id"}], "request_body": {"fields": {"id_body": "id"}}}

    assert binding.with_namesakes({}, tool) == {}
    assert binding.with_namesakes({"id": CUSTOMER}, tool) == {"id": CUSTOMER, "id_body": CUSTOMER}
    assert binding.with_namesakes({"customer": CUSTOMER}, tool | {"request_body": None}) == {
        "customer": CUSTOMER
    }


@pytest.mark.django_db
def test_what_people_read_has_no_marks_that_turn_or_hide_it() -> None:
    hostile = "Look \u202eup\u2066 an\x1b[31m order\x07\u200f"
    get = {
        "operationId": "getOrder", "summary": hostile, "description": hostile + " once", "tags": [hostile],
        "responses": {},
    }  # fmt: skip

    job = carried_out(content=text(shop(title=hostile, paths={"/orders": {"get": get}})))

    row = Classification.objects.get(job=job)
    told = [job.title, row.title, row.summary, row.description, row.tool_description, *row.tags]
    assert all(one.startswith("Look up an[31m order") for one in told), told
    assert not any(mark in one for one in told for mark in "\u202e\u2066\u200f\x1b\x07")
