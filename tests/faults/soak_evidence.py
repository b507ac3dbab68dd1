"""Gathers what the audit compares: rows, the journal, and what customers and staff know. Reads only."""

import asyncio
from collections import Counter

import httpx

from tests.faults.soak_audit import Evidence, Sent, Told, canonical
from tests.faults.soak_customer import BROKEN, Customer
from tests.faults.soak_stack import SoakStack
from tests.faults.soak_staff import Staff

CATCH_UP_SECONDS = 120
CONVERSATIONS = "SELECT id, thread_id, status, last_seq FROM chat_conversation"
EVENTS = (
    "SELECT conversation_id, seq, kind, key, turn_id, payload FROM chat_event ORDER BY conversation_id, seq"
)
TURNS = "SELECT id, conversation_id, status, sealed_at FROM chat_turn"
ACTIONS = """
SELECT a.id, a.turn_id, c.subject, a.tool_name, a.arguments, a.bound_arguments, a.status
FROM agents_action a JOIN chat_customer c ON c.id = a.customer_id
"""
UNFINISHED = """
SELECT (SELECT count(*) FROM chat_turn WHERE status IN ('queued', 'running', 'waiting'))
     + (SELECT count(*) FROM agents_action WHERE status IN ('awaiting', 'approved', 'dispatching')) AS open
"""


def unfinished(stack: SoakStack) -> int:
    """Turns and actions that are not at their end."""
    return int(stack.rows(UNFINISHED)[0]["open"])


async def gather(stack: SoakStack, customers: list[Customer], staff: Staff) -> Evidence:
    found = Evidence(
        conversations=stack.rows(CONVERSATIONS),
        events=stack.rows(EVENTS),
        turns=stack.rows(TURNS),
        actions=stack.rows(ACTIONS),
    )
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        found.journal = (await client.get(f"{stack.business_url}/_journal")).json()
        found.refused_histories = (await client.get(f"{stack.model_url.removesuffix('/v1')}/_refused")).json()
    found.asked = asked(customers)
    found.decisions = {key: set(values) for key, values in staff.decisions.items()}
    gate = asyncio.Semaphore(10)

    async def collect(customer: Customer) -> None:
        async with gate:
            await _told(stack, customer, found)

    await asyncio.gather(*(collect(customer) for customer in customers))
    for customer in customers:
        found.faults += customer.faults + [
            text for item in customer.transcripts.values() for text in item.faults
        ]
        for key, values in customer.decisions.items():
            found.decisions.setdefault(key, set()).update(values)
        found.sent += [
            Sent(
                item.thread_id,
                item.client_message_id,
                item.said.content,
                item.state,
                item.seq,
                item.sent_on[0] if len(item.sent_on) == 1 else 0,
            )
            for item in customer.messages.values()
        ]
    return found


async def _told(stack: SoakStack, customer: Customer, found: Evidence) -> None:
    """What the customer's open socket has, without being asked again, and what a new tab gets at each server."""
    for number, (thread_id, transcript) in enumerate(customer.transcripts.items()):
        if not transcript.last and not transcript.acknowledged:
            continue
        try:
            fresh = await customer.replay(thread_id, stack.sockets[number % 2])
        except BROKEN as error:
            found.faults.append(f"{thread_id}: could not be replayed: {error!r}")
            continue
        if not await customer.caught_up(thread_id, fresh.last, CATCH_UP_SECONDS):
            stayed = f"{thread_id}: the open socket stayed at seq {transcript.last} of {fresh.last}"
            found.faults.append(f"{stayed} ({await customer.whereabouts(thread_id)})")
        found.faults += fresh.faults
        found.told.append(Told(thread_id, transcript.whole(), fresh.whole()))


def asked(customers: list[Customer]) -> Counter[tuple[str, str, str]]:
    """How often each write was asked for: by messages that were accepted, or that nobody answered."""
    found: Counter[tuple[str, str, str]] = Counter()
    for customer in customers:
        for message in customer.messages.values():
            if message.state != "refused":
                for ask in message.said.asks:
                    found[(customer.subject, ask.tool, canonical(ask.arguments))] += 1
    return found
