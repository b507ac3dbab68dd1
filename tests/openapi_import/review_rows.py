"""Imports that are ready to be reviewed, as the worker leaves them."""

from typing import Any

from django.utils import timezone

from agents.approvals import Decider
from openapi_import import difference
from openapi_import.models import Classification, ImportJob, ImportStatus

Object = dict[str, Any]

SAM = Decider("staff", "sam", id="user:1")
KIM = Decider("staff", "kim", id="user:2")
SERVER = "https://shop.example"


def schema(*required: str, **properties: Any) -> Object:
    """An input schema: arguments that are required are texts unless they are given."""
    return {
        "type": "object",
        "properties": {**{name: {"type": "string"} for name in required}, **properties},
        "additionalProperties": False,
        **({"required": list(required)} if required else {}),
    }


def in_path(*names: str) -> list[Object]:
    return [
        {"argument": name, "name": name, "in": "path", "required": True, "style": "simple", "explode": False}
        for name in names
    ]


def operation(operation_id: str, method: str = "GET", path: str = "", **fields: Any) -> Object:
    """The fields of one classification, as judged by simple rules. `tool` is laid over what is usual."""
    reads = method == "GET"
    path = path or f"/{operation_id}/{{order_id}}"
    tool = {
        "server_url": SERVER,
        "parameters": in_path("order_id"),
        "request_body": None,
        "input_schema": schema("order_id"),
        "security": [],
        "response": {},
    }
    return {
        "operation_id": operation_id,
        "method": method,
        "path": path,
        "summary": operation_id,
        "name": operation_id,
        "title": operation_id.replace("_", " ").capitalize(),
        "tool_description": f"What {operation_id} does.",
        "access_type": "read" if reads else "write",
        "risk": "safe" if reads else "destructive",
        "approval": "none" if reads else "staff",
        "agent_group": "orders",
        "confidence": 0.9,
        "judged_by": "rules",
        **fields,
        "tool": {**tool, **fields.get("tool", {})},
    }


LOOK = operation("look_order")
CANCEL = operation("cancel_order", "DELETE")
REFUND = operation("refund_order", "POST", agent_group="money")
SHOP = (LOOK, CANCEL, REFUND)


def ready(*operations: Object, name: str = "shop", **fields: Any) -> ImportJob:
    """An import of these operations (the shop's without any) that is ready to be reviewed."""
    now = timezone.now()
    job = ImportJob.objects.create(
        name=name,
        title=fields.pop("title", "The shop"),
        status=ImportStatus.DONE,
        document_hash=fields.pop("document_hash", "1" * 64),
        finished_at=now,
        **fields,
    )
    rows = [Classification(job=job, index=index, **one) for index, one in enumerate(operations or SHOP)]
    for row in rows:
        row.judged = {"access_type": row.access_type, "risk": row.risk, "approval": row.approval}
        row.selected = not row.unusable
    Classification.objects.bulk_create(rows)
    difference.compare(job)
    return job


def row_of(job: ImportJob, operation_id: str) -> Classification:
    return Classification.objects.get(job=job, operation_id=operation_id)


def changed(one: Object, **fields: Any) -> Object:
    """An operation as a newer document has it; `tool` is laid over its tool."""
    return {**one, **fields, "tool": {**one["tool"], **fields.get("tool", {})}}
