"""Imports for the tests: documents, jobs in every state, and what they come to."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone

from openapi_import import jobs
from openapi_import.models import ImportJob, ImportStatus, SpecSource

PATHS: dict[str, Any] = {
    "/orders/{order_id}": {
        "get": {
            "operationId": "getOrder",
            "summary": "Look an order up",
            "parameters": [
                {"name": "order_id", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            "responses": {"200": {"description": "It"}},
        },
        "delete": {
            "operationId": "deleteOrder",
            "summary": "Delete an order",
            "parameters": [
                {"name": "order_id", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            "responses": {"204": {"description": "Gone"}},
        },
    },
    "/orders": {
        "post": {
            "operationId": "createOrder",
            "summary": "Create an order",
            "requestBody": {
                "content": {
                    "application/json": {
                        "schema": {"type": "object", "properties": {"sku": {"type": "string"}}}
                    }
                }
            },
            "responses": {"201": {"description": "Made"}},
        }
    },
}
OPERATIONS = ["createOrder", "deleteOrder", "getOrder"]
YAML = b"""\
openapi: 3.1.0
info: {title: Shop of Ada, version: "2"}
servers: [{url: "https://shop.example.com"}]
paths:
  /orders:
    get: {operationId: listOrders, summary: List orders, responses: {"200": {description: They}}}
"""


def shop(title: str = "Shop of Ada", **more: Any) -> dict[str, Any]:
    """A document of three operations."""
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1"},
        "servers": [{"url": "https://shop.example.com/v1"}],
        "paths": PATHS,
        **more,
    }


def text(document: dict[str, Any] | None = None) -> bytes:
    return json.dumps(document or shop()).encode()


def submitted(**more: Any) -> ImportJob:
    """A job that waits; of an upload of `shop()` unless told otherwise."""
    given = {"by": "ada"} | more
    if "url" not in given and "content" not in given:
        given["content"] = text()
    return jobs.submit(**given)


def carried_out(**more: Any) -> ImportJob:
    """A job that was run to its end."""
    job = submitted(**more)
    jobs.run(job.pk)
    return now(job)


def now(job: ImportJob | UUID) -> ImportJob:
    """As it is in the database."""
    return ImportJob.objects.get(pk=job.pk if isinstance(job, ImportJob) else job)


def rows(job: ImportJob) -> list[str]:
    """The operation ids of its classifications."""
    return sorted(job.classifications.values_list("operation_id", flat=True))


def left_by_a_dead_worker(job: ImportJob, status: ImportStatus, **more: Any) -> UUID:
    """As a worker leaves it that was killed: its lease has run out. The lease."""
    lease = uuid4()
    ago = timezone.now() - timedelta(seconds=1)
    ImportJob.objects.filter(pk=job.pk).update(
        **{"status": status, "lease": lease, "leased_until": ago, "attempts": 1, **more}
    )
    return lease


def published(job: ImportJob, **more: Any) -> SpecSource:
    """The source of a job as if it had been published, tools aside."""
    source = SpecSource.objects.create(
        name=job.name,
        **{"url": job.spec_url, "title": job.title, "document_hash": job.document_hash, **more},
        fetched_at=timezone.now(),
    )
    ImportJob.objects.filter(pk=job.pk).update(source=source, status=ImportStatus.APPROVED)
    return source
