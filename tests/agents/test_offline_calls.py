"""Which tools the offline model calls, and with what: the demo business's tools, and tools that nobody
prepared.
"""

import time
from typing import Any

import pytest

from tests.agents.offline_tools import HAND_OFF, ask, calls, declared, failed, function, ok, results, tools_of

ORDER = {"order_id": 1042}
PERCENT = "To apply the discount, I need the percentage. Could you tell me what it is?"
NUMBER = "To cancel the order, I need the order number. Could you tell me what it is?"
CALLS: list[tuple[str, str, str, list[tuple[str, dict[str, Any]]]]] = [
    ("ecommerce", "order_lookup", "What is the status of order 1042?", [("get_order_status", ORDER)]),
    ("ecommerce", "order_lookup", "查询订单 1042", [("get_order_status", ORDER)]),
    ("ecommerce", "order_lookup", "where's my package 1042", [("get_tracking_info", ORDER)]),
    ("ecommerce", "order_lookup", "快递到哪了 1042", [("get_tracking_info", ORDER)]),
    ("ecommerce", "order_lookup", "cancel 1043 and track order 1042", [("get_tracking_info", ORDER)]),
    ("ecommerce", "order_actions", "Cancel order 1042", [("cancel_order", ORDER)]),
    ("ecommerce", "order_actions", "取消１０４２号订单", [("cancel_order", ORDER)]),
    ("ecommerce", "order_actions", "Cancel order 1042 and give me a 10% discount", [("cancel_order", ORDER)]),
    (
        "ecommerce",
        "order_actions",
        "Cancel order 1042 because it is late and I found it cheaper, thanks",
        [("cancel_order", {**ORDER, "reason": "it is late and I found it cheaper"})],
    ),
    (
        "ecommerce",
        "order_actions",
        "cancel orders 1042 and 1043",
        [("cancel_order", ORDER), ("cancel_order", {"order_id": 1043})],
    ),
    (
        "ecommerce",
        "discount",
        "Cancel order 1042 and give me a 10% discount",
        [("apply_discount", {**ORDER, "percent": 10})],
    ),
    (
        "ecommerce",
        "discount",
        "取消订单 1042 并给我一个 10% 折扣",
        [("apply_discount", {**ORDER, "percent": 10})],
    ),
    ("ecommerce", "discount", "给订单 1042 打九折", [("apply_discount", {**ORDER, "percent": 10})]),
    ("ecommerce", "discount", "ten percent off order 1042", [("apply_discount", {**ORDER, "percent": 10})]),
    ("ecommerce", "discount", "apply 150% discount to 1042", [("apply_discount", {**ORDER, "percent": 150})]),
    ("ecommerce", "discount", "a 0% discount on order 1042", [("apply_discount", {**ORDER, "percent": 0})]),
    ("ecommerce", "discount", "make me a coupon for 20%", [("generate_coupon", {"discount_percent": 20})]),
    ("ecommerce", "discount", "生成一张八折优惠券", [("generate_coupon", {"discount_percent": 20})]),
    (
        "ecommerce",
        "discount",
        "make a 15% coupon valid for 14 days",
        [("generate_coupon", {"discount_percent": 15, "expiry_days": 14})],
    ),
    (
        "ecommerce",
        "discount",
        "a coupon of 15% valid for two weeks, and 5% off order 1042",
        [
            ("generate_coupon", {"discount_percent": 15, "expiry_days": 14}),
            ("apply_discount", {**ORDER, "percent": 5}),
        ],
    ),
    (
        "ecommerce",
        "fallback",
        "what is your return policy",
        [("fallback_respond", {"question": "what is your return policy"})],
    ),
    (
        "ecommerce",
        "fallback",
        "get me a human",
        [("hand_off_to_person", {"reason": "The customer asked for a person."})],
    ),
    ("saas", "subscription_management", "change plan to team", [("change_plan", {"plan": "team"})]),
    (
        "saas",
        "subscription_management",
        "change my plan to platinum",
        [("change_plan", {"plan": "platinum"})],
    ),
    (
        "saas",
        "subscription_management",
        "switch from team to the smallest plan",
        [("change_plan", {"plan": "starter"})],
    ),
    ("saas", "subscription_management", "升级到企业版", [("change_plan", {"plan": "enterprise"})]),
    (
        "saas",
        "subscription_management",
        "cancel my subscription because it is too expensive",
        [("cancel_subscription", {"reason": "it is too expensive"})],
    ),
    ("saas", "account_lookup", "what plan am I on", [("get_account_status", {})]),
    ("fintech", "transaction_lookup", "show my transactions", [("get_transaction_history", {})]),
    (
        "fintech",
        "transaction_lookup",
        "show my last 5 transactions since 2026-10-01",
        [("get_transaction_history", {"since": "2026-10-01", "limit": 5})],
    ),
    (
        "fintech",
        "dispute_handler",
        "I was charged twice for transaction 700123, please dispute it",
        [
            (
                "file_dispute",
                {"transaction_id": 700123, "reason": "I was charged twice for transaction 700123"},
            )
        ],
    ),
    (
        "fintech",
        "dispute_handler",
        "对交易 700123 提出争议，因为重复扣款",
        [("file_dispute", {"transaction_id": 700123, "reason": "重复扣款"})],
    ),
    (
        "fintech",
        "dispute_handler",
        "status of dispute 5001",
        [("check_dispute_status", {"dispute_id": 5001})],
    ),
]


