"""Imports for the tests of the console, as the jobs leave them."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from openapi_import.models import Classification, ImportJob, ImportStatus


def job(status: str = ImportStatus.DONE, **fields: Any) -> ImportJob:
    now = timezone.now()
    wanted: dict[str, Any] = {
        "name": "billing",
        "title": "Billing API",
        "version": "2.1",
        "dialect": "OpenAPI 3.1",
        "spec_url": "https://api.example.com/openapi.json",
        "created_by": "nina",
        "started_at": now - timedelta(seconds=3),
        "finished_at": now,
        "document_hash": "0" * 64,
    }
    return ImportJob.objects.create(status=status, **{**wanted, **fields})


def operation(of: ImportJob, path: str = "/invoices/{invoice_id}", **fields: Any) -> Classification:
    """An operation that reads, unless told otherwise."""
    index = Classification.objects.filter(job=of).count()
    method = fields.get("method", "GET")
    name = fields.pop("name", f"{method.lower()}_{index}")
    wanted: dict[str, Any] = {
        "index": index,
        "operation_id": name,
        "method": method,
        "path": path,
        "pointer": f"/paths/{path.replace('~', '~0').replace('/', '~1')}/{method.lower()}",
        "summary": "Get an invoice",
        "name": name,
        "title": "Get an invoice",
        "tool_description": "Get one invoice by its number.",
        "tool": tool(path),
        "access_type": "read",
        "risk": "safe",
        "approval": "none",
        "agent_group": "invoices",
        "confidence": 0.93,
        "reason": "GET, and it begins with get.",
    }
    wanted |= fields
    judged = ("access_type", "risk", "approval", "agent_group", "customer_params", "confidence", "reason")
    wanted.setdefault("judged", {key: wanted[key] for key in judged if key in wanted})
    made: Classification = Classification.objects.create(job=of, **wanted)
    count = Classification.objects.filter(job=of).count()
    usable = Classification.objects.filter(job=of, unusable="").count()
    ImportJob.objects.filter(pk=of.pk).update(
        total_endpoints=count, classified_count=count, usable_count=usable
    )
    of.refresh_from_db()
    return made


def writing(of: ImportJob, path: str = "/invoices/{invoice_id}", **fields: Any) -> Classification:
    wanted = {
        "method": "POST",
        "access_type": "write",
        "risk": "destructive",
        "approval": "staff",
        "summary": "Change an invoice",
        "title": "Change an invoice",
        "reason": "POST, and nothing says that it only reads.",
    }
    return operation(of, path, **{**wanted, **fields})


def tool(path: str) -> dict[str, Any]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    properties: dict[str, Any] = {name: {"type": "string", "description": f"The {name}."} for name in names}
    properties["customer_id"] = {"type": "string"}
    return {
        "server_url": "https://api.example.com",
        "parameters": [
            *({"argument": name, "name": name, "in": "path", "required": True} for name in names),
            {"argument": "customer_id", "name": "customer_id", "in": "query", "required": True},
        ],
        "request_body": None,
        "input_schema": {"type": "object", "properties": properties, "required": [*names, "customer_id"]},
        "security": [{"token": {"kind": "http", "scheme": "bearer", "scopes": []}}],
        "response": {"content_types": ["application/json"], "binary": False, "paging": None},
    }
