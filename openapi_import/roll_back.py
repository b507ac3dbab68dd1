"""A publication is taken back: its tools become what they were before it, and that is a publication, too."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import structlog
from django.db.models import Max

from agents.approvals import Decider, NotAllowed
from agents.history.recording import recorded_as
from agents.models import Agent, AgentTool, Tool
from openapi_import import many_rows, tool_state
from openapi_import.entries import change, fields_of
from openapi_import.models import Publication, SpecSource
from openapi_import.publish import lock_publishing, record
from smartsupport.lib.errors import ServiceError

log = structlog.get_logger(__name__)

Kind = Publication.Kind
CHANGES_TOOLS = (Kind.PUBLISH, Kind.ROLL_BACK, Kind.DELETE)
SWITCHED = ("created", "switched_on", "switched_off")
_Link = tuple[Agent, Tool]


class PublicationNotFound(ServiceError):
    code, status, message = "not_found", 404, "There is no such publication."


class NotTheNewest(ServiceError):
    """Something newer stands on it; `newest` is the publication that would have to be rolled back first."""

    code, status = "not_the_newest", 409


def roll_back(publication_id: UUID, by: Decider) -> Publication:
    """Undo the newest publication, deletion or roll-back of a source; what was done.

    A tool gets back what the publication changed; what staff changed about it since stays, and so does a pause. A tool
    that came with it is retired and taken from its agents; an agent that came with it and has no tool left is switched
    off. Going back further is undoing one after the other. Credentials that were deleted with their API do not come
    back. Raises NotAllowed, PublicationNotFound and NotTheNewest, and has then changed nothing.
    """
    if by.kind != "staff":
        raise NotAllowed("Not allowed to roll back")
    with recorded_as(by.name, "Rolled a publication back."):
        lock_publishing()
        target = Publication.objects.select_related("source").filter(pk=publication_id).first()
        if target is None:
            raise PublicationNotFound()
        _check_newest(target)
        tools = {
            str(tool.pk): tool
            for tool in Tool.objects.select_for_update(no_key=True)
            .filter(source=target.source)
            .order_by("pk")
        }
        changed, changes = _restore(target, tools)
        tool_state.store_fields(changed, fields_of(changes))
        agents = _restore_links(target, tools)
        _restore_source(target)
        made = record(
            target.source,
            Kind.ROLL_BACK,
            by,
            changes=changes,
            agents=agents,
            undoes=target,
            document_hash=target.source.document_hash,
            note=f"Undoes number {target.number}.",
        )
    log.info(
        "import_rolled_back", source=target.source.name, number=target.number, count=len(changes), by=by.name
    )
    return made


def newest_to_undo(source: SpecSource) -> Publication | None:
    """What `roll_back` takes back next, of what is in force; None where there is nothing."""
    standing = _standing(source)
    return standing[-1] if standing else None


def _standing(source: SpecSource) -> list[Publication]:
    """The publications that are in force, oldest first: without what was undone, and what undid it."""
    rows = Publication.objects.filter(source=source, kind__in=CHANGES_TOOLS).order_by("number")
    found = {row.pk: row for row in rows.defer("changes", "agents")}
    standing: list[Publication] = []
    for row in found.values():
        undone = found.get(row.undoes_id) if row.undoes_id else None
        if row.kind != Kind.ROLL_BACK or undone is None:
            standing.append(row)
        elif undone.kind == Kind.ROLL_BACK and undone.undoes_id in found:
            standing.append(found[undone.undoes_id])
        elif standing and standing[-1].pk == undone.pk:
            standing.pop()
    return standing


def _check_newest(target: Publication) -> None:
    if target.kind not in CHANGES_TOOLS:
        raise NotTheNewest("A pause is not rolled back: resume the tools.")
    last = (
        Publication.objects.filter(source=target.source, kind__in=CHANGES_TOOLS).order_by("-number").first()
    )
    standing = newest_to_undo(target.source)
    if target.pk in {row.pk for row in (last, standing) if row is not None}:
        return
    undone = Publication.objects.filter(source=target.source, undoes=target).order_by("-number").first()
    first = standing or last
    if undone is not None:
        raise NotTheNewest(
            f"{undone.by_name} has rolled this back already.", newest=str(first.pk) if first else None
        )
    newest = f" (number {first.number}, by {first.by_name})" if first else ""
    raise NotTheNewest(
        f"Something newer was published since. Roll that back first{newest}.",
        newest=str(first.pk) if first else None,
    )


def _restore(target: Publication, tools: dict[str, Tool]) -> tuple[list[Tool], list[dict[str, Any]]]:
    """Give the tools back what the publication changed about them."""
    names = set(Tool.objects.exclude(source=target.source).values_list("name", flat=True))
    names |= {tool.name for tool in tools.values()}
    changed, changes = [], []
    for entry in target.changes:
        tool = tools.get(entry["id"])
        if tool is None:
            continue
        stored = tool_state.state(tool)
        if entry["before"] is None:
            if tool_state.retired(tool):
                continue
            tool.enabled, tool.paused_because = False, tool_state.TAKEN_BACK
        else:
            tool_state.put(tool, _values_to_restore(entry, stored, names))
        names.add(tool.name)
        if tool_state.state(tool) != stored:
            changed.append(tool)
            changes.append(change(tool, stored, "changed"))
    return changed, changes


def _values_to_restore(entry: dict[str, Any], stored: dict[str, Any], names: set[str]) -> dict[str, Any]:
    before, after = entry["before"], entry["after"]
    # What comes from the document goes back whole; of the rest, what nobody has touched since.
    values = {
        name: value
        for name, value in before.items()
        if name in tool_state.FROM_DOCUMENT
        or name in ("bound", "operation_id")
        or stored[name] == after[name]
    }
    if not set(tool_state.SWITCHES) <= values.keys():
        for name in tool_state.SWITCHES:  # a reason belongs to its switch
            values.pop(name, None)
    if values.keys() & {"access", "approval"}:  # they have to fit each other
        values |= {name: before.get(name, stored[name]) for name in ("access", "approval")}
    if values.get("name", stored["name"]) != stored["name"] and values["name"] in names:
        values.pop("name")
    return values


def _restore_links(target: Publication, tools: dict[str, Tool]) -> list[dict[str, Any]]:
    """Undo what the publication did to agents, where nobody has undone it already. The same few statements, however
    many tools there are."""
    by_name = {entry["tool"]: tools[entry["id"]] for entry in target.changes if entry["id"] in tools}
    by_name |= {tool.name: tool for tool in tools.values() if tool.name not in by_name}
    agents = {
        agent.name: agent for agent in Agent.objects.filter(name__in={e["agent"] for e in target.agents})
    }
    links: dict[str, list[_Link]] = {"linked": [], "unlinked": []}
    for entry in target.agents:
        agent, tool = agents.get(entry["agent"]), by_name.get(entry["tool"])
        if agent is not None and tool is not None and entry["change"] in links:
            links[entry["change"]].append((agent, tool))
    done = _unlink(links["linked"]) + _link(links["unlinked"])
    switched = {e["agent"]: e["change"] == "switched_off" for e in target.agents if e["change"] in SWITCHED}
    return done + _switch_agents([(agents[name], on) for name, on in switched.items() if name in agents])


def _there(links: Iterable[_Link]) -> dict[tuple[UUID, UUID], AgentTool]:
    """By agent and tool, the links that there are."""
    links = list(links)
    rows = AgentTool.objects.filter(
        agent__in={agent.pk for agent, _ in links}, tool__in={tool.pk for _, tool in links}
    )
    return {(row.agent_id, row.tool_id): row for row in rows}


def _unlink(links: list[_Link]) -> list[dict[str, Any]]:
    there = _there(links)
    gone = [(agent, tool) for agent, tool in links if (agent.pk, tool.pk) in there]
    ids = [there[agent.pk, tool.pk].pk for agent, tool in gone]
    many_rows.delete(AgentTool.objects.filter(pk__in=many_rows.among(ids, "bigint")))
    return [{"agent": agent.name, "tool": tool.name, "change": "unlinked"} for agent, tool in gone]


def _link(links: list[_Link]) -> list[dict[str, Any]]:
    """At the end of each agent's tools. What is retired is given to nobody."""
    there = _there(links)
    ends = AgentTool.objects.filter(agent__in={agent.pk for agent, _ in links}).values("agent").order_by()
    last = dict(ends.annotate(last=Max("position")).values_list("agent", "last"))
    made, done = [], []
    for agent, tool in links:
        if tool_state.retired(tool) or (agent.pk, tool.pk) in there:
            continue
        last[agent.pk] = last.get(agent.pk, -1) + 1
        made.append(AgentTool(agent=agent, tool=tool, position=last[agent.pk]))
        done.append({"agent": agent.name, "tool": tool.name, "change": "linked"})
    AgentTool.objects.bulk_create(made, batch_size=1000)
    return done


