"""Tools, agent cards and conversations for the tests of routing and of the offline model.

The tools are the operations of the demo business's own OpenAPI document, declared as a provider would
be told them:
without the parameters that the server binds.
"""

import json
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agents.providers.offline import OfflineChatModel
from agents.routing import AgentCard, ToolCard
from smartsupport.demo.document import METHODS, build

TODAY = date(2026, 11, 20)
SYSTEM = "You are an agent of a support desk.\nTone: friendly\nGreeting: Welcome to Harbour & Co.!"


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
        properties[parameter["name"]] = {
            **parameter["schema"],
            "description": parameter.get("description", ""),
        }
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

TEMPLATES = Path(__file__).resolve().parents[2] / "agents" / "templates"


def agents_of(template: str) -> list[dict[str, Any]]:
    """The agents of a template, as its YAML has them."""
    content = yaml.safe_load((TEMPLATES / f"{template}.yaml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = content["agents"]
    return found


def cards(template: str) -> list[AgentCard]:
    return [
        AgentCard(
            agent["name"],
            agent["description"],
            agent["permission"],
            tuple(agent.get("keywords", ())),
            tuple(_tool_card(tool) for tool in agent["tools"]),
        )
        for agent in agents_of(template)
    ]


def _tool_card(name: str) -> ToolCard:
    operation = OPERATIONS[name]
    return ToolCard(name, f"{operation['summary']}. {operation['description']}")


def tools_of(template: str, agent: str) -> list[dict[str, Any]]:
    names = next(entry["tools"] for entry in agents_of(template) if entry["name"] == agent)
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
