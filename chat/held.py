"""Callers who are held to one customer: API keys that were made so, and customers with their own token. To them
everybody else does not exist.

Every route passes here, as its permission is asked for (`chat.authentication.MayCall`). What its address names has to
be the customer's. A route that names nothing of a customer's is closed to such callers, unless it says in `narrows` by
which methods it answers with that customer's alone. So one that is added later is closed until somebody thought of it.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from rest_framework.exceptions import PermissionDenied

from agents.approvals import ActionNotFound
from agents.models import Action
from chat import api_keys, customers
from chat.models import ApiKey, Conversation
from smartsupport.lib.errors import ThreadNotFound
from smartsupport.lib.ids import is_thread_id, parse_uuid


def not_about_one() -> PermissionDenied:
    return PermissionDenied("This API key is held to one customer, and this is not about one customer.")


def admit(customer_id: UUID, view: Any, method: str) -> None:
    """Let the request in if it is about this customer. Raises PermissionDenied (403) where it is about nobody, and the
    404 of what does not exist where it is about somebody else. One statement for each id of the address."""
    if method in getattr(view, "narrows", ()):
        return
    named = [(check, str(view.kwargs[name])) for name, check in _NAMED.items() if name in view.kwargs]
    if not named:
        raise not_about_one()
    for check, value in named:
        check(value, customer_id)


def _thread(thread_id: str, customer_id: UUID) -> None:
    if not is_thread_id(thread_id):
        return  # nobody's: the route says what is wrong with it
    if not Conversation.objects.filter(thread_id=thread_id, customer_id=customer_id).exists():
        raise ThreadNotFound()


def _interrupt(interrupt_id: str, customer_id: UUID) -> None:
    known = parse_uuid(interrupt_id)
    if not known or not Action.objects.filter(pk=known, customer_id=customer_id).exists():
        raise ActionNotFound()


def _customer(name: str, customer_id: UUID) -> None:
    if customers.named(name).pk != customer_id:
        raise customers.CustomerNotFound()


def _key(key_id: str, customer_id: UUID) -> None:
    known = parse_uuid(key_id)
    if not known or not ApiKey.objects.filter(pk=known, customer_id=customer_id).exists():
        raise api_keys.KeyNotFound()


_NAMED: dict[str, Callable[[str, UUID], None]] = {
    "thread_id": _thread,
    "interrupt_id": _interrupt,
    "customer": _customer,
    "key_id": _key,
}
"""What a path parameter of this name is an id of. The others of an address are looked up under these."""
