"""An action of unknown outcome is sent again where that is safe: one effect, and then it is known what came of it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.conf import LazySettings
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents import approvals, executor, facts, repetition, settlement, tasks
from agents.approvals import Decider
from agents.models import Action, ActionStatus, Tool
from chat import events, takeover
from chat.models import Conversation, Event, Turn, TurnStatus
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.safe_http import shared
from tests import rows
from tests.at_once import at_once
from tests.factories import approved_action, close_threads, execute

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("executor")]
SAM = Decider(kind="staff", name="sam", id="user:1")


@pytest.fixture(autouse=True)
def close_connections() -> Any:
    yield
    close_threads()


def nobody_saw(tool: Tool, shop: httpx.Client, *, drop: str = "after") -> Action:
    """An action whose answer was lost three times; the turn has ended, and the line is whole again."""
    shop.post("/_faults", json={"operation": tool.name, "drop": drop, "times": 3})
    action, claim = approved_action(tool, order_id=1042)
    unknown = execute(action, claim)
    assert unknown.status == ActionStatus.UNKNOWN
    turn = Turn.objects.select_related("conversation").get(pk=action.turn_id)
    rows.finish(turn)
    Turn.objects.filter(pk=turn.pk).update(status=TurnStatus.COMPLETED)
    return Action.objects.select_related("turn__conversation").get(pk=action.pk)


def journal(shop: httpx.Client) -> list[dict[str, Any]]:
    return list(shop.get("/_journal").json())


def told(action: Action, kind: str) -> list[tuple[str, Any]]:
    return list(
        Event.objects.filter(turn_id=action.turn_id, kind=kind).order_by("seq").values_list("key", "payload")
    )


def state(action: Action) -> tuple[Any, ...]:
    row = Action.objects.filter(pk=action.pk).values().get()
    return row, rows.log_size(action.turn.conversation)


def due_now(action: Action) -> None:
    Action.objects.filter(pk=action.pk).update(finished_at=timezone.now() - timedelta(hours=2))


@pytest.mark.parametrize("drop", ["after", "before"])
def test_sent_again_it_is_known_and_has_happened_once(
    drop: str, tools: dict[str, Tool], shop: httpx.Client
) -> None:
    action = nobody_saw(tools["cancel_order"], shop, drop=drop)

    known = repetition.repeat(action_id=action.pk, by=SAM)

    assert (known.status, known.error_kind, known.repeats) == (ActionStatus.SUCCEEDED, "", 1)
    assert known.result["order"]["status"] == "cancelled"
    [effect] = journal(shop)
    assert effect["idempotency_key"] == str(action.pk)
    [(_, repeated)] = told(action, "action_repeated")
    assert (repeated["by_name"], repeated["attempt"]) == ("sam", 1)
    first, second = told(action, "tool_returned")
    assert second[0] == f"{first[0]}:repeat:1"
    assert (first[1]["ok"], second[1]["ok"]) == (False, True)
    assert Turn.objects.get(pk=action.turn_id).status == TurnStatus.COMPLETED


def test_without_a_clear_answer_it_is_unknown_again_and_can_be_sent_once_more(
    tools: dict[str, Tool], shop: httpx.Client
) -> None:
    action = nobody_saw(tools["cancel_order"], shop)
    shop.post("/_faults", json={"operation": "cancel_order", "fail": 401, "times": 1})

    again = repetition.repeat(action_id=action.pk, by=SAM)

    assert (again.status, again.error_message) == (ActionStatus.UNKNOWN, executor.UNKNOWN_MESSAGE)
    assert repetition.repeat(action_id=action.pk, by=SAM).status == ActionStatus.SUCCEEDED
    assert len(journal(shop)) == 1
    keys = [key.partition(":repeat:")[2] for key, _ in told(action, "tool_returned")]
    assert keys == ["", "1", "2"]


def test_of_many_who_send_it_again_at_once_one_does(tools: dict[str, Tool], shop: httpx.Client) -> None:
    action = nobody_saw(tools["cancel_order"], shop)

    outcomes = at_once([lambda: repetition.repeat(action_id=action.pk, by=SAM)] * 8)

    assert sum(isinstance(one, Action) for one in outcomes) == 1
    assert sum(isinstance(one, settlement.NotUnknown) for one in outcomes) == 7
    assert len(journal(shop)) == 1
    assert len(told(action, "action_repeated")) == 1


def not_safe(action: Action) -> None:
    Tool.objects.filter(pk=action.tool_id).update(repeat_safe=False)


def switched_off(action: Action) -> None:
    Tool.objects.filter(pk=action.tool_id).update(enabled=False)


def changed(action: Action) -> None:
    Tool.objects.filter(pk=action.tool_id).update(path="/shop/customers/{customer_id}/orders/{order_id}/x")


def forged(action: Action) -> None:
    Action.objects.filter(pk=action.pk).update(arguments='{"order_id":1043}')


def let_a_day_pass(action: Action) -> None:
    Action.objects.filter(pk=action.pk).update(decided_at=timezone.now() - repetition.WITHIN)


def settled(action: Action) -> None:
    settlement.settle(action_id=action.pk, happened=True, by=SAM, note="Seen.")


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (not_safe, "not_repeatable", "is not declared safe to send again"),
        (switched_off, "not_repeatable", "has been switched off since this was approved"),
        (let_a_day_pass, "not_repeatable", "It was sent more than a day ago."),
        (changed, "not_repeatable", "has changed since this was approved"),
        (forged, "not_repeatable", "The arguments are not the ones that were approved."),
        (settled, "not_unknown", "it is known that it happened"),
    ],
)
def test_what_must_not_be_sent_again_is_refused_and_left_as_it_was(
    change: Callable[[Action], None], code: str, said: str, tools: dict[str, Tool], shop: httpx.Client
) -> None:
    action = nobody_saw(tools["cancel_order"], shop, drop="before")
    change(action)
    before = state(action)

    with pytest.raises(ServiceError) as refusal:
        repetition.repeat(action_id=action.pk, by=SAM)

    assert refusal.value.code == code
    assert said in refusal.value.message
    assert state(action) == before
    assert journal(shop) == []


def test_a_customer_sends_nothing_again(tools: dict[str, Tool], shop: httpx.Client) -> None:
    action = nobody_saw(tools["cancel_order"], shop, drop="before")
    before = state(action)

    with pytest.raises(approvals.NotAllowed):
        repetition.repeat(action_id=action.pk, by=Decider("customer", "Ada", action.customer_id))

    assert (state(action), journal(shop)) == (before, [])


def test_who_dies_in_between_leaves_it_unknown_again(
    tools: dict[str, Tool], shop: httpx.Client, settings: LazySettings
) -> None:
    action = nobody_saw(tools["cancel_order"], shop)
    with transaction.atomic():
        executor._dispatch_again(approvals.locked(action.pk), "sam")  # and not a byte left, or nobody knows
    Turn.objects.filter(pk=action.turn_id).update(status=TurnStatus.WAITING)  # for something else

    tasks.settle_abandoned_actions()
    assert Action.objects.get(pk=action.pk).status == ActionStatus.DISPATCHING  # it may still be on its way
    long_ago = timezone.now() - timedelta(seconds=settings.TOOL_TIMEOUT_SECONDS) - executor.ABANDONED_AFTER
    Action.objects.filter(pk=action.pk).update(dispatched_at=long_ago)
    tasks.settle_abandoned_actions()

    assert Action.objects.get(pk=action.pk).status == ActionStatus.UNKNOWN
    assert told(action, "tool_returned")[-1][1]["error"]["kind"] == "unknown"
    assert repetition.repeat(action_id=action.pk, by=SAM).status == ActionStatus.SUCCEEDED
    assert len(journal(shop)) == 1


def test_the_jobs_send_it_again_when_it_is_due(tools: dict[str, Tool], shop: httpx.Client) -> None:
    action = nobody_saw(tools["cancel_order"], shop)
    tasks.repeat_unknown_actions()
    assert Action.objects.get(pk=action.pk).repeats == 0  # a minute has to pass

    due_now(action)
    tasks.repeat_unknown_actions()

    known = Action.objects.get(pk=action.pk)
    assert (known.status, known.repeats) == (ActionStatus.SUCCEEDED, 1)
    assert told(action, "action_repeated")[0][1]["by_name"] == ""
    assert len(journal(shop)) == 1


def test_the_pauses_grow_and_after_three_it_is_left_to_people(
    tools: dict[str, Tool], shop: httpx.Client
) -> None:
    action = nobody_saw(tools["cancel_order"], shop)
    shop.post("/_faults", json={"operation": "cancel_order", "fail": 401})
    for number, pause in enumerate(repetition.PAUSES):
        early = timezone.now() - pause + timedelta(seconds=20)
        Action.objects.filter(pk=action.pk).update(finished_at=early)
        assert repetition.repeat_due() == 0
        Action.objects.filter(pk=action.pk).update(finished_at=timezone.now() - pause)
        assert repetition.repeat_due() == 1
        assert Action.objects.get(pk=action.pk).repeats == number + 1
    due_now(action)

    assert repetition.repeat_due() == 0

    assert Action.objects.get(pk=action.pk).status == ActionStatus.UNKNOWN
    assert list(repetition.PAUSES) == sorted(repetition.PAUSES)
    assert sum(repetition.PAUSES, timedelta()) < repetition.WITHIN


def take_over(action: Action) -> None:
    takeover.take_over(thread_id=action.turn.conversation.thread_id, by=SAM)


def take_over_and_hand_back(action: Action) -> None:
    take_over(action)
    takeover.hand_back(thread_id=action.turn.conversation.thread_id, by=SAM)


def stop(action: Action) -> None:
    Turn.objects.filter(pk=action.turn_id).update(status=TurnStatus.STOPPED)


def run(action: Action) -> None:
    Turn.objects.filter(pk=action.turn_id).update(status=TurnStatus.RUNNING)


@pytest.mark.parametrize(
    "change", [take_over, take_over_and_hand_back, stop, run, let_a_day_pass, not_safe, switched_off, changed]
)
def test_by_itself_nothing_is_sent_where_a_person_has_come_between(
    change: Callable[[Action], None], tools: dict[str, Tool], shop: httpx.Client
) -> None:
    action = nobody_saw(tools["cancel_order"], shop, drop="before")
    change(action)
    due_now(action)
    before = state(action)

    tasks.repeat_unknown_actions()

    assert state(action) == before
    assert journal(shop) == []


def ask_again(action: Action, *, status: str = ActionStatus.SUCCEEDED) -> Action:
    """The customer did not wait: the same was asked for in a later message."""
    later = Action.objects.get(pk=action.pk)
    later.pk, later.turn = uuid4(), rows.turn(action.customer, action.turn.conversation.thread_id)
    later.status, later.finished_at = status, timezone.now()
    later._state.adding = True
    later.save(force_insert=True)
    return later


@pytest.mark.parametrize("status", ["awaiting", "approved", "succeeded", "failed", "unknown"])
def test_what_the_customer_asked_for_again_is_not_done_a_second_time_by_itself(
    status: str, tools: dict[str, Tool], shop: httpx.Client
) -> None:
    action = nobody_saw(tools["cancel_order"], shop, drop="before")
    due_now(action)
    assert repetition.due().filter(pk=action.pk).exists()
    later = ask_again(action, status=status)

    assert not repetition.due().exclude(pk=later.pk).exists()
    with pytest.raises(repetition.NotDue):
        executor.repeat(action.pk, allowed=repetition._check_due)

    assert Action.objects.get(pk=action.pk).status == ActionStatus.UNKNOWN
    assert journal(shop) == []


@pytest.mark.parametrize("status", ["rejected", "expired", "cancelled"])
def test_what_was_asked_for_again_and_given_up_changes_nothing(
    status: str, tools: dict[str, Tool], shop: httpx.Client
) -> None:
    action = nobody_saw(tools["cancel_order"], shop)
    due_now(action)
    ask_again(action, status=status)

    assert repetition.repeat_due() == 1

    assert len(journal(shop)) == 1


@pytest.mark.parametrize("change", [take_over, take_over_and_hand_back, stop])
def test_a_person_who_comes_between_the_look_and_the_dispatch_is_heeded(
    change: Callable[[Action], None], tools: dict[str, Tool], shop: httpx.Client
) -> None:
    action = nobody_saw(tools["cancel_order"], shop, drop="before")
    due_now(action)
    assert repetition.due().exists()
    change(action)

    with pytest.raises(repetition.NotDue):
        executor.repeat(action.pk, allowed=repetition._check_due)

    assert Action.objects.get(pk=action.pk).status == ActionStatus.UNKNOWN
    assert journal(shop) == []


def test_staff_may_send_it_again_while_they_hold_the_conversation(
    tools: dict[str, Tool], shop: httpx.Client
) -> None:
    action = nobody_saw(tools["cancel_order"], shop)
    take_over(action)

    assert repetition.repeat(action_id=action.pk, by=SAM).status == ActionStatus.SUCCEEDED

    assert Conversation.objects.get().status == "held"
    assert len(journal(shop)) == 1


def test_whoever_saw_the_answer_first_counts_while_it_is_sent_again(
    tools: dict[str, Tool], shop: httpx.Client
) -> None:
    action = nobody_saw(tools["cancel_order"], shop)
    with transaction.atomic():
        executor._dispatch_again(approvals.locked(action.pk), "sam")
    seen = executor.tool_http.Outcome(True, {"order": "gone"}, status=200)

    executor._record_apart(action.pk, seen, 5)  # the first attempt's answer, late
    _, recorded = executor._record_apart(action.pk, executor.NOBODY_SAW, 5)

    assert (Action.objects.get(pk=action.pk).status, recorded) == (ActionStatus.SUCCEEDED, [])
    assert [payload["ok"] for _, payload in told(action, "tool_returned")] == [False, True]


def test_nothing_of_the_connections_is_left_behind(tools: dict[str, Tool], shop: httpx.Client) -> None:
    action = nobody_saw(tools["cancel_order"], shop)
    before = set(shared._loops)

    repetition.repeat(action_id=action.pk, by=SAM)

    assert {loop for loop in shared._loops if not loop.is_closed()} <= before


def test_customers_are_not_told_who_sent_it_again(tools: dict[str, Tool], shop: httpx.Client) -> None:
    action = nobody_saw(tools["cancel_order"], shop)
    repetition.repeat(action_id=action.pk, by=SAM)

    frames, _ = events.frames_after(action.turn.conversation_id, "t", 0)

    assert "sam" not in str(frames)
    assert facts.action_repeated(interrupt_id=action.pk, action="a", by_name="", attempt=1).key


@pytest.mark.parametrize("shown", ["API", "console"])
def test_it_is_sent_again_from_outside(
    shown: str, tools: dict[str, Tool], shop: httpx.Client, client: Client
) -> None:
    action = nobody_saw(tools["cancel_order"], shop)
    client.force_login(rows.staff("sam", "agents.view_action", "agents.decide_action"))

    if shown == "API":
        client.defaults["HTTP_X_API_KEY"] = rows.key("interrupts:decide", "interrupts:read")
        data = client.post(f"/api/v1/interrupts/{action.pk}/repeat").json()["data"]
        assert (data["outcome"], data["sent"]["repeats"]) == ("succeeded", 1)
        assert data["sent"]["idempotency_key"] == str(action.pk)
        assert data["sent"]["url"].endswith("/customers/cus_1001/orders/1042/cancellation")
    else:
        url = reverse("admin:agents_action_send_again", args=[action.pk])
        page = client.post(url, {"_form_submitted": "True"}, follow=True).content.decode()
        assert "It has happened: the business system confirms it." in page
        assert url not in page

    assert Action.objects.get(pk=action.pk).status == ActionStatus.SUCCEEDED
    assert len(journal(shop)) == 1
