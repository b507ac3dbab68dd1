"""Keeping facts and day tables true to the log.

A conversation is stale when the `last_seq` that it has is not the one that was counted. That is compared, row by
row: there is no watermark that a transaction which commits late could be skipped by. So that a minute's run need not
compare a million rows, it looks at conversations with activity since an hour before the last run that left nothing;
once an hour everything is compared (`everything=True`).

Work is done in batches, each one transaction under an advisory lock: facts and their days change together or not at
all. Who is killed leaves whole batches behind; of two that run at once, one goes on and the other has nothing to do.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from analytics import day_tables, raw_log
from analytics.definitions import RULES
from analytics.deriving import fact_of
from analytics.models import ConversationFact, Counts, Day, DayAgent, DayTool, KeptFact, Progress

BATCH = 500
AT_ONCE = 20_000
"""How many that differ are looked for in one comparison of everything."""
LATE = timedelta(hours=1)
"""How much later than it says an event may be committed, and how far clocks may differ, before it is found by the
hourly comparison instead of the next minute's run."""
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('analytics', 0))"
_TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('analytics', 0))"
_DIFFERING = """
FROM chat_conversation AS c LEFT JOIN analytics_conversationfact AS f ON f.conversation_id = c.id
WHERE (c.last_seq, c.cost_micros, %(rules)s) IS DISTINCT FROM (f.seq, f.cost_seen, f.rules::int)
"""
_UNTOLD = """
SELECT DISTINCT conversation_id
FROM agents_modelcall AS call JOIN analytics_conversationfact AS f USING (conversation_id)
WHERE call.cost_source = 'unknown' AND call.event_seq IS NULL AND call.at >= %(since)s AND f.unpriced_calls <> (
    SELECT count(*) FROM agents_modelcall AS own
    WHERE own.conversation_id = f.conversation_id AND own.cost_micros IS NULL
) LIMIT %(limit)s
"""
"""Calls that no event tells of, and that cost nothing that is known, change neither of what is compared."""
_STALE = f"""
SELECT c.id, c.last_activity_at {_DIFFERING} AND c.last_activity_at >= %(since)s
ORDER BY c.last_activity_at LIMIT %(limit)s
"""
_SETTLING = """
SELECT conversation_id FROM analytics_conversationfact WHERE settles_at <= %(now)s ORDER BY settles_at LIMIT %(limit)s
"""
_PENDING = f"""
SELECT count(*) FROM ((SELECT id FROM ({_STALE}) AS changed) UNION (SELECT * FROM ({_SETTLING}) AS settled)) AS found
"""  # noqa: S608 (both are ours)
_BEFORE = """
SELECT earlier.conversation_id FROM chat_conversation AS c, LATERAL (
    SELECT f.conversation_id, f.watched_until FROM analytics_conversationfact AS f
    WHERE f.customer_id = c.customer_id AND (f.started_at, f.conversation_id) < (c.created_at, c.id)
    ORDER BY f.started_at DESC, f.conversation_id DESC LIMIT 1
) AS earlier
WHERE c.id = ANY(%(ids)s) AND earlier.watched_until >= c.created_at
"""
UNTOLD_SINCE = timedelta(days=7)
EVER = datetime(1, 1, 2, tzinfo=UTC)


def roll_up(
    *, now: datetime | None = None, everything: bool = False, seconds: float = 40, wait: bool = False
) -> int:
    """Count what is stale, until nothing is left or the time is up; how many conversations were counted.

    `now` decides what has settled (default: the time of the call). `wait`: go on after others instead of leaving it
    to them.
    """
    began = timezone.now()
    now = now or began
    deadline = time.monotonic() + seconds
    counted = _compare(now, deadline, wait) if everything else 0
    since = _since()
    while time.monotonic() < deadline:
        batch = count_batch(since=since, now=now, limit=BATCH, wait=wait)
        if batch is None:
            return counted
        if not batch.ids:
            Progress.objects.update_or_create(pk=1, defaults={"complete_at": began})
            return counted
        counted += len(batch.ids)
        since = batch.reached or since
    return counted


def _compare(now: datetime, deadline: float, wait: bool) -> int:
    """Compare every conversation with its fact and count those that differ; how many."""
    counted = _count_untold(now, wait)
    while True:
        found = _different()
        for place in range(0, len(found), BATCH):
            if time.monotonic() >= deadline:
                return counted
            with transaction.atomic():
                if not _locked(wait):
                    return counted
                still = _still_different(found[place : place + BATCH])
                _count(still, now)
            counted += len(still)
        if len(found) < AT_ONCE:
            return counted


@transaction.atomic
def _count_untold(now: datetime, wait: bool) -> int:
    """Count conversations again of which only a call of unknown cost is new; how many."""
    if not _locked(wait):
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_UNTOLD, {"since": now - UNTOLD_SINCE, "limit": BATCH})
        found = [row[0] for row in cursor.fetchall()]
    _count(found, now)
    return len(found)


def _different() -> list[UUID]:
    """Up to AT_ONCE conversations that differ from their facts. Two passes over tables: one by one would take
    minutes."""
    with transaction.atomic(), connection.cursor() as cursor:
        # One hash join. The planner, told of a limit, expects to meet it soon and would look rows up one by one.
        cursor.execute(
            "SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off; SET LOCAL work_mem = '64MB'"
        )
        cursor.execute(f"SELECT c.id {_DIFFERING} LIMIT %(limit)s", {"rules": RULES, "limit": AT_ONCE})
        return [row[0] for row in cursor.fetchall()]


