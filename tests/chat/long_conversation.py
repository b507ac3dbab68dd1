"""Long conversations, written as rows: as the engine would, without asking a model."""

from typing import Any
from uuid import uuid4

from django.utils import timezone

from agents import facts
from agents.facts import Fact
from chat import events
from chat.models import Conversation, Customer, Turn, TurnStatus

ORDER = 5000


def conversation() -> Conversation:
    owner = Customer.objects.create(subject=f"cus_{uuid4().hex}")
    return Conversation.objects.create(thread_id=f"t-{uuid4().hex}", customer=owner)


def message(within: Conversation, content: str, turn: Turn | None = None) -> Turn:
    """A message of the customer, in a new turn unless it joins one."""
    if turn is None:
        within.refresh_from_db()
        turn = Turn.objects.create(conversation=within, content=content, message_seq=within.last_seq + 1)
    said(within, Fact("message_received", {"content": content, "client_message_id": None}), turn)
    return turn


def said(within: Conversation, fact: Fact, turn: Turn | None = None) -> int:
    return events.insert(within.pk, [fact], turn_id=turn.pk if turn else None).first


def end(within: Conversation, turn: Turn, status: TurnStatus = TurnStatus.COMPLETED, **payload: Any) -> None:
    said(within, Fact(f"turn_{status}", payload), turn)
    Turn.objects.filter(pk=turn.pk).update(status=status, sealed_at=timezone.now())


def reply(content: str, **fields: Any) -> Fact:
    return facts.replied(agent="order_lookup", content=content, key="", **fields)


def action(within: Conversation, turn: Turn, order_id: int, *, ok: bool = True) -> None:
    """An action that was asked for, approved, sent and answered."""
    one, call_id = uuid4(), f"call_{uuid4().hex}"
    asked = {"interrupt_id": one, "action": "cancel_order", "params": {"order_id": order_id}}
    about = {"agent": "order_actions", "tool": "cancel_order", "call_id": call_id, "action_id": one}
    for fact in (
        facts.approval_opened(
            **asked, agent="a", message="Cancel it", approver="customer", expires_at=timezone.now()
        ),
        facts.approval_decided(
            interrupt_id=one,
            action="cancel_order",
            resolution="approved",
            by="customer",
            by_name="",
            reason="",
        ),
        facts.tool_called(**about, title="Cancel an order", args={"order_id": order_id}),
        facts.tool_returned(
            **about, ok=ok, result={"status": "cancelled"}, error=None if ok else NOBODY_KNOWS
        ),
    ):
        said(within, fact, turn)


NOBODY_KNOWS = {"kind": "unknown", "message": "It was sent and no clear answer came back."}


def grow(within: Conversation, turns: int) -> None:
    """So many turns more, every tenth with an action."""
    for _ in range(turns):
        number = ORDER + within.turns.count()
        asked = message(within, f"Where is my order {number}? It should have been here on Monday.")
        said(
            within,
            facts.routed(agents=["a"], reason="r", by="model", usage=facts.Usage(), duration_ms=1),
            asked,
        )
        if number % 10 == 0:
            action(within, asked, number)
        said(within, reply(f"Order **{number}** has left our warehouse and arrives on Friday."), asked)
        end(within, asked)
