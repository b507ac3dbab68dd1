"""What staff read of an action that was restored from a backup, and that one of them settles it."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents import repetition, restored, settlement
from agents.approvals import Decider
from agents.models import Action, ActionStatus
from chat.models import Event, Turn, TurnStatus
from smartsupport.backups import unfinished
from tests import rows

pytestmark = pytest.mark.django_db
WHY = "This was restored from a backup of 2026-11-19 03:00 UTC, when it was approved and not finished."


def approved() -> Action:
    action = rows.action(rows.turn(rows.customer()), rows.tool("cancel_order"), order_id="1042")
    wanted = {"status": ActionStatus.APPROVED, "decided_by": "customer", "decided_at": timezone.now()}
    Action.objects.filter(pk=action.pk).update(**wanted)
    return action


def test_staff_read_why_nobody_knows_and_settle_it(client: Client) -> None:
    action = approved()
    assert restored.unsettled() == [(action.pk, "cancel_order")]

    assert restored.doubt(action.pk, WHY)

    client.force_login(rows.staff("sam", "agents.view_action", "agents.decide_action"))
    page = client.get(f"/admin/agents/action/{action.pk}/change/").content.decode()
    assert WHY in page
    assert "It was sent" not in page, "nobody knows that"
    assert "It did not happen" in page
    form = client.get(reverse("admin:agents_action_it_happened", args=[action.pk])).content.decode()
    assert "Nobody knows whether it was sent" in form
    settlement.settle(
        action_id=action.pk, happened=True, by=Decider("staff", "sam", id="user:1"), note="Seen there."
    )
    action.refresh_from_db()
    assert action.status == ActionStatus.SUCCEEDED
    kinds = Event.objects.filter(turn=action.turn_id).order_by("seq").values_list("kind", flat=True)
    assert list(kinds)[-2:] == ["tool_returned", "action_settled"]


@pytest.mark.parametrize("status", sorted(set(ActionStatus) - {"approved", "dispatching"}))
def test_what_is_settled_or_waits_is_not_doubted(status: str) -> None:
    action = approved()
    Action.objects.filter(pk=action.pk).update(status=status)
    before = Action.objects.values().get(), Event.objects.count()

    assert not restored.doubt(action.pk, WHY)

    assert (Action.objects.values().get(), Event.objects.count()) == before
    assert restored.unsettled() == []


def test_whoever_has_to_decide_is_told_once_to_look_first() -> None:
    late, waits = rows.waiting_for_staff(), rows.waiting_for_staff(order_id="7", percent=5)
    Action.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    Action.objects.filter(pk=waits.pk).update(message="q" * 500)

    assert (restored.warn_deciders(), restored.warn_deciders()) == (1, 0)

    waits.refresh_from_db()
    assert waits.message == f"{restored.LOOK_FIRST}{'q' * 500}"[:500]
    assert waits.arguments_hash == waits.expected_hash()
    assert Action.objects.get(pk=late.pk).message == late.message


@pytest.mark.parametrize(("status", "repeats"), [("unknown", 0), ("unknown", 2), ("dispatching", 1)])
def test_the_jobs_send_nothing_again_that_staff_may_have_settled_since(status: str, repeats: int) -> None:
    """What nobody knew of then may be settled, or done by hand, in a time that the backup knows nothing of."""
    turn = rows.turn(rows.customer())
    action = rows.action(turn, rows.tool("cancel_order", repeat_safe=True), order_id="1042")
    long_ago = timezone.now() - timedelta(hours=2)
    wanted = {"status": status, "repeats": repeats, "decided_at": long_ago, "finished_at": long_ago}
    Action.objects.filter(pk=action.pk).update(**wanted)
    Turn.objects.filter(pk=turn.pk).update(status=TurnStatus.COMPLETED, sealed_at=long_ago)

    unfinished.settle(timezone.now())

    assert Action.objects.get().status == ActionStatus.UNKNOWN
    Action.objects.exclude(finished_at=None).update(finished_at=long_ago)
    assert not repetition.due().exists()
    assert repetition.is_repeatable(Action.objects.get()), "staff still may"
