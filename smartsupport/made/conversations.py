"""One batch of made-up conversations, in a handful of statements: drawn from their numbers, so a batch made twice is
the same batch, and spread over a year as customers write."""

from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from agents.models import Action
from agents.spending.models import ModelCall
from chat.models import Conversation, Customer, Event, Tag, Turn, WebhookDelivery
from smartsupport.made.insert import insert

HERE = Path(__file__).parent
TAGS = ("refund", "shipping", "urgent", "bug", "vip", "invoice")
FIRST = (
    "Ada,Ben,Chloe,Dev,Emma,Farid,Grace,Hiro,Ines,Jonas,Kira,Liam,Maya,Noah,Olga,Pavel,Rosa,Sami,Tessa,Yusuf"
)
LAST = "Stone,Becker,Novak,Okafor,Silva,Tanaka,Weber,Moreau,Khan,Larsen,Rossi,Meyer,Costa"
NAMES = f"('{{{FIRST}}}'::text[])[1 + person % 20] || ' ' || ('{{{LAST}}}'::text[])[1 + person % 13]"
LATEST = 400
"""So many of the newest are of the last hour, and some of them wait for somebody."""

_PEOPLE = (HERE / "people.sql").read_text(encoding="utf-8")
_SAID = (HERE / "said.sql").read_text(encoding="utf-8")
_CALLS = (HERE / "called.sql").read_text(encoding="utf-8")
_SPENT = """
INSERT INTO agents_spendtotal (day, shard, micros, calls, unknown)
SELECT (at AT TIME ZONE 'UTC')::date, 0, sum(micros), count(*), 0 FROM called GROUP BY 1
ON CONFLICT (day, shard) DO UPDATE SET micros = agents_spendtotal.micros + EXCLUDED.micros,
    calls = agents_spendtotal.calls + EXCLUDED.calls
"""


