"""Rows for the tests of the registry and of agents' files."""

from typing import Any

from django.utils import timezone

from agents.models import Agent, AgentTool, Tool
from openapi_import.models import SpecSource

WRITING = {"access": "write", "approval": "customer", "method": "POST"}


def make_source(name: str = "shop") -> SpecSource:
    return SpecSource.objects.get_or_create(
        name=name,
        defaults={
            "url": "https://shop.example/openapi.json",
            "document_hash": "0" * 64,
            "fetched_at": timezone.now(),
        },
    )[0]


def make_tool(name: str, **values: Any) -> Tool:
    """A tool that reads, unless told otherwise."""
    defaults: dict[str, Any] = {
        "title": name,
        "description": f"What {name} does.",
        "operation_id": name,
        "method": "GET",
        "server_url": "https://shop.example",
        "path": f"/{name}",
        "input_schema": {"type": "object", "properties": {"order_id": {"type": "integer"}}},
        "access": "read",
        "approval": "none",
    }
    return Tool.objects.create(source=make_source(), name=name, **(defaults | values))


def make_agent(name: str, *tools: Tool, **values: Any) -> Agent:
    """An agent that may write, with these tools in this order, unless told otherwise."""
    agent = Agent.objects.create(name=name, **({"description": name, "permission": "write"} | values))
    for position, tool in enumerate(tools):
        AgentTool.objects.create(agent=agent, tool=tool, position=position)
    return agent


def every_template_tool() -> None:
    """The tools that the three templates name, with the access that the contract gives their agents."""
    reading = (
        "get_order_status get_tracking_info get_account_status get_transaction_history check_dispute_status "
        "fallback_respond"
    )
    writing = "cancel_order apply_discount generate_coupon change_plan cancel_subscription file_dispute"
    for name in reading.split():
        make_tool(name)
    for name in writing.split():
        make_tool(name, **WRITING)
