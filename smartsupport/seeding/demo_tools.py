"""The demo business's tools, read from its OpenAPI document over HTTP and published as a reviewer decided."""

from pathlib import Path
from typing import Any

import yaml
from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import transaction

from agents.models import Tool
from openapi_import.fetch import fetch
from openapi_import.direct import Decision, disable_missing, publish, record_source
from openapi_import.reading.operations import parse

REVIEW = Path(__file__).with_name("demo_review.yaml")
SOURCE = "demo-business"


def document_url() -> str:
    return f"http://127.0.0.1:{settings.DEMO_PORT}/openapi.json"


def read_review() -> dict[str, Decision]:
    """The decisions of `demo_review.yaml` by operation id."""
    review: dict[str, Any] = yaml.safe_load(REVIEW.read_text(encoding="utf-8"))
    return {
        operation_id: Decision(**(review["defaults"] | decided))
        for operation_id, decided in review["operations"].items()
    }


def publish_demo_tools() -> list[Tool]:
    """Make the demo's tools what its document says; empty where neither it nor its address has changed.

    Decisions are for operations that have no tool yet: what staff changed about the others stays. Raises
    SpecInvalid and SpecUnavailable, and has then changed nothing.
    """
    fetched = async_to_sync(fetch)(document_url())
    spec = parse(fetched.document)
    with transaction.atomic():
        source, changed = record_source(
            name=SOURCE, url=fetched.url, document=fetched.document, title=spec.title
        )
        if not changed:
            return []
        known = set(Tool.objects.filter(source=source).values_list("operation_id", flat=True))
        undecided = {key: decision for key, decision in read_review().items() if key not in known}
        tools = publish(source, spec.operations, undecided)
        disable_missing(source, spec.operations)
        return tools
