"""The audit as a file: CSV for people, JSON lines for programs. Streamed by number, so its length does not matter."""

import csv
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC
from io import StringIO
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from smartsupport.audit.listing import Wanted
from smartsupport.models import AuditEntry

ROWS_AT_ONCE = 1_000
COLUMNS = [field.name for field in AuditEntry._meta.concrete_fields]
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "|")
Shape = Callable[[AuditEntry], str]


def as_csv(entry: AuditEntry) -> str:
    values = fields_of(entry).values()
    return _line([json.dumps(one, ensure_ascii=False) if isinstance(one, dict) else one for one in values])


def as_json(entry: AuditEntry) -> str:
    return json.dumps(fields_of(entry), ensure_ascii=False) + "\n"


def fields_of(entry: AuditEntry) -> dict[str, Any]:
    """An entry as JSON has it; `at` to the microsecond, as it is hashed, in UTC."""
    row = {name: getattr(entry, name) for name in COLUMNS}
    row["at"] = f"{entry.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
    return row


def download(request: HttpRequest, wanted: Wanted, kind: str) -> StreamingHttpResponse:
    """Everything that the filter lists, oldest first, beginnings included. `kind` is `csv` or `jsonl`."""
    shape, media = (as_csv, "text/csv") if kind == "csv" else (as_json, "application/x-ndjson")
    rows = wanted.rows(whole=True).order_by("pk")
    head = _line(COLUMNS) if kind == "csv" else ""
    pieces = (
        _pieces_later(rows, shape, head) if isinstance(request, ASGIRequest) else _pieces(rows, shape, head)
    )
    response = StreamingHttpResponse(pieces, content_type=f"{media}; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="audit.{kind}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _pieces(rows: QuerySet[AuditEntry], shape: Shape, head: str) -> Iterator[str]:
    yield head
    after = 0
    while page := list(rows.filter(pk__gt=after)[:ROWS_AT_ONCE]):
        yield "".join(shape(entry) for entry in page)
        after = page[-1].pk


async def _pieces_later(rows: QuerySet[AuditEntry], shape: Shape, head: str) -> AsyncIterator[str]:
    """The same under ASGI, where Django would first collect all of an ordinary generator."""
    pieces = _pieces(rows, shape, head)
    following = sync_to_async(lambda: next(pieces, None), thread_sensitive=True)
    while (piece := await following()) is not None:
        yield piece


def _line(values: list[Any]) -> str:
    into = StringIO()
    csv.writer(into).writerow([_defused(value) for value in values])
    return into.getvalue()


def _defused(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(DANGEROUS) else value
