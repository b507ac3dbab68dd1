"""What the conversation routes change: each is one call of a service."""

from typing import Any
from uuid import UUID

from django.db import transaction
from rest_framework.exceptions import ValidationError

from chat import stopping
from chat.customers import CustomerNotFound
from chat.models import Conversation, Customer
from chat.submission import Submitted, submit
from smartsupport.lib.errors import ThreadNotFound


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
) -> Submitted:
    """Queue a message of the thread's customer. `customer` opens a thread; `asked_by` is who sends it for them. `held`:
    the one customer whom the sender is held to, who need not be named to open a thread.

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
    return submit(
        customer_id=owner.pk,
        thread_id=thread_id,
        content=content,
        client_message_id=client_message_id,
        strategy=multitask_strategy,
        asked_by=asked_by,
    )


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
