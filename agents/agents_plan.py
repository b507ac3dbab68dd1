"""What importing an agents file would change, before it does. Nothing is written here."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from agents import agents_yaml
from agents.agents_yaml_reading import AgentEntry
from agents.models import Agent
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import digest


class ChangedMeanwhile(ServiceError):
    code, status = "changed_meanwhile", 409
    message = "The agents have been changed since you looked. Look at what the file would change now."


@dataclass(frozen=True)
class AgentPlan:
    """What becomes of one agent. `what`: added | changed | removed | same. `fields` {name: [as it is, as it will be]};
    `tools`: (given, taken, whether only their order differs). `moved`: its place among the agents differs."""

    name: str
    what: str
    fields: Mapping[str, list[Any]]
    given: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    reordered: bool = False
    moved: bool = False


@dataclass(frozen=True)
class FilePlan:
    """Agents in the file's order, then those that it removes. `seen` stands for the file and the agents as they were
    when it was made."""

    agents: list[AgentPlan]
    seen: str

    def count(self, what: str) -> int:
        return sum(one.what == what for one in self.agents)

    @property
    def empty(self) -> bool:
        return all(one.what == "same" for one in self.agents)


TEXTS = [field.name for field in fields(AgentEntry) if field.name not in ("name", "tools")]


def plan(text: str) -> FilePlan:
    """What `agents_yaml.import_agents` would make of the agents. Raises AgentsYamlInvalid."""
    entries, stored = agents_yaml.entries_of(text), agents_yaml.stored_entries()
    before = {entry.name: entry for entry in stored}
    places = {entry.name: place for place, entry in enumerate(stored)}
    wanted = {entry.name for entry in entries}
    listed = [
        _of(entry, before.get(entry.name), moved=places.get(entry.name, place) != place)
        for place, entry in enumerate(entries)
    ]
    listed += [AgentPlan(entry.name, "removed", {}) for entry in stored if entry.name not in wanted]
    return FilePlan(listed, digest([text, [_plain(entry) for entry in stored]]))


def _of(entry: AgentEntry, was: AgentEntry | None, *, moved: bool) -> AgentPlan:
    if was is None:
        new = {name: ["", _value(entry, name)] for name in TEXTS if getattr(entry, name)}
        return AgentPlan(entry.name, "added", new, given=entry.tools)
    changed = {
        name: [_value(was, name), _value(entry, name)]
        for name in TEXTS
        if getattr(was, name) != getattr(entry, name)
    }
    given = tuple(tool for tool in entry.tools if tool not in was.tools)
    taken = tuple(tool for tool in was.tools if tool not in entry.tools)
    reordered = not given and not taken and was.tools != entry.tools
    same = not changed and not given and not taken and not reordered and not moved
    return AgentPlan(
        entry.name, "same" if same else "changed", changed, given, taken, reordered=reordered, moved=moved
    )


def _value(entry: AgentEntry, name: str) -> Any:
    value = getattr(entry, name)
    return list(value) if isinstance(value, tuple) else value


def _plain(entry: AgentEntry) -> dict[str, Any]:
    return {field.name: _value(entry, field.name) for field in fields(AgentEntry)}


def carry_out(text: str, *, seen: str, by: str, why: str) -> list[Agent]:
    """Import the file if it would change now what it would have changed then. Raises ChangedMeanwhile and
    AgentsYamlInvalid, and has then changed nothing."""
    return agents_yaml.import_agents(text, by=by, why=why, check=lambda: _as_seen(text, seen))


def _as_seen(text: str, seen: str) -> None:
    if plan(text).seen != seen:
        raise ChangedMeanwhile()
