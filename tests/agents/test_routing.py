"""Routing through `decide` with the offline model: the promised rows, many ways of saying them, and
follow-ups.
"""

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from agents.routing import AgentCard, Decision, ToolCard, continues, decide
from tests.agents.offline_tools import cards, offline, said


async def routed(template: str, message: str, *earlier: str) -> Decision:
    decision, raw = await decide(offline(), cards=cards(template), history=said(*earlier), message=message)
    assert raw is not None
    assert raw.usage_metadata["input_tokens"] > 0
    assert [bool(decision.agents), bool(decision.question), bool(decision.handoff)].count(True) == 1
    return decision


SHOP = [
    ("What is the status of order 1042?", "order_lookup"),
    ("Cancel order 1042", "order_actions"),
    ("Cancel order 1042 and give me a 10% discount", "order_actions discount"),
    ("查询订单 1042", "order_lookup"),
    ("取消订单 1042 并给我一个 10% 折扣", "order_actions discount"),
    ("where's my package 1042", "order_lookup"),
    ("Where is order 1042?", "order_lookup"),
    ("When will order 1042 arrive?", "order_lookup"),
    ("order 1042", "order_lookup"),
    ("I need my order status", "order_lookup"),
    ("order 1042 hasn't arrived", "order_lookup"),
    ("has my order 1042 been shipped?", "order_lookup"),
    ("Have you cancelled order 1042?", "order_lookup"),
    ("is order 1042 cancelled yet?", "order_lookup"),
    ("please track 1042", "order_lookup"),
    ("I ordered shoes last week, can you tell me where order 1042 is?", "order_lookup"),
    ("快递到哪了 1042", "order_lookup"),
    ("帮我看看 1042 的物流", "order_lookup"),
    ("我的订单 1042 发货了吗？", "order_lookup"),
    ("I changed my mind about 1042, please cancel", "order_actions"),
    ("I don't want order 1042 any more", "order_actions"),
    ("Stop order 1042", "order_actions"),
    ("Please CANCEL my order #1042!!!", "order_actions"),
    ("cancel orders 1042 and 1043", "order_actions"),
    ("Can you cancel order 1042 for me?", "order_actions"),
    ("is it possible to cancel order 1042?", "order_actions"),
    ("How do I cancel my order", "order_actions"),
    ("cancel", "order_actions"),
    ("我不想要订单1042了", "order_actions"),
    ("把 1042 取消掉", "order_actions"),
    ("请取消１０４２号订单", "order_actions"),
    ("can I get 15 percent off order 1050", "discount"),
    ("make me a coupon for 20%", "discount"),
    ("any chance of a discount on 1050?", "discount"),
    ("apply a 150% discount to order 1042", "discount"),
    ("discount please", "discount"),
    ("I need a voucher", "discount"),
    ("can I have 10% on order 1042", "discount"),
    ("给订单 1042 打九折", "discount"),
    ("生成一张八折优惠券", "discount"),
    ("优惠一点吧", "discount"),
    (
        "track 1042; cancel 1043, and make a 15% coupon valid for 14 days",
        "order_lookup order_actions discount",
    ),
    ("give me a 10% discount and cancel order 1042", "discount order_actions"),
    ("show me order 1042 and then cancel it", "order_lookup order_actions"),
    ("what is your return policy", "fallback"),
    ("What is your cancellation policy?", "fallback"),
    ("do you ship to Canada?", "fallback"),
    ("what are your opening hours", "fallback"),
    ("你们的退货政策是什么", "fallback"),
    ("cancel my subscription", "fallback"),
    ("I'd like to return order 1042", "fallback"),
    ("hi", "fallback"),
    ("Thank you so much!", "fallback"),
    ("bye", "fallback"),
    ("你好", "fallback"),
    ("谢谢", "fallback"),
    ("what can you do?", "fallback"),
]
SAAS = [
    ("change plan to pro", "subscription_management"),
    ("cancel my subscription", "subscription_management"),
    ("what plan am I on", "account_lookup"),
    ("upgrade me to enterprise", "subscription_management"),
    ("I'd like to downgrade to starter", "subscription_management"),
    ("switch my plan to team and show my account", "subscription_management account_lookup"),
    ("is my subscription active?", "account_lookup"),
    ("when does my plan renew?", "account_lookup"),
    ("升级到专业版", "subscription_management"),
    ("退订", "subscription_management"),
    ("我现在是什么套餐", "account_lookup"),
]
BANK = [
    ("show my transactions", "transaction_lookup"),
    ("list recent payments", "transaction_lookup"),
    ("What did I pay to Northwind?", "transaction_lookup"),
    ("dispute transaction txn_8f31", "dispute_handler"),
    ("status of dispute 5001", "dispute_handler"),
    ("I don't recognise the charge 700123", "dispute_handler"),
    ("what's happening with my dispute 5001", "dispute_handler"),
    ("I was charged twice for 700123, please dispute it", "dispute_handler"),
    ("show my last 5 transactions and dispute 700123", "transaction_lookup dispute_handler"),
    ("查看我的交易", "transaction_lookup"),
    ("对交易 700123 提出争议", "dispute_handler"),
    ("争议 5001 的状态", "dispute_handler"),
]
ROWS = [(t, m, a) for t, rows in (("ecommerce", SHOP), ("saas", SAAS), ("fintech", BANK)) for m, a in rows]


@pytest.mark.parametrize(("template", "message", "agents"), ROWS, ids=[f"{t}-{m}" for t, m, _ in ROWS])
async def test_a_message_goes_to_the_agents_that_serve_it(template: str, message: str, agents: str):
    decision = await routed(template, message)

    assert decision.agents == tuple(agents.split())


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Cancel order 1042 and give me a 10% discount", "Passed to order actions and discount."),
        ("hello", "No specialist is needed for this."),
    ],
)
async def test_the_rules_keep_their_own_reasons_to_themselves(message: str, reason: str):
    assert (await routed("ecommerce", message)).reason == reason