def _still_different(ids: list[UUID]) -> list[UUID]:
    """Those that nobody else has counted meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT c.id {_DIFFERING} AND c.id = ANY(%(ids)s)", {"rules": RULES, "ids": ids})
        return [row[0] for row in cursor.fetchall()]


def _locked(wait: bool) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK if wait else _TRY_LOCK)
        return wait or bool(cursor.fetchone()[0])


def _since() -> datetime:
    """From where on a run compares: everything before the first one was done."""
    complete_at = complete()
    return complete_at - LATE if complete_at else EVER


def complete() -> datetime | None:
    """Everything that was in the log then is counted. None: counting has not come to an end yet."""
    return Progress.objects.filter(pk=1).values_list("complete_at", flat=True).first()


@dataclass(frozen=True, slots=True)
class Stale:
    """Conversations that are not counted as they are now; `reached`: the newest activity among those that changed."""

    ids: list[UUID]
    reached: datetime | None


@transaction.atomic
def count_batch(*, since: datetime, now: datetime, limit: int, wait: bool = False) -> Stale | None:
    """Count up to `limit` stale conversations (and those that they change) with the days that they belong to. None:
    somebody else holds the lock, and `wait` is not set."""
    if not _locked(wait):
        return None
    found = stale(since=since, now=now, limit=limit)
    _count(found.ids, now)
    return found


def stale(*, since: datetime, now: datetime, limit: int) -> Stale:
    """Up to `limit` of them, oldest activity first, then those that time has settled."""
    with connection.cursor() as cursor:
        cursor.execute(_STALE, {"since": since, "rules": RULES, "limit": limit})
        changed = cursor.fetchall()
        settling = []
        if len(changed) < limit:
            cursor.execute(_SETTLING, {"now": now, "limit": limit - len(changed)})
            settling = cursor.fetchall()
    ids = dict.fromkeys(row[0] for row in [*changed, *settling])
    return Stale(list(ids), changed[-1][1] if changed else None)


def _count(ids: Sequence[UUID], now: datetime) -> None:
    """Facts and days, in the transaction that holds the lock."""
    if not ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(_BEFORE, {"ids": list(ids)})
        returned = [row[0] for row in cursor.fetchall()]
    both = list(dict.fromkeys([*ids, *returned]))
    had = ConversationFact.objects.filter(pk__in=both).values_list("day", flat=True)
    days: set[date] = set(had)
    facts = [fact_of(log, now) for log in raw_log.read(both)]
    days.update(fact.day for fact in facts)
    _save(facts)
    day_tables.rebuild(days)


def _save(facts: Collection[ConversationFact]) -> None:
    columns = [one.name for one in ConversationFact._meta.concrete_fields if not one.primary_key]
    ConversationFact.objects.bulk_create(
        facts, update_conflicts=True, unique_fields=["conversation"], update_fields=columns
    )


def hold() -> None:
    """Let nobody count until the transaction ends. Before any row of the chat is locked: who counts does it too."""
    _locked(wait=True)


def count(ids: Sequence[UUID]) -> None:
    """Count what is not counted of these yet. In a transaction that holds the lock (`hold`)."""
    _count(_still_different(list(ids)), timezone.now())


def keep(ids: Sequence[UUID]) -> None:
    """Conversations are about to go: count what is not counted of them, and keep what they count as without them, so
    that no number changes. In a transaction that holds the lock (`hold`)."""
    count(ids)
    columns = ", ".join(f'"{one.column}"' for one in Counts._meta.fields)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO analytics_keptfact ({columns}) "  # noqa: S608 (names of our own columns)
            f"SELECT {columns} FROM analytics_conversationfact WHERE conversation_id = ANY(%(ids)s)",
            {"ids": list(ids)},
        )
        cursor.execute(
            "DELETE FROM analytics_conversationfact WHERE conversation_id = ANY(%(ids)s)", {"ids": list(ids)}
        )


def forget(since: date | None = None) -> int:
    """Let everything that began since then (None: ever) be counted anew by the next run that compares everything; how
    many conversations. Until then the numbers stay what they are."""
    facts = ConversationFact.objects.filter(day__gte=since) if since else ConversationFact.objects.all()
    return sum(
        ConversationFact.objects.filter(day=day).update(rules=0)
        for day in facts.order_by("day").values_list("day", flat=True).distinct()
    )


@transaction.atomic
def sweep_days(since: date | None = None) -> None:
    """Make the day tables anew from the facts, also for days that have none any more."""
    _locked(wait=True)
    days: set[date] = set()
    for table in (ConversationFact, KeptFact, Day, DayAgent, DayTool):
        rows = table._default_manager.filter(day__gte=since) if since else table._default_manager.all()
        days.update(rows.order_by().values_list("day", flat=True).distinct())
    day_tables.rebuild(days)


def catch_up(*, most: int = 200) -> None:
    """Count what has changed just now, as far as that is quick, for somebody who asks. Whoever counts already is
    left to it."""
    count_batch(since=_since(), now=timezone.now(), limit=most)


def pending(*, now: datetime | None = None, since: datetime | None = None, most: int = 1_000) -> int:
    """How many conversations have changed or settled since they were counted; `most` stands for that many or more.
    `since`: what `complete` said, where it was asked already. One query then."""
    known = since - LATE if since else _since()
    with connection.cursor() as cursor:
        cursor.execute(
            _PENDING, {"since": known, "rules": RULES, "now": now or timezone.now(), "limit": most}
        )
        return min(most, int(cursor.fetchone()[0]))
