"""What is older than RETENTION_DAYS is deleted, or emptied, by RETENTION_MODE.

In small transactions: whoever is killed leaves whole ones behind, and the next run goes on. Of two runs at once each
takes what the other has not locked. What is not finished is left alone, however old it is, and counted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from smartsupport.lib import audit
from smartsupport.retention import emptying

log = structlog.get_logger(__name__)

DELETE, PSEUDONYMISE = "delete", "pseudonymise"
MODES = (DELETE, PSEUDONYMISE)
AT_ONCE = 100
MOST = 20_000
"""Conversations that one run of the jobs forgets; the next one goes on."""
MOST_FAILED = 20
"""So many that cannot be forgotten do not keep the others; where there are more, something larger is amiss."""

# Where rows are to go, those that an earlier setting has only emptied go as well. Otherwise there is an index without
# them (`conversation_to_forget`): there are more of them every hour.
_WHICH = {DELETE: "c.last_activity_at < %(before)s"}
_WHICH[PSEUDONYMISE] = f"{_WHICH[DELETE]} AND c.emptied_at IS NULL"
_CANDIDATES = """
SELECT c.id, c.last_activity_at, c.customer_id FROM chat_conversation c
WHERE {which} AND (c.last_activity_at, c.id) > (%(at)s, %(id)s)
ORDER BY c.last_activity_at, c.id LIMIT %(limit)s
"""
# Customers first, then conversations: the order in which everybody else takes these locks.
_LOCK_CUSTOMERS = "SELECT id FROM chat_customer WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
_LOCK = f"""
SELECT c.id, c.customer_id, {emptying.OPEN} FROM chat_conversation c
WHERE c.id = ANY(%(ids)s) AND c.customer_id = ANY(%(customers)s) AND {{which}}
ORDER BY c.id FOR UPDATE OF c SKIP LOCKED
"""  # noqa: S608 (ours)
_DUE = f"""
SELECT count(*) FILTER (WHERE NOT {emptying.OPEN}), count(*) FILTER (WHERE {emptying.OPEN}) FROM chat_conversation c
WHERE {{which}}
"""  # noqa: S608 (ours)
_WITHOUT_CONVERSATIONS = """
SELECT k.id FROM chat_customer k
WHERE k.created_at < %(before)s
  AND NOT EXISTS (SELECT 1 FROM chat_conversation c WHERE c.customer_id = k.id)
  AND NOT EXISTS (SELECT 1 FROM agents_action a WHERE a.customer_id = k.id)
  AND NOT EXISTS (SELECT 1 FROM agents_budget b WHERE b.customer_id = k.id)
  AND NOT EXISTS (SELECT 1 FROM agents_budgetchange b WHERE b.customer_id = k.id)
  AND NOT EXISTS (
    SELECT 1 FROM chat_apikey a
    WHERE a.customer_id = k.id AND a.enabled AND (a.expires_at IS NULL OR a.expires_at > STATEMENT_TIMESTAMP()))