@pytest.mark.parametrize(
    ("template", "agent", "message", "expected"), CALLS, ids=[f"{a}-{m}" for _, a, m, _ in CALLS]
)
def test_the_right_call_with_the_right_arguments(
    template: str, agent: str, message: str, expected: list[Any]
):
    assert calls(ask(tools_of(template, agent), message)) == expected


@pytest.mark.parametrize(
    ("message", "bookings"),
    [
        ("cancel booking B100", ["B100"]),
        ("cancel my booking number AB1234, please", ["AB1234"]),
        ("cancel bookings B100 and B200", ["B100", "B200"]),
        ("cancel booking BK-77", ["BK-77"]),
        ("cancel the booking before Q32", []),  # no booking is called so
        ("cancel my booking, I drive an A4000 now", []),
        ("A4000, cancel booking B100", ["B100"]),
    ],
)
def test_a_code_counts_where_its_noun_stands_with_it(message: str, bookings: list[str]):
    cancel = function(
        "cancelBooking", "Cancel a booking.", {"booking_id": {"type": "string"}}, ["booking_id"]
    )

    assert calls(ask([cancel], message)) == [("cancelBooking", {"booking_id": one}) for one in bookings]


def test_a_required_identifier_as_text_keeps_its_spelling():
    dispute = function(
        "file_dispute", "File a dispute.", {"transaction_id": {"type": "string"}}, ["transaction_id"]
    )

    assert calls(ask([dispute], "dispute transaction txn_8F3a")) == [
        ("file_dispute", {"transaction_id": "txn_8F3a"})
    ]


BACK = [
    (("What is the status of order 1042?", "Order 1042 is **paid**.", "cancel that one"), [1042]),
    (
        ("Where is order 1041?", "On its way.", "And order 1042?", "Order 1042 is **paid**.", "cancel it"),
        [1042],
    ),
    (("查询订单 1042", "订单 1042 的状态：**已付款**。", "取消这个"), [1042]),
    (("my orders", "Orders (2):\n- **1042** — paid\n- **1043** — paid", "cancel both of them"), [1042, 1043]),
]


@pytest.mark.parametrize(("texts", "expected"), BACK, ids=[texts[-1] for texts, _ in BACK])
def test_what_was_spoken_of_last_is_meant(texts: tuple[str, ...], expected: list[int]):
    found = calls(ask(tools_of("ecommerce", "order_actions"), *texts))

    assert found == [("cancel_order", {"order_id": order}) for order in expected]


def test_one_of_several_is_asked_for_and_never_guessed():
    listed = "Orders (2):\n- **1042** — paid\n- **1043** — paid"

    answer = ask(tools_of("ecommerce", "order_actions"), "show my orders", listed, "cancel it")

    assert calls(answer) == []
    assert "order number" in answer.text


ASKS = [
    ("order_actions", "cancel my order", NUMBER),
    ("order_actions", "取消订单", "为了取消订单，我还需要订单号。请问是什么？"),
    ("discount", "give me a discount on order 1042", PERCENT),
    (
        "discount",
        "I want a discount",
        "To apply the discount, I need the order number and the percentage. Could you tell me?",
    ),
]


@pytest.mark.parametrize(("agent", "message", "question"), ASKS, ids=[m for _, m, _ in ASKS])
def test_exactly_what_is_missing_is_asked_for(agent: str, message: str, question: str):
    answer = ask(tools_of("ecommerce", agent), message)

    assert calls(answer) == []
    assert answer.text == question


def test_the_choices_are_named_when_one_is_missing():
    answer = ask(tools_of("saas", "subscription_management"), "upgrade my plan")

    assert "free, starter, team, business or enterprise" in answer.text


