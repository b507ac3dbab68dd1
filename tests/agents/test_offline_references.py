"""Which order, transaction or dispute the offline model takes a request to mean when the request does not name it."""

from typing import Any

import pytest

from tests.agents.offline_tools import ask, calls, declared, function, tools_of

SHOP = [declared("cancel_order"), declared("apply_discount")]
TEXT = {"type": "string"}
SPOKEN = ("What is the status of order 1047?", "Order 1047 is **paid**.")
SPOKEN_ZH = ("查询订单 1047", "订单 1047 的状态：**已付款**。")
LISTED = ("my orders", "Orders (2):\n- **1042** — paid\n- **1043** — paid")

Call = tuple[str, dict[str, Any]]


def cancel(order: int, **more: Any) -> Call:
    return ("cancel_order", {"order_id": order, **more})


def discount(order: int) -> Call:
    return ("apply_discount", {"order_id": order, "percent": 10})


POINTING: list[tuple[tuple[str, ...], str, list[Call]]] = [
    (SPOKEN, "Cancel it and give me a 10% discount on order 1048", [cancel(1047), discount(1048)]),
    (SPOKEN, "Cancel that one and give me 10% off 1048", [cancel(1047), discount(1048)]),
    (SPOKEN, "Cancel this, then cancel order 1048", [cancel(1047), cancel(1048)]),
    (SPOKEN, "Give me a discount of 10% on it and cancel order 1043", [discount(1047), cancel(1043)]),
    (SPOKEN, "Order 1042 is late, so cancel it and give me 10% off 1048", [cancel(1042), discount(1048)]),
    (SPOKEN, "cancel it because 1048 is cheaper", [cancel(1047, reason="1048 is cheaper")]),
    (SPOKEN, "Cancel it. I paid 300 for that.", [cancel(1047)]),
    (SPOKEN, "Cancel it, not 1048", [cancel(1047)]),
    (SPOKEN_ZH, "取消它，并给订单 1048 打九折", [cancel(1047), discount(1048)]),
    (SPOKEN_ZH, "把这个取消，然后给订单 1048 一个 10% 折扣", [cancel(1047), discount(1048)]),
    (SPOKEN_ZH, "取消那个，然后给订单 1048 打九折", [cancel(1047), discount(1048)]),
    (SPOKEN_ZH, "给它打九折，并取消订单 1043", [discount(1047), cancel(1043)]),
    ((), "Since order 1042 is late, cancel it", [cancel(1042, reason="order 1042 is late")]),
    ((), "Cancel it, order 1042", [cancel(1042)]),
    (
        (),
        "Cancel orders 1042 and 1043 and give me 10% off both",
        [*map(cancel, (1042, 1043)), *map(discount, (1042, 1043))],
    ),
]
NAMELESS: list[tuple[tuple[str, ...], str, list[Call]]] = [
    ((), "Cancel order 1042 and give me a 10% discount", [cancel(1042), discount(1042)]),
    (SPOKEN, "Cancel order 1042 and give me a 10% discount", [cancel(1042), discount(1042)]),
    (SPOKEN_ZH, "取消订单 1042 并给我一个 10% 折扣", [cancel(1042), discount(1042)]),
    ((), "give me 10% off, and cancel order 1050", [discount(1050), cancel(1050)]),
    (SPOKEN, "give me 10% off, and cancel order 1047", [discount(1047), cancel(1047)]),
    ((), "给我打九折，并取消订单 1043", [discount(1043), cancel(1043)]),
    (SPOKEN, "Cancel my order. The number is 1042", [cancel(1042)]),
    (LISTED, "cancel all except 1042", [cancel(1043)]),
]


@pytest.mark.parametrize(
    ("before", "message", "expected"), [*POINTING, *NAMELESS], ids=[m for _, m, _ in [*POINTING, *NAMELESS]]
)
def test_a_request_looks_back_before_it_looks_ahead(
    before: tuple[str, ...], message: str, expected: list[Call]
):
    assert calls(ask(SHOP, *before, message)) == expected


OPEN: list[tuple[tuple[str, ...], str, list[Call], str]] = [
    ((), "Cancel it and give me a 10% discount on order 1048", [discount(1048)], "cancel the order"),
    ((), "取消它，并给订单 1048 打九折", [discount(1048)], "取消订单"),
    (SPOKEN, "give me 10% off, and cancel order 1050", [cancel(1050)], "apply the discount"),
    (SPOKEN_ZH, "给我打九折，并取消订单 1043", [cancel(1043)], "应用折扣"),
    (LISTED, "Cancel it and give me 10% off order 1048", [discount(1048)], "cancel the order"),
    (SPOKEN, "cancel another one and give me 10% off order 1048", [discount(1048)], "cancel the order"),
    (SPOKEN, "Cancel it, order 1042", [], "cancel the order"),
    (SPOKEN, "Cancel it and 1048", [], "cancel the order"),
    (SPOKEN, "Orders 1042 and 1043 came. Cancel it", [], "cancel the order"),
    (("show orders 1042 and 1043", "Both are paid."), "cancel it", [], "cancel the order"),
    (
        (),
        "Cancel orders 1042 and 1043 and give me a 10% discount",
        [cancel(1042), cancel(1043)],
        "apply the discount",
    ),
]


@pytest.mark.parametrize(("before", "message", "sure", "asked"), OPEN, ids=[m for _, m, _, _ in OPEN])
def test_what_is_left_open_is_asked_for_and_never_done(
    before: tuple[str, ...], message: str, sure: list[Call], asked: str
):
    agent = "order_actions" if asked in ("cancel the order", "取消订单") else "discount"
    alone = ask(tools_of("ecommerce", agent), *before, message)

    assert calls(ask(SHOP, *before, message)) == sure
    assert calls(alone) == []
    assert asked in alone.text


def test_every_kind_of_identifier_follows_the_same_rule():
    refund = function(
        "refund_transaction", "Refund a transaction.", {"transaction_id": TEXT}, ["transaction_id"]
    )
    said = ("show transaction txn_8F3a", "Transaction txn_8F3a went to a café.")
    disputed = ("争议 5001 的状态", "争议 5001 正在处理。")

    back = ask([refund], *said, "Refund it and refund transaction txn_9B10")
    unknown = ask([refund], "Refund it and refund transaction txn_9B10")
    looked = ask(
        [declared("check_dispute_status")], *disputed, "查一下这个争议的状态，然后查询争议 5002 的状态"
    )

    assert calls(back) == [
        ("refund_transaction", {"transaction_id": "txn_8F3a"}),
        ("refund_transaction", {"transaction_id": "txn_9B10"}),
    ]
    assert ("refund_transaction", {"transaction_id": "txn_9B10"}) in calls(unknown)
    assert len(calls(unknown)) == 1
    assert calls(looked) == [("check_dispute_status", {"dispute_id": number}) for number in (5001, 5002)]


@pytest.mark.parametrize(
    "message",
    ["I want order 1048", "give me 10% off order 1048", "can I have my order 1048", "我要订单 1048"],
)
def test_wanting_an_order_never_cancels_it(message: str):
    assert calls(ask(tools_of("ecommerce", "order_actions"), message)) == []


def test_an_agent_leaves_alone_what_the_next_request_names():
    message = "Cancel it and give me a 10% discount on order 1048"

    acting = ask(tools_of("ecommerce", "order_actions"), *SPOKEN, message)
    giving = ask(tools_of("ecommerce", "discount"), *SPOKEN, message)

    assert calls(acting) == [cancel(1047)]
    assert calls(giving) == [discount(1048)]
