"""Lists in pages: by number, with a total, or behind a cursor (keyset), which costs the same however far in.

A cursor is where a page ended: the values of the row there by which the list is sorted, and the direction. It is
signed, so that what comes back is what was given out, for this list and this order. Rows that come or go meanwhile
neither repeat nor hide others.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import UUID

from django.core import signing
from django.db.models import Q
from rest_framework import serializers

from smartsupport.lib.bounded import TooLong, bounded
from smartsupport.lib.errors import ServiceError

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet

Row = TypeVar("Row")
MAX_PAGE = 10_000
LONGEST = 500


class InvalidCursor(ServiceError):
    """It was not given out by this list in this order."""

    code, status = "invalid_cursor", 400
    message = "This cursor is not one of this list's. Begin again without it, or with an empty one."


class PageQuery(serializers.Serializer[Any]):
    page = serializers.IntegerField(min_value=1, max_value=MAX_PAGE, default=1, help_text="Starts at 1.")
    per_page = serializers.IntegerField(min_value=1, max_value=100, default=20, help_text="Rows of a page.")
    cursor = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=LONGEST,
        help_text="In place of `page`: `next` or `previous` of an answer, or empty to begin. Nothing is counted then.",
    )


class CountedSerializer(serializers.Serializer[Any]):
    """One page of a list, and how to go on."""

    total = serializers.IntegerField(
        allow_null=True,
        help_text="How many there are. Null where they are not counted: behind a cursor, and where a search finds so "
        "many that it would take long.",
    )
    page = serializers.IntegerField(allow_null=True, help_text="Null behind a cursor.")
    per_page = serializers.IntegerField()
    next = serializers.CharField(allow_null=True, help_text="The `cursor` of the next page; null at the end.")
    previous = serializers.CharField(
        allow_null=True, help_text="The `cursor` of the page before; null at the beginning."
    )


class Key(NamedTuple):
    """One column of an order."""

    name: str
    descends: bool


class Position(NamedTuple):
    """Behind (or, `backwards`, before) the row with these values."""

    values: list[Any]
    backwards: bool


def one_page(
    rows: "QuerySet[Model, Row]", query: dict[str, Any], *, counted_within: float | None = None
) -> tuple[list[Row], dict[str, Any]]:
    """The rows that a checked `PageQuery` names, and what CountedSerializer has. Past the end a page is empty.

    The order of `rows` has to end in something unique, and nothing in it may be null. One query behind a cursor, two by
    number. `counted_within`: the seconds that counting may take; beyond them there is no total. Raises InvalidCursor
    (400).
    """
    keys = _keys(rows)
    salt = f"cursor of {rows.model._meta.label} by {keys}"
    found, counts = Pages(salt, query).of(
        numbered=lambda start, end: rows[start:end],
        count=lambda: _count(rows, counted_within),
        behind=lambda at, most: _behind(rows, keys, at)[:most],
        values=lambda row: [_value(row, key.name) for key in keys],
    )
    return found, counts


class Pages:
    """Pages of one list. `salt` names the list and its order."""

    def __init__(self, salt: str, query: dict[str, Any]) -> None:
        self.salt, self.per_page = salt, query["per_page"]
        self.page, self.cursor = query["page"], query.get("cursor")

    def of(
        self,
        *,
        numbered: Callable[[int, int], Any],
        count: Callable[[], int | None],
        behind: Callable[[Position | None, int], Any],
        values: Callable[[Any], list[Any]],
    ) -> tuple[list[Any], dict[str, Any]]:
        """`behind` gets a position, or None for the beginning, and answers in the direction of the position."""
        if self.cursor is None:
            start = (self.page - 1) * self.per_page
            total = count()
            found = list(numbered(start, start + self.per_page + (total is None)))
            more = len(found) > self.per_page if total is None else start + len(found) < total
            found, before = found[: self.per_page], self.page > 1
            counts: dict[str, Any] = {"total": total, "page": self.page}
        else:
            at = self._position(self.cursor) if self.cursor else None
            found = list(behind(at, self.per_page + 1))
            more, before = len(found) > self.per_page, at is not None
            found = found[: self.per_page]
            if at is not None and at.backwards:
                found.reverse()
                more, before = True, more
            counts = {"total": None, "page": None}
        return found, counts | {
            "per_page": self.per_page,
            "next": self._cursor(values(found[-1]), False) if found and more else None,
            "previous": self._cursor(values(found[0]), True) if found and before else None,
        }

    def _cursor(self, values: Sequence[Any], backwards: bool) -> str:
        plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
        plain = [str(value) if isinstance(value, UUID) else value for value in plain]
        return signing.dumps([plain, int(backwards)], salt=self.salt)

    def _position(self, cursor: str) -> Position:
        try:
            values, backwards = signing.loads(cursor, salt=self.salt)
        except signing.BadSignature:
            raise InvalidCursor() from None
        return Position(values, bool(backwards))


def _count(rows: "QuerySet[Any, Any]", within: float | None) -> int | None:
    if within is None:
        return rows.order_by().count()
    try:
        with bounded(within):
            return rows.order_by().count()
    except TooLong:
        return None


def _keys(rows: "QuerySet[Any, Any]") -> list[Key]:
    names = rows.query.order_by or rows.model._meta.ordering
    return [Key(str(name).removeprefix("-"), str(name).startswith("-")) for name in names]


def _value(row: Any, name: str) -> Any:
    return row[name] if isinstance(row, dict) else getattr(row, name)


def _behind(rows: "QuerySet[Any, Any]", keys: Sequence[Key], at: Position | None) -> "QuerySet[Any, Any]":
    """The rows behind a position, the nearest first. The first column alone bounds what Postgres reads of its index."""
    if at is None:
        return rows
    beyond, same = Q(), Q()
    for key, value in zip(keys, at.values, strict=True):
        way = "lt" if key.descends != at.backwards else "gt"
        beyond |= same & Q(**{f"{key.name}__{way}": value})
        same &= Q(**{key.name: value})
    first = "lte" if keys[0].descends != at.backwards else "gte"
    bounded = rows.filter(Q(**{f"{keys[0].name}__{first}": at.values[0]}), beyond)
    return bounded.reverse() if at.backwards else bounded
