"""The templates' words route as the contract wants, with the tools as the demo business describes them."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from agents import registry
from agents.cards import AgentCard, ToolCard
from agents.lexical_router import route
from smartsupport.seeding.demo_tools import publish_demo_tools
from tests.demo.program import Program

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    running = Program(tmp_path_factory.mktemp("books"))
    yield running
    running.stop()


def cards() -> list[AgentCard]:
    return [
        AgentCard(
            name=agent.name,
            description=agent.description,
            permission=agent.permission,
            keywords=agent.keywords,
            tools=tuple(ToolCard(tool.name, tool.description) for tool in agent.tools),
        )
        for agent in registry.current().agents
    ]


EXPECTED = {
    "ecommerce": {
        "What is the status of order 1042?": ["order_lookup"],
        "Where is my parcel?": ["order_lookup"],
        "Cancel order 1042": ["order_actions"],
        "Cancel order 1042 and give me a 10% discount": ["order_actions", "discount"],
        "查询订单 1042": ["order_lookup"],
        "取消订单 1042 并给我一个 10% 折扣": ["order_actions", "discount"],
        "给我一张优惠券": ["discount"],
        "What is your return policy?": ["fallback"],
        "hmm": [],
        "嗯...": [],
    },
    "saas": {
        "What plan am I on?": ["account_lookup"],
        "Upgrade me to the team plan": ["subscription_management"],
        "Cancel my subscription": ["subscription_management"],
        "取消订阅": ["subscription_management"],
        "How do I reset my password?": ["fallback"],
    },
    "fintech": {
        "Show my recent transactions": ["transaction_lookup"],
        "I don't recognise transaction 700123": ["dispute_handler"],
        "What is the status of dispute 5001?": ["dispute_handler"],
        "查询交易记录": ["transaction_lookup"],
    },
}


@pytest.mark.parametrize("template", EXPECTED)
def test_messages_go_to_the_agents_that_can_help(template: str, program: Program, settings: Settings) -> None:
    settings.DEMO_PORT = int(program.url.rpartition(":")[2])
    settings.SAFE_HTTP_ALLOWED_HOSTS = [f"127.0.0.1:{settings.DEMO_PORT}"]
    publish_demo_tools()
    registry.load_template(template)
    known = cards()

    found = {
        message: [intent.agent for intent in route(known, [], message).intents]
        for message in EXPECTED[template]
    }

    assert found == EXPECTED[template]
