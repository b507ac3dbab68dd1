"""Carrying out approved actions on the demo business: once, as approved, or nobody knows and we say so."""

from typing import Any

import httpx
import pytest
from django.conf import LazySettings
from django.db import connection

from agents.executor import UNKNOWN_MESSAGE
from agents.models import Action, ActionStatus, Tool
from chat.models import Event
from tests import rows
from tests.at_once import at_once
from tests.demo.program import Program
from tests.factories import approved_action, execute
from tests.live.stack import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("executor")]


def journal(shop: httpx.Client) -> list[dict[str, Any]]:
    return list(shop.get("/_journal").json())


def events(action: Action) -> list[tuple[str, Any]]:
    return list(Event.objects.filter(turn_id=action.turn_id).values_list("kind", "payload"))


def kinds(action: Action) -> list[str]:
    return [kind for kind, _ in events(action)]


def returned(action: Action) -> dict[str, Any]:
    """The one result that the log has of the action."""
    [payload] = [payload for kind, payload in events(action) if kind == "tool_returned"]
    return dict(payload)


def test_an_approved_action_is_carried_out_once(tools: dict[str, Tool], shop: httpx.Client) -> None:
    action, claim = approved_action(tools["cancel_order"], order_id=1042)

    done = execute(action, claim)

    assert done.status == ActionStatus.SUCCEEDED
    assert (done.attempts, done.http_status, done.error_kind) == (1, 200, "")
    [effect] = journal(shop)
    assert effect["path"] == "/shop/customers/cus_1001/orders/1042/cancellation"
    assert effect["idempotency_key"] == str(action.pk)
    assert kinds(action)[-2:] == ["tool_called", "tool_returned"]
    assert returned(action)["ok"] is True
    assert done.result["order"]["status"] == "cancelled"


def test_a_second_call_returns_the_settled_row(tools: dict[str, Tool], shop: httpx.Client) -> None:
    action, claim = approved_action(tools["cancel_order"], order_id=1042)
    first = execute(action, claim)

    again = execute(action, claim)

    assert again.finished_at == first.finished_at
    assert len(journal(shop)) == 1
    assert kinds(action).count("tool_returned") == 1


@pytest.mark.parametrize(
    "status", ["awaiting", "rejected", "expired", "cancelled", "failed", "unknown", "succeeded"]
)
def test_nothing_but_an_approved_action_is_sent(
    status: str,
    tools: dict[str, Tool],
    shop: httpx.Client,
) -> None:
    action, claim = approved_action(tools["cancel_order"], order_id=1042)
    Action.objects.filter(pk=action.pk).update(status=status)
    before = kinds(action)

    assert execute(action, claim).status == status

    assert journal(shop) == []
    assert kinds(action) == before


def change_arguments(action: Action) -> None:
    Action.objects.filter(pk=action.pk).update(arguments='{"order_id":1043}')


def change_customer(action: Action) -> None:
    Action.objects.filter(pk=action.pk).update(customer=rows.customer())


def change_binding(action: Action) -> None:
    Action.objects.filter(pk=action.pk).update(bound_arguments='{"customer_id":"cus_1002"}')


def change_approver(action: Action) -> None:
    Action.objects.filter(pk=action.pk).update(approver="staff")


def switch_tool_off(action: Action) -> None:
    Tool.objects.filter(pk=action.tool_id).update(enabled=False)


def move_tool(action: Action) -> None:
    Tool.objects.filter(pk=action.tool_id).update(
        path="/shop/customers/{customer_id}/orders/{order_id}/discount"
    )


def require_staff(action: Action) -> None:
    Tool.objects.filter(pk=action.tool_id).update(approval="staff")


def decide_late(action: Action) -> None:
    Action.objects.filter(pk=action.pk).update(expires_at=action.created_at)


