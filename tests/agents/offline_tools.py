"""Tools, agent cards and conversations for the tests of routing and of the offline model.

The tools are the operations of the demo business's own OpenAPI document, declared as a provider would be told them:
without the parameters that the server binds.
"""

import json
from datetime import date
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agents.providers.offline import OfflineChatModel
from agents.routing import AgentCard, ToolCard
from smartsupport.demo.document import METHODS, build

TODAY = date(2026, 11, 20)
SYSTEM = "You are an agent of a support desk.\ntone: friendly\ngreeting: Welcome to Harbour & Co.!"


def _operations() -> dict[str, dict[str, Any]]:
    document = build()
    return {
        item[method]["operationId"]: {**item[method], "shared": item.get("parameters", [])}
        for item in document["paths"].values()
        for method in METHODS
        if method in item
    }


OPERATIONS = _operations()


def declared(name: str) -> dict[str, Any]:
    """One operation of the demo business as an OpenAI tool declaration."""
    operation = OPERATIONS[name]
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in [*operation["shared"], *operation.get("parameters", [])]:
        if "$ref" in parameter or parameter["in"] == "header":
            continue
        properties[parameter["name"]] = {**parameter["schema"], "description": parameter.get("description", "")}
        if parameter.get("required"):
            required.append(parameter["name"])
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    properties |= body.get("properties", {})
    required += body.get("required", [])
    return function(name, f"{operation['summary']}. {operation['description']}", properties, required)


def function(name: str, description: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


HAND_OFF = function(
    "hand_off_to_person", "Pass the conversation to a person.", {"reason": {"type": "string"}}, ["reason"]
)

_AGENTS = {
    "ecommerce": [
        ("order_lookup", "Looks up orders and parcels.", "read", ("get_order_status", "get_tracking_info")),
        ("order_actions", "Cancels orders.", "write", ("cancel_order",)),
        ("discount", "Gives discounts and coupons.", "write", ("apply_discount", "generate_coupon")),
        ("fallback", "Answers everything else.", "read", ("fallback_respond",)),
    ],
    "saas": [
        ("account_lookup", "Tells about the account.", "read", ("get_account_status",)),
        ("subscription_management", "Changes and cancels subscriptions.", "write", ("change_plan", "cancel_subscription")),
        ("fallback", "Answers everything else.", "read", ("fallback_respond",)),
    ],
    "fintech": [
        ("transaction_lookup", "Shows transactions.", "read", ("get_transaction_history",)),
        ("dispute_handler", "Files disputes and follows them.", "write", ("file_dispute", "check_dispute_status")),
        ("fallback", "Answers everything else.", "read", ("fallback_respond",)),
    ],
}


def cards(template: str) -> list[AgentCard]:
    return [
        AgentCard(name, description, permission, (), tuple(_tool_card(tool) for tool in tools))
        for name, description, permission, tools in _AGENTS[template]
    ]


def _tool_card(name: str) -> ToolCard:
    operation = OPERATIONS[name]
    return ToolCard(name, f"{operation['summary']}. {operation['description']}")


def tools_of(template: str, agent: str) -> list[dict[str, Any]]:
    names = next(tools for name, _, _, tools in _AGENTS[template] if name == agent)
    return [*(declared(name) for name in names), HAND_OFF]


def offline() -> OfflineChatModel:
    return OfflineChatModel(today=lambda: TODAY)


def said(*texts: str) -> list[BaseMessage]:
    """A conversation: the customer, the agent, the customer ... in turn."""
    return [HumanMessage(text) if i % 2 == 0 else AIMessage(text) for i, text in enumerate(texts)]


def ask(tools: list[dict[str, Any]], *texts: str, after: list[BaseMessage] | None = None) -> AIMessage:
    """The model's next answer to a conversation that ends with the customer (and with `after`)."""
    messages = [SystemMessage(SYSTEM), *said(*texts), *(after or [])]
    return offline().bind_tools(tools).invoke(messages)


def calls(answer: AIMessage) -> list[tuple[str, dict[str, Any]]]:
    return [(call["name"], call["args"]) for call in answer.tool_calls]


def results(answer: AIMessage, *contents: Any) -> list[BaseMessage]:
    """The answer with its tool calls, followed by one tool message for each, in the envelope of the graph."""
    assert len(contents) == len(answer.tool_calls)
    tool_messages = [
        ToolMessage(json.dumps(content, ensure_ascii=False), tool_call_id=call["id"])
        for content, call in zip(contents, answer.tool_calls, strict=True)
    ]
    return [answer, *tool_messages]


def ok(result: Any) -> dict[str, Any]:
    return {"ok": True, "result": result}


def failed(kind: str, message: str = "") -> dict[str, Any]:
    return {"ok": False, "error": {"kind": kind, "message": message}}
