"""A tool's fingerprint changes with everything that decides what a call does and who must agree to it."""

from decimal import Decimal
from typing import Any

import pytest

from agents.models import Tool
from tests.agents.tool_rows import WRITING, make_tool

pytestmark = pytest.mark.django_db

EFFECTIVE: dict[str, Any] = {
    "method": "DELETE",
    "server_url": "https://elsewhere.example",
    "path": "/other",
    "parameters": [{"argument": "order_id", "name": "order_id", "in": "path", "required": True}],
    "request_body": {"content_type": "application/json", "required": True, "fields": {"a": "a"}},
    "input_schema": {"type": "object"},
    "bound": {"customer_id": "customer.id"},
    "access": "read",
    "approval": "staff",
    "staff_above_argument": "amount",
    "staff_above_amount": Decimal("100.00"),
}
FOR_READERS: dict[str, Any] = {
    "title": "Other words",
    "description": "Other words.",
    "confirmation": "Really?",
    "enabled": False,
    "name": "renamed",
}


@pytest.mark.parametrize("field", EFFECTIVE)
def test_what_decides_the_effect_changes_it(field: str) -> None:
    tool = make_tool("act", **WRITING)
    before = tool.fingerprint()

    setattr(tool, field, EFFECTIVE[field])

    assert tool.fingerprint() != before


@pytest.mark.parametrize("field", FOR_READERS)
def test_words_do_not(field: str) -> None:
    tool = make_tool("act", **WRITING)
    before = tool.fingerprint()

    setattr(tool, field, FOR_READERS[field])

    assert tool.fingerprint() == before


def test_it_is_the_same_after_a_visit_to_the_database() -> None:
    tool = make_tool(
        "act",
        **WRITING,
        staff_above_argument="amount",
        staff_above_amount=Decimal("100.00"),
        bound={"z": "customer.id"},
    )

    assert Tool.objects.get(pk=tool.pk).fingerprint() == tool.fingerprint()


def test_two_tools_that_do_the_same_are_not_the_same() -> None:
    assert make_tool("one", path="/x").fingerprint() != make_tool("two", path="/x").fingerprint()
