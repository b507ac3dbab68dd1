"""What the offline model tells the customer about results: true, short, in their language."""

from typing import Any

import pytest

from tests.agents.offline_tools import ask, failed, function, ok, results, tools_of

ORDER = {
    "order_id": 1042,
    "status": "paid",
    "placed_at": "2026-11-18T09:12:00Z",
    "total": {"amount": "129.90", "currency": "EUR"},
    "status_text": "The order is paid and waits to be packed.",
    "items": [
        {"sku": "A-1", "name": "Lamp", "quantity": 2, "unit_price": {"amount": "49.95", "currency": "EUR"}}
    ],
    "discount": None,
    "can_be_cancelled": True,
}


def told(template: str, agent: str, message: str, *contents: Any) -> str:
    tools = tools_of(template, agent)
    after = results(ask(tools, message), *contents)
    answer = ask(tools, message, after=after)
    assert answer.tool_calls == []
    return answer.text


def test_a_record_becomes_a_sentence_and_a_list():
    text = told("ecommerce", "order_lookup", "What is the status of order 1042?", ok(ORDER))

    assert text.splitlines() == [
        "Order 1042 is **paid**. The order is paid and waits to be packed.",
        "",
        "- **Placed at:** 18 November 2026, 09:12 UTC",
        "- **Total:** 129.90 EUR",
        "- **Can be cancelled:** yes",
        "- **Items:**",
        "  - **Lamp** — sku A-1, quantity 2, 49.95 EUR",
    ]


def test_a_record_is_not_called_by_the_id_of_whom_it_belongs_to():
    booking = {"customer_id": "cus_1001", "id": "BK-100", "status": "cancelled"}

    text = told("ecommerce", "order_lookup", "What is the status of order 1042?", ok(booking))

    assert "cus_1001 is" not in text
    assert "- **ID:** BK-100" in text
    assert "- **Status:** cancelled" in text


def test_a_chinese_question_is_answered_in_chinese():
    text = told("ecommerce", "order_lookup", "查询订单 1042", ok(ORDER))

    assert text.startswith("订单 1042 的状态：**已付款**。")
    assert "- **下单时间:** 2026年11月18日 09:12 UTC" in text


def test_the_systems_own_sentence_comes_first():
    result = {"order_id": 1042, "message": "The parcel is on its way.", "carrier": "DHL", "events": []}

    text = told("ecommerce", "order_lookup", "track 1042", ok(result))

    assert text.startswith("The parcel is on its way.")
    assert "**Carrier:** DHL" in text


def test_a_long_list_is_cut_and_says_so():
    payment = {
        "transaction_id": 7,
        "description": "Northwind",
        "amount": {"amount": "-12.00", "currency": "EUR"},
    }

    text = told(
        "fintech",
        "transaction_lookup",
        "show my transactions",
        ok({"transactions": [payment] * 12, "total": 30}),
    )

    assert text.startswith("Transactions (12 of 30):\n- **7** — Northwind, -12.00 EUR")
    assert text.endswith("- ... and 2 more")


@pytest.mark.parametrize(
    ("message", "expected"),
    [("show my transactions", "I found no transactions."), ("查看我的交易", "没有找到交易。")],
)
def test_an_empty_list_is_told(message: str, expected: str):
    assert told("fintech", "transaction_lookup", message, ok({"transactions": [], "total": 0})) == expected


def test_the_refusal_of_the_platform_is_passed_on_word_for_word():
    text = told(
        "ecommerce",
        "discount",
        "apply a 150% discount to order 1042",
        failed("validation", "Invalid discount: 150%. Must be between 1 and 100."),
    )

    assert text == "I could not apply the discount. Invalid discount: 150%. Must be between 1 and 100."


FAILURES = [
    ("rejected", "declined"),
    ("expired", "expired"),
    ("cancelled", "stopped"),
    ("skipped", "skipped"),
    ("transient", "did not answer"),
    ("auth", "not let into"),
    ("unknown", "cannot tell"),
    ("something new", "could not"),
]


