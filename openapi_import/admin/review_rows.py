"""The rows of the review table: which ones are wanted, in which order, and how many of each kind there are."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When
from django.http import QueryDict

from openapi_import.models import Change, Classification, ImportJob

ROWS_A_PAGE = 100
EVERY = "*"  # no agent is called that
USABLE = Q(unusable="") & ~Q(change=Change.REMOVED)
NEEDS_A_LOOK = USABLE & Q(uncertain=True)
KINDS: dict[str, tuple[str, Q]] = {
    "": ("All", Q()),
    "look": ("Needs a look", NEEDS_A_LOOK),
    "added": ("New", Q(change=Change.ADDED)),
    "changed": ("Changed", Q(change=Change.CHANGED)),
    "removed": ("Gone", Q(change=Change.REMOVED)),
    "writes": ("Writes", USABLE & Q(access_type="write")),
    "reads": ("Reads", USABLE & Q(access_type="read")),
    "out": ("Left out", USABLE & Q(selected=False)),
    "unusable": ("Not usable", ~Q(unusable="") & ~Q(change=Change.REMOVED)),
}
"""The chips over the table: {its name in the address: (its words, what it lists)}."""
HEAVY = ("tool", "description", "tool_description", "difference", "pointer")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asked to see; its address is the only place where that is kept."""

    kind: str = ""
    group: str | None = None
    search: str = ""
    page: int = 1

    @classmethod
    def of(cls, asked: QueryDict) -> "Wanted":
        kind, page = asked.get("which", ""), asked.get("page", "")
        group = asked.get("group", EVERY)
        return cls(
            kind=kind if kind in KINDS else "",
            group=None if group == EVERY else group[:64],
            search=asked.get("q", "").strip()[:200],
            page=int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
        )

    def query(self, **other: Any) -> str:
        """The query of an address that shows this, or something else; "?" where there is nothing to say."""
        one = replace(self, **{"page": 1, **other})
        said = [("which", one.kind), ("q", one.search), ("page", str(one.page) if one.page > 1 else "")]
        parts = [(name, value) for name, value in said if value]
        if one.group is not None:
            parts.append(("group", one.group))
        return f"?{urlencode(parts)}"

    def rows(self, job: ImportJob) -> QuerySet[Classification]:
        """What it lists, what needs a look first, in the order of the document."""
        found = Classification.objects.filter(KINDS[self.kind][1], job=job)
        if self.group is not None:
            found = found.filter(agent_group=self.group)
        for word in self.search.split():
            found = found.filter(
                Q(path__icontains=word)
                | Q(operation_id__icontains=word)
                | Q(summary__icontains=word)
                | Q(name__icontains=word)
                | Q(method__iexact=word)
            )
        first = Case(When(NEEDS_A_LOOK, then=Value(0)), default=Value(1), output_field=IntegerField())
        return found.annotate(look_first=first).order_by("look_first", "index")

    def page_of(self, job: ImportJob) -> "Page[Classification]":
        return Paginator(self.rows(job).defer(*HEAVY), ROWS_A_PAGE).get_page(self.page)


@dataclass(frozen=True, slots=True)
class Chip:
    text: str
    count: int
    query: str
    chosen: bool


def counts(job: ImportJob) -> dict[str, int]:
    """How many rows of each kind there are, and how many would be published, in one query."""
    wanted = {f"of_{name or 'all'}": Count("pk", filter=rule) for name, (_, rule) in KINDS.items()}
    found = job.classifications.aggregate(**wanted, chosen=Count("pk", filter=USABLE & Q(selected=True)))
    return {name.removeprefix("of_"): count for name, count in found.items()}


def chips(wanted: Wanted, counted: dict[str, int]) -> list[Chip]:
    """One for each kind of which there is something, and for the one that is chosen."""
    return [
        Chip(text, count, wanted.query(kind=name), wanted.kind == name)
        for name, (text, _) in KINDS.items()
        if (count := counted[name or "all"]) or name in ("", wanted.kind)
    ]


def groups(job: ImportJob) -> list[tuple[str, int]]:
    """(agent group, how many usable operations it has), the largest first."""
    found: Iterable[tuple[str, int]] = (
        job.classifications.filter(USABLE)
        .values_list("agent_group")
        .annotate(total=Count("pk"))
        .order_by("-total", "agent_group")
    )
    return list(found)
