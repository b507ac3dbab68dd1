"""What a call from outside looks like to the rest: its caller in the place of an agent, and the tools that it has.

Apart from `agents.direct.running`, which brings what only a worker needs.
"""

from typing import Any

from agents.models import Access, Action, Tool
from agents.policy import FIND_TOOLS, HAND_OFF
from agents.registry import AgentSpec, Registry, tool_spec

CALLER = "mcp"
"""Whose tool calls these are, where an agent's name would stand."""
CALL_ID = "direct"
"""The id of the one call of such a turn."""
RESERVED = frozenset({FIND_TOOLS, HAND_OFF})
"""What agents have beside the business's tools. Nobody calls it from outside."""


def caller_of(tool: Tool | None) -> AgentSpec:
    """The caller as an agent that has this one tool; none, where there is no such tool any more."""
    tools = (tool_spec(tool),) if tool is not None else ()
    return AgentSpec(CALLER, "", Access.WRITE, "", "", "", (), "", tools)


def registry_of(name: str) -> Registry:
    """What a turn that is for a call of this tool works with. One statement."""
    found = None if name in RESERVED else Tool.objects.filter(name=name, enabled=True).first()
    return Registry((caller_of(found),))


def action_of_turn(turn_id: Any) -> Action | None:
    """The action of such a turn, with its tool; None where nothing that has an effect was to be done."""
    return Action.objects.select_related("tool").filter(turn_id=turn_id, tool_call_id=CALL_ID).first()
