"""Is the audit as it was written? Walks the chain of hashes, computed here and not by the database's own functions.

An entry's hash is the SHA-256 of its canonical content: the previous entry's hash and then the fields of FIELDS, each
as `<bytes>:<text>,`, or `-` where it is null. Whoever has an export can compute the same.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

ROWS_AT_ONCE = 5_000
START = "0" * 64
"""What stands in the first entry as the hash of the one before."""
FIELDS = (
    "id::text",
    "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')",
    *("actor_kind", "actor_id", "actor_name", "verb", "object_type", "object_id", "object_label"),
    *("address", "user_agent", "request_id", "method", "path", "outcome"),
    *("status::text", "begun_id::text", "before::text", "after::text", "detail::text"),
)
_PAGE = f"""SELECT id, hash, previous_hash, {", ".join(FIELDS)} FROM smartsupport_auditentry entry
    WHERE entry.id > %s AND entry.id <= %s ORDER BY entry.id LIMIT {ROWS_AT_ONCE}"""  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True)
class Verdict:
    """`broken_at` is the number of the first entry that is not as it was written; None: all `count` are."""

    count: int
    last_hash: str
    broken_at: int | None = None
    reason: str = ""


def verify(
    anchors: dict[int, str] | None = None, *, told: Callable[[int], None] = lambda count: None
) -> Verdict:
    """Walk the whole chain, in pages. `anchors` are hashes that were noted elsewhere, by the number of their entry;
    `told` hears how many were read. Entries that are added meanwhile are left to the next time.
    """
    head = _head()
    if head is None:
        return Verdict(0, START, 1, "The head record of the audit is missing.")
    last_id, last_hash = head
    expected, previous = 1, START
    for number, stored, before, *content in _rows(last_id):
        fault = _fault(number, stored, before, content, expected, previous)
        if not fault and (anchors or {}).get(number, stored) != stored:
            fault = "Its hash is not the one that was noted for it. Entries up to here were written anew."
        if fault:
            return Verdict(expected - 1, previous, expected if number != expected else number, fault)
        previous, expected = stored, number + 1
        if number % ROWS_AT_ONCE == 0:
            told(number)
    if expected - 1 != last_id:
        return Verdict(expected - 1, previous, expected, f"Entries {expected} to {last_id} were removed.")
    if previous != last_hash:
        return Verdict(last_id - 1, previous, last_id, "It is not the entry that the head record names.")
    missing = sorted(number for number in anchors or {} if number > last_id)
    if missing:
        reason = f"Entry {missing[0]} was noted, and there are only {last_id}: the end was removed."
        return Verdict(last_id, previous, last_id + 1, reason)
    return Verdict(last_id, last_hash)


def hash_of(previous: str, content: list[str | None]) -> str:
    """The hash of an entry with these fields, as text in the order of FIELDS."""
    parts = (b"-" if text is None else _counted(text) for text in (previous, *content))
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _counted(text: str) -> bytes:
    encoded = text.encode()
    return b"%d:%s," % (len(encoded), encoded)


def _fault(
    number: int, stored: str, before: str, content: list[str | None], expected: int, previous: str
) -> str:
    if number != expected:
        lost = (
            f"Entry {expected} was" if number == expected + 1 else f"Entries {expected} to {number - 1} were"
        )
        return f"{lost} removed."
    if before != previous:
        return "It does not follow the entry before it: it was moved, or the one before was replaced."
    if hash_of(before, content) != stored:
        return "Its content was changed after it was written."
    return ""


def _head() -> tuple[int, str] | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_id, last_hash FROM smartsupport_audithead")
        found: tuple[int, str] | None = cursor.fetchone()
    return found


def _rows(last_id: int) -> Iterator[tuple[Any, ...]]:
    after = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_PAGE, [after, last_id])
            page = cursor.fetchall()
        yield from page
        if len(page) < ROWS_AT_ONCE:
            return
        after = page[-1][0]
