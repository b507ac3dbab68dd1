"""Rows for the tests, made through the services that make them in life wherever there is one."""

import hashlib
from base64 import b64encode
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Permission, User
from django.utils import timezone

from agents import approvals, executor, facts
from agents.models import Access, Action, ActionStatus, Agent, AgentTool, Approver, Risk, Tool
from chat import api_keys, events, submission
from chat.models import (
    Conversation,
    Customer,
    Turn,
    TurnStatus,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from chat.webhook_events import EVENTS
from openapi_import.models import SpecSource
from smartsupport.lib.sealing import seal

USAGE = facts.Usage(120, 30)
QUIET = facts.Usage()


def staff(name: str = "sam", *permissions: str, superuser: bool = False) -> User:
    """A member of staff with these permissions ("agents.view_action", ...)."""
    user = User.objects.create_user(name, password="correct horse", is_staff=True, is_superuser=superuser)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


def key(*scopes: str, name: str = "billing") -> str:
    """The text of a new API key."""
    return api_keys.issue(name=name, scopes=scopes)[1]


def customer(**fields: Any) -> Customer:
    subject = fields.pop("subject", f"cus_{uuid4().hex[:8]}")
    return Customer.objects.create(subject=subject, business_id=subject, **fields)


def source() -> SpecSource:
    digest = hashlib.sha256(b"{}").hexdigest()
    wanted = {
        "url": "http://127.0.0.1:8001/openapi.json",
        "title": "Demo shop",
        "document_hash": digest,
    }
    return SpecSource.objects.get_or_create(name="shop", defaults={**wanted, "fetched_at": timezone.now()})[0]


def tool(name: str = "cancel_order", **fields: Any) -> Tool:
    """A tool that writes, with the customer's approval, unless told otherwise."""
    wanted: dict[str, Any] = {
        "title": name.replace("_", " ").capitalize(),
        "description": f"{name.replace('_', ' ').capitalize()}.",
        "operation_id": name,
        "method": "POST",
        "server_url": "http://127.0.0.1:8001/shop",
        "path": f"/orders/{{order_id}}/{name}",
        "parameters": [{"argument": "order_id", "name": "order_id", "in": "path", "required": True}],
        "request_body": {"content_type": "application/json", "required": False, "fields": {"note": "note"}},
        "input_schema": {
            "type": "object",
            "properties": {
                "order_id": {"type": "string", "description": "The order's number."},
                "note": {"type": "string"},
                "percent": {"type": "integer", "description": "Percent off."},
            },
            "required": ["order_id"],
        },
        "bound": {"customer_id": "customer.id"},
        "access": Access.WRITE,
        "approval": Approver.CUSTOMER,
        "risk": Risk.DESTRUCTIVE,
        "confirmation": "",
    }
    return Tool.objects.create(name=name, source=source(), **{**wanted, **fields})


def reading_tool(name: str = "get_order_status", **fields: Any) -> Tool:
    return tool(
        name,
        access=Access.READ,
        approval=Approver.NONE,
        method="GET",
        risk=Risk.SAFE,
        request_body=None,
        **fields,
    )


def agent(name: str, *tools: Tool, permission: str = Access.READ, **fields: Any) -> Agent:
    made = Agent.objects.create(
        name=name, description=f"Looks after {name}.", permission=permission, **fields
    )
    for position, one in enumerate(tools):
        AgentTool.objects.create(agent=made, tool=one, position=position)
    return made


def turn(owner: Customer, thread_id: str = "", content: str = "Where is my order?", **fields: Any) -> Turn:
    """A queued turn in a new or existing thread."""
    Customer.objects.filter(pk=owner.pk).update(accepted_at=[])  # the rate limit is somebody else's test
    submitted = submission.submit(
        customer_id=owner.pk,
        thread_id=thread_id or f"t-{uuid4().hex[:10]}",
        content=content,
        client_message_id=None,
    )
    if fields:
        Turn.objects.filter(pk=submitted.turn_id).update(**fields)
    return Turn.objects.select_related("conversation").get(pk=submitted.turn_id)


def happened(in_turn: Turn, *what: facts.Fact) -> None:
    """Append facts to the turn's conversation."""
    events.append(in_turn.conversation_id, list(what), turn_id=in_turn.pk)


def finish(in_turn: Turn, answer: str = "It is on its way.", agent_name: str = "order_lookup") -> None:
    happened(
        in_turn,
        facts.replied(agent=agent_name, content=answer, key="reply"),
        facts.Fact("turn_completed", key="end"),
    )
    now = timezone.now()
    Turn.objects.filter(pk=in_turn.pk).update(
        status=TurnStatus.COMPLETED, started_at=now - timedelta(seconds=2), sealed_at=now
    )


def action(in_turn: Turn, wanted: Tool, *, expired: bool = False, **arguments: Any) -> Action:
    """An approval that waits, as the graph's gate opens it."""
    opened, _ = approvals.open_action(
        turn_id=in_turn.pk,
        customer_id=in_turn.conversation.customer_id,
        tool=wanted,
        tool_call_id=f"call_{uuid4().hex[:8]}",
        agent="order_actions",
        arguments=arguments or {"order_id": "1042"},
        bound={"customer_id": "cus_1001"},
    )
    happened(in_turn, approvals.opened_fact(opened))
    if expired:
        Action.objects.filter(pk=opened.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    Turn.objects.filter(pk=in_turn.pk).update(status=TurnStatus.WAITING)
    opened.refresh_from_db()
    return opened


def waiting_for_staff(**arguments: Any) -> Action:
    """An approval in a thread of its own that staff have to decide."""
    wanted = Tool.objects.filter(name="apply_discount").first() or tool(
        "apply_discount",
        approval=Approver.STAFF,
        risk=Risk.MONEY,
        confirmation="Give {percent}% off order {order_id}.",
    )
    return action(
        turn(customer(name="Ada Stone")), wanted, **(arguments or {"order_id": "1042", "percent": 10})
    )


def outcome_unknown() -> Action:
    """An action that was sent and not heard of again; its turn is finished."""
    opened = waiting_for_staff()
    by = approvals.Decider(kind="staff", name="sam")
    approvals.decide(action_id=opened.pk, approved=True, by=by)
    sent = timezone.now() - timedelta(minutes=10)
    Action.objects.filter(pk=opened.pk).update(
        status=ActionStatus.DISPATCHING, dispatched_at=sent, attempts=1
    )
    finish(Turn.objects.select_related("conversation").get(pk=opened.turn_id))
    assert executor.settle_abandoned() == 1
    return Action.objects.select_related("turn__conversation").get(pk=opened.pk)


def waiting_for_a_person() -> Conversation:
    """A conversation whose customer asked for a person; its turn is finished."""
    asked = turn(customer(name="Ada Stone"), content="I want to talk to a person.")
    happened(asked, facts.handoff_requested(reason="The parcel is damaged.", by="customer", key="handoff"))
    finish(asked, "A colleague will answer here.")
    return Conversation.objects.get(pk=asked.conversation_id)


def webhook_given_up() -> WebhookDelivery:
    """A delivery that was answered with 400, and so is not sent again by itself."""
    row = waiting_for_a_person()
    payload = {"thread_id": row.thread_id, "reason": "x", "conversation_summary": "", "metadata": {}}
    made = WebhookDelivery.objects.create(
        conversation=row, kind="conversation.escalated", payload=payload, status="failed", attempts_made=1
    )
    WebhookAttempt.objects.create(
        delivery=made, number=1, status=400, body_head="<b>What is this?</b>", duration_ms=12
    )
    return made


def webhook_endpoint(*events: str, **fields: Any) -> WebhookEndpoint:
    """An endpoint that is told of these events, or of everything; its secret is `whsec_` and 32 times "k"."""
    wanted: dict[str, Any] = {
        "url": "https://hooks.example.com/a-path-that-is-secret",
        "events": list(events or EVENTS),
        "secret": seal("whsec_" + b64encode(b"k" * 32).decode()),
        "created_by": "nina",
    }
    return WebhookEndpoint.objects.create(**{**wanted, **fields})


def log_size(conversation: Conversation) -> int:
    return conversation.events.count()
