"""What is at stake, who must agree, which agent, whose data."""

import re

import pytest

from openapi_import.judging import Endpoint, judge

ANY = ("order_id", "customer_id")


@pytest.mark.parametrize(
    ("method", "path", "operation_id", "parameters", "expected"),
    [
        ("GET", "/orders", "listOrders", (), "safe"),
        ("GET", "/customers/{id}", "getCustomer", (), "personal"),
        ("GET", "/customers/{id}/orders", "listOrders", (), "safe"),
        ("GET", "/me/addresses", "listAddresses", (), "personal"),
        ("POST", "/orders/{id}/refund", "refundOrder", (), "money"),
        ("POST", "/coupons", "generateCoupon", (), "money"),
        ("POST", "/adjustments", "adjust", ("order_id", "amount"), "money"),
        ("DELETE", "/payment-methods/{id}", "removeCard", (), "money"),
        ("DELETE", "/orders/{id}", "x", (), "destructive"),
        ("POST", "/orders/{id}/cancel", "cancelOrder", (), "destructive"),
        ("POST", "/newsletters", "sendNewsletter", (), "destructive"),
        ("PUT", "/customers/{id}/phone", "setPhone", (), "personal"),
        ("POST", "/tickets", "createTicket", (), "reversible"),
    ],
)
def test_the_risk_is_the_worst_that_the_name_says(
    method: str, path: str, operation_id: str, parameters: tuple[str, ...], expected: str
):
    assert judge(Endpoint(method, path, operation_id, parameters=parameters)).risk == expected


def test_a_summary_can_make_the_risk_worse_and_not_better():
    plain = judge(Endpoint("POST", "/x/{id}", "changeIt"))
    worse = judge(Endpoint("POST", "/x/{id}", "changeIt", "Gives a refund to the customer."))
    same = judge(Endpoint("POST", "/x/{id}/refund", "refund", "Perfectly safe and reversible."))

    assert plain.risk == "reversible"
    assert worse.risk == "money"
    assert same.risk == "money"


@pytest.mark.parametrize(
    ("method", "path", "operation_id", "parameters"),
    [
        ("POST", "/orders/{order_id}/cancel", "cancelOrder", ANY),
        ("PUT", "/orders/{order_id}/address", "changeDeliveryAddress", ANY),
        ("PUT", "/me/preferences", "updatePreferences", ()),
        ("POST", "/me/appointments/{id}/reschedule", "rescheduleAppointment", ("id",)),
        ("POST", "/customers/{id}/tickets", "openTicket", ("id", "text")),
    ],
)
def test_the_customer_agrees_to_what_is_plainly_theirs(
    method: str, path: str, operation_id: str, parameters: tuple[str, ...]
):
    judged = judge(Endpoint(method, path, operation_id, parameters=parameters))

    assert judged.approval == "customer"
    assert "own matter" in judged.reason


@pytest.mark.parametrize(
    ("method", "path", "operation_id", "parameters"),
    [
        (
            "POST",
            "/orders/{order_id}/cancel",
            "cancelOrder",
            ("order_id",),
        ),  # whose order it is, nothing says
        ("POST", "/orders/{order_id}/cancel-and-refund", "cancelOrder", ANY),
        ("POST", "/orders/{order_id}/discounts", "applyDiscount", ANY),
        ("POST", "/orders/{order_id}/cancel", "cancelOrder", (*ANY, "refund_amount")),
        ("POST", "/admin/orders/{order_id}/cancel", "cancelOrder", ANY),
        ("POST", "/orders/cancel", "bulkCancelOrders", ANY),
        ("DELETE", "/customers/{customer_id}", "deleteCustomer", ANY),
        ("PUT", "/customers/{customer_id}/password", "changePassword", ANY),
        ("PUT", "/customers/{customer_id}/email", "changeEmail", ANY),
        ("GET", "/orders/{order_id}/cancel", "cancelOrder", ANY),  # asks: nobody has looked
        ("POST", "/things", "doThings", ANY),
    ],
)
def test_staff_agree_to_everything_else(
    method: str, path: str, operation_id: str, parameters: tuple[str, ...]
):
    assert judge(Endpoint(method, path, operation_id, parameters=parameters)).approval == "staff"


def test_reading_needs_nobody():
    assert judge(Endpoint("GET", "/orders", "listOrders", parameters=ANY)).approval == "none"


@pytest.mark.parametrize(
    ("path", "parameters", "expected"),
    [
        ("/orders", ("customer_id", "status"), {"customer_id"}),
        ("/orders", ("customerId",), {"customerId"}),
        ("/orders", ("CustomerID",), {"CustomerID"}),
        ("/orders", ("user_id", "customer_id"), {"customer_id"}),
        ("/accounts/{account_id}/users/{user_id}", ("account_id", "user_id"), {"user_id"}),
        ("/accounts/{accountId}", ("accountId",), {"accountId"}),
        ("/customers/{id}/orders/{order_id}", ("id", "order_id"), {"id"}),
        ("/orders/{id}", ("id",), set()),
        ("/customers/{id}", ("name",), set()),
        ("/transfers", ("to_account_id", "target_user_id", "recipient_customer_id"), set()),
        ("/orders", ("customer_ids", "customer_name", "customer_email", "client_id"), set()),
        ("/admin/users/{user_id}", ("user_id",), set()),
    ],
)
def test_only_what_identifies_the_customer_is_bound(
    path: str, parameters: tuple[str, ...], expected: set[str]
):
    judged = judge(Endpoint("GET", path, "x", parameters=parameters))

    assert judged.customer_params == dict.fromkeys(expected, "customer.id")


@pytest.mark.parametrize(
    ("tags", "path", "operation_id", "expected"),
    [
        (("Orders",), "/v1/x", "", "orders"),
        (("Order Management", "x"), "/v1/x", "", "order_management"),
        (("OrderController",), "/x", "", "order"),
        (("default",), "/api/v2/orders/{id}", "", "orders"),
        (("Réservations",), "/x", "", "reservations"),
        (("訂單",), "/orders", "", "orders"),
        ((), "/api/v1/gift-cards/{id}/redeem", "", "gift_cards"),
        ((), "/getOrders", "", "orders"),
        ((), "/", "shop.orders.list", "shop"),
        ((), "/{id}", "get", "general"),
        (("x" * 200,), "/", "", "x" * 64),
        (("../../etc; DROP TABLE",), "/", "", "etc_drop_table"),
    ],
)
def test_the_group_comes_from_the_tag_or_the_first_noun(
    tags: tuple[str, ...], path: str, operation_id: str, expected: str
):
    group = judge(Endpoint("GET", path, operation_id, tags=tags)).agent_group

    assert group == expected
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", group)
