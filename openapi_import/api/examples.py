"""What the routes of imports answer, for the published document."""

from typing import Any

from smartsupport.lib.documented import page_of

JOB_ID = "5f0c3c5e-3f0e-4a43-9d1b-0a5f5a2f7f10"
PUBLICATION_ID = "0191a3c4-bb52-7c1e-9a55-0d7a6f0c9e11"
TOOL_ID = "0191a3c4-cc52-7c1e-9a55-0d7a6f0c9e11"
WAITING: dict[str, Any] = {
    "job_id": JOB_ID,
    "status": "pending",
    "kind": "openapi",
    "name": "",
    "spec_url": "https://api.example.com/openapi.json",
    "filename": "",
    "title": "",
    "version": "",
    "dialect": "",
    "stage_done": 0,
    "stage_total": 0,
    "total_endpoints": 0,
    "classified_count": 0,
    "usable_count": 0,
    "faults_total": 0,
    "unchanged": False,
    "strict": False,
    "ask_model": False,
    "model_note": "",
    "error_stage": "",
    "error_message": None,
    "error_pointer": "",
    "created_by": "API key CI",
    "created_at": "2026-11-20T09:30:00.000000Z",
    "started_at": None,
    "finished_at": None,
    "published_by": "",
    "published_at": None,
}
DONE: dict[str, Any] = {
    **WAITING,
    "status": "done",
    "name": "shop",
    "title": "Shop",
    "version": "2.1",
    "dialect": "3.1",
    "total_endpoints": 3,
    "classified_count": 3,
    "usable_count": 3,
    "faults_total": 1,
    "started_at": "2026-11-20T09:30:00.100000Z",
    "finished_at": "2026-11-20T09:30:01.900000Z",
}
JOBS = page_of("jobs", DONE)
JOB: dict[str, Any] = {
    **DONE,
    "faults": [
        {
            "pointer": "/paths/~1orders/get",
            "message": "There is no description of an answer.",
            "severity": "warning",
        }
    ],
    "listed": [],
    "documents": [],
}
CANCELLED = {**WAITING, "status": "cancelled", "finished_at": "2026-11-20T09:30:01.000000Z"}
CLASSIFICATION: dict[str, Any] = {
    "index": 0,
    "access_type": "write",
    "needs_interrupt": True,
    "approval": "customer",
    "risk": "destructive",
    "agent_group": "order_actions",
    "customer_params": {"customer_id": "customer.id"},
    "confidence": 0.9,
    "uncertain": False,
    "reason": "A DELETE changes what is there.",
    "judged": {},
    "judged_by": "rules",
    "selected": True,
    "unusable": "",
    "losses": [],
    "name": "cancel_order",
    "title": "Cancel an order",
    "tool_description": "Cancels an order that was not shipped yet.",
    "change": "added",
    "difference": [],
    "revision": 0,
    "reviewed_by": "",
    "reviewed_at": None,
    "endpoint": {
        "path": "/orders/{order_id}",
        "method": "DELETE",
        "operation_id": "cancelOrder",
        "summary": "Cancel an order",
        "description": "",
        "tags": ["orders"],
        "deprecated": False,
        "pointer": "/paths/~1orders~1{order_id}/delete",
    },
}
CLASSIFICATIONS = page_of("classifications", CLASSIFICATION)
OPERATION: dict[str, Any] = {
    **CLASSIFICATION,
    "tool": {
        "method": "DELETE",
        "server_url": "https://shop.example.com",
        "path": "/orders/{order_id}",
        "input_schema": {"type": "object", "properties": {"order_id": {"type": "string"}}},
    },
}
EDITED: dict[str, Any] = {
    **OPERATION,
    "revision": 1,
    "reviewed_by": "API key CI",
    "reviewed_at": "2026-11-20T09:40:00.000000Z",
}
EDITED_MANY = {"changed": 3}
PUBLICATION: dict[str, Any] = {
    "publication_id": PUBLICATION_ID,
    "source_name": "shop",
    "number": 1,
    "kind": "publish",
    "job_id": JOB_ID,
    "undoes": None,
    "counts": {"added": 1},
    "note": "",
    "by": "API key CI",
    "at": "2026-11-20T09:45:00.000000Z",
}
PUBLICATIONS = page_of("publications", PUBLICATION)
PUBLISHED: dict[str, Any] = {
    **PUBLICATION,
    "changes": [
        {
            "id": TOOL_ID,
            "tool": "cancel_order",
            "operation_id": "cancelOrder",
            "change": "added",
            "before": None,
            "after": {"enabled": True},
        }
    ],
    "agents": [{"agent": "order_actions", "tool": "cancel_order", "change": "linked"}],
}
APPROVED: dict[str, Any] = {
    **DONE,
    "status": "approved",
    "published_by": "API key CI",
    "published_at": "2026-11-20T09:45:00.000000Z",
    "publication": PUBLISHED,
}


def _later(number: int, kind: str, change: str, **more: Any) -> dict[str, Any]:
    """A later publication that did this with the one tool."""
    entry = {
        **PUBLISHED["changes"][0],
        "change": change,
        "before": {"enabled": True},
        "after": {"enabled": False},
    }
    return {
        **PUBLISHED,
        "number": number,
        "kind": kind,
        "job_id": None,
        "counts": {change: 1},
        "changes": [entry],
        "agents": [],
        **more,
    }


PAUSED = _later(2, "pause", "paused", note="The shop is down.")
RESUMED = _later(3, "resume", "resumed")
DELETED = _later(4, "delete", "deleted")
ROLLED_BACK = _later(5, "roll_back", "removed", undoes=PUBLICATION_ID)
SOURCE: dict[str, Any] = {
    "name": "shop",
    "kind": "openapi",
    "title": "Shop",
    "version": "2.1",
    "url": "https://api.example.com/openapi.json",
    "document_hash": "9b74c9897bac770ffc029102a200c5de9b74c9897bac770ffc029102a200c5de",
    "fetched_at": "2026-11-20T09:30:00.500000Z",
    "calls_per_minute": 600,
    "tools": 3,
    "tools_on": 3,
}
SOURCES = page_of("sources", SOURCE)
