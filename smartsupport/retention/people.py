"""Finding a customer by what a person or a company knows of them."""

from uuid import UUID

from chat.models import Customer


def find(who: str) -> Customer | None:
    """By `subject` (the company's own id), else by our id, which is what visitors without a token have."""
    found = Customer.objects.filter(subject=who).first()
    if found is not None:
        return found
    try:
        return Customer.objects.filter(pk=UUID(who)).first()
    except ValueError:
        return None
