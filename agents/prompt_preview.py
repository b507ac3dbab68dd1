"""What a model is sent for an agent, put together without asking it. See `agents.graph`, which sends it, and the test
that compares the two. Imports what asks models, so it is imported where a page needs it."""

import json
from dataclasses import dataclass
from typing import Any

from agents import policy, tokens
from agents.graph import _card, _tool_schema
from agents.prompts import system_prompt
from agents.registry import AgentSpec, ToolSpec
from agents.routing import routing_prompt
from agents.tool_choice import CHOSEN, MANY, is_large
from smartsupport.lib.ids import canonical_json


@dataclass(frozen=True)
class Shown:
    """A piece of what is sent, as text, and about how many tokens it has."""

    title: str
    text: str
    tokens: int


@dataclass(frozen=True)
class Preview:
    """`tools`: what stands beside the messages, in order. `chosen_from`: how many tools the agent has where only some
    are chosen for each message; 0 where it gets all of them. `card`: what routing reads of it."""

    system: Shown
    tools: list[Shown]
    tools_text: str
    chosen_from: int
    card: Shown

    @property
    def tools_tokens(self) -> int:
        return sum(one.tokens for one in self.tools)

    @property
    def total(self) -> int:
        return self.system.tokens + self.tools_tokens


def tool_as_sent(tool: ToolSpec) -> dict[str, Any]:
    """The tool as the model sees it."""
    return _tool_schema(tool)


def tools_as_sent(agent: AgentSpec, offered: tuple[ToolSpec, ...]) -> list[dict[str, Any]]:
    """Everything that the model may call, in order: `offered` of the agent's own, and ours."""
    schemas = [_tool_schema(tool) for tool in offered]
    if is_large(agent):
        return [policy.FIND_TOOLS_TOOL, policy.HAND_OFF_TOOL, *schemas]
    return [*schemas, policy.HAND_OFF_TOOL]


def of_agent(agent: AgentSpec) -> Preview:
    """Of an agent with too many tools, those that come with every message."""
    large = is_large(agent)
    sent = tools_as_sent(agent, () if large else agent.tools)
    text = system_prompt(agent)
    card = routing_prompt([_card(agent)]).partition("```json\n")[2].removesuffix("\n```")
    return Preview(
        system=Shown("System prompt", text, tokens.of_message(text)),
        tools=[_shown(one) for one in sent],
        tools_text=json.dumps(sent, indent=2, ensure_ascii=False),
        chosen_from=len(agent.tools) if large else 0,
        card=Shown("What routing reads", card, tokens.estimated(card)),
    )


def _shown(sent: dict[str, Any]) -> Shown:
    text = json.dumps(sent, indent=2, ensure_ascii=False)
    return Shown(sent["function"]["name"], text, tokens.estimated(canonical_json(sent)))


MOST_CHOSEN, ALL_UP_TO = CHOSEN, MANY
