"""Turns at work and actions to carry out. Rows that only lie there are made in `tests.rows`."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar
from uuid import uuid4

from channels.layers import get_channel_layer
from django.db import connection, transaction

from agents import approvals, executor
from agents.models import Action, Tool
from chat import turns
from chat.journal import TurnJournal
from chat.models import Customer, Turn, TurnStatus
from chat.turns import Claim
from smartsupport.lib import threads
from tests import rows

T = TypeVar("T")
BUSINESS_CUSTOMER = "cus_1001"


def bound_customer() -> Customer:
    """A customer who is bound to the one of the demo business that owns order 1042."""
    made = rows.customer()
    Customer.objects.filter(pk=made.pk).update(business_id=BUSINESS_CUSTOMER)
    return made


def claim(worker: str = "one") -> Claim:
    """The turn that a worker takes next."""
    taken = turns.claim(worker)
    assert taken is not None
    return taken


def approved_action(tool: Tool, **arguments: Any) -> tuple[Action, Claim]:
    """An action that was approved, and the claim of the worker who goes on with its turn."""
    turn = rows.turn(bound_customer())
    with transaction.atomic():
        action, _ = approvals.open_action(
            turn_id=turn.pk,
            customer_id=turn.conversation.customer_id,
            tool=tool,
            tool_call_id=f"call_{uuid4().hex[:8]}",
            agent="order_actions",
            arguments=arguments,
            bound={"customer_id": BUSINESS_CUSTOMER},
        )
    Turn.objects.filter(pk=turn.pk).update(status=TurnStatus.WAITING)
    by = approvals.Decider(kind=action.approver, name="sam", customer_id=action.customer_id)
    approvals.decide(action_id=action.pk, approved=True, by=by)
    action.refresh_from_db()
    return action, claim()


def execute(action: Action, held: Claim) -> Action:
    """Carry the action out as the worker that holds this claim."""
    return on_loop(executor.execute(action.pk, TurnJournal(held, {})))


def on_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on an event loop of its own, and leave nothing open behind."""

    async def whole() -> T:
        try:
            return await work
        finally:
            await get_channel_layer().flush()

    try:
        return asyncio.run(whole())
    finally:
        close_threads()


def close_threads() -> None:
    """Give back the connections that the threads of `smartsupport.lib.threads` keep."""
    everybody = threading.Barrier(threads.THREADS)

    def close() -> None:
        everybody.wait(30)
        connection.close()

    for done in [threads._executor.submit(close) for _ in range(threads.THREADS)]:
        done.result()
