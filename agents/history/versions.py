"""What an agent or a tool was before a change: what it is now, and every change since taken back, newest first."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agents.models import Agent, AgentTool, Revision, Tool

Subject = Revision.Subject
MODELS: dict[str, type[Agent] | type[Tool]] = {Subject.AGENT: Agent, Subject.TOOL: Tool}
NOT_RECORDED = {"id", "created_at", "updated_at"}


@dataclass
class Version:
    """`fields`: {column: value}, as the history has them; None where there is no such row. `tools`, of an agent:
    {tool id: place}."""

    fields: dict[str, Any] | None
    tools: dict[str, int]

    def in_order(self) -> list[str]:
        """The ids of the agent's tools, in their order."""
        return sorted(self.tools, key=lambda tool_id: (self.tools[tool_id], tool_id))


def now(subject: str, subject_id: UUID) -> Version:
    """As it is in the database. Two statements."""
    row = MODELS[subject].objects.filter(pk=subject_id).first()
    fields = None
    if row is not None:
        columns = [field for field in row._meta.concrete_fields if field.column not in NOT_RECORDED]
        fields = {str(field.column): _plain(getattr(row, field.attname)) for field in columns}
    links = (
        AgentTool.objects.filter(agent_id=subject_id)
        if subject == Subject.AGENT
        else AgentTool.objects.none()
    )
    return Version(fields, {str(tool): place for tool, place in links.values_list("tool_id", "position")})


def before(revision: Revision, current: Version | None = None) -> Version:
    """As it was before this change; no fields where the change made it."""
    version = current or now(revision.subject, revision.subject_id)
    fields = dict(version.fields) if version.fields is not None else None
    tools = dict(version.tools)
    since = Revision.objects.filter(
        subject=revision.subject, subject_id=revision.subject_id, pk__gte=revision.pk
    )
    for change in since.order_by("-pk").iterator():
        if change.kind == Revision.Kind.MADE:
            fields, tools = None, {}
            continue
        if change.kind == Revision.Kind.DELETED:
            fields, tools = {}, {}
        for name, (was, _) in change.fields.items():
            if fields is not None:
                fields[name] = was
        for tool_id, (place, _) in change.links.items():
            if place is None:
                tools.pop(tool_id, None)
            else:
                tools[tool_id] = place
    return Version(fields, tools)


def _plain(value: Any) -> Any:
    """A value as the database writes it into JSON."""
    if isinstance(value, UUID):
        return str(value)
    return value if value is None or isinstance(value, str | int | bool | list | dict) else float(value)
