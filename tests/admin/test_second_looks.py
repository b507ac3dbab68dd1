"""What makes an approval need a second look: a second person, somebody who asked for it, a tool that has changed."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from agents import approvals
from agents.models import Action, Tool
from chat.models import Event, Turn
from smartsupport.lib.rest import decider_id
from tests import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def sam(client: Client) -> Client:
    client.force_login(rows.staff("sam", "agents.view_action", "agents.decide_action"))
    return client


@pytest.fixture
def nina() -> Client:
    client = Client()
    client.force_login(rows.staff("nina", "agents.view_action", "agents.decide_action"))
    return client


def url(action: Action, name: str = "change") -> str:
    return reverse(f"admin:agents_action_{name}", args=[action.pk])


def page_of(client: Client, action: Action) -> str:
    return client.get(url(action)).content.decode()


def decide(client: Client, action: Action, how: str = "approve", **form: str) -> Any:
    action.refresh_from_db()
    return client.post(url(action, how), {"_form_submitted": "True", "seen": action.arguments_hash, **form})


def told(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def needs_two(**fields: Any) -> Action:
    tool = rows.tool(
        "refund", approval="staff", approvals_needed=2, confirmation="Refund {order_id}.", **fields
    )
    return rows.action(rows.turn(rows.customer(name="Ada Stone")), tool, order_id="1042", percent=10)


def test_two_different_people_have_to_approve(sam: Client, nina: Client) -> None:
    action = needs_two()
    assert "Two different people have to approve this." in page_of(sam, action)

    first = decide(sam, action)

    action.refresh_from_db()
    assert (action.status, Turn.objects.get().status) == ("awaiting", "waiting")
    assert told(first) == (
        "You agree: Refund 1042. A second person has to approve it before anything is sent."
    )
    assert "Approved by sam; a second person has to agree." in page_of(nina, action)
    assert url(action, "approve") in page_of(nina, action)
    assert "You have approved this already." in page_of(sam, action)
    assert f'href="{url(action, "approve")}" hx' not in page_of(sam, action)

    again = decide(sam, action)
    assert told(again) == "You have approved this already. A second person has to agree."
    action.refresh_from_db()
    assert (action.status, len(action.votes)) == ("awaiting", 1)

    decide(nina, action)
    action.refresh_from_db()
    assert (action.status, action.decided_by_name) == ("approved", "nina")
    assert LogEntry.objects.count() == 2


def test_the_first_of_two_may_still_decline(sam: Client) -> None:
    action = needs_two()
    decide(sam, action)

    decide(sam, action, "decline", reason="I have changed my mind.")

    action.refresh_from_db()
    assert action.status == "rejected"


def test_a_change_by_the_second_person_asks_the_first_again(sam: Client, nina: Client) -> None:
    action = needs_two()
    decide(sam, action)
    form = nina.get(url(action, "approve_with_changes")).context["form"]
    keys = {slot.name: slot.key for slot in form.slots}
    shown = {key: form[key].value() or "" for key in keys.values()}

    answer = decide(nina, action, "approve_with_changes", **{**shown, keys["percent"]: "5"})

    action.refresh_from_db()
    assert (action.status, [vote["name"] for vote in action.votes]) == ("awaiting", ["nina"])
    assert "A second person has to approve it" in told(answer)
    assert "Changed by nina" in page_of(sam, action)
    decide(sam, action)
    action.refresh_from_db()
    assert (action.status, action.args["percent"]) == ("approved", 5)


def test_nobody_approves_what_they_asked_for_themselves(sam: Client, nina: Client) -> None:
    action = rows.waiting_for_staff()
    own = decider_id(User.objects.get(username="sam"))
    Turn.objects.filter(pk=action.turn_id).update(asked_by=own)
    size = rows.log_size(action.turn.conversation)

    page, answer = page_of(sam, action), decide(sam, action)

    action.refresh_from_db()
    assert "somebody else has to approve it. You can decline it." in page
    assert told(answer) == "You asked for this yourself. Somebody else has to approve it."
    assert (action.status, rows.log_size(action.turn.conversation)) == ("awaiting", size)
    assert "a message that sam sent for the customer" in page_of(nina, action)
    decide(nina, action)
    action.refresh_from_db()
    assert action.status == "approved"


def test_a_tool_that_has_changed_is_shown_before_and_after(sam: Client) -> None:
    action = rows.waiting_for_staff(order_id="1042", percent=10)
    tool = Tool.objects.get()
    schema = {**tool.input_schema, "required": ["order_id", "percent"]}
    schema["properties"] = {**schema["properties"], "percent": {"type": "integer", "maximum": 50}}
    Tool.objects.update(path="/orders/{order_id}/rebates", input_schema=schema)
    assert "When you approve this, it comes back once more" in page_of(sam, action)

    answer = decide(sam, action)

    page = page_of(sam, action)
    action.refresh_from_db()
    assert (action.status, action.reopened, Turn.objects.get().status) == ("awaiting", 1, "waiting")
    assert told(answer).startswith("The tool has changed since this was asked. Nothing was sent.")
    assert answer["Location"] == url(action)
    for shown in (
        "The tool has changed since this was asked", "Address", "/orders/{order_id}/apply_discount",
        "/orders/{order_id}/rebates", "Argument percent", "Required arguments", "order_id, percent",
    ):  # fmt: skip
        assert shown in page
    assert "it comes back once more" not in page
    decide(sam, action)
    action.refresh_from_db()
    assert action.status == "approved"


def test_a_tool_that_is_switched_off_can_only_be_declined(sam: Client) -> None:
    action = rows.waiting_for_staff()
    Tool.objects.update(enabled=False)
    assert "The tool is switched off. Switch it on first, or decline." in page_of(sam, action)

    answer = decide(sam, action)

    action.refresh_from_db()
    assert (action.status, action.reopened) == ("awaiting", 0)
    assert told(answer) == "The tool is switched off. Switch it on first, or decline."
    decide(sam, action, "decline", reason="It is off.")
    action.refresh_from_db()
    assert action.status == "rejected"


def test_what_a_take_over_cancelled_is_said(sam: Client) -> None:
    action = rows.waiting_for_staff()
    Action.objects.filter(pk=action.pk).update(status="cancelled")

    assert told(decide(sam, action)) == (
        "This was cancelled, because its conversation was stopped or taken over. Your decision changed nothing."
    )


@pytest.mark.parametrize(
    ("argument", "value", "approver"),
    [
        ("amount", 100, "customer"), ("amount", 100.0, "customer"), ("amount", 99.99, "customer"),
        ("amount", 100.01, "staff"), ("amount", 101, "staff"), ("amount", float("nan"), "staff"),
        ("amount", float("inf"), "staff"), ("amount", "5", "staff"), ("amount", "much", "staff"),
        ("amount", True, "staff"), ("amount", None, "staff"), ("amount", [1], "staff"), ("other", 5, "staff"),
    ],
)  # fmt: skip
def test_above_the_limit_staff_decide(argument: str, value: Any, approver: str) -> None:
    tool = rows.tool(approval="customer", staff_above_argument="amount", staff_above_amount="100.00")
    tool.refresh_from_db()

    assert approvals.approver_for(tool, {argument: value}) == approver


def test_below_the_limit_staff_cannot_decide_and_above_it_the_customer_cannot(sam: Client) -> None:
    tool = rows.tool(
        "refund", approval="customer", staff_above_argument="percent", staff_above_amount="100.00"
    )
    tool.refresh_from_db()
    low = rows.action(rows.turn(rows.customer()), tool, order_id="1", percent=100)
    high = rows.action(rows.turn(rows.customer()), tool, order_id="1", percent=101)
    customer = approvals.Decider("customer", "Ada", high.customer_id)

    assert told(decide(sam, low)) == "This is the customer's to decide. Nothing was changed."
    with pytest.raises(approvals.NotAllowed):
        approvals.decide(action_id=high.pk, approved=True, by=customer)

    assert set(Action.objects.values_list("status", flat=True)) == {"awaiting"}
    assert not Event.objects.filter(kind="approval_decided").exists()
