"""The history of agents and tools in words and tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agents.admin.shown import FIELDS, difference_rows
from agents.history.restoring import FIELDS as RESTORABLE
from agents.models import Access, Approver, Revision, Risk, Tool

LABELS = {
    **FIELDS,
    "name": "Name",
    "title": "In plain words",
    "description": "Description",
    "permission": "May",
    "tone": "Tone",
    "greeting": "Greeting",
    "escalation_message": "When it hands over",
    "keywords": "Keywords",
    "model": "Model",
    "position": "Place in the list",
    "source_id": "API",
    "operation_id": "Operation",
    "input_schema": "Arguments",
    "security": "Sign-in",
    "response": "Answer",
    "projection": "What the agent is shown of an answer",
    "risk": "Risk",
    "confirmation": "Question to the approver",
    "read_back_id": "How it stands",
    "repeat_safe": "Safe to send again",
    "paused_because": "Why it is off",
}
WORDS = {
    "permission": dict(Access.choices),
    "access": dict(Access.choices),
    "approval": dict(Approver.choices),
    "risk": dict(Risk.choices),
}
COLOURS = {"made": "success", "changed": "info", "deleted": "danger"}
NAMES_SHOWN = 30
Row = tuple[str, str, str]


@dataclass(frozen=True)
class Told:
    """One change as the page shows it. rows: (what, as it was, as it is). `restorable`: there is a way back."""

    revision: Revision
    colour: str
    rows: list[Row]
    restorable: bool

    @property
    def by(self) -> str:
        return self.revision.by_name or "Smart Support (set-up or a command)"


def told(revisions: Iterable[Revision]) -> list[Told]:
    """In their order. One statement, for the names of tools."""
    listed = list(revisions)
    named = {tool_id for one in listed for tool_id in [*one.links, *_looked_up(one.fields)]}
    names = names_of(named)
    return [_told(one, names) for one in listed]


def names_of(ids: Iterable[str]) -> dict[str, str]:
    """{tool id: name}."""
    return {str(pk): name for pk, name in Tool.objects.filter(pk__in=set(ids)).values_list("pk", "name")}


def _looked_up(fields: Mapping[str, Any]) -> list[str]:
    return [value for value in fields.get("read_back_id", ()) if value]


def _told(revision: Revision, names: Mapping[str, str]) -> Told:
    deleted = revision.kind == Revision.Kind.DELETED
    fields = {} if deleted else revision.fields
    restorable = RESTORABLE[Revision.Subject(revision.subject)]
    back = deleted or bool(revision.links) or any(name in restorable for name in revision.fields)
    return Told(
        revision,
        COLOURS[revision.kind],
        rows(fields, {} if revision.kind == Revision.Kind.MADE else revision.links, names),
        restorable=back and revision.kind != Revision.Kind.MADE,
    )


def rows(fields: Mapping[str, Any], links: Mapping[str, Any], names: Mapping[str, str]) -> list[Row]:
    """(what, as it was, as it is) of every field that differs, and of the tools."""
    found: list[Row] = []
    for name, (was, now) in sorted(fields.items(), key=lambda one: _place(one[0])):
        if name == "read_back_id":
            was, now = names.get(was, was), names.get(now, now)
        known = WORDS.get(name, {})
        was, now = _plain(known, was), _plain(known, now)
        told = difference_rows([{"field": name, "was": was, "now": now}])
        found += [(LABELS.get(label, label), before, after) for label, before, after in told]
    return found + _tools(links, names)


def _place(name: str) -> int:
    return list(LABELS).index(name) if name in LABELS else len(LABELS)


def _plain(known: Mapping[Any, Any], value: Any) -> Any:
    return str(known.get(value, value)) if known and isinstance(value, str) else value


def _tools(links: Mapping[str, Any], names: Mapping[str, str]) -> list[Row]:
    by_place = sorted(links.items(), key=lambda one: max(place for place in one[1] if place is not None))
    given = [names.get(tool_id, tool_id) for tool_id, (was, _) in by_place if was is None]
    taken = [names.get(tool_id, tool_id) for tool_id, (_, now) in by_place if now is None]
    moved = [tool_id for tool_id, (was, now) in by_place if was is not None and now is not None]
    found: list[Row] = []
    if given:
        found.append(("Tools given", "", _some(given)))
    if taken:
        found.append(("Tools taken away", _some(taken), ""))
    if moved and not given and not taken:
        orders = [sorted(moved, key=lambda one: (links[one][side], one)) for side in (0, 1)]
        was, now = (_some([names.get(one, one) for one in order]) for order in orders)
        if was != now:
            found.append(("Order of its tools", was, now))
    return found


def _some(names: list[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
