"""The templates of the product, against the contract's table, the tools and the router."""

import pytest

from agents import registry
from agents.agents_yaml import AgentsYamlInvalid
from agents.cards import AgentCard, ToolCard
from agents.models import Agent, Tool
from tests.agents.tool_rows import every_template_tool, make_agent

pytestmark = pytest.mark.django_db

CONTRACT = {
    "ecommerce": {
        "order_lookup": ("read", ["get_order_status", "get_tracking_info"]),
        "order_actions": ("write", ["cancel_order"]),
        "discount": ("write", ["apply_discount", "generate_coupon"]),
        "fallback": ("read", ["fallback_respond"]),
    },
    "saas": {
        "account_lookup": ("read", ["get_account_status"]),
        "subscription_management": ("write", ["change_plan", "cancel_subscription"]),
        "fallback": ("read", ["fallback_respond"]),
    },
    "fintech": {
        "transaction_lookup": ("read", ["get_transaction_history"]),
        "dispute_handler": ("write", ["file_dispute", "check_dispute_status"]),
        "fallback": ("read", ["fallback_respond"]),
    },
}


@pytest.mark.parametrize("name", CONTRACT)
def test_a_template_is_what_the_contract_says(name: str) -> None:
    every_template_tool()

    registry.load_template(name)

    loaded = registry.current().agents
    assert {
        agent.name: (agent.permission, [tool.name for tool in agent.tools]) for agent in loaded
    } == CONTRACT[name]
    for agent in loaded:
        assert all([agent.description, agent.tone, agent.greeting, agent.escalation_message])
        assert any(word.isascii() for word in agent.keywords)
        assert any(not word.isascii() for word in agent.keywords)


def test_a_template_replaces_the_agents_of_another() -> None:
    every_template_tool()
    registry.load_template("ecommerce")

    registry.load_template("fintech")

    assert [agent.name for agent in registry.current().agents] == list(CONTRACT["fintech"])


@pytest.mark.parametrize("name", ["x", "", "../templates/saas", "saas.yaml", "SAAS"])
def test_an_unknown_template_is_refused_with_those_that_there_are(name: str) -> None:
    make_agent("mine")

    with pytest.raises(registry.TemplateNotFound) as refusal:
        registry.load_template(name)

    assert refusal.value.message == f"Template '{name}' not found. Available: ecommerce, fintech, saas"
    assert list(Agent.objects.values_list("name", flat=True)) == ["mine"]


def test_a_template_without_its_tools_changes_nothing() -> None:
    make_agent("mine")

    with pytest.raises(AgentsYamlInvalid) as refusal:
        registry.load_template("saas")

    assert "Unknown tool 'get_account_status'." in refusal.value.message
    assert list(Agent.objects.values_list("name", flat=True)) == ["mine"]
    assert not Tool.objects.exists()


def test_a_snapshot_makes_cards_for_the_router() -> None:
    every_template_tool()
    registry.load_template("ecommerce")

    cards = [
        AgentCard(
            name=agent.name,
            description=agent.description,
            permission=agent.permission,
            keywords=agent.keywords,
            tools=tuple(ToolCard(tool.name, tool.description) for tool in agent.tools),
        )
        for agent in registry.current().agents
    ]

    assert [card.name for card in cards] == list(CONTRACT["ecommerce"])
    assert len({hash(card) for card in cards}) == len(cards)
