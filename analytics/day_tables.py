"""The day tables: sums over `ConversationFact` and `KeptFact`, made anew for whole days in the caller's
transaction, with their months."""

from collections.abc import Collection
from datetime import date

from django.db import connection

from analytics.definitions import HISTOGRAMS, NUMBERS, RESOLVED, Outcome
from analytics.histogram import IN_SQL
from analytics.models import Counts

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
_COLUMNS = ", ".join(f'"{one.column}"' for one in Counts._meta.fields)
FACTS = f"""(
    SELECT {_COLUMNS} FROM analytics_conversationfact UNION ALL SELECT {_COLUMNS} FROM analytics_keptfact
) AS fact"""  # noqa: S608 (names of our own columns)
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
            FROM {FACTS}{rows} WHERE day = ANY(%(days)s) AND {value} IS NOT NULL GROUP BY 1, 2
        ) AS counted GROUP BY day
    )"""  # noqa: S608


_DAYS = f"""
WITH {", ".join(_counted(name) for name in HISTOGRAMS)}, sums AS (
    SELECT day, {", ".join(f"{sql} AS {name}" for name, sql in SUMS.items())}
    FROM {FACTS} WHERE day = ANY(%(days)s) GROUP BY day
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
FROM {FACTS}, jsonb_each_text(agents) AS own WHERE day = ANY(%(days)s) GROUP BY 1, 2
"""  # noqa: S608
_TOOLS = f"""
WITH own AS (
    SELECT day, used.key AS tool, used.value AS value
    FROM {FACTS}, jsonb_each(tools) AS used WHERE day = ANY(%(days)s)
), durations AS (
    SELECT day, tool, jsonb_object_agg(bucket, n) AS counts FROM (
        SELECT day, tool, one.key AS bucket, sum(one.value::bigint) AS n
        FROM own, jsonb_each_text(value -> 'durations') AS one GROUP BY 1, 2, 3
    ) AS added GROUP BY 1, 2
), sums AS (
    SELECT day, tool, sum((value ->> 'calls')::bigint) AS calls, sum((value ->> 'failures')::bigint) AS failures
    FROM own GROUP BY 1, 2
)
INSERT INTO analytics_daytool (day, tool, calls, failures, durations)
SELECT day, tool, calls, failures, COALESCE(counts, '{{}}') FROM sums LEFT JOIN durations USING (day, tool)
"""  # noqa: S608


def _added(name: str) -> str:
    """The histogram of a month, from its days."""
    return f"""COALESCE((
        SELECT jsonb_object_agg(bucket, n) FROM (
            SELECT own.key AS bucket, sum(own.value::bigint) AS n
            FROM analytics_day AS d, jsonb_each_text(d.{name}) AS own
            WHERE d.day >= month AND d.day < month + interval '1 month' GROUP BY 1
        ) AS added), '{{}}')"""  # noqa: S608


_MONTHS = f"""
INSERT INTO analytics_month (month, {", ".join(HISTOGRAMS)})
SELECT month, {", ".join(_added(name) for name in HISTOGRAMS)} FROM unnest(%(months)s::date[]) AS month
"""  # noqa: S608
_MONTH_TOOLS = """
WITH own AS (
    SELECT month, tool, calls, failures, durations FROM unnest(%(months)s::date[]) AS month
    JOIN analytics_daytool ON day >= month AND day < month + interval '1 month'
), durations AS (
    SELECT month, tool, jsonb_object_agg(bucket, n) AS counts FROM (
        SELECT month, tool, one.key AS bucket, sum(one.value::bigint) AS n
        FROM own, jsonb_each_text(durations) AS one GROUP BY 1, 2, 3
    ) AS added GROUP BY 1, 2
), sums AS (SELECT month, tool, sum(calls) AS calls, sum(failures) AS failures FROM own GROUP BY 1, 2)
INSERT INTO analytics_monthtool (month, tool, calls, failures, durations)
SELECT month, tool, calls, failures, COALESCE(counts, '{}') FROM sums LEFT JOIN durations USING (month, tool)
"""
TABLES = {
    "analytics_day": ("day", _DAYS),
    "analytics_dayagent": ("day", _AGENTS),
    "analytics_daytool": ("day", _TOOLS),
    "analytics_month": ("month", _MONTHS),
    "analytics_monthtool": ("month", _MONTH_TOOLS),
}
"""Made anew in this order: months are made of days."""


def rebuild(days: Collection[date]) -> None:
    """Make these days anew, and their months. In a transaction that holds the lock of the rollups: a reader sees the
    old or the new."""
    wanted = {"day": sorted(days), "month": sorted({day.replace(day=1) for day in days})}
    with connection.cursor() as cursor:
        for table, (span, insert) in TABLES.items():
            cursor.execute(f"DELETE FROM {table} WHERE {span} = ANY(%s)", [wanted[span]])  # noqa: S608
            cursor.execute(insert, {f"{span}s": wanted[span]})
