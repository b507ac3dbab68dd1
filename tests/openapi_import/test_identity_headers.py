"""Headers that say who calls, in documents that declare them: read, built, reviewed, published, called."""

from typing import Any

import pytest

from agents.models import Tool
from agents.tool_request import build as request_of
from openapi_import import review
from openapi_import.models import Classification, ImportJob
from openapi_import.publish import publish
from openapi_import.reading.build import Built, Names, build
from openapi_import.reading.operations import parse
from smartsupport.lib.own_headers import is_key, is_own, names_person
from tests.openapi_import.import_jobs import carried_out, shop, text
from tests.openapi_import.review_rows import SAM

CREDENTIALS = [
    "X-Authorization", "X-Amz-Security-Token", "secret", "UserName", "ApiIntegrationcode", "X-Shop-AppToken",
    "X_Session_Id", "Ocp-Apim-Subscription-Key", "X-Tenant-Id", "xero-tenant-id", "X-Amz-Account-Id", "App-Id",
]  # fmt: skip
IDENTITIES = [
    "X-Remote-User", "REMOTE_USER", "X-Forwarded-User", "X-Original-User", "X-Auth-Request-Email", "Impersonate-User",
    "X-Goog-Authenticated-User-Email", "X-MS-CLIENT-PRINCIPAL-ID", "On-Behalf-Of", "As-User", "Sudo", "X-User-Role",
    "X-Consumer-Username", "ImpersonationResourceId", "X-Amz-Signature",
]  # fmt: skip
PERSONS = [
    "X-User-Id",
    "user_id",
    "UserId",
    "X-Customer-Id",
    "x-frankie-customerId",
    "X-Account-Id",
    "X-User",
]
ORDINARY = [
    "X-Trace", "If-Match", "Accept-Language", "X-Next-Token", "x-amz-client-token", "X-Page-Token", "X-Api-Version",
    "X-Amz-Target", "limit", "X-Agent", "X-Author", "X-Keyword", "X-Market-Id", "X-Organized",
]  # fmt: skip


def header(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "header", "schema": {"type": "string"}} | more


def listing(*names: str, path: str = "/orders", required: bool = True, **more: Any) -> dict[str, Any]:
    operation = {
        "operationId": "listOrders",
        "parameters": [header(name, required=required) for name in names],
        "responses": {},
    }
    return shop(paths={path: {"get": operation | more}})


def built(*names: str, **more: Any) -> Built:
    (operation,) = parse(listing(*names, **more)).operations
    return build(operation, Names())


@pytest.mark.parametrize("name", CREDENTIALS)
def test_a_header_that_proves_who_calls_is_a_credential_that_staff_store(name: str) -> None:
    made = built(name, "X-Trace")

    assert list(made.tool["input_schema"]["properties"]) == ["X-Trace"]
    assert made.losses == [f"{name} is left out: it is a credential."]
    stored = {"kind": "apiKey", "in": "header", "name": name, "scopes": []}
    assert made.tool["security"] == [{f"header {name}": stored}]
    assert (is_key(name), is_own(name)) == (True, True)


@pytest.mark.parametrize("name", IDENTITIES)
def test_a_header_by_which_a_proxy_says_who_calls_is_left_out(name: str) -> None:
    made = built(name, "X-Trace")

    assert list(made.tool["input_schema"]["properties"]) == ["X-Trace"]
    assert made.losses == [f"{name} is left out: it is a header that is not the model's to set."]
    assert made.tool["security"] == []
    assert (is_key(name), is_own(name)) == (False, True)


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_header_is_the_models(name: str) -> None:
    made = built(name)

    assert list(made.tool["input_schema"]["properties"]) == [name]
    assert (made.losses, made.tool["security"], names_person(name)) == ([], [], False)


@pytest.mark.parametrize("name", PERSONS)
def test_a_header_that_says_whose_request_it_is_is_sent_only_where_it_is_bound(name: str) -> None:
    made = built(name)
    tool = Tool(name="listing", method="GET", path="/orders", **made.tool)

    assert made.losses == [
        f"{name} says whose request it is: it is sent where it is bound to the customer, and left out otherwise."
    ]
    assert request_of(tool, {name: "the model's"}, {}).headers == {"Accept": "application/json"}
    tool.bound = {name: "customer.id"}
    assert request_of(tool, {}, {name: "cus_1"}).headers[name] == "cus_1"


def test_many_credentials_that_may_be_missing_do_not_multiply() -> None:
    made = built(*(f"X-Part{number}-Token" for number in range(12)), required=False)

    assert [len(way) for way in made.tool["security"]] == [12, 0]
    few = built("X-A-Token", "X-B-Token", required=False)
    assert [len(way) for way in few.tool["security"]] == [2, 1, 1, 0]


def only_row(job: ImportJob) -> Classification:
    return Classification.objects.get(job=job)


@pytest.mark.django_db
def test_it_is_proposed_as_the_customers_and_unbound_it_is_nobodys() -> None:
    document = text(listing("X-User-Id", "X-Trace"))
    job = carried_out(content=document, name="shop")
    row = only_row(job)
    assert row.customer_params == {"X-User-Id": "customer.id"}

    publish(job.pk, SAM)
    tool = Tool.objects.get(name="listOrders")
    assert (tool.bound, list(tool.input_schema["properties"])) == ({"X-User-Id": "customer.id"}, ["X-Trace"])

    again = carried_out(content=document, name="shop")
    review.edit(again.pk, 0, {"customer_params": {}}, by=SAM)
    publish(again.pk, SAM)
    tool.refresh_from_db()
    assert (tool.bound, list(tool.input_schema["properties"])) == ({}, ["X-Trace"])
    assert tool.input_schema["required"] == ["X-Trace"]

    third = only_row(carried_out(content=document, name="shop"))
    assert (third.change, third.difference, third.customer_params) == ("same", [], {})


@pytest.mark.django_db
def test_beside_another_name_of_the_customer_it_is_not_the_models_either() -> None:
    document = listing("X-User-Id", path="/customers/{customer_id}/orders")
    job = carried_out(content=text(document), name="shop")
    assert only_row(job).customer_params == {"customer_id": "customer.id"}

    publish(job.pk, SAM)

    assert Tool.objects.get(name="listOrders").input_schema["properties"] == {}
