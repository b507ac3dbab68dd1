"""Answering a routing prompt: the agents are read from the JSON block of the system prompt, as any model
reads them.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import BaseMessage, SystemMessage

from agents import lexical_router
from agents.cards import AgentCard, ToolCard
from agents.lexical_mood import is_angry
from agents.providers.offline.conversation import read_prompt

_BLOCK = re.compile(r"```json\s*(\[.*?\])\s*```", re.DOTALL)


def cards_in(system: str) -> list[AgentCard]:
    """The agents listed in a system prompt; none when it has no such block."""
    found = _BLOCK.search(system)
    if not found:
        return []
    listed = json.loads(found.group(1))
    return [_card(entry) for entry in listed if isinstance(entry, dict) and entry.get("name")]


def _card(entry: dict[str, Any]) -> AgentCard:
    tools = entry.get("tools") or {}
    return AgentCard(
        name=entry["name"],
        description=entry.get("description", ""),
        permission=entry.get("permission", "read"),
        keywords=tuple(entry.get("keywords") or ()),
        tools=tuple(ToolCard(name, description) for name, description in tools.items()),
    )


def route_prompt(messages: Sequence[BaseMessage]) -> str:
    """The routing answer, as JSON text. `reason` stays empty: the rules' own reasons are no text for customers."""
    prompt = read_prompt(messages)
    cards = cards_in("\n".join(m.text for m in messages if isinstance(m, SystemMessage)))
    route = lexical_router.route(cards, prompt.earlier, prompt.message) if cards else lexical_router.Route()
    answer = {
        "intents": [{"agent": i.agent, "confidence": i.confidence, "why": i.why} for i in route.intents],
        "wants_person": route.wants_person,
        "person_reason": route.person_reason,
        "upset": is_angry(prompt.message),
        "question": route.question,
        "reason": "",
    }
    return json.dumps(answer, ensure_ascii=False)
