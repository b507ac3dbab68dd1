"""An agent or a tool is put back as it was before a change. That is a change, too, and never a quiet one: whoever does
it has seen what becomes different, and what cannot be is refused in words."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Max

from agents import agent_faults, tool_faults
from agents.agents_yaml import lock_agents
from agents.history import versions
from agents.history.recording import recorded_as
from agents.history.versions import Version
from agents.models import Agent, AgentTool, Revision, Tool
from agents.retired import REASONS, retired
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import digest

AGENT_FIELDS = "description permission tone greeting escalation_message keywords model enabled".split()
TOOL_FIELDS = (
    "title description risk approval staff_above_argument staff_above_amount confirmation approvals_needed requires "
    "read_back_id repeat_safe projection enabled paused_because".split()
)
"""What people decide about a tool. The rest is of its API document, which is put back by rolling a publication back."""
FIELDS = {Revision.Subject.AGENT: AGENT_FIELDS, Revision.Subject.TOOL: TOOL_FIELDS}
STAYS_OFF = "It is switched off, and stays so: {why} Switch it on by itself, on its page."
STAYS_HERE = "It was deleted or taken back then. It is there again, and stays as it is: on or off."


class NoSuchRevision(ServiceError):
    code, status, message = "not_found", 404, "There is no such change."


class CannotRestore(ServiceError):
    """`extra["faults"]`: sentences, what speaks against it."""

    code, status = "cannot_restore", 409

    def __init__(self, faults: list[str]) -> None:
        super().__init__(" ".join(faults), faults=faults)


class ChangedMeanwhile(ServiceError):
    code, status = "changed_meanwhile", 409
    message = (
        "It has been changed since you looked. Look at what would become different now, and decide again."
    )


@dataclass(frozen=True)
class Plan:
    """What putting it back changes: `fields` {column: [as it is, as it will be]}, `links` {tool id: [place now, place
    then]}. `notes`: what stays as it is, and why. `faults`: why it cannot be. `seen` stands for what was shown."""

    fields: dict[str, list[Any]]
    links: dict[str, list[int | None]]
    notes: list[str]
    faults: list[str]
    seen: str

    @property
    def empty(self) -> bool:
        return not self.fields and not self.links


def found(revision_id: int, subject: str, subject_id: UUID) -> Revision:
    """Raises NoSuchRevision, also for what was made: there is nothing before it."""
    revision = Revision.objects.filter(pk=revision_id, subject=subject, subject_id=subject_id).first()
    if revision is None or revision.kind == Revision.Kind.MADE:
        raise NoSuchRevision()
    return revision


def plan(revision: Revision) -> Plan:
    """What would become different. A few statements; nothing is changed."""
    return _plan(revision)[0]


def _plan(revision: Revision) -> tuple[Plan, Version, Version]:
    now = versions.now(revision.subject, revision.subject_id)
    then = versions.before(revision, now)
    there = now.fields or {}
    wanted = {
        name: value for name, value in (then.fields or {}).items() if name in FIELDS[_subject(revision)]
    }
    notes: list[str] = []
    if revision.subject == Revision.Subject.TOOL and there:
        _leave_off(there, wanted, notes)
        if any((then.fields or {}).get(name) != there.get(name) for name in set(there) - set(TOOL_FIELDS)):
            notes.append(
                "What came from the API document stays as it is. To put that back, roll the publication back."
            )
    fields = {name: [there.get(name), value] for name, value in wanted.items() if there.get(name) != value}
    links = {
        tool_id: [now.tools.get(tool_id), then.tools.get(tool_id)]
        for tool_id in {*now.tools, *then.tools}
        if now.tools.get(tool_id) != then.tools.get(tool_id)
    }
    faults = _faults(revision, now, then, wanted)
    seen = digest([revision.pk, fields, links])
    return Plan(fields, links, notes, faults, seen), now, then


def _subject(revision: Revision) -> Revision.Subject:
    return Revision.Subject(revision.subject)


def _leave_off(there: dict[str, Any], wanted: dict[str, Any], notes: list[str]) -> None:
    """Nobody switches a tool on by the way that something else has switched off for a reason, takes that reason from
    it, or takes a tool away that was published again."""
    why, then = there.get("paused_because"), wanted.get("paused_because")
    if why and not there.get("enabled") and (wanted.get("enabled") or then != why):
        notes.append(STAYS_OFF.format(why=why))
    elif then in REASONS and not wanted.get("enabled") and then != why:
        notes.append(STAYS_HERE)
    else:
        return
    wanted["enabled"], wanted["paused_because"] = there["enabled"], why


def _faults(revision: Revision, now: Version, then: Version, wanted: dict[str, Any]) -> list[str]:
    if then.fields is None:
        return ["Before this change it did not exist."]
    if revision.subject == Revision.Subject.AGENT:
        return _faults_of_agent(revision, now, then, wanted)
    if now.fields is None:
        return ["This tool is not there any more. Import its document again."]
    return _faults_of_tool(revision, wanted)


def _faults_of_agent(revision: Revision, now: Version, then: Version, wanted: dict[str, Any]) -> list[str]:
    tools = {str(tool.pk): tool for tool in Tool.objects.filter(pk__in=then.tools)}
    gone = [one for one in then.in_order() if one not in tools or retired(tools[one])]
    faults = []
    if gone:
        names = ", ".join(tools[one].name if one in tools else one for one in gone)
        faults.append(
            f"It had tools that are gone: {names}. Import their document again, or change the agent by hand."
        )
    faults += [
        fault
        for one in then.in_order()
        if one not in gone and (fault := agent_faults.of_tool(tools[one], wanted["permission"], had=True))
    ]
    if now.fields is None and Agent.objects.filter(name=revision.name).exists():
        faults.append(f"There is another agent named {revision.name} now.")
    return faults


def _faults_of_tool(revision: Revision, wanted: dict[str, Any]) -> list[str]:
    tool = Tool.objects.get(pk=revision.subject_id)
    reading = None
    if wanted["read_back_id"]:
        reading = Tool.objects.filter(pk=wanted["read_back_id"]).first()
        if reading is None or retired(reading):
            return ["The tool that showed how things stand is gone. Choose another one on the tool's page."]
    amount = _decimal(wanted["staff_above_amount"])
    checks = (
        tool_faults.of_approval(tool.access, wanted["approval"], wanted["approvals_needed"]),
        tool_faults.of_limit(tool, wanted["staff_above_argument"], amount),
        tool_faults.of_confirmation(tool, wanted["confirmation"]),
        tool_faults.of_requires(tool.name, wanted["requires"]),
        tool_faults.of_read_back(tool, reading),
        tool_faults.of_projection(wanted["projection"]),
    )
    return [fault for fault in checks if fault]


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def restore(revision_id: int, subject: str, subject_id: UUID, *, by: str, why: str, seen: str) -> UUID:
    """Put it back as it was before this change; the id of what was put back. An agent that was deleted is there again,
    under its id. What was approved of a tool and not sent comes back to staff, as after every change of it.

    Raises NoSuchRevision, ChangedMeanwhile where `seen` is not what would become different now, and CannotRestore; then
    nothing was changed.
    """
    with recorded_as(by, why):
        lock_agents()
        revision = found(revision_id, subject, subject_id)
        list(versions.MODELS[subject].objects.select_for_update(no_key=True).filter(pk=revision.subject_id))
        wanted, now, then = _plan(revision)
        if wanted.faults:
            raise CannotRestore(wanted.faults)
        if wanted.seen != seen:
            raise ChangedMeanwhile()
        if wanted.empty:
            raise CannotRestore(["It is as it was before this change."])
        if subject == Revision.Subject.AGENT:
            _put_agent_back(revision, wanted, now, then)
        else:
            _put_tool_back(revision, wanted)
    return revision.subject_id


def _put_tool_back(revision: Revision, wanted: Plan) -> None:
    tool = Tool.objects.get(pk=revision.subject_id)
    for name, (_, value) in wanted.fields.items():
        setattr(tool, name, _decimal(value) if name == "staff_above_amount" else value)
    tool.save(update_fields=[*(name.removesuffix("_id") for name in wanted.fields), "updated_at"])


def _put_agent_back(revision: Revision, wanted: Plan, now: Version, then: Version) -> None:
    values = {name: value for name, (_, value) in wanted.fields.items()}
    if now.fields is None:
        last = Agent.objects.aggregate(last=Max("position"))["last"]
        position = 0 if last is None else last + 1
        agent = Agent.objects.create(pk=revision.subject_id, name=revision.name, position=position, **values)
    else:
        agent = Agent.objects.get(pk=revision.subject_id)
        for name, value in values.items():
            setattr(agent, name, value)
        agent.save(update_fields=[*values, "updated_at"])
    if wanted.links:
        AgentTool.objects.filter(agent=agent).delete()
        AgentTool.objects.bulk_create(
            [AgentTool(agent=agent, tool_id=one, position=then.tools[one]) for one in then.in_order()],
            batch_size=1000,
        )
