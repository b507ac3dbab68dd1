"""Which conversations the console's list shows, and in which order: everything asked for stands in the address.

Pages go by the last row that was seen (keyset), so the thousandth costs what the first does, and nothing is counted
beyond COUNTED_TO.
"""

from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db import connection
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import QueryDict
from django.utils import timezone

from chat import happening
from chat.models import Conversation, ConversationStatus, Event, Tag, Turn, TurnStatus
from smartsupport.lib.ids import parse_uuid

ROWS_A_PAGE = 50
COUNTED_TO = 10_000
HAPPENED = {
    "mine": "You have it",
    "unanswered": "With a colleague, customer wrote last",
    "live": "Live now",
    "today": "Active today",
    "approval": "Waits for an approval",
    "failed_today": "A turn failed today",
    "failed": "A turn failed",
}
WAITING = {1: "1 minute", 5: "5 minutes", 15: "15 minutes", 60: "1 hour", 240: "4 hours", 1440: "1 day"}
ESCALATED = {1: "Today", 7: "Last 7 days", 30: "Last 30 days"}
SCORES = {"low": "1 or 2 of 5", **{str(score): f"{score} of 5" for score in range(5, 0, -1)}}
SOLVED = {"yes": "Solved", "no": "Not solved"}

BADGES = {
    ConversationStatus.OPEN: "info",
    ConversationStatus.WAITING: "warning",
    ConversationStatus.HELD: "primary",
    ConversationStatus.RESOLVED: "success",
}
"""The colour of a status's badge, in one place."""


def state_of(row: Conversation) -> tuple[str, str]:
    """(status, what its badge says): who has it, where somebody has."""
    held = row.status == ConversationStatus.HELD and row.held_by
    return row.status, f"With {row.held_by}" if held else row.get_status_display()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: behind (or before) this row."""

    at: datetime
    pk: UUID

    @classmethod
    def of(cls, text: str) -> "Place | None":
        at, _, pk = text.partition("_")
        known = parse_uuid(pk)
        if not known or not at.isdecimal() or not at.isascii() or len(at) > 16:
            return None
        return cls(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(at)), known)

    def __str__(self) -> str:
        return f"{(self.at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)}_{self.pk}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asked to see. What is no value of its kind counts as not asked for."""

    status: str = ""
    agent: str = ""
    tag: str = ""
    waiting: int = 0
    happened: str = ""
    escalated: int = 0
    score: str = ""
    solved: str = ""
    day: str = ""
    before: Place | None = None
    after: Place | None = None

    @classmethod
    def of(cls, asked: QueryDict) -> "Wanted":
        def one(name: str, known: Any) -> str:
            value = asked.get(name, "")
            return value if value in known else ""

        status = asked.get("status") or asked.get("status__exact", "")
        return cls(
            status=status if status in ConversationStatus.values else "",
            agent=asked.get("agent", "").replace("\0", "")[:64],
            tag=asked.get("tag", "").replace("\0", "")[:40],
            waiting=int(one("waiting", map(str, WAITING)) or 0),
            happened=one("happened", HAPPENED),
            escalated=int(one("escalated", map(str, ESCALATED)) or 0),
            score=one("score", SCORES),
            solved=one("solved", SOLVED),
            day=_day(asked.get("day", "")),
            before=Place.of(asked.get("before", "")),
            after=Place.of(asked.get("after", "")),
        )

    def query(self, **other: Any) -> str:
        """The query of an address that shows this, or something else from its first page on."""
        one = replace(self, **{"before": None, "after": None, **other})
        said = [(field.name, getattr(one, field.name)) for field in fields(one)]
        return f"?{urlencode([(name, str(value)) for name, value in said if value])}"

    @property
    def narrows(self) -> bool:
        return self.query() != "?"

    @property
    def in_words(self) -> list[tuple[str, str]]:
        """What narrows the list, and the address without it."""
        said = {
            "status": str(ConversationStatus(self.status).label) if self.status else "",
            "agent": f"Agent {self.agent}",
            "tag": f"Tag {self.tag}",
            "waiting": f"Waits longer than {WAITING.get(self.waiting, '')}",
            "happened": HAPPENED.get(self.happened, ""),
            "escalated": f"Asked for a person: {ESCALATED.get(self.escalated, '').lower()}",
            "score": f"Score {SCORES.get(self.score, '')}",
            "solved": f"Customer says: {SOLVED.get(self.solved, '').lower()}",
            "day": f"Began on {self.day}",
        }
        return [
            (words, self.query(**{name: 0 if name in ("waiting", "escalated") else ""}))
            for name, words in said.items()
            if getattr(self, name)
        ]

    @property
    def order(self) -> tuple[str, bool]:
        """The field, and whether the newest comes first."""
        if self.waiting:
            return "waiting_since", False
        return ("created_at" if self.day else "last_activity_at"), True

    def rows(self, username: str) -> QuerySet[Conversation]:
        """All that fit, without an order. `username`: who looks."""
        rows = Conversation.objects.all()
        if self.status:
            rows = rows.filter(status=self.status)
        if self.agent:
            rows = rows.filter(live_agent=self.agent)
        if self.tag:
            of = Conversation.tags.through.objects.filter(tag__in=Tag.objects.filter(name=self.tag))
            rows = rows.filter(pk__in=of.values("conversation_id"))
        if self.waiting:
            rows = rows.filter(waiting_since__lte=timezone.now() - timedelta(minutes=self.waiting))
        if self.escalated:
            since = happening.start_of_today() - timedelta(days=self.escalated - 1)
            asked = Event.objects.filter(kind="handoff_requested", created_at__gte=since)
            rows = rows.filter(pk__in=asked.values("conversation_id"))
        if self.score:
            rows = rows.filter(score__in=(1, 2) if self.score == "low" else (int(self.score),))
        if self.solved:
            rows = rows.filter(solved=self.solved == "yes", solved__isnull=False)  # as the index has it
        if self.day:
            begins = datetime.combine(date.fromisoformat(self.day), time(), UTC)
            rows = rows.filter(created_at__gte=begins, created_at__lt=begins + timedelta(days=1))
        return _happened(rows, self.happened, username) if self.happened else rows


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if len(text) == 10 and "1970" < text < "9000" else ""
    except ValueError:
        return ""


