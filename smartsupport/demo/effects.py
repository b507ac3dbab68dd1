"""Effects that take place once: the journal of what was done, and the answers remembered for each key.

Both are written in the transaction of the effect, so none of the three exists without the others.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from datetime import datetime
from typing import Any, NamedTuple

from .calls import Answer, Call, Operation
from .errors import Refusal, malformed
from .formats import timestamp
from .storage import Books

LONGEST_KEY = 255


class Request(NamedTuple):
    """What came over the wire, as far as the journal and the comparison of repeated requests need it."""

    operation: str
    method: str
    path: str
    body: Any
    idempotency_key: str | None


class Outcome(NamedTuple):
    """The answer, and whether it is one that was given before."""

    answer: Answer
    replayed: bool


def checked_key(key: str | None) -> str | None:
    """A usable key, or None where the caller sent none. Raises Refusal (400)."""
    if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise malformed(f"Idempotency-Key must be 1 to {LONGEST_KEY} printable ASCII characters.")
    return key


def carry_out(books: Books, request: Request, operation: Operation, call: Call) -> Outcome:
    """Do it, unless this key was used before: then give the first answer again.

    A refusal (not found, conflict) is remembered for its key too, but is no effect and not in the journal.
    Raises Refusal (422) where the key belongs to another request.
    """
    fingerprint = _fingerprint(request)
    with books.transaction() as db:
        earlier = _remembered(db, request.idempotency_key, fingerprint)
        if earlier:
            return Outcome(earlier, replayed=True)
        db.execute("SAVEPOINT operation")
        try:
            answer = operation(db, call)
        except Refusal as refusal:
            db.execute("ROLLBACK TO operation")
            answer = Answer(refusal.status, refusal.body)
        else:
            _write_down(db, request, call.now)
        _remember(db, request.idempotency_key, fingerprint, answer, call.now)
    return Outcome(answer, replayed=False)


def journal(db: sqlite3.Connection, *, after: int = 0, operation: str | None = None) -> list[dict[str, Any]]:
    """The effects in the order in which they took place, without the first `after` of them."""
    rows = db.execute(
        "SELECT * FROM journal WHERE position > ? AND (? IS NULL OR operation = ?) ORDER BY position",
        (after, operation, operation),
    ).fetchall()
    return [
        {
            "at": row["at"],
            "operation": row["operation"],
            "method": row["method"],
            "path": row["path"],
            "body": json.loads(row["body"]),
            "idempotency_key": row["idempotency_key"],
        }
        for row in rows
    ]


def _fingerprint(request: Request) -> str:
    meaning = json.dumps([request.method, request.path, request.body], sort_keys=True)
    return hashlib.sha256(meaning.encode()).hexdigest()


def _remembered(db: sqlite3.Connection, key: str | None, fingerprint: str) -> Answer | None:
    if key is None:
        return None
    row = db.execute("SELECT * FROM answers WHERE idempotency_key = ?", (key,)).fetchone()
    if row is None:
        return None
    if row["request"] != fingerprint:
        message = "This Idempotency-Key was used for a different request. Use a new key for a new request."
        raise Refusal(422, "idempotency_key_reused", message)
    return Answer(row["status"], json.loads(row["body"]))


def _write_down(db: sqlite3.Connection, request: Request, now: datetime) -> None:
    db.execute(
        "INSERT INTO journal (position, at, operation, method, path, body, idempotency_key)"
        " VALUES ((SELECT coalesce(max(position), 0) + 1 FROM journal), ?, ?, ?, ?, ?, ?)",
        (
            timestamp(now),
            request.operation,
            request.method,
            request.path,
            json.dumps(request.body),
            request.idempotency_key,
        ),
    )


def _remember(
    db: sqlite3.Connection, key: str | None, fingerprint: str, answer: Answer, now: datetime
) -> None:
    if key is not None:
        db.execute(
            "INSERT INTO answers VALUES (?, ?, ?, ?, ?)",
            (key, fingerprint, answer.status, json.dumps(answer.body), timestamp(now)),
        )
