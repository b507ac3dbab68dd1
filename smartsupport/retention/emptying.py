"""Takes conversations away, or the words and the person out of them: one transaction of the caller's, who has locked
them."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID, uuid4

from django.apps import apps
from django.db import connection

from analytics import rollups
from chat.models import Conversation, Customer, Event, Turn
from smartsupport.retention.registry import CONVERSATIONS, CUSTOMERS, OF_BUDGETS, WITHOUT_MODEL, Rule
from smartsupport.retention.wordless import wordless

OPEN = """(
    c.status IN ('waiting', 'held')
    OR EXISTS (
        SELECT 1 FROM chat_turn t WHERE t.conversation_id = c.id AND t.status IN ('queued', 'running', 'waiting'))
    OR EXISTS (
        SELECT 1 FROM agents_action a JOIN chat_turn t ON t.id = a.turn_id
        WHERE t.conversation_id = c.id AND a.status IN ('awaiting', 'approved', 'dispatching', 'unknown'))
    OR EXISTS (
        SELECT 1 FROM chat_webhookdelivery d
        WHERE d.conversation_id = c.id AND d.leased_until > STATEMENT_TIMESTAMP())
)"""
"""SQL over `chat_conversation AS c`: something of it is not finished. A person waits or answers; a turn is worked on or
waits; an action waits for a decision, is carried out, or nobody knows what came of it; a webhook is being sent."""
EVENTS_AT_ONCE = 1_000
# In the order in which whoever sends them takes these locks. What is on its way meanwhile leaves nothing behind.
_LOCK_ALERTS = f"SELECT id FROM chat_webhookdelivery WHERE {OF_BUDGETS} ORDER BY id FOR UPDATE"  # noqa: S608 (ours)


def hold() -> None:
    """The first lock of a transaction that takes conversations away."""
    rollups.hold()


def delete(conversations: Sequence[UUID]) -> None:
    """These conversations and all that is theirs. What they counted as stays, and leads to nobody."""
    rollups.keep(conversations)
    turns = _turns(conversations)
    _forget_checkpoints(turns)
    for rule in CONVERSATIONS:
        _apply(rule, rule.deleted or None, {"conversations": list(conversations), "turns": turns})


def empty(conversations: Sequence[tuple[UUID, UUID]]) -> None:
    """Keep the shape of these (conversation, customer): when what happened, what it cost, which tools; without words,
    and under a customer without a name, who is new and the same for all that one customer has among these."""
    nobodies = {customer: uuid4() for customer in dict.fromkeys(owner for _, owner in conversations)}
    Customer.objects.bulk_create(Customer(pk=new) for new in nobodies.values())
    rollups.count([one for one, _ in conversations])
    for customer, nobody in nobodies.items():
        own = [one for one, owner in conversations if owner == customer]
        turns = _turns(own)
        _forget_checkpoints(turns)
        _take_words_out(own)
        for rule in CONVERSATIONS:
            if rule.emptied != "":
                _apply(rule, rule.emptied, {"conversations": own, "turns": turns, "nobody": nobody})


def delete_customers(customers: Collection[UUID]) -> None:
    """Customers who have no conversation any more, with their budgets and what was told of these."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_ALERTS, {"customers": list(customers)})
    for rule in CUSTOMERS:
        _apply(rule, rule.deleted or None, {"customers": list(customers)})


def _turns(conversations: Iterable[UUID]) -> list[UUID]:
    return list(Turn.objects.filter(conversation__in=conversations).order_by().values_list("pk", flat=True))


def _apply(rule: Rule, change: str | None, values: dict[str, Any]) -> None:
    """`change` None: the rows go."""
    table = table_of(rule.model)
    # Everything in the statement but its values is ours.
    begin = f"DELETE FROM {table}" if change is None else f"UPDATE {table} SET {change}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(f"{begin} WHERE {rule.where}", values)


def table_of(model: str) -> str:
    if model == "chat.Conversation_tags":
        return str(Conversation.tags.through._meta.db_table)
    return str(apps.get_model(model)._meta.db_table)


def _forget_checkpoints(turns: Sequence[UUID]) -> None:
    with connection.cursor() as cursor:
        for table in WITHOUT_MODEL:
            cursor.execute(
                f"DELETE FROM {table} WHERE thread_id = ANY(%s)",  # noqa: S608 (ours)
                [[str(turn) for turn in turns]],
            )


def _take_words_out(conversations: Sequence[UUID]) -> None:
    rows = Event.objects.filter(conversation__in=conversations).order_by("pk").only("pk", "payload")
    page = list(rows[:EVENTS_AT_ONCE])
    while page:
        for event in page:
            event.payload = wordless(event.payload)
        Event.objects.bulk_update(page, ["payload"])
        page = list(rows.filter(pk__gt=page[-1].pk)[:EVENTS_AT_ONCE])
