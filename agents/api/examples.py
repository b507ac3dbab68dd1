"""What the routes of approvals and agents answer, for the published document."""

from typing import Any

from smartsupport.lib.documented import page_of

INTERRUPT: dict[str, Any] = {
    "interrupt_id": "0191a3c4-9a52-7c1e-9a55-0d7a6f0c9e11",
    "thread_id": "shop-4711",
    "turn_id": "0191a3c4-8e11-7f3a-8c7d-3f6d0a2b9e10",
    "action": "apply_discount",
    "title": "Apply a discount",
    "agent": "discount",
    "params": {"order_id": "1042", "percent": 10},
    "proposed_params": None,
    "changed": {},
    "arguments_hash": "9b74c9897bac770ffc029102a200c5de9b74c9897bac770ffc029102a200c5de",
    "message": "Give a 10% discount on order 1042?",
    "approver": "staff",
    "approvals_needed": 1,
    "votes": [],
    "difference": [],
    "reopened": 0,
    "status": "awaiting",
    "outcome": None,
    "expires_at": "2026-11-20T10:00:00.000000Z",
    "decided_by": "",
    "decided_by_name": "",
    "decided_at": None,
    "reason": "",
    "sent": None,
    "result": None,
    "error": None,
    "created_at": "2026-11-20T09:30:00.000000Z",
}
INTERRUPTS = page_of("interrupts", INTERRUPT)
DECIDED: dict[str, Any] = {
    **INTERRUPT,
    "status": "approved",
    "outcome": "pending",
    "decided_by": "staff",
    "decided_by_name": "API key Back office",
    "decided_at": "2026-11-20T09:31:00.000000Z",
}
SENT: dict[str, Any] = {
    "method": "POST",
    "url": "https://shop.example.com/orders/1042/discount",
    "query": [],
    "body": {"percent": 10},
    "idempotency_key": INTERRUPT["interrupt_id"],
    "at": "2026-11-20T09:31:01.000000Z",
    "attempts": 1,
    "repeats": 0,
}
SETTLED: dict[str, Any] = {
    **DECIDED,
    "outcome": "failed",
    "sent": SENT,
    "error": {
        "kind": "did_not_happen",
        "message": "The ledger has no such entry.",
        "http_status": None,
    },
}
REPEATED: dict[str, Any] = {
    **DECIDED,
    "outcome": "succeeded",
    "sent": {**SENT, "attempts": 2, "repeats": 1},
    "result": {"order_id": 1042, "percent": 10},
}
AGENT: dict[str, Any] = {
    "name": "order_lookup",
    "description": "Answers questions about orders.",
    "permission": "read",
    "personality": {
        "tone": "friendly",
        "greeting": "Hello!",
        "escalation_message": "A colleague will look into it.",
    },
    "keywords": ["order", "parcel"],
    "model": "",
    "enabled": True,
    "tools": [
        {
            "name": "get_order_status",
            "title": "Look an order up",
            "description": "What has become of an order.",
            "access": "read",
            "approval": "none",
            "risk": "safe",
            "enabled": True,
        }
    ],
}
AGENTS = {"agents": [AGENT]}
YAML = """\
agents:
  - name: order_lookup
    description: Answers questions about orders.
    permission: read
    personality:
      tone: friendly
      greeting: Hello!
      escalation_message: A colleague will look into it.
    tools:
      - get_order_status
"""
