"""An agent as a draft would make it, put beside the agents as they are. Nothing here reads or writes a row."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from agents.models import Tool
from agents.registry import AgentSpec, Registry, ToolSpec


@dataclass(frozen=True, slots=True)
class Rule:
    """Who has to agree to a call, as the draft has it."""

    approval: str
    above_argument: str = ""
    above_amount: Decimal | None = None
    approvals_needed: int = 1

    def put_on(self, tool: Tool) -> None:
        """On a row in memory, which is never saved."""
        tool.approval = self.approval
        tool.staff_above_argument, tool.staff_above_amount = self.above_argument, self.above_amount
        tool.approvals_needed = self.approvals_needed


@dataclass(frozen=True, slots=True)
class Draft:
    """One agent as it would be, and approval rules by the tool's name."""

    agent: AgentSpec
    rules: Mapping[str, Rule] = field(default_factory=dict)

    def among(self, live: Registry) -> Registry:
        """The agents that are on, with the draft in the place of the one that it is a draft of."""
        drafted = replace(self.agent, tools=tuple(map(self._ruled, self.agent.tools)))
        if live.agent(drafted.name) is None:
            return Registry((*live.agents, drafted))
        return Registry(tuple(drafted if one.name == drafted.name else one for one in live.agents))

    def _ruled(self, tool: ToolSpec) -> ToolSpec:
        rule = self.rules.get(tool.name)
        return replace(tool, approval=rule.approval) if rule else tool
