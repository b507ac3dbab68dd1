"""How the console's pages write times, money and numbers: {% load console %}."""

from datetime import datetime
from typing import Any

from django import template
from django.utils.safestring import SafeString

from smartsupport.lib import console

register = template.Library()


@register.filter
def ago(at: datetime | None) -> SafeString | str:
    """A moment as `4 min ago`, the exact one on hover; "" for None."""
    return console.ago(at) if at else ""


@register.filter
def money(micros: int | None) -> str:
    """Micro-dollars as `$0.0123`, `$12.30`; a dash where nobody knows."""
    return console.money(micros)


@register.filter
def counted(number: Any) -> str:
    """A whole number with commas: `12,345`."""
    return f"{number:,}" if isinstance(number, int) else str(number)
