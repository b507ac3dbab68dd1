"""Canned replies: texts that staff send often. `{customer}` in one becomes the customer's name."""

from dataclasses import dataclass

from django.db.models import Case, IntegerField, Q, Value, When
from django.utils.safestring import SafeString, mark_safe

from chat.markdown import to_html
from chat.models import CannedReply, Customer
from smartsupport.lib.text import storable

OFFERED = 8
NAME = "{customer}"
NOBODY = "there"
"""What stands for a customer whose name nobody knows: "Hello there"."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A reply as it would be sent to one customer: Markdown, and what the customer sees."""

    shortcut: str
    title: str
    text: str

    @property
    def html(self) -> SafeString:
        return mark_safe(to_html(self.text))  # noqa: S308 - it is cleaned


def filled(body: str, customer: Customer) -> str:
    """The text for this customer. Nothing but `{customer}` is replaced, so braces in a text stay as they are."""
    return body.replace(NAME, customer.name.strip() or NOBODY)


def offered(typed: str, customer: Customer) -> list[Offered]:
    """Up to 8 replies that fit what was typed: whose shortcut begins so, then whose shortcut or title has it."""
    text = storable(typed).strip().lower()[:80]
    rows = CannedReply.objects.filter(enabled=True)
    if text:
        rows = rows.filter(Q(shortcut__contains=text) | Q(title__icontains=text))
    first = Case(
        When(shortcut__startswith=text, then=Value(0)), default=Value(1), output_field=IntegerField()
    )
    found = rows.annotate(first=first).order_by("first", "shortcut")[:OFFERED]
    return [Offered(row.shortcut, row.title, filled(row.body, customer)) for row in found]
