"""Which entries somebody wants to see: filters that live in the address, and pages by number, newest first."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.db.models import BooleanField, Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL

from smartsupport.lib import audit
from smartsupport.models import AuditEntry

ROWS_A_PAGE = 50
MOST_CHOICES = 200
OUTCOMES = {
    audit.DONE: "Done",
    audit.ANSWERED: "Page shown",
    audit.REFUSED: "Refused",
    audit.FAILED: "Failed",
    audit.BEGUN: "Begun, outcome unknown",
}
COLOURS = {
    audit.DONE: "success",
    audit.ANSWERED: "info",
    audit.REFUSED: "warning",
    audit.FAILED: "danger",
    audit.BEGUN: "danger",
}
KINDS = {"staff": "Staff", "key": "API key", "system": "System", "unknown": "Not signed in"}
# As the index smartsupport_audit_words is written, or it is not used.
_WORDS = """to_tsvector('simple', regexp_replace(actor_name || ' ' || verb || ' ' || object_type || ' ' || object_id
    || ' ' || object_label || ' ' || address || ' ' || path || ' ' || coalesce(detail::text, ''),
    '[^[:alnum:]]+', ' ', 'g'))
    @@ to_tsquery('simple', %s)"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`before` is the number above the page; `day` is a day in UTC."""

    q: str = ""
    who: str = ""
    what: str = ""
    object: str = ""
    object_id: str = ""
    outcome: str = ""
    day: str = ""
    before: str = ""

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> "Wanted":
        """What an address or a query says; what cannot be is left out."""
        said = {name: str(asked.get(name, "")).replace("\x00", "").strip()[:200] for name in cls.__slots__}
        wanted = cls(**said)
        return replace(
            wanted,
            outcome=wanted.outcome if wanted.outcome in OUTCOMES else "",
            day=wanted.day if _day(wanted.day) else "",
            before=wanted.before if re.fullmatch(r"[0-9]{1,18}", wanted.before) else "",
        )

    @property
    def narrows(self) -> bool:
        return any(value for name, value in asdict(self).items() if name != "before")

    def query(self, **other: Any) -> str:
        """The query of an address that shows this, or something else; "?" where there is nothing to say."""
        parts = {
            name: value for name, value in asdict(replace(self, **{"before": "", **other})).items() if value
        }
        return f"?{urlencode(parts)}"

    def rows(self, *, whole: bool = False) -> QuerySet[AuditEntry]:
        """What it lists, in no order. Beginnings whose outcome is recorded are left out, unless `whole` is set."""
        rows = AuditEntry.objects.all()
        exact = {
            "actor_name": self.who,
            "verb": self.what,
            "object_type": self.object,
            "outcome": self.outcome,
        }
        rows = rows.filter(
            **{name: value for name, value in (exact | {"object_id": self.object_id}).items() if value}
        )
        if day := _day(self.day):
            rows = rows.filter(at__gte=day, at__lt=day + timedelta(days=1))
        if self.q:
            words = re.findall(r"[^\W_]+", self.q)[:10]
            asked = " & ".join(f"{word}:*" for word in words)
            rows = rows.filter(_says(asked)) if asked else rows.none()
        if whole:
            return rows
        ended = AuditEntry.objects.filter(begun_id=OuterRef("pk"))
        return rows.exclude(Q(outcome=audit.BEGUN) & Exists(ended))

    def page(self, size: int = ROWS_A_PAGE) -> tuple[list[AuditEntry], str]:
        """Its rows, newest first, and the `before` of the page after it ("" on the last). One query."""
        rows = self.rows()
        if self.before:
            rows = rows.filter(pk__lt=int(self.before))
        found = list(rows.order_by("-pk")[: size + 1])
        return found[:size], str(found[size - 1].pk) if len(found) > size else ""


def _says(asked: str) -> RawSQL:
    return RawSQL(_WORDS, [asked], output_field=BooleanField())  # noqa: S611 - fixed text, words as a parameter


def values_of(column: str) -> list[str]:
    """The different values of an indexed column, at most MOST_CHOICES: one look into the index for each of them."""
    assert column in ("actor_name", "verb", "object_type")
    table = "smartsupport_auditentry"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH RECURSIVE found (value) AS (
                    (SELECT {column} FROM {table} ORDER BY {column} LIMIT 1)
                    UNION ALL SELECT (SELECT {column} FROM {table} WHERE {column} > value ORDER BY {column} LIMIT 1)
                    FROM found WHERE value IS NOT NULL)
                SELECT value FROM found WHERE value <> '' LIMIT {MOST_CHOICES}"""  # noqa: S608 - our own names
        )
        return [row[0] for row in cursor.fetchall()]


def _day(text: str) -> datetime | None:
    try:
        found = date.fromisoformat(text)
        return datetime(found.year, found.month, found.day, tzinfo=UTC) if found.year < 9999 else None
    except ValueError:
        return None
