"""Agents as a YAML file: import (all of it or nothing) and export. The format: docs/agents-yaml.md."""

import io
from collections.abc import Callable
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from agents.agents_yaml_reading import AgentEntry, AgentsYamlInvalid, read_agents
from agents.history.recording import recorded_as
from agents.models import Agent, AgentTool, Tool
from agents.retired import NOT_RETIRED
from smartsupport.lib.locks import one_at_a_time

__all__ = [
    "AgentEntry",
    "AgentsYamlInvalid",
    "entries_of",
    "export_agents",
    "import_agents",
    "stored_entries",
]


def import_agents(
    text: str,
    *,
    replace: bool = True,
    by: str = "",
    why: str = "",
    check: Callable[[], None] | None = None,
) -> list[Agent]:
    """Make the agents what the file says; the file's agents, in its order.

    replace: the file is the whole set, and agents that are not in it are removed. Without it they stay, after
    those of the file. An agent that exists keeps its id and whether it is enabled. `by` and `why` go into the
    agents' history. `check` is called when nobody else can change agents any more, and raises what speaks against it.
    Raises AgentsYamlInvalid, and has then changed nothing.
    """
    with recorded_as(by, why or "Imported from a file."):
        lock_agents()
        if check:
            check()
        return _import(text, replace=replace)


def _import(text: str, *, replace: bool) -> list[Agent]:
    # Locked, so that none of them turns into a writing tool before the check on it is committed.
    there = Tool.objects.filter(NOT_RETIRED).select_for_update(no_key=True).order_by("name")
    tools = {tool.name: tool for tool in there}
    entries = read_agents(text, tools={tool.name: tool.access for tool in tools.values()})
    kept = [] if replace else list(Agent.objects.exclude(name__in=[entry.name for entry in entries]))
    if replace:
        Agent.objects.exclude(name__in=[entry.name for entry in entries]).delete()
    for position, other in enumerate(kept, start=len(entries)):
        Agent.objects.filter(pk=other.pk).update(position=position)
    return [_store(entry, position, tools) for position, entry in enumerate(entries)]


def export_agents() -> str:
    """Every agent, enabled or not, as a file that `import_agents` takes back unchanged."""
    yaml = YAML()
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump({"agents": [_plain(entry) for entry in stored_entries()]}, stream)
    return stream.getvalue()


def stored_entries() -> list[AgentEntry]:
    """The agents in the database as a file would have them."""
    tools: dict[Any, list[str]] = {}
    links = AgentTool.objects.filter(tool__in=Tool.objects.filter(NOT_RETIRED)).order_by("position", "id")
    for agent_id, name in links.values_list("agent_id", "tool__name"):
        tools.setdefault(agent_id, []).append(name)
    return [
        AgentEntry(
            name=agent.name,
            description=agent.description,
            permission=agent.permission,
            tone=agent.tone,
            greeting=agent.greeting,
            escalation_message=agent.escalation_message,
            tools=tuple(tools.get(agent.pk, ())),
            keywords=tuple(agent.keywords),
            model=agent.model,
        )
        for agent in Agent.objects.order_by("position", "name")
    ]


def entries_of(text: str) -> list[AgentEntry]:
    """The agents of a file, checked but not imported. Raises AgentsYamlInvalid."""
    return read_agents(text, tools=dict(Tool.objects.filter(NOT_RETIRED).values_list("name", "access")))


def lock_agents() -> None:
    """Wait until no other transaction is importing agents, and keep others waiting until this one ends."""
    one_at_a_time("agents import")


def _store(entry: AgentEntry, position: int, tools: dict[str, Tool]) -> Agent:
    agent, _ = Agent.objects.update_or_create(
        name=entry.name,
        defaults={
            "description": entry.description,
            "permission": entry.permission,
            "tone": entry.tone,
            "greeting": entry.greeting,
            "escalation_message": entry.escalation_message,
            "keywords": list(entry.keywords),
            "model": entry.model,
            "position": position,
        },
    )
    AgentTool.objects.filter(agent=agent).delete()
    AgentTool.objects.bulk_create(
        AgentTool(agent=agent, tool=tools[name], position=place) for place, name in enumerate(entry.tools)
    )
    return agent


def _plain(entry: AgentEntry) -> dict[str, Any]:
    """What goes into the file: keywords and model only where there are any."""
    plain: dict[str, Any] = {
        "name": entry.name,
        "description": _readable(entry.description),
        "permission": entry.permission,
        "personality": {
            "tone": _readable(entry.tone),
            "greeting": _readable(entry.greeting),
            "escalation_message": _readable(entry.escalation_message),
        },
        "tools": list(entry.tools),
    }
    if entry.keywords:
        plain["keywords"] = list(entry.keywords)
    if entry.model:
        plain["model"] = entry.model
    return plain


def _readable(text: str) -> str:
    """Several lines as a block, where YAML can give exactly these characters back from one."""
    lines = text.split("\n")
    plain = all(line == line.rstrip() and line.isprintable() for line in lines) and not text[:1].isspace()
    return LiteralScalarString(text) if len(lines) > 1 and plain and text.rstrip("\n") else text