"""
_STRANGERS = _WITHOUT_CONVERSATIONS + "LIMIT %(limit)s FOR UPDATE OF k SKIP LOCKED"
_BEGINNING = datetime.min.replace(year=2, tzinfo=timezone.get_fixed_timezone(0))


_Candidate = tuple[UUID, datetime, UUID]
"""A conversation, when something happened in it last, its customer."""


@dataclass(slots=True)
class Forgotten:
    """`open`: left alone because something of them is not finished. `failed`: conversations that could not be."""

    conversations: int = 0
    customers: int = 0
    open: int = 0
    failed: int = 0


def due(*, days: int, mode: str) -> Forgotten:
    """What `forget` would do now. Changes nothing."""
    values = _values(days)
    with connection.cursor() as cursor:
        cursor.execute(_DUE.format(which=_WHICH[mode]), values)
        conversations, unfinished = cursor.fetchone()
        cursor.execute(f"SELECT count(*) FROM ({_WITHOUT_CONVERSATIONS}) AS found", values)  # noqa: S608 (ours)
        (customers,) = cursor.fetchone()
    return Forgotten(conversations, customers, unfinished)


def forget(
    *, days: int, mode: str, most: int | None = MOST, told: Callable[[Forgotten], None] = lambda so_far: None
) -> Forgotten:
    """Delete or empty what nothing happened in for `days` (1 or more); then customers of that age who have no
    conversation. `most`: how many conversations, None for all; those that are left alone are not among them, or many
    that nobody ever finishes would keep the rest for good."""
    if days < 1 or mode not in MODES:
        raise ValueError("days must be 1 or more, and mode one of " + ", ".join(MODES))
    done, at, last = Forgotten(), _BEGINNING, UUID(int=0)
    values = _values(days)
    while most is None or done.conversations < most:
        page = _candidates(values | {"at": at, "id": last, "limit": AT_ONCE}, mode)
        if not page:
            break
        last, at, _ = page[-1]
        try:
            gone, unfinished = _forget(page, values, mode)
        except DatabaseError:
            gone, unfinished = _each(page, values, mode, done)
        done.conversations += gone
        done.open += unfinished
        told(done)
    while some := _forget_customers(values):
        done.customers += some
    _record(done, days, mode)
    return done


def forget_what_is_due() -> Forgotten | None:
    """As the settings say; None where everything is kept."""
    if not settings.RETENTION_DAYS:
        return None
    return forget(days=settings.RETENTION_DAYS, mode=settings.RETENTION_MODE)


def _values(days: int) -> dict[str, Any]:
    return {"before": timezone.now() - timedelta(days=days)}


def _candidates(values: dict[str, Any], mode: str) -> list[_Candidate]:
    with connection.cursor() as cursor:
        cursor.execute(_CANDIDATES.format(which=_WHICH[mode]), values)
        return cursor.fetchall()


@transaction.atomic
def _forget(page: list[_Candidate], values: dict[str, Any], mode: str) -> tuple[int, int]:
    """Those of the page that nobody else has locked, as they are now: how many went, how many are not finished."""
    emptying.hold()
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_CUSTOMERS, [[customer for _, _, customer in page]])
        customers = [row[0] for row in cursor.fetchall()]
        locking = values | {"ids": [one for one, _, _ in page], "customers": customers}
        cursor.execute(_LOCK.format(which=_WHICH[mode]), locking)
        locked = cursor.fetchall()
    finished = [(one, customer) for one, customer, unfinished in locked if not unfinished]
    if finished and mode == DELETE:
        emptying.delete([one for one, _ in finished])
    elif finished:
        emptying.empty(finished)
    return len(finished), len(locked) - len(finished)


def _each(page: list[_Candidate], values: dict[str, Any], mode: str, done: Forgotten) -> tuple[int, int]:
    """As `_forget`, one by one: one that cannot be forgotten is logged, and keeps no other one."""
    gone = unfinished = 0
    for one in page:
        try:
            own = _forget([one], values, mode)
        except DatabaseError:
            log.exception("conversation_not_forgotten", conversation_id=str(one[0]))
            done.failed += 1
            if done.failed > MOST_FAILED:
                raise
        else:
            gone, unfinished = gone + own[0], unfinished + own[1]
    return gone, unfinished


@transaction.atomic
def _forget_customers(values: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_STRANGERS, values | {"limit": AT_ONCE * 10})
        found = [row[0] for row in cursor.fetchall()]
    if found:
        emptying.delete_customers(found)
    return len(found)


def _record(done: Forgotten, days: int, mode: str) -> None:
    counts = {"conversations": done.conversations, "customers": done.customers, "open": done.open}
    if done.conversations or done.customers:
        audit.write(
            actor=audit.SYSTEM,
            verb="forget",
            object_type="conversations",
            detail={**counts, "days": days, "mode": mode},
        )
        log.info("conversations_forgotten", **counts, days=days, mode=mode)
    elif done.open:
        log.info("conversations_not_forgotten", open=done.open, days=days)
