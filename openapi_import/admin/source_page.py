"""What the page of one API shows: its tools in numbers, and the history of what was live."""

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.db.models import F, Func, JSONField, Value
from django.db.models.functions import Cast

from agents.admin.credential_rows import wanted_rows
from agents.admin.shown import difference_rows
from agents.models import Tool
from openapi_import import admin_words as words
from openapi_import import roll_back, tool_state
from openapi_import.models import Publication, SpecSource

PUBLICATIONS_A_PAGE = 15
CHANGES_A_PAGE = 50
NAMES_SHOWN = 10
STATES = {
    "": "Live",
    tool_state.LEFT_OUT: "Left out",
    tool_state.GONE: "Gone from the document",
    tool_state.UNUSABLE: "Not usable any more",
    tool_state.CHANGED: "Changed, and waits for a look",
    tool_state.ELSEWHERE: "Goes to another server, and waits for a look",
}
FIELDS = {
    "enabled": "Switched on",
    "paused_because": "Why it is off",
    "name": "Name",
    "title": "In plain words",
    "description": "What the model reads",
    "risk": "Risk",
    "bound": "Names the customer",
    "projection": "What the model sees of an answer",
    "response": "Answer",
    "security": "Sign-in",
    "operation_id": "Operation",
    "confirmation": "Question to the approver",
    "repeat_safe": "Safe to send again",
    "read_back_id": "How it stands",
}


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one tool. rows: (what, as it was, as it is now)."""

    tool: str
    tool_id: str
    what: str
    colour: str
    address: str
    rows: list[tuple[str, str, str]]


COLOURS = {
    "added": "success",
    "changed": "warning",
    "removed": "danger",
    "deleted": "danger",
    "resumed": "info",
}


def fitting(source: SpecSource) -> set[str]:
    """The names of the actions that would do something now. `source` is annotated with `live` and `there`."""
    live, there = source.live, source.there  # type: ignore[attr-defined]
    found = {"limit_calls"}
    if live:
        found.add("pause_tools")
    if there:
        found.add("delete_tools")
    paused = Tool.objects.filter(
        source=source, enabled=False, paused_because__startswith=tool_state.PAUSED_BY
    )
    if paused.exists():
        found.add("resume_tools")
    if roll_back.newest_to_undo(source) is not None:
        found.add("take_back")
    return found


def page(source: SpecSource, number: Any) -> dict[str, Any]:
    """`source` is annotated with `live` and `there`."""
    # Of thousands of changed tools, only how many there are of each kind leaves the database.
    kinds = Func(
        F("changes"),
        Cast(Value("$[*].change"), output_field=_JsonPath()),
        function="jsonb_path_query_array",
        output_field=JSONField(),
    )
    made = (
        source.publications.annotate(kinds=kinds)
        .select_related("undoes")
        .defer("changes", "undoes__changes", "undoes__agents")
        .order_by("-number")
    )
    shown = Paginator(made, PUBLICATIONS_A_PAGE).get_page(number)
    return {
        "source": source,
        "history": [(one, words.PUBLICATION_BADGES[Publication.Kind(one.kind)], _said(one)) for one in shown],
        "history_page": shown,
        "newest_job": source.jobs.only("id", "title", "name", "status", "created_at").first(),
        "off": _off(source),
        "wanted": wanted_rows(source.pk),
    }


class _JsonPath(JSONField):
    def db_type(self, connection: Any) -> str:
        return "jsonpath"

    def cast_db_type(self, connection: Any) -> str:
        return "jsonpath"


def _said(made: Any) -> str:
    return words.counted_changes(made.kinds, made.agents)


def _off(source: SpecSource) -> list[tuple[str, int]]:
    """(why, how many) of the tools that are there and switched off."""
    found: dict[str, int] = {}
    tools = Tool.objects.filter(tool_state.NOT_RETIRED, source=source, enabled=False)
    for why in tools.values_list("paused_because", flat=True):
        known = STATES.get(why) or (why if why.startswith(tool_state.PAUSED_BY) else "Switched off by staff")
        found[known] = found.get(known, 0) + 1
    return sorted(found.items())


def publication(made: Publication, number: Any) -> dict[str, Any]:
    shown = Paginator(made.changes, CHANGES_A_PAGE).get_page(number)
    known = {
        str(pk)
        for pk in Tool.objects.filter(pk__in=[one.get("id") for one in shown]).values_list("pk", flat=True)
    }
    return {
        "made": made,
        "said": words.changes_of(made),
        "badge": words.PUBLICATION_BADGES[Publication.Kind(made.kind)],
        "changes": [_change(one, known) for one in shown],
        "changes_page": shown,
        "agent_changes": _agents(made.agents),
    }


_AGENTS = {
    "created": "made",
    "linked": "got",
    "unlinked": "lost",
    "switched_on": "switched on",
    "switched_off": "switched off",
}


def _agents(entries: list[dict[str, str]]) -> list[tuple[str, str, list[str], int]]:
    """(agent, what became of it, the first of the tools, how many more) of each agent."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in entries:
        tools = found.setdefault((one["agent"], _AGENTS.get(one["change"], one["change"])), [])
        tools += [one["tool"]] if one.get("tool") and one["change"] in ("linked", "unlinked") else []
    return [
        (agent, what, tools[:NAMES_SHOWN], max(0, len(tools) - NAMES_SHOWN))
        for (agent, what), tools in sorted(found.items())
    ]


def _change(entry: dict[str, Any], known: set[str]) -> Change:
    before, after = entry.get("before"), entry.get("after") or {}
    rows: list[tuple[str, str, str]] = []
    if before is not None:
        fields = [{"field": name, "was": before[name], "now": after.get(name)} for name in before]
        rows = [(FIELDS.get(what, what), was, now) for what, was, now in difference_rows(fields)]
    what = str(entry.get("change", ""))
    return Change(
        tool=str(entry.get("tool", "")),
        tool_id=entry["id"] if entry.get("id") in known else "",
        what=what.capitalize(),
        colour=COLOURS.get(what, ""),
        address=f"{after.get('method', '')} {after.get('path', '')}".strip() if before is None else "",
        rows=rows,
    )