COMPLETED = [
    ("ecommerce", "order_actions", ("cancel my order", "1042"), ("cancel_order", {"order_id": 1042})),
    ("ecommerce", "order_actions", ("取消订单", "是1042"), ("cancel_order", {"order_id": 1042})),
    (
        "ecommerce",
        "order_actions",
        ("cancel my order", "it's 1042, thanks"),
        ("cancel_order", {"order_id": 1042}),
    ),
    (
        "ecommerce",
        "discount",
        ("discount on order 1042 please", "10"),
        ("apply_discount", {**ORDER, "percent": 10}),
    ),
    (
        "ecommerce",
        "discount",
        ("I want a discount", "1042", "10"),
        ("apply_discount", {**ORDER, "percent": 10}),
    ),
    (
        "ecommerce",
        "discount",
        ("I want a discount", "15% on 1042"),
        ("apply_discount", {**ORDER, "percent": 15}),
    ),
    (
        "saas",
        "subscription_management",
        ("upgrade my plan", "business please"),
        ("change_plan", {"plan": "business"}),
    ),
    (
        "fintech",
        "dispute_handler",
        ("dispute transaction 700123", "I never bought anything there"),
        ("file_dispute", {"transaction_id": 700123, "reason": "I never bought anything there"}),
    ),
]


@pytest.mark.parametrize(
    ("template", "agent", "texts", "expected"), COMPLETED, ids=[str(t) for _, _, t, _ in COMPLETED]
)
def test_the_answer_to_its_question_completes_the_request(
    template: str, agent: str, texts: tuple[str, ...], expected: Any
):
    tools = tools_of(template, agent)
    spoken = [texts[0]]
    for text in texts[1:]:
        asked = ask(tools, *spoken)
        assert not asked.tool_calls
        spoken += [asked.text, text]

    assert calls(ask(tools, *spoken)) == [expected]


def test_what_was_done_already_is_not_done_again_when_another_part_is_completed():
    tools = [declared("cancel_order"), declared("apply_discount")]
    done = f"Order 1042 was cancelled.\n\n{PERCENT}"

    answer = ask(tools, "cancel order 1042 and give me a discount", done, "10%")

    assert calls(answer) == [("apply_discount", {"order_id": 1042, "percent": 10})]


def test_the_earlier_request_with_another_value():
    tools = tools_of("ecommerce", "discount")

    answer = ask(tools, "give order 1042 10% off", "A discount of 10% was applied.", "make it 15% instead")

    assert calls(answer) == [("apply_discount", {"order_id": 1042, "percent": 15})]


@pytest.mark.parametrize(
    "message", ["don't cancel order 1042", "please do not cancel it", "不要取消订单 1042"]
)
def test_what_is_ruled_out_is_not_done(message: str):
    assert (
        calls(ask(tools_of("ecommerce", "order_actions"), "order 1042", "Order 1042 is **paid**.", message))
        == []
    )


def test_asking_whether_it_happened_does_not_do_it():
    tools = tools_of("ecommerce", "order_actions")

    assert calls(ask(tools, "has order 1042 been cancelled?")) == []


# --- tools nobody prepared ------------------------------------------------------------------------

TEXT = {"type": "string"}
COUNT = {"type": "integer"}
UNSEEN = [
    function(
        "bookRoom",
        "Book a meeting room.",
        {
            "date": {**TEXT, "format": "date"},
            "guests": {**COUNT, "description": "Number of people."},
            "projector": {"type": "boolean", "description": "Whether a projector is needed."},
        },
        ["date", "guests"],
    ),
    function(
        "update_shipping_address",
        "Update the shipping address of an order.",
        {"order_id": COUNT, "new_address": TEXT},
        ["order_id", "new_address"],
    ),
    function(
        "reset_password",
        "Send a link to reset the password.",
        {"email": {**TEXT, "format": "email"}},
        ["email"],
    ),
    function(
        "get_invoice",
        "Get one invoice as a PDF link.",
        {"invoice_number": {**TEXT, "pattern": "^INV-[0-9]{4}$"}},
        ["invoice_number"],
    ),
    function(
        "freeze_card",
        "Freeze a bank card at once.",
        {"card_id": {"anyOf": [TEXT, {"type": "null"}]}, "notify_customer": {"type": "boolean"}},
        ["card_id"],
    ),
    function(
        "create_support_ticket",
        "Create a ticket for the technical team.",
        {"subject": TEXT, "priority": {"enum": ["low", "normal", "high", "urgent"], "type": "string"}},
        ["subject"],
    ),
    HAND_OFF,
]
UNSEEN_CALLS: list[tuple[str, list[tuple[str, dict[str, Any]]]]] = [
    ("book a room for 4 guests on 24 December", [("bookRoom", {"date": "2026-12-24", "guests": 4})]),
    (
        "please book a room for 12 people tomorrow with a projector",
        [("bookRoom", {"date": "2026-11-21", "guests": 12, "projector": True})],
    ),
    (
        "change the shipping address of order 1042 to 5 Main St, Springfield",
        [("update_shipping_address", {"order_id": 1042, "new_address": "5 Main St, Springfield"})],
    ),
    ("I forgot my password, my email is ann@example.com", [("reset_password", {"email": "ann@example.com"})]),
    (
        "reset my password: ann.b+x@mail.example.org",
        [("reset_password", {"email": "ann.b+x@mail.example.org"})],
    ),
    ("重置密码 ann@example.com", [("reset_password", {"email": "ann@example.com"})]),
    ("show me invoice INV-2041", [("get_invoice", {"invoice_number": "INV-2041"})]),
    (
        "Freeze card card_77aa and don't notify me",
        [("freeze_card", {"card_id": "card_77aa", "notify_customer": False})],
    ),
    (
        'open an urgent ticket "The app crashes at login"',
        [("create_support_ticket", {"subject": "The app crashes at login", "priority": "urgent"})],
    ),
    (
        "freeze card card_9 and reset my password for bo@example.com",
        [("freeze_card", {"card_id": "card_9"}), ("reset_password", {"email": "bo@example.com"})],
    ),
]


