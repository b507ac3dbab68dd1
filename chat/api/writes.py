"""What the conversation routes change: each is one call of a service."""

from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from rest_framework.exceptions import ValidationError

from chat import stopping
from chat.customers import CustomerNotFound
from chat.models import Conversation, Customer, Event
from chat.submission import Submitted, submit
from smartsupport.lib.errors import ThreadNotFound
from smartsupport.lib.ids import digest
from smartsupport.lib.text import storable


@transaction.atomic
def send_message(
    *,
    thread_id: str,
    content: object,
    client_message_id: str | None = None,
    customer: dict[str, Any] | None = None,
    multitask_strategy: str | None = None,
    asked_by: str = "",
    held: UUID | None = None,
    once: str | None = None,
) -> Submitted:
    """Queue a message of the thread's customer. `customer` opens a thread; `asked_by` is who sends it for them. `held`:
    the one customer whom the sender is held to, who need not be named to open a thread. `once`: the sender's own key of
    this message, which stands for a `client_message_id` where there is none.

    Raises ThreadNotFound, ValidationError (the thread is another customer's), CustomerNotFound (not the one whom the
    sender is held to) and what chat.submission.submit raises; then nothing was written, no new customer either.
    """
    row = Conversation.objects.select_related("customer").filter(thread_id=thread_id).first()
    only = _the_one(held, customer) if held is not None else None
    if row is not None:
        if held not in (None, row.customer_id):
            raise ThreadNotFound()
        owner = row.customer
        if customer is not None and customer["subject"] != owner.subject:
            raise ValidationError({"customer": ["This thread belongs to another customer."]})
    elif only is not None:
        owner = only
    elif customer is None:
        raise ThreadNotFound()
    else:
        owner = _known_or_new(customer)
    queue = partial(
        submit,
        customer_id=owner.pk,
        thread_id=thread_id,
        content=content,
        strategy=multitask_strategy,
        asked_by=asked_by,
    )
    sent = queue(client_message_id=client_message_id or once)
    if client_message_id or not sent.repeated or _is_this(sent, content, asked_by):
        return sent
    # Somebody else used the same key here, or the sender did for another text: that is no reason to lose this one.
    return queue(client_message_id=digest([asked_by, once, storable(content)]))


def _is_this(sent: Submitted, content: object, asked_by: str) -> bool:
    """Whether what was accepted before has this text, and was sent by the same caller."""
    event = Event.objects.select_related("turn").get(conversation_id=sent.conversation_id, seq=sent.seq)
    by = event.turn.asked_by if event.turn else event.payload.get("asked_by", "")
    return bool(by == asked_by and event.payload["content"] == storable(content))


def _the_one(held: UUID, named: dict[str, Any] | None) -> Customer:
    """Raises CustomerNotFound where somebody else is named, known or not."""
    owner = Customer.objects.get(pk=held)
    if named is not None and named["subject"] != owner.subject:
        raise CustomerNotFound()
    return owner


def _known_or_new(customer: dict[str, Any]) -> Customer:
    """The customer with this subject. One who is known already is not renamed from here."""
    subject = customer["subject"]
    fresh = {"business_id": subject, "name": customer["name"], "email": customer.get("email", "")}
    return Customer.objects.get_or_create(subject=subject, defaults=fresh)[0]


def stop(thread_id: str) -> bool:
    """Stop the turn that runs or waits; whether there was one. Raises ThreadNotFound."""
    return stopping.stop(customer_id=None, thread_id=thread_id)
