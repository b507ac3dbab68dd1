"""What is stored of one person, as JSON for them (GDPR, articles 15 and 20).

Theirs: who they are here, every message, answer and decision, what was done for them with which data and result, what
they thought of it, and which data of theirs went to which model. Not theirs: notes and tags of staff, prompts and
routing (how the company works), names of staff, budgets. See docs/privacy.md.
"""

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models import Count, Sum

from agents.models import Action, ModelCall
from chat.models import Conversation, Customer, Event
from smartsupport.lib import audit
from smartsupport.version import VERSION

FORMAT = "smart-support-customer-export/1"
SAID = {
    "message_received": "customer",
    "replied": "agent",
    "question_asked": "agent",
    "staff_wrote": "staff",
}
FEEDBACK = "feedback_given"
CALLS = {"tool_called": "args", "tool_returned": "result"}
"""What was asked of the business for them, and what it answered."""


def export(customer: Customer, to: Path) -> int:
    """Write the file, for its owner only (0600); how many conversations. Raises FileExistsError, OSError.

    All of it is read from one snapshot of the database. A file that could not be finished is deleted."""
    handle = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            written = _write(customer, file)
    except BaseException:
        to.unlink(missing_ok=True)
        raise
    audit.write(
        actor=audit.COMMANDS,
        verb="export",
        object_type="chat.customer",
        object_id=customer.pk,
        detail={"conversations": written},
    )
    return written


def _write(customer: Customer, file: TextIO) -> int:
    """Conversation by conversation: nobody's years have to fit into memory."""
    head = json.dumps(
        {"format": FORMAT, "version": VERSION, "customer": _person(customer)}, cls=DjangoJSONEncoder
    )
    file.write(head[:-1] + ', "conversations": [')
    written = 0
    with transaction.atomic():
        if not connection.savepoint_ids:  # a transaction of our own, and not inside of another
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        for conversation in _conversations(customer):
            file.write(("," if written else "") + "\n")
            json.dump(conversation, file, cls=DjangoJSONEncoder, ensure_ascii=False)
            written += 1
        file.write('\n], "model_calls": ')
        json.dump(_models(customer), file, cls=DjangoJSONEncoder)
    file.write("}\n")
    return written


def _person(customer: Customer) -> dict[str, Any]:
    names = ("id", "subject", "business_id", "name", "email", "attributes", "created_at")
    return {name: getattr(customer, name) for name in names}


def _conversations(customer: Customer) -> Iterator[dict[str, Any]]:
    rows = Conversation.objects.filter(customer=customer).order_by("created_at", "pk")
    for row in rows.iterator(chunk_size=100):
        yield {
            "thread_id": row.thread_id,
            "began_at": row.created_at,
            "last_activity_at": row.last_activity_at,
            "status": row.status,
            "solved": row.solved,
            "score": row.score,
            "messages": list(_messages(row)),
            "actions": [
                _action(one) for one in Action.objects.filter(turn__conversation=row).order_by("created_at")
            ],
        }


def _messages(row: Conversation) -> Iterator[dict[str, Any]]:
    kinds = [*SAID, FEEDBACK, *CALLS]
    told = Event.objects.filter(conversation=row, kind__in=kinds).order_by("seq")
    for kind, payload, at in told.values_list("kind", "payload", "created_at").iterator(chunk_size=1000):
        yield _message(kind, payload, at)


def _message(kind: str, payload: dict[str, Any], at: datetime) -> dict[str, Any]:
    if kind == FEEDBACK:
        given = {name: payload.get(name) for name in ("solved", "score", "comment")}
        return {"at": at, "from": "customer", "feedback": given}
    if kind in CALLS:
        return {"at": at, kind: payload.get("tool"), CALLS[kind]: payload.get(CALLS[kind])}
    text = payload.get("content", payload.get("message", ""))
    return {"at": at, "from": SAID[kind], "text": text}


def _action(action: Action) -> dict[str, Any]:
    return {
        "at": action.created_at,
        "tool": action.tool_name,
        "asked": action.message,
        "arguments": json.loads(action.arguments),
        "bound_to_you": json.loads(action.bound_arguments),
        "status": action.status,
        "decided_by": action.decided_by,
        "decided_at": action.decided_at,
        "sent": action.sent,
        "result": action.result,
        "finished_at": action.finished_at,
    }


def _models(customer: Customer) -> list[dict[str, Any]]:
    """Who their words went to, how often, and what it cost in micro-dollars."""
    rows = ModelCall.objects.filter(customer=customer).order_by("provider", "model")
    return [
        dict(row)
        for row in rows.values("provider", "model").annotate(
            calls=Count("id"), cost_micros=Sum("cost_micros")
        )
    ]
