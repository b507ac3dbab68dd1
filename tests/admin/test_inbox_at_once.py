"""Two people who decide the same calls at the same moment: each call is decided once, and the other one is told who was
first. Both of two people count where two are needed."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from agents.models import Action, Tool
from chat.models import Event
from tests import rows
from tests.at_once import at_once

pytestmark = pytest.mark.django_db(transaction=True)

SEES = ("agents.view_action", "agents.decide_action")


def approver(name: str) -> Client:
    client = Client()
    client.force_login(rows.staff(name, *SEES))
    return client


def many(client: Client, how: str, actions: list[Action]) -> Any:
    ids = "&".join(f"id={action.pk}" for action in actions)
    seen = {f"seen-{action.pk}": action.arguments_hash for action in actions}
    return client.post(f"/admin/agents/action/many/{how}/?{ids}", {**seen, "reason": "So it is."})


def told(answer: Any) -> list[str]:
    """What came of each call, read off the page: the contexts of two threads are not told apart."""
    return re.findall(r'console-call-asked">[^<]*</p>\s*<p>([^<]*)</p>', answer.content.decode())


def test_each_call_is_decided_once_and_the_other_hears_by_whom() -> None:
    calls = [rows.waiting_for_staff(order_id=str(number)) for number in range(6)]
    sam, nina = approver("sam"), approver("nina")

    approved, declined = at_once(
        [lambda: many(sam, "approve", calls), lambda: many(nina, "decline", list(reversed(calls)))]
    )

    for call, one, other in zip(calls, told(approved), told(declined), strict=True):
        call.refresh_from_db()
        if call.status == "approved":
            assert (call.decided_by_name, one) == ("sam", "Approved.")
            assert other == "This was already approved by sam. Your decision changed nothing."
        else:
            assert (call.status, call.decided_by_name, other) == ("rejected", "nina", "Declined.")
            assert one == "This was already declined by nina. Your decision changed nothing."
    assert Event.objects.filter(kind="approval_decided").count() == len(calls)
    assert LogEntry.objects.count() == len(calls)


def test_two_people_at_once_are_two_people() -> None:
    made = rows.waiting_for_staff()
    Tool.objects.update(approvals_needed=2)
    made.tool.refresh_from_db()
    made.approvals_needed, made.tool_fingerprint = 2, made.tool.fingerprint()
    made.arguments_hash = made.expected_hash()
    made.save()
    sam, nina = approver("sam"), approver("nina")

    answers = at_once([lambda: many(sam, "approve", [made]), lambda: many(nina, "approve", [made])])

    assert sorted(words for answer in answers for words in told(answer)) == [
        "Approved.",
        "You agree. A second person has to approve it before anything is sent.",
    ]
    made.refresh_from_db()
    assert made.status == "approved"
    assert Event.objects.filter(kind="approval_decided").count() == 1
    assert Event.objects.filter(kind="approval_voted").count() == 1
