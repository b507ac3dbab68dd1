"""The agents that new tools go to. An agent that is there keeps what staff made of it; it only gets more tools."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from django.db import connection
from django.db.models import Max

from agents.models import Access, Agent, AgentTool
from openapi_import import many_rows
from openapi_import.models import Publication
from smartsupport.lib.text import shorten

TITLES_TOLD = 12
TONE = "Friendly, brief and precise."
ESCALATION = "I cannot do that for you. I am handing you over to a colleague."

Entry = dict[str, Any]


class Given(Protocol):
    """A tool that is or will be stored."""

    @property
    def pk(self) -> UUID: ...

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def access(self) -> str: ...


@dataclass(frozen=True)
class Place:
    """A tool that the agent `group` is to have; `before`: the agent that had it, as far as it was published with it."""

    tool: Given
    group: str
    before: str = ""


def give(places: Sequence[Place], api: str) -> tuple[list[Entry], str]:
    """Link the tools to their agents and make the agents that are missing. Returns what was done, as in
    Publication.agents, and a note for people ("" without one). Call it in a transaction that holds `lock_agents`."""
    wanted: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        if place.group:
            wanted[place.group].append(place)
    known = {agent.name: agent for agent in Agent.objects.filter(name__in=wanted)}
    done = _take_away(places)
    made = _make([(name, given) for name, given in wanted.items() if name not in known], api)
    done += [{"agent": agent.name, "tool": "", "change": "created"} for agent in made]
    done += _switch_on(known.values())
    done += _link({**known, **{agent.name: agent for agent in made}}, wanted)
    mute = sorted(
        agent.name
        for agent in known.values()
        if agent.permission == Access.READ
        and any(place.tool.access == Access.WRITE for place in wanted[agent.name])
    )
    return done, _note(mute)


def _switch_on(known: Iterable[Agent]) -> list[Entry]:
    """An agent that a roll-back had switched off, for want of tools, works again. What staff switched off stays off."""
    off = {agent.name: agent for agent in known if not agent.enabled}
    if not off:
        return []
    last: dict[str, str] = {}
    for entries in Publication.objects.exclude(agents=[]).order_by("at").values_list("agents", flat=True):
        last |= {e["agent"]: e["change"] for e in entries if e["change"] in ("switched_off", "switched_on")}
    with_tools = AgentTool.objects.filter(agent__name__in=off).values_list("agent__name", flat=True)
    names = sorted({name for name in off if last.get(name) == "switched_off"} - set(with_tools))
    Agent.objects.filter(name__in=names).update(enabled=True)
    return [{"agent": name, "tool": "", "change": "switched_on"} for name in names]


def switch_off_empty(names: Iterable[str]) -> list[Entry]:
    """Switch off those of these agents that a publication had made and that have no tool left: they would take messages
    that they can do nothing about. Agents that staff made stay as they are."""
    empty = Agent.objects.filter(name__in=set(names), enabled=True, tool_links=None)
    created = Publication.objects.exclude(agents=[]).values_list("agents", flat=True)
    made = {entry["agent"] for entries in created for entry in entries if entry["change"] == "created"}
    off = sorted(made.intersection(empty.values_list("name", flat=True)))
    empty.filter(name__in=off).update(enabled=False)
    return [{"agent": name, "tool": "", "change": "switched_off"} for name in off]


def _note(mute: list[str]) -> str:
    if not mute:
        return ""
    names = ", ".join(mute)
    return shorten(
        f"{names} may only read, so what writes is not offered there until somebody lets it write.", 300
    )


def _take_away(places: Iterable[Place]) -> list[Entry]:
    moved = {place.tool.pk: place for place in places if place.before and place.before != place.group}
    if not moved:
        return []
    links = AgentTool.objects.filter(tool_id__in=many_rows.among(moved, "uuid")).select_related("agent")
    gone = [link for link in links if link.agent.name == moved[link.tool_id].before]
    many_rows.delete(AgentTool.objects.filter(pk__in=many_rows.among([link.pk for link in gone], "bigint")))
    return [
        {"agent": link.agent.name, "tool": moved[link.tool_id].tool.name, "change": "unlinked"}
        for link in gone
    ]


def _make(missing: Sequence[tuple[str, list[Place]]], api: str) -> list[Agent]:
    last = Agent.objects.aggregate(last=Max("position"))["last"]
    start = 0 if last is None else last + 1
    return Agent.objects.bulk_create(
        Agent(
            name=name,
            description=description(name, [place.tool.title for place in given], api),
            permission=Access.WRITE
            if any(place.tool.access == Access.WRITE for place in given)
            else Access.READ,
            tone=TONE,
            escalation_message=ESCALATION,
            position=start + number,
        )
        for number, (name, given) in enumerate(missing)
    )


def description(name: str, titles: Sequence[str], api: str) -> str:
    """What routing and the model read to choose the agent. Titles come from a document: one line each, and short."""
    words = " ".join(name.replace("_", " ").replace("-", " ").split()) or name
    told = [shorten(title, 80).rstrip(".") for title in titles[:TITLES_TOLD]]
    more = f"; and {len(titles) - TITLES_TOLD} more" if len(titles) > TITLES_TOLD else ""
    of = f" of {shorten(api, 80)}" if api else ""
    return f"Looks after {words}{of}: {'; '.join(told)}{more}."


def _link(agents: dict[str, Agent], wanted: dict[str, list[Place]]) -> list[Entry]:
    ids = [agent.pk for agent in agents.values()]
    there: set[tuple[UUID, UUID]] = set()
    last: dict[UUID, int] = {}
    for agent_id, tool_id, position in AgentTool.objects.filter(agent__in=ids).values_list(
        "agent_id", "tool_id", "position"
    ):
        there.add((agent_id, tool_id))
        last[agent_id] = max(last.get(agent_id, -1), position)
    new: list[tuple[UUID, UUID, int]] = []
    done = []
    for name, places in wanted.items():
        agent = agents[name]
        for place in places:
            if (agent.pk, place.tool.pk) in there:
                continue
            last[agent.pk] = last.get(agent.pk, -1) + 1
            new.append((agent.pk, place.tool.pk, last[agent.pk]))
            done.append({"agent": name, "tool": place.tool.name, "change": "linked"})
    if new:
        _insert_links(new)
    return done


def _insert_links(links: list[tuple[UUID, UUID, int]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {AgentTool._meta.db_table} (agent_id, tool_id, position) "  # noqa: S608
            "SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::int[])",
            [list(column) for column in zip(*links, strict=True)],
        )
