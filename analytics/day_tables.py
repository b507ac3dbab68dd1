"""The day tables: sums over `ConversationFact`, made anew for whole days in the caller's transaction."""

from collections.abc import Collection
from datetime import date

from django.db import connection

from analytics.definitions import HISTOGRAMS, NUMBERS, RESOLVED, Outcome
from analytics.histogram import IN_SQL

VALUES = {
    "first_answers": "first_answer_ms",
    "person_answers": "person_answer_ms",
    "resolutions": "resolution_ms",
    "approval_waits": "",
}
"""The fact's column behind each histogram; the waits of approvals are several for each fact."""
SUMS = {
    "total": "count(*)",
    **{one.value: f"count(*) FILTER (WHERE outcome = '{one.value}')" for one in Outcome},
    "with_person": "count(*) FILTER (WHERE with_person)",
    "without_person": "count(*) FILTER (WHERE without_person)",
    **{
        name: f"sum({name})"
        for name in (
            "turns",
            "cost_micros",
            "unpriced_calls",
            "approved",
            "rejected",
            "expired",
            "cancelled",
            "awaiting",
        )
    },
    "asked": "count(*) FILTER (WHERE asked)",
    "answered": "count(*) FILTER (WHERE answered)",
    "scored": "count(score)",
    "good": "count(*) FILTER (WHERE score >= 4)",
    "scores": "COALESCE(sum(score), 0)",
}
assert set(SUMS) == set(NUMBERS)
assert set(VALUES) == set(HISTOGRAMS)


def _counted(name: str) -> str:
    """A query of (day, histogram)."""
    column = VALUES[name]
    rows = "" if column else ", unnest(approval_waits_ms) AS wait"
    value = column or "wait"
    return f"""{name} AS (
        SELECT day, jsonb_object_agg(bucket::text, n) AS counts FROM (
            SELECT day, {IN_SQL.format(value)} AS bucket, count(*) AS n
            FROM analytics_conversationfact{rows} WHERE day = ANY(%(days)s) AND {value} IS NOT NULL GROUP BY 1, 2
        ) AS counted GROUP BY day
    )"""  # noqa: S608


_DAYS = f"""
WITH {", ".join(_counted(name) for name in HISTOGRAMS)}, sums AS (
    SELECT day, {", ".join(f"{sql} AS {name}" for name, sql in SUMS.items())}
    FROM analytics_conversationfact WHERE day = ANY(%(days)s) GROUP BY day
)
INSERT INTO analytics_day (day, {", ".join(SUMS)}, {", ".join(HISTOGRAMS)})
SELECT day, {", ".join(f"sums.{name}" for name in SUMS)},
       {", ".join(f"COALESCE({name}.counts, '{{}}')" for name in HISTOGRAMS)}
FROM sums {" ".join(f"LEFT JOIN {name} USING (day)" for name in HISTOGRAMS)}
"""  # noqa: S608 (names of our own columns)
_AGENTS = f"""
INSERT INTO analytics_dayagent (day, agent, conversations, resolved, with_person, cost_micros)
SELECT day, own.key, count(*), count(*) FILTER (WHERE outcome IN ({", ".join(f"'{one.value}'" for one in RESOLVED)})),
       count(*) FILTER (WHERE with_person), sum(own.value::bigint)
FROM analytics_conversationfact, jsonb_each_text(agents) AS own WHERE day = ANY(%(days)s) GROUP BY 1, 2
"""  # noqa: S608
_TOOLS = """
WITH counted AS (
    SELECT day, own.key AS tool, own.value AS value
    FROM analytics_conversationfact, jsonb_each(tools) AS own WHERE day = ANY(%(days)s)
), durations AS (
    SELECT day, tool, jsonb_object_agg(bucket, n) AS counts FROM (
        SELECT day, tool, one.key AS bucket, sum(one.value::bigint) AS n
        FROM counted, jsonb_each_text(value -> 'durations') AS one GROUP BY 1, 2, 3
    ) AS added GROUP BY 1, 2
)
INSERT INTO analytics_daytool (day, tool, calls, failures, durations)
SELECT day, tool, sum((value ->> 'calls')::bigint), sum((value ->> 'failures')::bigint),
       COALESCE((array_agg(durations.counts))[1], '{}')
FROM counted LEFT JOIN durations USING (day, tool) GROUP BY 1, 2
"""
TABLES = {"analytics_day": _DAYS, "analytics_dayagent": _AGENTS, "analytics_daytool": _TOOLS}


def rebuild(days: Collection[date]) -> None:
    """Make these days anew. In a transaction that holds the lock of the rollups: a reader sees the old or the new."""
    wanted = {"days": sorted(days)}
    with connection.cursor() as cursor:
        for table, insert in TABLES.items():
            cursor.execute(f"DELETE FROM {table} WHERE day = ANY(%(days)s)", wanted)  # noqa: S608
            cursor.execute(insert, wanted)
