"""What the conversation and usage routes answer, for the published document: an order that is asked about."""

from typing import Any

from smartsupport.lib.documented import page_of

THREAD = "shop-4711"
TURN_ID = "0191a3c4-8e11-7f3a-8c7d-3f6d0a2b9e10"
INTERRUPT_ID = "0191a3c4-9a52-7c1e-9a55-0d7a6f0c9e11"
CUSTOMER: dict[str, Any] = {
    "id": "0191a3c4-7a52-7c1e-9a55-0d7a6f0c9e11",
    "subject": "cus_1001",
    "business_id": "cus_1001",
    "name": "Ada Stone",
    "email": "ada@example.com",
}
CONVERSATION: dict[str, Any] = {
    "thread_id": THREAD,
    "status": "open",
    "customer": CUSTOMER,
    "tags": ["refund", "vip"],
    "live_agent": "order_lookup",
    "handoff_reason": "",
    "handoff_at": None,
    "held_by": "",
    "held_at": None,
    "last_seq": 5,
    "last_line": "Order 1042 was shipped on Monday.",
    "last_activity_at": "2026-11-20T09:30:04.120000Z",
    "created_at": "2026-11-20T09:30:00.000000Z",
}
CONVERSATIONS = page_of("conversations", CONVERSATION)
HELD = {
    **CONVERSATION,
    "status": "held",
    "held_by": "API key Mail gateway",
    "held_at": "2026-11-20T09:31:00.000000Z",
}
ESCALATED = {
    **CONVERSATION,
    "status": "waiting",
    "handoff_reason": "The parcel was lost twice; somebody should call.",
    "handoff_at": "2026-11-20T09:31:00.000000Z",
}
RESOLVED = {**CONVERSATION, "status": "resolved", "last_seq": 6}
TAGS = {"thread_id": THREAD, "tags": ["refund", "vip"]}
EVENTS: dict[str, Any] = {
    "thread_id": THREAD,
    "events": [
        {
            "seq": 1,
            "kind": "message_received",
            "version": 1,
            "turn_id": TURN_ID,
            "agent": "",
            "payload": {"content": "Where is order 1042?", "client_message_id": "mail-9"},
            "tokens_in": None,
            "tokens_out": None,
            "tokens_cached": None,
            "cost_micros": None,
            "duration_ms": None,
            "at": "2026-11-20T09:30:00.000000Z",
        }
    ],
    "next": 1,
    "last_seq": 5,
}
HISTORY: dict[str, Any] = {
    "thread_id": THREAD,
    "frames": [
        {
            "type": "agent_response",
            "thread_id": THREAD,
            "seq": 4,
            "agent": "order_lookup",
            "content": "Order 1042 was shipped on Monday.",
            "html": "<p>Order 1042 was shipped on Monday.</p>",
        }
    ],
    "pending": [],
    "next": 4,
    "seq": 5,
}
TURN: dict[str, Any] = {
    "turn_id": TURN_ID,
    "thread_id": THREAD,
    "status": "completed",
    "seq": 1,
    "position": 0,
    "messages": [{"seq": 1, "client_message_id": "mail-9"}],
    "replies": [
        {
            "seq": 4,
            "agent": "order_lookup",
            "kind": "agent_response",
            "content": "Order 1042 was shipped on Monday.",
        }
    ],
    "tools": [
        {
            "seq": 3,
            "agent": "order_lookup",
            "tool": "get_order_status",
            "title": "Look an order up",
            "ok": True,
        }
    ],
    "pending": [],
    "error": None,
    "queued_at": "2026-11-20T09:30:00.000000Z",
    "started_at": "2026-11-20T09:30:00.050000Z",
    "sealed_at": "2026-11-20T09:30:04.120000Z",
}
WAITING_TURN: dict[str, Any] = {
    **TURN,
    "status": "waiting",
    "replies": [],
    "tools": [],
    "pending": [
        {
            "interrupt_id": INTERRUPT_ID,
            "action": "apply_discount",
            "params": {"order_id": "1042", "percent": 10},
            "message": "Give a 10% discount on order 1042?",
            "approver": "staff",
            "expires_at": "2026-11-20T10:00:00.000000Z",
        }
    ],
    "sealed_at": None,
}
HELD_MESSAGE = {"turn_id": None, "thread_id": THREAD, "seq": 7, "held_by": "sam"}
STOPPED = {"thread_id": THREAD, "stopping": True}
RETRIED = {"turn_id": TURN_ID, "thread_id": THREAD}
WRITTEN = {"thread_id": THREAD, "seq": 8, "content": "I have asked the carrier."}
NOTED = {
    "thread_id": THREAD,
    "seq": 9,
    "content": "Called the carrier: the parcel is in Leeds.",
    "by_name": "API key Mail gateway",
}
FEEDBACK = {"thread_id": THREAD, "seq": 10, "solved": True, "score": 5, "comment": "That was quick."}

LIMIT: dict[str, Any] = {
    "scope": "each_customer",
    "period": "day",
    "period_start": "2026-11-20",
    "resets_at": "2026-11-21T00:00:00Z",
    "limit_usd": 2.0,
    "granted_usd": 0.0,
    "spent_usd": 0.82,
    "percent": 41.0,
    "reached": False,
    "exempt": False,
    "exempt_until": None,
}
CUSTOMER_USAGE: dict[str, Any] = {
    "id": CUSTOMER["id"],
    "customer": "cus_1001",
    "name": "Ada Stone",
    "spent_today_usd": 0.82,
    "spent_week_usd": 3.1,
    "limits": [LIMIT],
}
DEPLOYMENT_USAGE: dict[str, Any] = {
    "spent_today_usd": 1.23,
    "spent_week_usd": 20.5,
    "unknown_calls_week": 0,
    "limits": [{**LIMIT, "scope": "deployment", "limit_usd": 50.0, "spent_usd": 1.23, "percent": 2.4}],
}
USAGE = {"deployment": DEPLOYMENT_USAGE, **page_of("customers", CUSTOMER_USAGE)}
OWN_USAGE = {"limits": [{"period": "day", "percent": 41.0, "resets_at": "2026-11-21T00:00:00Z"}]}
GRANTED: dict[str, Any] = {
    "id": "0191a3c4-aa52-7c1e-9a55-0d7a6f0c9e11",
    "kind": "grant",
    "period": "day",
    "period_start": "2026-11-20",
    "amount_usd": 5.0,
    "until": None,
    "reason": "A long claim",
    "by_name": "API key Billing",
    "at": "2026-11-20T09:30:00.000000Z",
    "limits": [{**LIMIT, "limit_usd": 7.0, "granted_usd": 5.0, "percent": 11.7}],
}
RESET = {
    **GRANTED,
    "kind": "reset",
    "amount_usd": 0.82,
    "reason": "An agent went in circles",
    "limits": [{**LIMIT, "spent_usd": 0.0, "percent": 0.0}],
}
EXEMPTED = {
    **GRANTED,
    "kind": "exempt",
    "period": None,
    "period_start": None,
    "amount_usd": 0.0,
    "until": "2026-12-01T00:00:00Z",
    "reason": "Trade fair",
    "limits": [{**LIMIT, "exempt": True, "exempt_until": "2026-12-01T00:00:00Z"}],
}