NOT_APPROVED = "The arguments are not the ones that were approved."


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (change_arguments, NOT_APPROVED),
        (change_customer, NOT_APPROVED),
        (change_binding, NOT_APPROVED),
        (change_approver, NOT_APPROVED),
        (decide_late, "The approval came too late."),
    ],
)
def test_what_is_not_as_it_was_approved_is_not_sent(
    change: Any,
    why: str,
    tools: dict[str, Tool],
    shop: httpx.Client,
) -> None:
    action, claim = approved_action(tools["cancel_order"], order_id=1042)
    change(action)

    done = execute(action, claim)

    assert (done.status, done.error_message) == (ActionStatus.FAILED, why)
    assert (done.attempts, done.dispatched_at) == (0, None)
    assert journal(shop) == []
    assert returned(action)["error"] == {"kind": "validation", "message": why}


@pytest.mark.parametrize(
    ("change", "field"),
    [(switch_tool_off, "enabled"), (move_tool, "path"), (require_staff, "approval")],
)
def test_what_was_approved_of_another_tool_goes_back_to_staff_with_the_difference(
    change: Any, field: str, tools: dict[str, Tool], shop: httpx.Client
) -> None:
    action, claim = approved_action(tools["cancel_order"], order_id=1042)
    before = Tool.objects.get(pk=action.tool_id)
    change(action)
    now = Tool.objects.get(pk=action.tool_id)

    back = execute(action, claim)

    assert (back.status, back.approver, back.reopened) == (ActionStatus.AWAITING, "staff", 1)
    assert (back.attempts, back.dispatched_at, back.decided_at, back.decided_by) == (0, None, None, "")
    assert back.difference == [
        {"field": field, "was": getattr(before, field), "now": getattr(now, field)},
    ]
    assert back.arguments_hash == back.expected_hash()
    assert back.tool_fingerprint == now.fingerprint()
    assert journal(shop) == []
    kinds = Event.objects.filter(turn_id=action.turn_id).values_list("kind", flat=True)
    assert "tool_called" not in kinds
    told = Event.objects.get(turn_id=action.turn_id, kind="approval_reopened").payload
    assert (told["interrupt_id"], told["approver"], told["difference"]) == (
        str(action.pk),
        "staff",
        back.difference,
    )


def test_what_was_not_approved_is_not_asked_for_again_when_its_tool_changes_too(
    tools: dict[str, Tool], shop: httpx.Client
) -> None:
    action, claim = approved_action(tools["cancel_order"], order_id=1042)
    change_arguments(action)
    move_tool(action)

    done = execute(action, claim)

    assert (done.status, done.error_message) == (ActionStatus.FAILED, NOT_APPROVED)
    assert journal(shop) == []


def test_what_is_about_to_be_sent_is_kept_for_staff(tools: dict[str, Tool], shop: httpx.Client) -> None:
    action, claim = approved_action(tools["cancel_order"], order_id=1042)

    done = execute(action, claim)

    [effect] = journal(shop)
    assert (done.sent["method"], done.sent["body"]) == (effect["method"], effect["body"])
    assert done.sent["url"].endswith(effect["path"])


def test_a_refusal_of_the_business_is_passed_on_in_its_own_words(
    tools: dict[str, Tool],
    shop: httpx.Client,
) -> None:
    execute(*approved_action(tools["cancel_order"], order_id=1042))

    action, claim = approved_action(tools["cancel_order"], order_id=1042)
    done = execute(action, claim)

    assert (done.status, done.error_kind, done.http_status) == (ActionStatus.FAILED, "validation", 409)
    assert done.error_message == "Order 1042 is already cancelled."
    assert len(journal(shop)) == 1


def test_the_answer_422_carries_the_message(tools: dict[str, Tool], shop: httpx.Client) -> None:
    """The policy would have refused this before an approval; here the business does."""
    action, claim = approved_action(tools["apply_discount"], order_id=1042, percent=150)

    done = execute(action, claim)

    assert (done.status, done.http_status) == (ActionStatus.FAILED, 422)
    assert done.error_message == "Invalid discount: 150%. Must be between 1 and 100."
    assert journal(shop) == []


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_the_staffs_business(
    status: int,
    tools: dict[str, Tool],
    shop: httpx.Client,
) -> None:
    shop.post("/_faults", json={"operation": "cancel_order", "fail": status})
    action, claim = approved_action(tools["cancel_order"], order_id=1042)

    done = execute(action, claim)

    assert (done.status, done.error_kind, done.http_status) == (ActionStatus.FAILED, "auth", status)
    assert shop.get("/_faults").json()[0]["fired"] == 1
    assert journal(shop) == []


