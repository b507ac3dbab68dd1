"""Counting for the home page: many lists in one statement, none beyond what a person still reads."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F, QuerySet

COUNTED_TO = 10_000


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are, up to COUNTED_TO + 1, which stands for "more", and since when the first of those counted."""

    number: int
    since: datetime | None

    @property
    def shown(self) -> str:
        return f"{COUNTED_TO:,}+" if self.number > COUNTED_TO else f"{self.number:,}"


NONE = Count(0, None)


def counted(lists: dict[str, tuple[QuerySet[Any], str]]) -> dict[str, Count]:
    """{name: (rows, the field that says since when)} counted. One statement, or none where there is no list."""
    if not lists:
        return {}
    parts, parameters = [], []
    for name, (rows, since) in lists.items():
        inner = rows.order_by().values(counted_since=F(since))[: COUNTED_TO + 1]
        sql, own = inner.query.sql_with_params()
        parts.append(f"SELECT %s, count(*), min(counted_since) FROM ({sql}) AS fitting")  # noqa: S608
        parameters += [name, *own]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), parameters)
        return {name: Count(number, since) for name, number, since in cursor.fetchall()}


def exist(rows: dict[str, QuerySet[Any]]) -> dict[str, bool]:
    """Which of these have any row. One statement, or none."""
    if not rows:
        return {}
    parts, parameters = [], []
    for name, one in rows.items():
        sql, own = one.order_by().values("pk")[:1].query.sql_with_params()
        parts.append(f"SELECT %s, EXISTS ({sql})")
        parameters += [name, *own]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), parameters)
        return dict(cursor.fetchall())