@pytest.mark.parametrize(("kind", "word"), FAILURES)
def test_a_failure_is_told_and_never_sounds_like_success(kind: str, word: str):
    text = told("ecommerce", "order_actions", "Cancel order 1042", failed(kind))

    assert word in text
    assert "was cancelled" not in text


def test_each_of_two_calls_is_told():
    text = told(
        "ecommerce",
        "order_actions",
        "cancel orders 1042 and 1043",
        ok({"message": "Order 1042 was cancelled."}),
        failed("rejected", "The customer declined this. It was not carried out."),
    )

    assert "Order 1042 was cancelled." in text
    assert "declined" in text


def test_an_article_is_shown_whole():
    article = {"topic": "shop", "title": "Returns", "text": "You can send anything back within 30 days. " * 4}

    text = told(
        "ecommerce",
        "fallback",
        "what is your return policy",
        ok({"articles": [article], "message": "Found one."}),
    )

    assert "**Returns**" in text
    assert article["text"].strip() in text


def test_no_article_is_told_and_a_person_is_offered():
    text = told(
        "ecommerce", "fallback", "do you sell unicorns?", ok({"articles": [], "message": "No article fits."})
    )

    assert text == "No article fits.\n\nWould you like me to pass you to a person?"


SHAPES: list[tuple[Any, str]] = [
    ({}, "I found nothing on that."),
    (None, "I found nothing on that."),
    ("Sunny.", "Sunny."),
    (21, "Get weather: 21"),
    (["rain", "wind"], "Get weather (2):\n- rain\n- wind"),
    ({"report": {"sky": "clear"}}, "Here is what I found:\n\n- **Sky:** clear"),
    (
        {"price_cents": 1290, "open": False},
        "Here is what I found:\n\n- **Price cents:** 12.90\n- **Open:** no",
    ),
    ({"day": "2026-12-24"}, "Here is what I found:\n\n- **Day:** 24 December 2026"),
    (
        {"seats": {"used": 3, "included": 10}, "a": 1},
        "Here is what I found:\n\n- **Seats:** used 3, included 10\n- **A:** 1",
    ),
]


@pytest.mark.parametrize(("result", "expected"), SHAPES, ids=[str(r) for r, _ in SHAPES])
def test_any_shape_of_result_is_told(result: Any, expected: str):
    weather = function("get_weather", "Get the weather.", {}, [])
    after = results(ask([weather], "show me the weather"), ok(result))

    assert ask([weather], "show me the weather", after=after).text == expected


def test_text_that_is_no_envelope_is_a_result_as_it_stands():
    weather = function("get_weather", "Get the weather.", {}, [])
    after = results(ask([weather], "show me the weather"), {"sky": "clear"})
    after[1].content = '{"ok": true, "result": {"sky": "cle… [cut: 9 of 40 characters left out]'

    assert "cut: 9 of 40" in ask([weather], "show me the weather", after=after).text


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("hi", "Welcome to Harbour & Co.!"),
        ("Thank you!", "You're welcome! Let me know if there is anything else."),
        ("再见", "感谢您的联系，再见！"),
        (
            "are you a robot?",
            "I'm the offline demo model of this support desk: fixed rules, no network "
            "and no language model behind me.",
        ),
    ],
)
def test_small_talk(message: str, expected: str):
    answer = ask(tools_of("ecommerce", "fallback"), message)

    assert answer.tool_calls == []
    assert answer.text == expected


def test_what_it_cannot_do_it_says():
    text = ask(tools_of("ecommerce", "order_actions"), "what is the weather like").text

    assert text.startswith("I can't help with that.")
    assert "cancel the order" in text


def test_what_was_declined_is_said_once_with_the_reason_that_was_given():
    bare = failed("rejected", "The customer declined this. It was not carried out.")
    reasoned = failed(
        "rejected", "Our staff declined this. It was not carried out. Reason given: Sent already."
    )

    assert told("ecommerce", "order_actions", "Cancel order 1042", bare) == (
        "The request to cancel the order was declined, so I did not carry it out."
    )
    assert told("ecommerce", "order_actions", "Cancel order 1042", reasoned) == (
        "The request to cancel the order was declined, so I did not carry it out. Reason given: Sent already."
    )