@pytest.mark.parametrize(("message", "expected"), UNSEEN_CALLS, ids=[m for m, _ in UNSEEN_CALLS])
def test_tools_never_seen_work_from_name_description_and_schema(message: str, expected: list[Any]):
    assert calls(ask(UNSEEN, message)) == expected


def test_a_tool_never_seen_is_asked_for_in_plain_words():
    assert "the email" in ask(UNSEEN, "reset my password please").text


def test_none_of_many_unseen_tools_is_called_for_something_else():
    assert calls(ask(UNSEEN, "change my billing plan to gold")) == []
    assert calls(ask(UNSEEN, "what is the capital of France?")) == []


def test_a_slow_pattern_of_a_hostile_schema_is_not_run():
    schema = {"type": "string", "pattern": "^(a+)+$"}
    tool = function("get_invoice", "Get an invoice.", {"invoice_id": schema}, ["invoice_id"])

    assert calls(ask([tool], "show invoice " + "a" * 60 + "-1")) is not None


# --- after results --------------------------------------------------------------------------------


def test_it_stops_when_its_results_are_in():
    tools = tools_of("ecommerce", "order_actions")
    first = ask(tools, "Cancel order 1042")

    second = ask(
        tools, "Cancel order 1042", after=results(first, ok({"message": "Order 1042 was cancelled."}))
    )

    assert second.tool_calls == []
    assert second.text == "Order 1042 was cancelled."


def test_what_another_agent_did_in_the_turn_does_not_stop_it():
    message = "Cancel order 1042 and give me a 10% discount"
    other = ask(tools_of("ecommerce", "order_actions"), message)

    mine = ask(
        tools_of("ecommerce", "discount"), message, after=results(other, ok({"message": "Cancelled."}))
    )

    assert calls(mine) == [("apply_discount", {"order_id": 1042, "percent": 10})]


@pytest.mark.parametrize(
    "kind", ["rejected", "expired", "cancelled", "skipped", "unknown", "validation", "transient"]
)
def test_a_failed_call_is_not_tried_again(kind: str):
    tools = tools_of("ecommerce", "order_actions")
    first = ask(tools, "Cancel order 1042")

    assert ask(tools, "Cancel order 1042", after=results(first, failed(kind))).tool_calls == []


def test_arguments_edited_by_staff_count_as_the_call_made():
    tools = tools_of("ecommerce", "discount")
    first = ask(tools, "give order 1042 50% off")
    first.tool_calls[0]["args"]["percent"] = 20

    second = ask(tools, "give order 1042 50% off", after=results(first, ok({"message": "20% was applied."})))

    assert second.tool_calls == []
    assert second.text == "20% was applied."


def test_what_nobody_can_do_goes_to_a_person_after_the_help_centre_found_nothing():
    tools = tools_of("ecommerce", "fallback")
    first = ask(tools, "refund order 1042")
    assert calls(first) == [("fallback_respond", {"question": "refund order 1042"})]

    second = ask(
        tools, "refund order 1042", after=results(first, ok({"articles": [], "message": "Nothing fits."}))
    )

    assert [name for name, _ in calls(second)] == ["hand_off_to_person"]


LONG = [
    "order 1042, " * 800,
    "a@" * 5000,
    "dispute 1 " * 1000,
    "cancel 1042 because " * 500,
    "1 " * 5000,
    "取消" * 5000,
    "取消订单 1042 并 " * 700,
    "to cancel," * 1000,
    " " * 9999 + "a",
    "cancel it" + " " * 9980 + "now",
]


@pytest.mark.parametrize("message", LONG, ids=[message[:10] for message in LONG])
def test_the_longest_message_holds_nobody_up(message: str):
    started = time.process_time()

    ask(tools_of("fintech", "dispute_handler"), message)

    assert time.process_time() - started < 2
