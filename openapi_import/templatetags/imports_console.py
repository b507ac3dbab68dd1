"""Small words of the imports' pages."""

from django import template

from openapi_import import admin_words as words
from openapi_import.models import Classification

register = template.Library()


@register.filter
def counted(number: int) -> str:
    """1234 as 1,234."""
    return f"{number:,}"


@register.filter
def risk_badge(row: Classification) -> str:
    return words.RISK_BADGES.get(row.risk, "")


@register.filter
def change_badge(row: Classification) -> str:
    return {str(change): colour for change, colour in words.CHANGE_BADGES.items()}.get(row.change, "")


@register.filter
def judged_otherwise(row: Classification) -> str:
    """What the rules would make of it now, where an earlier decision stands against it; "" where they agree."""
    return words.judged_otherwise(row)


@register.filter
def certainty(row: Classification) -> str:
    """How sure the judge was, or that somebody has looked."""
    return "Looked at" if row.reviewed_at else f"{round(100 * row.confidence)} %"