def make(first: int, last: int, *, count: int, now: datetime, tools: dict[str, str]) -> int:
    """Conversations `first` to `last` of `count`, all or none of them. `tools` {name: id}. Returns how many there were
    not yet."""
    numbers: dict[str, Any] = {
        "first": first,
        "last": last,
        "count": count,
        "people": max(10, count // 3),
        "latest": min(LATEST, count // 10),
        "now": now,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_PEOPLE, numbers)
        # In the last hour nothing may have happened after now.
        cursor.execute(_SAID)
        cursor.execute("UPDATE said SET at = least(at, %s)", [now])
        cursor.execute(_CALLS)
        cursor.execute("UPDATE called SET at = least(at, %s)", [now])
        written = _talk()
        if written:
            _effects(tools)
            cursor.execute(_SPENT)
        cursor.execute("DROP TABLE made, said, called")  # also where a caller's transaction goes on
    return written


def _talk() -> int:
    """Customers, conversations, turns, events."""
    people = {
        "id": "customer",
        "name": NAMES,
        "email": "'c' || person || '@example.com'",
        "created_at": "min(at)",
    }
    insert(Customer, people | {"subject": "'made-' || person"}, "made GROUP BY customer, person")
    written = insert(
        Conversation,
        {
            "id": "conversation",
            "thread_id": "'made-' || n",
            "customer_id": "customer",
            "status": "CASE WHEN waits THEN 'waiting' WHEN held THEN 'held' WHEN solved OR escalated THEN 'resolved' "
            "ELSE 'open' END",
            "live_agent": "agent",
            "handoff_at": "CASE WHEN waits THEN at END",
            "held_by": "CASE WHEN held THEN 'sam' ELSE '' END",
            "held_at": "CASE WHEN held THEN at END",
            "last_seq": "of.events",
            "last_line": "left(answer, 200)",
            "waiting_since": "CASE WHEN waits OR held THEN at END",
            "cost_micros": "spent.micros",
            "solved": "CASE WHEN asked THEN solved END",
            "score": "CASE WHEN asked THEN score END",
            "last_activity_at": "of.newest",
            "created_at": "at",
        },
        "made JOIN (SELECT n AS of_n, count(*) AS events, max(at) AS newest FROM said GROUP BY n) AS of ON of_n = n "
        "JOIN (SELECT n AS spent_n, sum(micros) AS micros FROM called GROUP BY n) AS spent ON spent_n = n",
    )
    if not written:
        return 0
    ends = {"failed": "'failed'", "waits": "'waiting'"}
    turn = {
        "id": "turn",
        "conversation_id": "conversation",
        "status": f"CASE WHEN failed THEN {ends['failed']} WHEN acts AND decided = 'awaiting' THEN {ends['waits']} "
        "ELSE 'completed' END",
        "content": "question",
        "message_seq": "1",
        "error": "CASE WHEN failed THEN 'The model did not answer.' ELSE '' END",
        "queued_at": "at",
        "started_at": "at",
        "sealed_at": "CASE WHEN acts AND decided = 'awaiting' THEN NULL ELSE at + interval '31 seconds' END",
    }
    insert(Turn, turn, "made")
    second = turn | {
        "id": "later",
        "status": "'completed'",
        "content": "'Thank you.'",
        "error": "''",
        "message_seq": "8",
    }
    insert(Turn, second | {"sealed_at": "at + interval '1204 seconds'"}, "made WHERE twice")
    event = {name: name for name in ("seq", "kind", "key", "agent", "payload")}
    owners = {"conversation_id": "conversation", "turn_id": "turn", "duration_ms": "ms", "created_at": "at"}
    insert(Event, {**event, **owners, "version": "1"}, "said ORDER BY at")
    return written


def _effects(tools: dict[str, str]) -> None:
    """Actions, the ledger, tags, webhooks."""
    insert(
        Action,
        {
            "id": "action",
            "turn_id": "turn",
            "customer_id": "customer",
            "tool_id": f"'{tools['give_discount']}'::uuid",
            "tool_name": "'give_discount'",
            "tool_call_id": "'c1'",
            "agent": "agent",
            "arguments": """'{"order_id":"' || n || '","percent":10}'""",
            "arguments_hash": "md5(n::text)",
            "message": "'Give 10% off order ' || n || '.'",
            "approver": "'staff'",
            "status": "decided",
            "expires_at": "at + interval '2 hours'",
            "decided_by": "CASE WHEN decided IN ('awaiting', 'expired') THEN '' ELSE 'staff' END",
            "decided_at": "CASE WHEN decided <> 'awaiting' THEN at + mood * interval '1 second' END",
            "created_at": "at",
        },
        "made WHERE acts",
    )
    call = {f"{name}_id": name for name in ("conversation", "customer", "turn")}
    same = {name: name for name in ("at", "agent", "purpose", "tokens_in", "tokens_out")}
    price = {
        "provider": "'openai'",
        "model": "'gpt-5.4-mini'",
        "cost_micros": "micros",
        "cost_source": "'provider'",
    }
    insert(ModelCall, {**call, **same, **price, "duration_ms": "900"}, "called ORDER BY at")
    through = Conversation.tags.through
    tag = f"chat_tag ON name = ('{{{','.join(TAGS)}}}'::text[])[1 + luck % {len(TAGS)}]"
    insert(
        through, {"conversation_id": "conversation", "tag_id": "id"}, f"made JOIN {tag} WHERE mood % 10 = 3"
    )
    insert(
        WebhookDelivery,
        {
            "id": "md5('made-webhook-' || n)::uuid",
            "conversation_id": "conversation",
            "kind": "'conversation.escalated'",
            "payload": "jsonb_build_object('thread_id', 'made-' || n)",
            "status": "CASE WHEN mood = 1 THEN 'failed' ELSE 'delivered' END",
            "created_at": "at",
        },
        "made WHERE escalated",
    )


def tags() -> None:
    for name in TAGS:
        Tag.objects.get_or_create(name=name)