@pytest.mark.parametrize(
    "message",
    ["hmm", "嗯...", "?", "ok so", "...", "uhm", "help", "1042", "my order", "don't cancel order 1042"],
)
async def test_an_ambiguous_message_gets_one_question(message: str):
    decision = await routed("ecommerce", message)

    assert decision.agents == ()
    assert decision.question.endswith(("?", "？"))


async def test_the_question_is_in_the_customers_language():
    assert "您" in (await routed("ecommerce", "嗯...")).question
    assert "you" in (await routed("ecommerce", "hmm")).question
    assert "您" in (await routed("ecommerce", "??", "查询订单 1042", "订单 1042 已付款。")).question


@pytest.mark.parametrize(
    "message",
    [
        "I want to talk to a person",
        "this is useless, get me a human",
        "can I speak to a real agent please",
        "connect me with someone from your team",
        "human please",
        "转人工",
        "我要找人工客服",
        "cancel order 1042, no wait, let me talk to somebody",
    ],
)
async def test_asking_for_a_person_is_a_handoff(message: str):
    assert (await routed("ecommerce", message)).handoff


@pytest.mark.parametrize(
    "message", ["cancel order 1042 for my agent fee", "is the person at the door from DHL order 1042?"]
)
async def test_naming_people_is_no_handoff(message: str):
    assert not (await routed("ecommerce", message)).handoff


NUMBER = "To cancel the order, I need the order number. Could you tell me what it is?"
PERCENT = "To apply the discount, I need the percentage. Could you tell me what it is?"
REASON = "To file the dispute, I need the reason. Could you tell me what it is?"
EXPIRED = "The approval request for 'cancel_order' has expired after 30 minutes. Would you like to try again?"
FOLLOW_UPS = [
    ("cancel that one", "order_actions", ("What is the status of order 1042?", "Order 1042 is **paid**.")),
    ("取消这个", "order_actions", ("查询订单 1042", "订单 1042 的状态：已付款。")),
    ("1042", "order_actions", ("cancel my order", NUMBER)),
    (
        "10%",
        "discount",
        ("cancel order 1042 and give me a discount", f"Order 1042 was cancelled.\n\n{PERCENT}"),
    ),
    ("and 1043?", "order_lookup", ("Where is order 1042?", "It is on its way.")),
    ("yes", "order_actions", ("cancel order 1042", EXPIRED)),
    ("I never bought that", "dispute_handler", ("dispute transaction 700123", REASON)),
]


@pytest.mark.parametrize(("message", "agent", "earlier"), FOLLOW_UPS, ids=[m for m, _, _ in FOLLOW_UPS])
async def test_what_was_said_before_decides(message: str, agent: str, earlier: tuple[str, ...]):
    template = "fintech" if agent == "dispute_handler" else "ecommerce"

    assert (await routed(template, message, *earlier)).agents == (agent,)


async def test_a_new_request_wins_over_an_open_question():
    asked = NUMBER

    decision = await routed("ecommerce", "show order 1043 instead", "cancel my order", asked)

    assert decision.agents == ("order_lookup",)


async def test_yes_to_an_offered_person_is_a_handoff():
    offer = "I have no answer to that.\n\nWould you like me to pass you to a person?"

    assert (await routed("ecommerce", "yes please", "do you sell unicorns?", offer)).handoff


async def test_without_a_fallback_agent_an_uncovered_question_is_asked_back():
    specialists = [card for card in cards("ecommerce") if card.name != "fallback"]

    decision, _ = await decide(offline(), cards=specialists, history=[], message="what is your return policy")

    assert decision.question


async def test_one_specialist_alone_is_still_routed():
    alone = [
        AgentCard("rooms", "Books rooms.", "write", (), (ToolCard("book_room", "Book a meeting room."),))
    ]

    booked, _ = await decide(offline(), cards=alone, history=[], message="book a room for tomorrow")
    vague, _ = await decide(offline(), cards=alone, history=[], message="hmm")
    person, _ = await decide(offline(), cards=alone, history=[], message="I want a human")

    assert booked.agents == ("rooms",)
    assert vague.question
    assert person.handoff


async def test_there_must_be_an_agent():
    with pytest.raises(ValueError, match="no agent"):
        await decide(offline(), cards=[], history=[], message="hello there")


CONTINUES = [
    ("order_lookup", "and 1043?", True),
    ("order_lookup", "where is order 1044?", True),
    ("order_lookup", "cancel that one", False),
    ("order_lookup", "show order 1042 and cancel it", False),
    ("order_lookup", "hmm", False),
    ("order_lookup", "thanks", False),
    ("order_lookup", "get me a human", False),
    ("order_lookup", "what is your return policy", False),
    ("order_lookup", "blue elephants", False),
    ("order_actions", "cancel order 1043 too", True),
    ("fallback", "what is your return policy", False),
    ("nobody", "where is order 1044?", False),
]


@pytest.mark.parametrize(
    ("live", "message", "expected"), CONTINUES, ids=[f"{a}-{m}" for a, m, _ in CONTINUES]
)
def test_routing_is_skipped_only_where_the_message_plainly_continues(live: str, message: str, expected: bool):
    history = [HumanMessage("Where is order 1042?"), AIMessage("Order 1042 is **paid**.")]

    assert continues(cards=cards("ecommerce"), live_agent=live, message=message, history=history) is expected


def test_an_answer_to_the_live_agents_question_continues():
    history = said("cancel my order", NUMBER)

    assert continues(cards=cards("ecommerce"), live_agent="order_actions", message="1042", history=history)
