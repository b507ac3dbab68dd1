"""What the whole deployment has before it: queues, what waits for people, what is to be sent, today's spending. Read
from Postgres and Valkey when somebody asks; the answer is the same from every web process."""

from collections.abc import Iterable, Iterator
from typing import Any

import redis
import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from smartsupport.lib import heartbeat, jobs_queued

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 2
# Each line reads a partial index of what is unfinished, but for the spending, which is 64 rows a day.
_WAITING = """
SELECT 'turns', status, count(*), extract(epoch FROM now() - min(queued_at)) FROM chat_turn
    WHERE status IN ('queued', 'running') GROUP BY status
UNION ALL SELECT 'turns', 'waiting', count(DISTINCT turn_id), extract(epoch FROM now() - min(created_at))
    FROM agents_action WHERE status = 'awaiting'
UNION ALL SELECT 'approvals', approver, count(*), extract(epoch FROM now() - min(created_at)) FROM agents_action
    WHERE status = 'awaiting' GROUP BY approver
UNION ALL SELECT 'actions', 'unknown', count(*), extract(epoch FROM now() - min(created_at)) FROM agents_action
    WHERE status = 'unknown'
UNION ALL SELECT 'actions', 'dispatching', count(*), extract(epoch FROM now() - min(dispatched_at)) FROM agents_action
    WHERE status = 'dispatching'
UNION ALL SELECT 'webhooks', 'waiting', count(*), extract(epoch FROM now() - min(created_at)) FROM chat_webhookdelivery
    WHERE status = 'pending' OR status = 'queued'
UNION ALL SELECT 'spent', '', coalesce(sum(micros), 0), coalesce(sum(unknown), 0) FROM agents_spendtotal
    WHERE day = (now() AT TIME ZONE 'UTC')::date
"""
_FAMILIES = {
    "turns": ("state", "smartsupport_turns", "Unfinished turns.", ("queued", "running", "waiting")),
    "approvals": (
        "approver",
        "smartsupport_approvals_waiting",
        "Approvals that wait.",
        ("customer", "staff"),
    ),
    "actions": (
        "status",
        "smartsupport_actions_unsettled",
        "Actions that were sent and of which no outcome is known (unknown: staff have to look).",
        ("unknown", "dispatching"),
    ),
    "webhooks": ("status", "smartsupport_webhook_deliveries", "Webhooks to be sent.", ("waiting",)),
}


def exposition() -> bytes:
    """All of it in Prometheus' text format, version 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Waiting())
    return generate_latest(registry)


class _Waiting:
    def collect(self) -> Iterator[Metric]:
        readable = GaugeMetricFamily(
            "smartsupport_scrape_ok", "Whether a part could be read for this answer.", labels=["part"]
        )
        for part, read in (("postgres", _from_postgres), ("valkey", _from_valkey)):
            try:
                families = list(read())
            except (DatabaseError, redis.RedisError, OSError) as error:
                log.warning("metrics_not_read", part=part, error=str(error) or type(error).__name__)
                families = []
            readable.add_metric([part], float(bool(families)))
            yield from families
        yield readable


def _from_postgres() -> Iterable[Metric]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {PATIENCE_SECONDS * 1000:d}")
        cursor.execute(_WAITING)
        rows = cursor.fetchall()
    for part, (label, name, what, values) in _FAMILIES.items():
        found = {value: (count, age) for kind, value, count, age in rows if kind == part}
        yield from _counts_and_ages(name, what, label, {value: found.get(value, (0, 0)) for value in values})
    [(micros, unknown)] = [(count, age) for kind, _, count, age in rows if kind == "spent"]
    yield GaugeMetricFamily(
        "smartsupport_spent_today_usd", "What models cost since midnight UTC.", value=float(micros) / 1e6
    )
    yield GaugeMetricFamily(
        "smartsupport_model_calls_unpriced_today",
        "Calls since midnight UTC of which nobody knows the cost.",
        value=float(unknown),
    )


def _counts_and_ages(name: str, what: str, label: str, found: dict[str, tuple[Any, Any]]) -> Iterator[Metric]:
    counts = GaugeMetricFamily(name, what, labels=[label])
    ages = GaugeMetricFamily(f"{name}_oldest_seconds", f"{what} Age of the oldest.", labels=[label])
    for value, (count, age) in found.items():
        counts.add_metric([value], float(count))
        ages.add_metric([value], max(0.0, float(age or 0)))
    yield counts
    yield ages


def _from_valkey() -> Iterable[Metric]:
    patience = {"socket_timeout": PATIENCE_SECONDS, "socket_connect_timeout": PATIENCE_SECONDS}
    with redis.Redis.from_url(settings.REDIS_URL, **patience) as client:
        queued = jobs_queued.count(client)
    yield GaugeMetricFamily("smartsupport_jobs_queued", "Jobs that wait for a worker.", value=float(queued))
    yield GaugeMetricFamily(
        "smartsupport_turns_workers",
        "Turns workers that said lately that they live.",
        value=len(heartbeat.alive()),
    )