def _switch_agents(wanted: list[tuple[Agent, bool]]) -> list[dict[str, Any]]:
    """On or off; an agent that has tools stays on."""
    with_tools = set(
        AgentTool.objects.filter(agent__in=[agent.pk for agent, _ in wanted]).values_list("agent", flat=True)
    )
    changed = [
        (agent, on) for agent, on in wanted if agent.enabled != on and (on or agent.pk not in with_tools)
    ]
    for state in (True, False):
        Agent.objects.filter(pk__in=[agent.pk for agent, on in changed if on is state]).update(enabled=state)
    return [
        {"agent": agent.name, "tool": "", "change": "switched_on" if on else "switched_off"}
        for agent, on in changed
    ]


def _restore_source(target: Publication) -> None:
    """The source names the document that is in force again, where there is one."""
    source = target.source
    standing = [row for row in _standing(source) if row.kind == Kind.PUBLISH and row.pk != target.pk]
    if target.kind == Kind.ROLL_BACK and target.undoes_id:
        standing = list(Publication.objects.filter(pk=target.undoes_id, kind=Kind.PUBLISH))
    if not standing or not standing[-1].document_hash:
        return
    source.document_hash = standing[-1].document_hash
    job = standing[-1].job
    if job is not None:
        source.title, source.version = job.title[:200], job.version[:100]
    source.save(update_fields=["document_hash", "title", "version"])