def test_an_answer_lost_after_acting_is_asked_for_again_with_the_same_key(
    tools: dict[str, Tool],
    shop: httpx.Client,
) -> None:
    shop.post("/_faults", json={"operation": "cancel_order", "drop": "after", "times": 1})
    action, claim = approved_action(tools["cancel_order"], order_id=1042)

    done = execute(action, claim)

    assert done.status == ActionStatus.SUCCEEDED
    [effect] = journal(shop)
    assert effect["idempotency_key"] == str(action.pk)


@pytest.mark.parametrize("drop", ["after", "before"])
def test_an_action_that_is_not_safe_to_repeat_becomes_unknown_and_is_never_sent_again(
    drop: str,
    tools: dict[str, Tool],
    shop: httpx.Client,
) -> None:
    Tool.objects.update(repeat_safe=False)
    tools["cancel_order"].refresh_from_db()
    shop.post("/_faults", json={"operation": "cancel_order", "drop": drop})
    action, claim = approved_action(tools["cancel_order"], order_id=1042)

    done = execute(action, claim)
    execute(action, claim)

    assert (done.status, done.error_kind, done.error_message) == (
        ActionStatus.UNKNOWN,
        "unknown",
        UNKNOWN_MESSAGE,
    )
    assert len(journal(shop)) == (1 if drop == "after" else 0)
    assert shop.get("/_faults").json()[0]["fired"] == 1
    assert returned(action)["error"]["message"] == UNKNOWN_MESSAGE


def test_an_answer_lost_before_acting_is_asked_for_again(
    tools: dict[str, Tool],
    shop: httpx.Client,
) -> None:
    shop.post("/_faults", json={"operation": "cancel_order", "drop": "before", "times": 2})
    action, claim = approved_action(tools["cancel_order"], order_id=1042)

    assert execute(action, claim).status == ActionStatus.SUCCEEDED

    assert len(journal(shop)) == 1


def test_lost_answers_to_the_end_are_unknown(tools: dict[str, Tool], shop: httpx.Client) -> None:
    shop.post("/_faults", json={"operation": "cancel_order", "drop": "after"})
    action, claim = approved_action(tools["cancel_order"], order_id=1042)

    assert execute(action, claim).status == ActionStatus.UNKNOWN

    assert len(journal(shop)) == 1
    assert shop.get("/_faults").json()[0]["fired"] == 3


def test_a_refusal_after_a_lost_answer_does_not_make_it_a_failure(
    tools: dict[str, Tool],
    shop: httpx.Client,
) -> None:
    """The first attempt acted; that the second was turned away at the door says nothing of it."""
    shop.post("/_faults", json={"operation": "cancel_order", "drop": "after", "times": 1})
    shop.post("/_faults", json={"operation": "cancel_order", "fail": 401})
    action, claim = approved_action(tools["cancel_order"], order_id=1042)

    assert execute(action, claim).status == ActionStatus.UNKNOWN

    assert len(journal(shop)) == 1


@pytest.mark.parametrize("repeat_safe", [True, False])
def test_an_answer_of_503_says_nothing_about_the_effect(
    repeat_safe: bool,
    tools: dict[str, Tool],
    shop: httpx.Client,
) -> None:
    Tool.objects.update(repeat_safe=repeat_safe)
    tools["cancel_order"].refresh_from_db()
    shop.post("/_faults", json={"operation": "cancel_order", "fail": 503})
    action, claim = approved_action(tools["cancel_order"], order_id=1042)

    done = execute(action, claim)

    assert (done.status, done.http_status) == (ActionStatus.UNKNOWN, 503)
    assert shop.get("/_faults").json()[0]["fired"] == (3 if repeat_safe else 1)
    assert journal(shop) == []


