"""Customers by the name that another system has for them: the company's own id (`sub`), or ours."""

from chat.identity import SUBJECT_LIMIT
from chat.models import Customer
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.text import readable, storable


class CustomerNotFound(ServiceError):
    code, status, message = "customer_not_found", 404, "Customer not found"


def named(name: str) -> Customer:
    """By the company's id, or by ours. Raises CustomerNotFound."""
    if storable(name) != name:
        raise CustomerNotFound()
    row = Customer.objects.filter(subject=name).first()
    if row is None and (known := parse_uuid(name)):
        row = Customer.objects.filter(pk=known).first()
    if row is None:
        raise CustomerNotFound()
    return row


def named_or_new(name: str) -> Customer:
    """The same; whom nobody knows here is new, under this id of the company's. `name`: see `is_subject`."""
    try:
        return named(name)
    except CustomerNotFound:
        return Customer.objects.get_or_create(subject=name, defaults={"business_id": name})[0]


def is_subject(text: str) -> bool:
    """Whether this can be a company's id of a customer: 1 to 255 characters that all can be seen and kept."""
    return bool(text) and len(text) <= SUBJECT_LIMIT and readable(storable(text)) == text
