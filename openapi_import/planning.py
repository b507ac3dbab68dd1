"""What a publication does to each tool. Tools that are there are loaded without what documents say of them, where the
import says the same; new ones are not loaded at all."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.models import Tool
from openapi_import import difference, new_tools, tool_state
from openapi_import.elsewhere import goes_elsewhere, known_servers
from openapi_import.entries import Entry, change
from openapi_import.group_agents import Place
from openapi_import.matching import ToolKey, match, row_keys, tool_keys
from openapi_import.meaning import differences
from openapi_import.models import Change, Classification, ImportJob, Publication, SpecSource
from openapi_import.new_tools import NewRow, NewTool
from openapi_import.same_documents import DOCUMENT, differing, has_document, load_documents, person_headers
from openapi_import.tool_making import free_names, read_back, switch_off, tool_of
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import canonical_json

NOT_READ = ("tool", "description", "summary", "losses", "reason", "tags", "pointer", "judged")
"""What of a row is not asked when it is published, or only where it differs."""


class NewerPublished(ServiceError):
    """Something else of the same API was published since this was read."""

    code, status = "newer_published", 409

    @classmethod
    def of(cls, source: SpecSource) -> "NewerPublished":
        last = Publication.objects.filter(source=source).order_by("-number").first()
        return cls(
            f"{last.by_name if last else 'Somebody'} has changed the tools of this API since this import was compared "
            "with them. Compare it again, look at what differs now, and then publish.",
            publication=str(last.pk) if last else None,
        )


@dataclass
class Plan:
    """What becomes of each tool. `changed` are those that were there, with an entry of `changes` each; `hidden` is what
    `new_tools.insert` wants to know."""

    new: list[NewTool] = field(default_factory=list)
    changed: list[Tool] = field(default_factory=list)
    changes: list[Entry] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)


def plan_of(job: ImportJob, source: SpecSource) -> Plan:
    """What publishing the job does. Call it while publishing is locked, in a transaction: it locks the source's tools,
    and lets tools of others follow new names. Raises NewerPublished and ImportRefused."""
    return _Planning(job, source).plan()


class _Planning:
    """One publication, with what it looks at."""

    def __init__(self, job: ImportJob, source: SpecSource) -> None:
        self._job, self._source = job, source
        locked = Tool.objects.select_for_update(no_key=True).filter(source=source).order_by("pk")
        list(locked.values_list("pk").iterator())
        stored = tool_keys(source.pk)
        self._keys = row_keys(job.pk)
        self._found = match(self._keys, stored)
        self._servers = known_servers(source, stored)
        self._hidden = person_headers(job.pk)
        self._check_matched(stored)
        self._load()
        self._before = {pk: tool_state.state(tool) for pk, tool in self._tools.items()}
        found = new_tools.new_rows(job.pk, security=self._servers is not None)
        self._new = [new_tools.new_tool(row, self._servers) for row in found if row.index not in self._found]
        self._made: list[tuple[Classification | NewRow, Tool | NewTool]] = []

    def plan(self) -> Plan:
        self._check_meaning()
        rows = self._rows
        for row in rows.values():
            tool = self._tools[self._found[row.index].pk]
            if row.selected and not row.unusable:
                elsewhere = has_document(row) and goes_elsewhere(row, self._servers)
                self._made.append((row, tool_of(row, tool, elsewhere=elsewhere)))
            else:
                switch_off(tool, tool_state.UNUSABLE if row.unusable else tool_state.LEFT_OUT)
        matched = {tool.pk for tool in self._found.values()}
        for pk, tool in self._tools.items():
            if pk not in matched:
                switch_off(tool, tool_state.GONE)
        self._made += [(tool.row, tool) for tool in self._new]
        self._made.sort(key=lambda one: one[0].index)
        others = Tool.objects.exclude(source=self._source).values_list("name", flat=True)
        free_names(self._made, set(others), self._before)
        read_back(self._made, list(self._tools.values()))
        self._follow_renames()
        return self._described()

    def _check_matched(self, stored: Sequence[ToolKey]) -> None:
        """Whether the tools are still the ones that the rows were compared with."""
        for key in self._keys:
            tool = self._found.get(key.index)
            live = tool is not None and not tool_state.retired(tool)
            if live != (key.change != Change.ADDED):
                raise NewerPublished.of(self._source)
        removed = Classification.objects.filter(job=self._job, change=Change.REMOVED)
        matched = {tool.pk for tool in self._found.values()}
        gone = {
            tool.operation_id
            for tool in stored
            if tool.pk not in matched and not difference.told_already(tool)
        }
        if gone != set(removed.values_list("operation_id", flat=True)):
            raise NewerPublished.of(self._source)

    def _load(self) -> None:
        """The source's tools and the rows of those that have one; what documents say where it differs."""
        tools = Tool.objects.filter(source=self._source).defer(*DOCUMENT).order_by("pk")
        self._tools = {tool.pk: tool for tool in tools.iterator()}
        rows = Classification.objects.filter(job=self._job).exclude(change=Change.REMOVED).defer(*NOT_READ)
        if not any(tool_state.retired(tool) for tool in self._found.values()):
            rows = rows.exclude(change=Change.ADDED)
        found = rows.order_by("index").iterator() if self._found else ()
        self._rows = {row.index: row for row in found if row.index in self._found}
        pairs = {row.pk: self._found[row.index].pk for row in self._rows.values()}
        wanted = differing(pairs.items(), self._hidden)
        different = [
            row
            for row in self._rows.values()
            if row.pk in wanted
            or row.customer_params != self._tools[pairs[row.pk]].bound
            or (row.change == Change.ADDED and self._servers is not None)
        ]
        load_documents(different, [self._tools[pairs[row.pk]] for row in different])

    def _check_meaning(self) -> None:
        """Whether what differs is what the reviewers were told."""
        for row in self._rows.values():
            tool = self._tools[self._found[row.index].pk]
            if tool_state.retired(tool):
                continue
            now = differences(tool, row) if has_document(row) else []
            if _meant(now) != _meant(row.difference):
                raise NewerPublished.of(self._source)

    def _follow_renames(self) -> None:
        """What tools require goes by name: whoever required a tool by its old one would wait for it for ever."""
        there = [
            (self._before[tool.pk]["name"], tool.name) for _, tool in self._made if tool.pk in self._before
        ]
        renamed = {was: now for was, now in there if was != now}
        if not renamed:
            return
        others = Tool.objects.select_for_update(no_key=True).exclude(source=self._source).exclude(requires=[])
        light = others.defer(*DOCUMENT).order_by("pk")
        changed = [tool for tool in light if renamed.keys() & set(tool.requires)]
        for tool in (*(tool for _, tool in self._made), *changed):
            tool.requires = [renamed.get(name, name) for name in tool.requires]
        tool_state.store_fields(changed, ["requires"])

    def _described(self) -> Plan:
        """What differs from what was stored; only that is stored."""
        plan = Plan(new=self._new, hidden=self._hidden)
        for row, tool in self._made:
            before = self._before.get(tool.pk)
            if before is None:
                plan.places.append(Place(tool, row.agent_group))
                continue
            fresh = not before["enabled"] and before["paused_because"] in tool_state.RETIRED
            if fresh:
                plan.places.append(Place(tool, row.agent_group))
            elif "agent_group" in row.decided:
                plan.places.append(Place(tool, row.agent_group, before=self._rows[row.index].kept_group))
            self._describe(plan, self._tools[tool.pk], "added" if fresh else "changed")
        there = {tool.pk for _, tool in self._made}
        for pk, tool in self._tools.items():
            if pk not in there:
                self._describe(plan, tool, "removed")
        return plan

    def _describe(self, plan: Plan, tool: Tool, kind: str) -> None:
        before = self._before[tool.pk]
        if before != tool_state.state(tool):
            plan.changed.append(tool)
            plan.changes.append(change(tool, before, kind))


def _meant(entries: list[dict[str, Any]]) -> list[str]:
    return sorted(canonical_json(entry) for entry in entries if entry["meaning"])