def _happened(rows: QuerySet[Conversation], what: str, username: str) -> QuerySet[Conversation]:
    failed = Turn.objects.filter(status=TurnStatus.FAILED)
    match what:
        case "mine":
            return rows.filter(status=ConversationStatus.HELD, held_by=username)
        case "unanswered":
            return unanswered(rows)
        case "live":
            return rows.filter(happening.live_now())
        case "today":
            return rows.filter(happening.active_today())
        case "approval":
            waits = Turn.objects.filter(status=TurnStatus.WAITING)
            return rows.filter(pk__in=waits.values("conversation_id"))
        case "failed_today":
            return rows.filter(happening.failed_today())
    return rows.filter(pk__in=failed.values("conversation_id"))


def unanswered(rows: QuerySet[Conversation]) -> QuerySet[Conversation]:
    """Those that a person has and whose customer wrote last."""
    spoken = Event.objects.filter(
        conversation=OuterRef("pk"), kind__in=["message_received", "staff_wrote"]
    ).order_by("-seq")
    last = Subquery(spoken.values("kind")[:1])
    return rows.filter(status=ConversationStatus.HELD).alias(last=last).filter(last="message_received")


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the list, and the addresses of its neighbours; "" where there is none."""

    rows: list[Conversation]
    newer: str
    older: str


def page_of(wanted: Wanted, username: str) -> Listed:
    """Two queries (the rows with their customers, and their tags), each over an index, however many rows there are."""
    field, down = wanted.order
    back = wanted.after is not None
    place = wanted.after or wanted.before
    rows = wanted.rows(username)
    if place is not None:
        rows = _beyond(rows, field, place, smaller=down != back)
    sign = "-" if down != back else ""
    ordered = rows.select_related("customer").prefetch_related("tags").order_by(f"{sign}{field}", f"{sign}pk")
    found = list(ordered[: ROWS_A_PAGE + 1])
    more = len(found) > ROWS_A_PAGE
    shown = found[:ROWS_A_PAGE][::-1] if back else found[:ROWS_A_PAGE]
    if not shown:
        return Listed([], wanted.query() if place else "", "")
    first, last = (Place(getattr(row, field), row.pk) for row in (shown[0], shown[-1]))
    newer = more if back else place is not None
    older = True if back else more
    return Listed(
        shown, wanted.query(after=first) if newer else "", wanted.query(before=last) if older else ""
    )


def _beyond(
    rows: QuerySet[Conversation], field: str, place: Place, *, smaller: bool
) -> QuerySet[Conversation]:
    """The rows behind a place. The first condition alone is what an index is read by; ties go by the key."""
    way = "lt" if smaller else "gt"
    same = Q(**{field: place.at, f"pk__{way}": place.pk})
    return rows.filter(Q(**{f"{field}__{way}": place.at}) | same, **{f"{field}__{way}e": place.at})


def counts(also: QuerySet[Conversation]) -> tuple[dict[str, int], int]:
    """{status: how many there are} and how many of `also`, each up to COUNTED_TO + 1, which stands for "more". One
    statement."""
    inner, parameters = also.order_by().values("pk")[: COUNTED_TO + 1].query.sql_with_params()
    statuses = "(SELECT FROM chat_conversation WHERE status = wanted LIMIT %s) AS seen"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT wanted, (SELECT count(*) FROM {statuses}) FROM unnest(%s::text[]) AS wanted "  # noqa: S608
            f"UNION ALL SELECT '', count(*) FROM ({inner}) AS fitting",
            [COUNTED_TO + 1, ConversationStatus.values, *parameters],
        )
        found = dict(cursor.fetchall())
    return found, found.pop("")


def choices() -> tuple[list[str], list[str]]:
    """The names of agents and of tags, for the filters. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "(SELECT 'agent', name FROM agents_agent ORDER BY name LIMIT 500) UNION ALL "
            "(SELECT 'tag', name FROM chat_tag ORDER BY name LIMIT 500)"
        )
        found = cursor.fetchall()
    return [name for kind, name in found if kind == "agent"], [name for kind, name in found if kind == "tag"]
