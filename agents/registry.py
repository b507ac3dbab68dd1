"""The agents and tools of the moment, as an immutable snapshot that every turn works with.

Rows are what staff edit; a snapshot is what a turn sees. `current()` asks the database one question (did
anything change?) and rebuilds with two more only when something did.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any

from agents.agents_yaml import import_agents
from agents.models import Access, Agent, AgentTool, Tool
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import canonical_json
from smartsupport.lib.postgres import prepared

TEMPLATES = Path(__file__).parent / "templates"


class TemplateNotFound(ServiceError):
    """`Template 'x' not found. Available: a, b`"""

    code = "template_not_found"
    status = 404


@dataclass(frozen=True)
class ToolSpec:
    """An enabled tool, as agents and models see it. How it is called stays in the Tool row (`id`)."""

    id: uuid.UUID
    name: str
    title: str
    description: str
    access: str  # read | write
    approval: str  # none | customer | staff
    risk: str
    confirmation: str
    bound: Mapping[str, str] = field(hash=False)  # {argument: "customer.id"}: not in the schema
    schema_text: str = field(repr=False)  # canonical JSON
    requires: tuple[str, ...] = ()  # tools that must have succeeded earlier in the conversation

    @property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema (an object) of what the model may fill in. A fresh copy each time."""
        schema: dict[str, Any] = json.loads(self.schema_text)
        return schema

    @property
    def writes(self) -> bool:
        return self.access == Access.WRITE


@dataclass(frozen=True)
class AgentSpec:
    """An enabled agent with its enabled tools, in the order that staff gave them."""

    name: str
    description: str
    permission: str  # read | write
    tone: str
    greeting: str
    escalation_message: str
    keywords: tuple[str, ...]
    model: str  # "": the deployment's model
    tools: tuple[ToolSpec, ...]


@dataclass(frozen=True)
class Registry:
    """Every enabled agent. Never changes; an edit makes another one, with another `version`."""

    agents: tuple[AgentSpec, ...]
    version: str = ""

    def agent(self, name: str) -> AgentSpec | None:
        return next((agent for agent in self.agents if agent.name == name), None)

    def tool(self, agent: str, name: str) -> ToolSpec | None:
        """The tool that this agent may use under that name; None also for a tool of another agent."""
        spec = self.agent(agent)
        return next((tool for tool in spec.tools if tool.name == name), None) if spec else None


VERSION = """
SELECT md5(coalesce(string_agg(row, ',' ORDER BY row), '')) FROM (
    SELECT 'a' || xmin || ctid || id AS row FROM agents_agent
    UNION ALL SELECT 'l' || xmin || ctid || id FROM agents_agenttool
    UNION ALL SELECT 't' || xmin || ctid || id FROM agents_tool
        WHERE EXISTS (SELECT 1 FROM agents_agenttool link WHERE link.tool_id = agents_tool.id)
) AS rows
"""

_lock = Lock()
_latest: Registry | None = None


def current() -> Registry:
    """The registry as the database has it now: one query when nothing changed, three when something did.

    Synchronous (ORM). Safe to call from any thread.
    """
    global _latest
    version = _version()
    with _lock:
        known = _latest
    if known is not None and known.version == version:
        return known
    # The version is read before the rows: an edit in between leaves an old version on newer rows, which the
    # next call notices. The other way round it would never be noticed.
    fresh = Registry(tuple(_agents()), version)
    with _lock:
        _latest = fresh
    return fresh


def _version() -> str:
    """One hash over the stored versions of all agents, their links and the linked tools.

    Postgres gives each stored version of a row its own (xmin, ctid), so this sees every committed edit, also
    one by `update()` or SQL. A maximum of `updated_at` would not: who commits late carries an early time.
    """
    with prepared() as cursor:
        cursor.execute(VERSION)
        version: str = cursor.fetchone()[0]
    return version


def _agents() -> Iterator[AgentSpec]:
    tools: dict[uuid.UUID, list[ToolSpec]] = {}
    links = AgentTool.objects.filter(agent__enabled=True, tool__enabled=True).select_related("agent", "tool")
    for link in links.order_by("position", "id"):
        if _usable(link.agent, link.tool):
            tools.setdefault(link.agent_id, []).append(tool_spec(link.tool))
    for agent in Agent.objects.filter(enabled=True).order_by("position", "name"):
        yield _spec(agent, tools.get(agent.pk, ()))


def _usable(agent: Agent, tool: Tool) -> bool:
    """A tool that was changed to write after it was given to a reading agent: fail closed."""
    return tool.enabled and (tool.access == Access.READ or agent.permission == Access.WRITE)


def _spec(agent: Agent, tools: Iterable[ToolSpec]) -> AgentSpec:
    return AgentSpec(
        name=agent.name,
        description=agent.description,
        permission=agent.permission,
        tone=agent.tone,
        greeting=agent.greeting,
        escalation_message=agent.escalation_message,
        keywords=tuple(agent.keywords),
        model=agent.model,
        tools=tuple(tools),
    )


def spec_of(agent: Agent) -> tuple[AgentSpec, list[str]]:
    """The agent as it is or would be if it were on, and the names of its tools that it cannot use now. One query."""
    linked = [link.tool for link in AgentTool.objects.filter(agent=agent).select_related("tool")]
    usable = [tool_spec(tool) for tool in linked if _usable(agent, tool)]
    return _spec(agent, usable), [tool.name for tool in linked if not _usable(agent, tool)]


def tool_spec(tool: Tool) -> ToolSpec:
    """The tool as agents and models see it."""
    return ToolSpec(
        id=tool.pk,
        name=tool.name,
        title=tool.title,
        description=tool.description,
        access=tool.access,
        approval=tool.approval,
        risk=tool.risk,
        confirmation=tool.confirmation,
        bound=MappingProxyType(dict(tool.bound)),
        schema_text=canonical_json(tool.input_schema),
        requires=tuple(tool.requires),
    )


def available_templates() -> list[str]:
    """The names of the templates that come with the product, sorted."""
    return sorted(path.stem for path in TEMPLATES.glob("*.yaml"))


def template_text(name: str) -> str:
    """The agents file of a template. Raises TemplateNotFound."""
    available = available_templates()
    if name not in available:
        raise TemplateNotFound(f"Template '{name}' not found. Available: {', '.join(available)}")
    return (TEMPLATES / f"{name}.yaml").read_text(encoding="utf-8")


def load_template(name: str, *, by: str = "") -> list[Agent]:
    """Replace all agents by those of a template. Raises TemplateNotFound, or AgentsYamlInvalid where its
    tools are missing; nothing is changed then."""
    return import_agents(template_text(name), replace=True, by=by, why=f"Loaded the template {name}.")