def test_too_many_requests_means_that_nothing_happened(
    tools: dict[str, Tool],
    shop: httpx.Client,
) -> None:
    Tool.objects.update(repeat_safe=False)
    tools["cancel_order"].refresh_from_db()
    shop.post("/_faults", json={"operation": "cancel_order", "fail": 429, "times": 2})
    action, claim = approved_action(tools["cancel_order"], order_id=1042)

    assert execute(action, claim).status == ActionStatus.SUCCEEDED

    assert len(journal(shop)) == 1


def test_a_business_that_cannot_be_reached_has_done_nothing(
    tools: dict[str, Tool],
    shop: httpx.Client,
    settings: LazySettings,
) -> None:
    Tool.objects.update(server_url="http://127.0.0.1:1")
    settings.SAFE_HTTP_ALLOWED_HOSTS = ["127.0.0.1:1"]
    tools["cancel_order"].refresh_from_db()
    action, claim = approved_action(tools["cancel_order"], order_id=1042)

    done = execute(action, claim)

    assert (done.status, done.error_kind) == (ActionStatus.FAILED, "transient")
    assert done.error_message == "The business system cannot be reached."
    assert journal(shop) == []


def test_an_address_that_is_not_allowed_is_never_called(
    tools: dict[str, Tool],
    shop: httpx.Client,
    settings: LazySettings,
) -> None:
    settings.SAFE_HTTP_ALLOWED_HOSTS = []
    action, claim = approved_action(tools["cancel_order"], order_id=1042)

    done = execute(action, claim)

    assert (done.status, done.error_message) == (
        ActionStatus.FAILED,
        "The address of this tool is not allowed.",
    )
    assert journal(shop) == []


def test_a_business_slower_than_the_limit_leaves_it_unknown(
    tools: dict[str, Tool],
    shop: httpx.Client,
    settings: LazySettings,
) -> None:
    settings.TOOL_TIMEOUT_SECONDS = 1
    held(shop)
    action, claim = approved_action(tools["cancel_order"], order_id=1042)

    done = execute(action, claim)

    assert done.status == ActionStatus.UNKNOWN  # while the business still holds it
    assert shop.get("/_faults").json()[0]["fired"] == 1


def held(shop: httpx.Client) -> None:
    """The business keeps cancellations waiting until its faults are cleared."""
    shop.post("/_faults", json={"operation": "cancel_order", "hold": True})


def arrived(demo: Program, times: int = 1) -> None:
    """Wait until so many requests have reached the business."""
    with httpx.Client(base_url=demo.url, trust_env=False) as client:
        until(lambda: client.get("/_faults").json()[0]["fired"] >= times)


def test_the_dispatch_is_recorded_before_anything_is_sent(
    tools: dict[str, Tool],
    shop: httpx.Client,
    demo: Program,
) -> None:
    held(shop)
    action, claim = approved_action(tools["cancel_order"], order_id=1042)

    def look() -> tuple[str, int, str]:
        arrived(demo)
        row = Action.objects.get(pk=action.pk)
        seen = row.status, row.attempts, kinds(action)[-1]
        shop.delete("/_faults")
        return seen

    done, seen = at_once([lambda: execute(action, claim), look])

    assert seen == ("dispatching", 1, "tool_called")
    assert isinstance(done, Action)
    assert done.status == ActionStatus.SUCCEEDED


def test_a_database_that_hangs_up_meanwhile_does_not_lose_the_outcome(
    tools: dict[str, Tool],
    shop: httpx.Client,
    demo: Program,
) -> None:
    held(shop)
    action, claim = approved_action(tools["cancel_order"], order_id=1042)

    def hang_up() -> None:
        arrived(demo)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        shop.delete("/_faults")

    done, hung_up = at_once([lambda: execute(action, claim), hang_up])

    connection.close()  # it was hung up on, too
    assert hung_up is None
    assert isinstance(done, Action), done
    assert done.status == ActionStatus.SUCCEEDED
    assert len(journal(shop)) == 1
    assert returned(action)["ok"] is True
