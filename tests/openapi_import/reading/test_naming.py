"""What tools are called, and what is said of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openapi_import.reading.described import Operation
from openapi_import.reading.naming import NAME, RESERVED, Names, description, title, tool_name


def operation(operation_id: str = "cancelOrder", **more: Any) -> Operation:
    return Operation("POST", "/orders/{id}/cancel", operation_id, {}, **more)


@pytest.mark.parametrize("operation_id", ["cancelOrder", "cancel_order", "a", "x" * 64, "get-v1-users"])
def test_an_id_that_every_provider_takes_is_the_name(operation_id: str) -> None:
    assert tool_name(operation_id) == operation_id


@pytest.mark.parametrize(
    ("operation_id", "begin"),
    [
        ("orders.cancel", "orders_cancel_"),
        ("get /orders/{id}", "get_orders_id_"),
        ("x" * 65, "x" * 55 + "_"),
        ("2checkout", "op_2checkout_"),
        ("-cancel", "cancel_"),
        ("Commande créée", "Commande_creee_"),
        ("日付", "operation_"),
        ("find_tools", "find_tools_"),
    ],
)
def test_any_other_becomes_readable_and_says_that_it_was_changed(operation_id: str, begin: str) -> None:
    name = tool_name(operation_id)

    assert name.startswith(begin)
    assert len(name) == len(begin) + 8
    assert NAME.fullmatch(name)


def test_similar_ids_stay_apart() -> None:
    assert len({tool_name(one) for one in ("a.b", "a_b", "a b", "a/b", "A.b", "ä.b")}) == 6


@given(st.lists(st.text(min_size=1, max_size=80), unique=True, max_size=20))
def test_any_names_are_legal_unique_and_the_same_whatever_is_beside_them(ids: list[str]) -> None:
    names = Names()

    given_names = [names.name_for(operation(one)) for one in ids]

    assert len(set(given_names)) == len(ids)
    assert all(NAME.fullmatch(name) and name not in RESERVED for name in given_names)
    assert [Names().name_for(operation(one)) for one in reversed(ids)] == given_names[::-1]


def test_a_name_that_was_given_is_kept_and_nobody_else_gets_it() -> None:
    names = Names({"orders.cancel": "cancel_it", "gone": "refund"})

    assert names.name_for(operation("orders.cancel")) == "cancel_it"
    other = names.name_for(operation("refund"))
    assert other.startswith("refund_")
    assert NAME.fullmatch(other)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"summary": "cancel an order."}, "Cancel an order"),
        ({"summary": "<b>Cancel</b> an [order](https://a.example/x)  now"}, "Cancel an order now"),
        ({"operation_id": "cancelOrderById"}, "Cancel order by id"),
        ({"operation_id": "orders.get_HTTPStatus"}, "Orders get HTTP status"),
        ({"operation_id": "post /orders", "declared_id": False}, "POST orders id cancel"),
    ],
)
def test_a_title_is_plain_words(fields: dict[str, Any], expected: str) -> None:
    assert title(operation(**fields)) == expected


def test_a_title_has_its_limit() -> None:
    assert len(title(operation(summary="word " * 100))) <= 120


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"summary": "Cancel", "description": "Stops an order."}, "Cancel. Stops an order."),
        ({"summary": "Cancel.", "description": "cancel"}, "Cancel."),
        ({"summary": "Cancel an order", "description": "Cancel an order that was placed."},
         "Cancel an order that was placed."),
        ({"description": "## Stops\n\n* an `order`"}, "Stops an order"),
        ({}, "Cancel order (POST /orders/{id}/cancel)."),
        ({"summary": "Cancel", "deprecated": True},
         "Deprecated: use something else where there is a choice. Cancel"),
    ],
)  # fmt: skip
def test_a_description_says_each_thing_once(fields: dict[str, Any], expected: str) -> None:
    assert description(operation(**fields)) == expected


def test_a_long_description_ends_with_a_sentence() -> None:
    found = description(operation(description="This is a sentence of some words. " * 100))

    assert 900 < len(found) <= 1_000
    assert found.endswith("words.")
