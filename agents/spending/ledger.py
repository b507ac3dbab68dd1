"""The ledger: a row for each call of a model, with what it cost at that moment.

The pieces of SQL here stand in one statement with whatever records what came of the call (chat.events), or alone
(`record`). What a call cost is worked out in the database, from the price that is in force then, and never again.
"""

import json
import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import connection
from django.utils import timezone

from agents.spending import periods
from agents.spending.models import Period, SpendTotal
from agents.spending.usage import Call, undated
from smartsupport.lib import observing
from smartsupport.lib.text import storable

log = structlog.get_logger(__name__)

PRICED = """
    SELECT call.*, price.id AS price_id, COALESCE(call.reported, CASE
        WHEN call.free THEN 0
        WHEN price.id IS NOT NULL AND call.tokens_in IS NOT NULL AND call.tokens_out IS NOT NULL THEN round((
            GREATEST(call.tokens_in::numeric - COALESCE(tokens_cached, 0) - COALESCE(tokens_cache_write, 0), 0)
                * price.input_micros
            + COALESCE(tokens_cached, 0)::numeric * COALESCE(price.cached_input_micros, price.input_micros)
            + COALESCE(tokens_cache_write, 0)::numeric * COALESCE(price.cache_write_micros, price.input_micros)
            + GREATEST(call.tokens_out::numeric - COALESCE(tokens_reasoning, 0), 0) * price.output_micros
            + COALESCE(tokens_reasoning, 0)::numeric * COALESCE(price.reasoning_micros, price.output_micros)
        ) / 1000000)::bigint END) AS cost
    FROM jsonb_to_recordset(%(calls)s::jsonb) AS call(
        place int, purpose text, agent text, provider text, model text, family text, free boolean, reported bigint,
        tokens_in int, tokens_cached int, tokens_cache_write int, tokens_out int, tokens_reasoning int,
        duration_ms int)
    LEFT JOIN LATERAL (
        SELECT * FROM agents_modelprice AS listed
        WHERE listed.provider = call.provider AND listed.model IN (call.model, call.family)
          AND listed.effective_from <= %(now)s::timestamptz
        ORDER BY listed.model = call.model DESC, listed.effective_from DESC LIMIT 1
    ) AS price ON call.reported IS NULL AND NOT call.free
"""
"""The calls with their costs (null: nobody knows). Parameters: `calls` (`parameter`), `now`. A dated snapshot without a
price of its own costs what its model does."""

ENTERED = """
    INSERT INTO agents_modelcall (at, conversation_id, customer_id, turn_id, event_seq, agent, purpose, provider,
        model, tokens_in, tokens_cached, tokens_cache_write, tokens_out, tokens_reasoning, cost_micros, cost_source,
        price_id, duration_ms)
    SELECT %(now)s::timestamptz, %(conversation)s::uuid, origin.customer_id, %(turn)s::uuid, origin.base + place,
        agent, purpose, provider, model, tokens_in, tokens_cached, tokens_cache_write, tokens_out, tokens_reasoning,
        cost,
        CASE WHEN reported IS NOT NULL THEN 'provider' WHEN free THEN 'free' WHEN cost IS NOT NULL THEN 'price'
             ELSE 'unknown' END,
        CASE WHEN cost IS NOT NULL THEN price_id END, duration_ms
    FROM priced, origin ORDER BY place
"""
"""Rows of the ledger, from `priced` and `origin` (customer_id, base: the number before the first event)."""

TOTALLED = """
    INSERT INTO agents_spendtotal AS total (day, shard, micros, calls, unknown)
    SELECT (%(now)s::timestamptz AT TIME ZONE 'UTC')::date, %(shard)s::smallint, COALESCE(sum(cost), 0), count(*),
        count(*) FILTER (WHERE cost IS NULL)
    FROM priced, origin HAVING count(*) > 0
    ON CONFLICT (day, shard) DO UPDATE SET micros = total.micros + EXCLUDED.micros,
        calls = total.calls + EXCLUDED.calls, unknown = total.unknown + EXCLUDED.unknown
"""
"""The day's total, in one of its rows. Always the same one for a conversation: a transaction takes no second one."""

UNKNOWN = """
    SELECT jsonb_agg(jsonb_build_object('provider', provider, 'model', model, 'purpose', purpose,
        'why', CASE WHEN price_id IS NULL THEN 'no price' ELSE 'no tokens' END))
    FROM priced WHERE cost IS NULL
"""

_RECORD = f"""
WITH priced AS MATERIALIZED ({PRICED}),
charged AS (
    UPDATE chat_conversation SET cost_micros = cost_micros + COALESCE((SELECT sum(cost) FROM priced), 0)
    WHERE id = %(conversation)s::uuid RETURNING customer_id
),
origin AS (
    SELECT (SELECT customer_id FROM charged) AS customer_id, NULL::bigint AS base
),
entered AS ({ENTERED}),
totalled AS ({TOTALLED})
SELECT (SELECT cost FROM priced), ({UNKNOWN})
"""  # noqa: S608 - put together from the constants above


def record(call: Call, *, conversation_id: UUID | None = None, turn_id: UUID | None = None) -> int | None:
    """Enter a call that no event tells of: an import was judged, an agent was tried out, a summary came too late.
    Returns what it cost in micro-dollars; None where nobody knows."""
    parameters: dict[str, Any] = {
        "calls": parameter([(None, call)]),
        "now": timezone.now(),
        "conversation": conversation_id,
        "turn": turn_id,
        "shard": shard(conversation_id),
    }
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, parameters)
        cost, unknown = cursor.fetchone() or (None, None)
    tell_unknown(unknown)
    observing.tell("model_called", call=call)
    return cost


def parameter(calls: Sequence[tuple[int | None, Call]]) -> str:
    """The `calls` of PRICED, each with the place of its event behind `origin.base`; None: it has none."""
    return json.dumps([{"place": place, **_row(call)} for place, call in calls])


def _row(call: Call) -> dict[str, Any]:
    usage, model = call.usage, storable(call.model)[:120]
    return {
        "purpose": call.purpose,
        "agent": storable(call.agent)[:64],
        "provider": storable(call.provider)[:32],
        "model": model,
        "family": undated(model),
        "free": call.free,
        "reported": usage.reported_micros,
        "tokens_in": usage.tokens_in,
        "tokens_cached": usage.tokens_cached,
        "tokens_cache_write": usage.tokens_cache_write,
        "tokens_out": usage.tokens_out,
        "tokens_reasoning": usage.tokens_reasoning,
        "duration_ms": call.duration_ms,
    }


def shard(conversation_id: UUID | None) -> int:
    """Which row of the day's total a conversation's calls are added to; any, without one."""
    if conversation_id is None:
        return random.randrange(SpendTotal.SHARDS)
    return conversation_id.int % SpendTotal.SHARDS


def tell_unknown(unknown: list[dict[str, Any]] | str | None) -> None:
    """A line in the log for each call whose cost nobody knows, from UNKNOWN."""
    for call in json.loads(unknown) if isinstance(unknown, str) else unknown or ():
        log.error("model_call_cost_unknown", **call)


def spent_today(now: datetime | None = None) -> int:
    """Micro-dollars of all calls since midnight UTC."""
    rows = SpendTotal.objects.filter(day=periods.begins(Period.DAY, now)).values_list("micros", flat=True)
    return sum(rows)
