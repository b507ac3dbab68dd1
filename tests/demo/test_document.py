"""The OpenAPI document: valid, complete, and true to what is answered."""

from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

TOOLS = """
    get_order_status get_tracking_info cancel_order apply_discount generate_coupon
    get_account_status change_plan cancel_subscription
    get_transaction_history file_dispute check_dispute_status fallback_respond
""".split()
METHODS = ("get", "put", "post", "delete", "patch")
# What each operation is asked with. Path values beside the customer, query, body.
ASKED: dict[str, tuple[dict[str, Any], dict[str, Any], Any]] = {
    "list_orders": ({}, {"limit": 3}, None),
    "get_order_status": ({"order_id": 1042}, {}, None),
    "get_tracking_info": ({"order_id": 1031}, {}, None),
    "cancel_order": ({"order_id": 1044}, {}, {"reason": "Changed my mind"}),
    "change_delivery_address": ({"order_id": 1045}, {}, {"address": "1 New Street, Dublin, Ireland"}),
    "apply_discount": ({"order_id": 1046}, {}, {"percent": 10}),
    "list_coupons": ({}, {}, None),
    "generate_coupon": ({}, {}, {"discount_percent": 10}),
    "get_account_status": ({}, {}, None),
    "list_plans": ({}, {}, None),
    "list_invoices": ({}, {}, None),
    "change_plan": ({}, {}, {"plan": "business"}),
    "cancel_subscription": ({}, {}, None),
    "resume_subscription": ({}, {}, None),
    "get_account_balance": ({}, {}, None),
    "get_transaction_history": ({}, {}, None),
    "list_disputes": ({}, {}, None),
    "file_dispute": ({}, {}, {"transaction_id": 0, "reason": "Not mine"}),
    "check_dispute_status": ({"dispute_id": 5001}, {}, None),
    "fallback_respond": ({}, {"question": "How do I return an item?"}, None),
}


def operations(document: dict[str, Any]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    return {
        item[method]["operationId"]: (method, path, item[method])
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    }


def test_it_is_a_valid_openapi_3_1_document(business: httpx.Client) -> None:
    document = business.get("/openapi.json").json()

    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"].startswith("3.1")
    assert document["servers"][0]["url"] == str(business.base_url).rstrip("/")
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_every_tool_is_there_and_described(business: httpx.Client) -> None:
    found = operations(business.get("/openapi.json").json())

    assert set(TOOLS) <= set(found) == set(ASKED)
    for _, path, operation in found.values():
        assert len(operation["description"]) > 50
        assert operation["summary"]
        assert not path.startswith("/_")


def test_limits_carry_the_words_of_their_refusal(business: httpx.Client) -> None:
    found = operations(business.get("/openapi.json").json())

    def properties(name: str) -> dict[str, Any]:
        return found[name][2]["requestBody"]["content"]["application/json"]["schema"]["properties"]

    for limits in (
        properties("apply_discount")["percent"],
        properties("generate_coupon")["discount_percent"],
    ):
        assert (limits["type"], limits["minimum"], limits["maximum"]) == ("integer", 1, 100)
        assert limits["x-error-message"] == "Invalid discount: {value}%. Must be between 1 and 100."
    days = properties("generate_coupon")["expiry_days"]
    assert (days["minimum"], days["default"]) == (1, 30)
    assert days["x-error-message"] == "Invalid expiry: {value} days. Must be at least 1."


def test_every_operation_answers_as_documented(business: httpx.Client) -> None:
    document = business.get("/openapi.json").json()
    found = operations(document)
    for name, (values, query, body) in ASKED.items():
        method, path, operation = found[name]
        if name == "file_dispute":
            listed = business.get("/bank/customers/cus_1001/transactions", params={"text": "Northwind"})
            body = {**body, "transaction_id": listed.json()["transactions"][0]["transaction_id"]}

        url = path.format(customer_id="cus_1001", **values)
        answer = business.request(method, url, params=query, json=body)

        success = next(status for status in operation["responses"] if status.startswith("2"))
        assert str(answer.status_code) == success, (name, answer.text)
        schema = operation["responses"][success]["content"]["application/json"]["schema"]
        assert faults_in(answer.json(), closed(schema), document) == [], name


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/shop/customers/cus_1001/orders/9999", 404),
        ("GET", "/shop/customers/cus_1001/orders/abc", 422),
        ("POST", "/shop/customers/cus_1001/orders/905/cancellation", 409),
        ("POST", "/shop/customers/cus_1001/coupons", 400),
    ],
)
def test_refusals_are_as_documented(business: httpx.Client, method: str, path: str, status: int) -> None:
    document = business.get("/openapi.json").json()

    answer = business.request(method, path)

    assert answer.status_code == status
    assert faults_in(answer.json(), closed({"$ref": "#/components/schemas/Error"}), document) == []


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, refusing what it does not mention, so that an undocumented property shows."""
    return {"allOf": [schema], "unevaluatedProperties": False}


def faults_in(answer: Any, schema: dict[str, Any], document: dict[str, Any]) -> list[str]:
    whole = {"components": document["components"], **schema}
    return [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(whole).iter_errors(answer)
    ]
