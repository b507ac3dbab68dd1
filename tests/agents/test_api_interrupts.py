"""REST: approvals."""

from typing import Any

import pytest
from django.test import Client

from agents import approvals
from agents.models import Action
from chat.models import Event, Turn
from tests import rows

pytestmark = pytest.mark.django_db

URL = "/api/v1/interrupts"


@pytest.fixture
def api(client: Client) -> Client:
    client.defaults["HTTP_X_API_KEY"] = rows.key("interrupts:read", "interrupts:decide", name="Refund robot")
    return client


def decide(client: Client, action: Action, body: Any) -> Any:
    return client.post(f"{URL}/{action.pk}/decision", body, content_type="application/json")


def test_what_waits_is_listed_oldest_first(api: Client) -> None:
    first, second = rows.waiting_for_staff(percent=5), rows.waiting_for_staff(percent=10)

    data = api.get(f"{URL}?status=awaiting").json()["data"]

    assert [row["interrupt_id"] for row in data["interrupts"]] == [str(first.pk), str(second.pk)]
    assert (data["total"], data["page"], data["per_page"]) == (2, 1, 20)
    row = data["interrupts"][1]
    assert (row["action"], row["params"], row["approver"]) == ("apply_discount", {"percent": 10}, "staff")
    assert (row["status"], row["outcome"], row["thread_id"]) == (
        "awaiting", None, second.turn.conversation.thread_id,
    )  # fmt: skip


def test_statuses(api: Client) -> None:
    made = {
        name: rows.waiting_for_staff()
        for name in ("awaiting", "approved", "succeeded", "rejected", "expired")
    }
    for name, action in made.items():
        Action.objects.filter(pk=action.pk).update(status=name)

    def listed(status: str) -> set[tuple[str, str | None]]:
        found = api.get(f"{URL}?status={status}").json()["data"]["interrupts"]
        return {(row["status"], row["outcome"]) for row in found}

    assert listed("awaiting") == {("awaiting", None)}
    assert listed("approved") == {("approved", "pending"), ("approved", "succeeded")}
    assert listed("rejected") == {("rejected", None)}
    assert listed("expired") == {("expired", None)}
    assert listed("cancelled") == set()
    assert api.get(URL).json()["data"]["total"] == 5
    assert api.get(f"{URL}?status=pending").status_code == 400


def test_a_long_list_costs_as_many_queries_as_a_short_one(
    api: Client, django_assert_num_queries: object
) -> None:
    for _ in range(8):
        rows.waiting_for_staff()

    api.get(URL)
    with django_assert_num_queries(3):  # the key, the count, the page with tools and threads
        assert len(api.get(URL).json()["data"]["interrupts"]) == 8


@pytest.mark.parametrize(("approved", "status"), [(True, "approved"), (False, "rejected")])
def test_a_decision_counts_and_is_signed_by_the_key(api: Client, approved: bool, status: str) -> None:
    action = rows.waiting_for_staff()

    answer = decide(api, action, {"approved": approved, "reason": "Fair enough."})

    data = answer.json()["data"]
    assert (answer.status_code, data["status"], data["decided_by"]) == (200, status, "staff")
    assert (data["decided_by_name"], data["reason"]) == ("API key Refund robot", "Fair enough.")
    assert Turn.objects.get().status == "queued"
    fact = Event.objects.get(kind="approval_decided").payload
    assert (fact["resolution"], fact["by_name"]) == (status, "API key Refund robot")


def test_staff_sign_with_their_name(client: Client) -> None:
    client.force_login(rows.staff("sam", "agents.decide_action"))
    action = rows.waiting_for_staff()

    assert decide(client, action, {"approved": True}).json()["data"]["decided_by_name"] == "sam"


@pytest.mark.parametrize(
    "body",
    [
        {"approved": "true"}, {"approved": 1}, {"approved": None}, {"approved": "yes"}, {"approved": [True]},
        {}, {"approved": True, "reason": 5}, {"approved": True, "reason": "x" * 501},
        {"approved": True, "args": {"percent": 1}}, [], [True], "true",
    ],
)  # fmt: skip
def test_only_a_json_boolean_decides(api: Client, body: Any) -> None:
    action = rows.waiting_for_staff()
    before = rows.log_size(action.turn.conversation)

    answer = decide(api, action, body)

    action.refresh_from_db()
    assert (answer.status_code, action.status, Turn.objects.get().status) == (400, "awaiting", "waiting")
    assert rows.log_size(action.turn.conversation) == before


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"]
)
def test_only_json_decides(api: Client, kind: str) -> None:
    action = rows.waiting_for_staff()

    answer = api.post(f"{URL}/{action.pk}/decision", "approved=true", content_type=kind)

    action.refresh_from_db()
    assert (answer.status_code, action.status) == (415, "awaiting")


def test_the_second_decision_hears_who_was_first(api: Client) -> None:
    action = rows.waiting_for_staff()
    approvals.decide(action_id=action.pk, approved=True, by=approvals.Decider("staff", "sam"))

    answer = decide(api, action, {"approved": False})

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["message"]) == (
        409,
        "already_decided",
        "Already decided",
    )
    assert (error["resolution"], error["by"], error["by_name"]) == ("approved", "staff", "sam")
    action.refresh_from_db()
    assert action.status == "approved"


def test_an_expired_approval_cannot_be_decided(api: Client) -> None:
    action = rows.action(rows.turn(rows.customer()), rows.tool(approval="staff"), expired=True)

    answer = decide(api, action, {"approved": True})

    action.refresh_from_db()
    assert (answer.status_code, action.status) == (410, "expired")
    assert answer.json()["error"]["message"].startswith("The approval request for 'cancel_order' has expired")


def test_what_is_the_customers_to_decide_is_not_decided_here(api: Client) -> None:
    action = rows.action(rows.turn(rows.customer()), rows.tool(approval="customer"))

    answer = decide(api, action, {"approved": True})

    action.refresh_from_db()
    assert (answer.status_code, action.status) == (403, "awaiting")


@pytest.mark.parametrize("interrupt_id", ["x", "5d8b2c7e-0f3a-4d52-9c1e-6a7b8c9d0e1f"])
def test_an_unknown_approval_is_not_found(api: Client, interrupt_id: str) -> None:
    body = {"approved": True}

    assert api.get(f"{URL}/{interrupt_id}").status_code == 404
    assert (
        api.post(f"{URL}/{interrupt_id}/decision", body, content_type="application/json").status_code == 404
    )


def test_a_key_that_may_only_read_decides_nothing(client: Client) -> None:
    client.defaults["HTTP_X_API_KEY"] = rows.key("interrupts:read")
    action = rows.waiting_for_staff()

    answer = decide(client, action, {"approved": True})

    action.refresh_from_db()
    assert (answer.status_code, action.status) == (403, "awaiting")
