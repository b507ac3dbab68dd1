"""Which approvals the inbox lists: everything asked for stands in the address.

Pages go by the last row that was seen (keyset), so a page behind a million others costs what the first does. Nothing is
counted.
"""

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils import timezone

from agents.approvals import is_wish_of
from agents.models import Action, ActionStatus, Approver, Risk
from smartsupport.lib.ids import parse_uuid

ROWS_A_PAGE = 50
LOOKED_THROUGH = 5_000
"""So many decided ones are searched at a time: their words have no index."""
WHICH = {
    "customer": "Waits for the customer",
    "unknown": "Outcome unknown",
    "failed": "Failed",
    "decided": "Decided",
    "expired": "Expired",
    "all": "All",
}
"""What is listed other than what waits for staff."""
OLDER = {5: "5 minutes", 15: "15 minutes", 60: "1 hour", 240: "4 hours", 1440: "1 day"}
BEGAN = datetime.fromtimestamp(0, UTC)
SHOWN = (
    *("id", "turn_id", "message", "tool_name", "agent", "status", "approver", "approvals_needed", "votes"),
    *("arguments_hash", "proposed_arguments", "reopened", "expires_at", "created_at", "decided_at"),
    *("decided_by", "decided_by_name", "reason"),
    *("customer__name", "customer__email", "customer__subject", "tool__title", "tool__risk"),
)
"""What a row shows: arguments, snapshots and answers may be large and stay where they are."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: behind this row."""

    at: datetime
    pk: UUID

    @classmethod
    def of(cls, text: str) -> "Place | None":
        at, _, pk = text.partition("_")
        known = parse_uuid(pk)
        if not known or not at.isdecimal() or not at.isascii() or len(at) > 16:
            return None
        return cls(BEGAN + timedelta(microseconds=int(at)), known)

    def __str__(self) -> str:
        return f"{(self.at - BEGAN) // timedelta(microseconds=1)}_{self.pk}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asked to see. What is no value of its kind counts as not asked for. `older`: minutes; `mine`: only
    what still lacks the vote of who asks."""

    which: str = ""
    tool: str = ""
    agent: str = ""
    older: int = 0
    risk: str = ""
    mine: str = ""
    q: str = ""
    behind: Place | None = None

    @classmethod
    def of(cls, asked: QueryDict) -> "Wanted":
        def one(name: str, known: Any) -> str:
            value = asked.get(name, "")
            return value if value in known else ""

        def text(name: str, most: int) -> str:
            return asked.get(name, "").replace("\0", "").strip()[:most]

        return cls(
            which=one("which", WHICH),
            tool=text("tool", 64) or text("tool_name", 64),
            agent=text("agent", 64),
            older=int(one("older", map(str, OLDER)) or 0),
            risk=one("risk", Risk.values),
            mine=one("mine", ("yes",)),
            q=text("q", 200),
            behind=Place.of(asked.get("behind", "")),
        )

    def query(self, **other: Any) -> str:
        """The query of an address that shows this, or something else from its first page on."""
        wanted = replace(self, **{"behind": None, **other})
        said = [(field.name, getattr(wanted, field.name)) for field in fields(wanted)]
        return f"?{urlencode([(name, str(value)) for name, value in said if value])}"

    @property
    def narrows(self) -> bool:
        return any((self.tool, self.agent, self.older, self.risk, self.mine, self.q))

    @property
    def waits(self) -> bool:
        """Whether this lists what waits for staff."""
        return not self.which

    def rows(self, own: str) -> QuerySet[Action]:
        """All that fit, without an order. `own`: the decider id of who looks."""
        rows = _of_state(self.which)
        if self.tool:
            rows = rows.filter(tool_name=self.tool)
        if self.older:
            rows = rows.filter(created_at__lte=timezone.now() - timedelta(minutes=self.older))
        if self.mine and self.waits:
            rows = rows.exclude(votes__contains=[{"id": own}]).exclude(is_wish_of(own))
        return rows

    def narrowed(self, rows: QuerySet[Action]) -> QuerySet[Action]:
        """Those of the rows that have what no index finds."""
        if self.agent:
            rows = rows.filter(agent=self.agent)
        if self.risk:
            rows = rows.filter(tool__risk=self.risk)
        for word in self.q.split()[:8]:
            rows = rows.filter(
                Q(message__icontains=word)
                | Q(tool_name__icontains=word)
                | Q(tool__title__icontains=word)
                | Q(customer__name__icontains=word)
                | Q(customer__email__icontains=word)
                | Q(customer__subject__icontains=word)
            )
        return rows


def _of_state(which: str) -> QuerySet[Action]:
    rows = Action.objects.all()
    match which:
        case "":
            return rows.filter(status=ActionStatus.AWAITING, approver=Approver.STAFF)
        case "customer":
            return rows.filter(status=ActionStatus.AWAITING, approver=Approver.CUSTOMER)
        case "unknown" | "failed" | "expired" as status:
            return rows.filter(status=status)
        case "decided":
            return rows.exclude(status__in=[ActionStatus.AWAITING, ActionStatus.EXPIRED])
    return rows


def shown(rows: QuerySet[Action], own: str) -> QuerySet[Action]:
    """With all that a row shows; `asked_by_you` too."""
    return rows.select_related("customer", "tool").only(*SHOWN).annotate(asked_by_you=is_wish_of(own))


@dataclass(frozen=True, slots=True)
class Listed:
    """A page, and the address of the next; "" where there is none. `looked`: the search went through LOOKED_THROUGH
    rows and ended there, so there may be more."""

    rows: list[Action]
    further: str
    looked: bool = False


def page_of(wanted: Wanted, own: str) -> Listed:
    """One statement, two while decided ones are searched. What waits comes oldest first, all else newest first."""
    down = not wanted.waits
    rows = wanted.rows(own)
    if wanted.behind:
        rows = _behind(rows, wanted.behind, smaller=down)
    order = ("-created_at", "-pk") if down else ("created_at", "pk")
    edge: Place | None = None
    if down and (wanted.agent or wanted.risk or wanted.q):
        window = rows.order_by(*order)
        last = window.values_list("created_at", "pk")[LOOKED_THROUGH - 1 : LOOKED_THROUGH].first()
        edge = Place(*last) if last else None
        rows = Action.objects.filter(pk__in=window.values("pk")[:LOOKED_THROUGH])
    found = list(shown(wanted.narrowed(rows), own).order_by(*order)[: ROWS_A_PAGE + 1])
    if len(found) > ROWS_A_PAGE:
        found.pop()
        return Listed(found, wanted.query(behind=Place(found[-1].created_at, found[-1].pk)))
    return Listed(found, wanted.query(behind=edge) if edge else "", looked=edge is not None)


def _behind(rows: QuerySet[Action], place: Place, *, smaller: bool) -> QuerySet[Action]:
    """The first condition alone is what an index is read by; ties go by the key."""
    way = "lt" if smaller else "gt"
    same = Q(created_at=place.at, **{f"pk__{way}": place.pk})
    return rows.filter(Q(**{f"created_at__{way}": place.at}) | same, **{f"created_at__{way}e": place.at})


def these(ids: list[UUID], own: str) -> list[Action]:
    """Rows by their ids, in the inbox's order, whatever became of them."""
    if not ids:
        return []
    return list(shown(Action.objects.filter(pk__in=ids), own).order_by("created_at", "pk"))


def choices() -> tuple[list[tuple[str, str]], list[str]]:
    """(name, title) of tools and the names of agents, for the filters. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "(SELECT 'tool', name, title FROM agents_tool WHERE approval <> 'none' OR access = 'write' "
            "ORDER BY title LIMIT 500) UNION ALL (SELECT 'agent', name, '' FROM agents_agent ORDER BY name LIMIT 500)"
        )
        found = cursor.fetchall()
    tools = [(name, title) for kind, name, title in found if kind == "tool"]
    return tools, [name for kind, name, _ in found if kind == "agent"]
