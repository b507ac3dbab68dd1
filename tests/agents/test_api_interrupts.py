"""REST: approvals."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from agents import approvals
from agents.models import Action, Tool
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
        {"approved": True, "args": [1]}, {"approved": True, "args": None}, {"approved": True, "args": "{}"},
        {"approved": True, "arguments": {"percent": 1}}, {"approved": True, "arguments_hash": 5}, [], [True], "true",
        {"approved": False, "args": {"order_id": "1042"}}, {"approved": True, "args": {}},
        {"approved": True, "args": {"order_id": "1042", "percent": "5"}},
        {"approved": True, "args": {"order_id": "1042", "surprise": 1}},
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


def test_what_is_looked_at_says_all_that_a_decision_needs(api: Client) -> None:
    action = rows.waiting_for_staff()

    row = api.get(f"{URL}/{action.pk}").json()["data"]

    assert row["arguments_hash"] == action.arguments_hash
    assert (row["approvals_needed"], row["votes"], row["difference"], row["reopened"]) == (1, [], [], 0)
    assert (row["proposed_params"], row["changed"], row["sent"]) == (None, {}, None)


def test_approving_with_other_arguments(api: Client) -> None:
    action = rows.waiting_for_staff(order_id="1042", percent=10)
    args = {"order_id": "1042", "percent": 5}

    answer = decide(
        api, action, {"approved": True, "args": args, "arguments_hash": action.arguments_hash}
    ).json()["data"]

    assert (answer["status"], answer["params"], answer["changed"]) == ("approved", args, {"percent": [10, 5]})
    assert answer["proposed_params"] == {"order_id": "1042", "percent": 10}
    assert answer["message"] == "Give 5% off order 1042."
    assert answer["arguments_hash"] != action.arguments_hash
    assert Event.objects.get(kind="approval_decided").payload["changed"] == {"percent": [10, 5]}


def test_arguments_that_the_tool_does_not_take_are_refused_in_words(api: Client) -> None:
    action = rows.waiting_for_staff()

    answer = decide(api, action, {"approved": True, "args": {"order_id": "1042", "percent": "much"}})

    action.refresh_from_db()
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_arguments")
    assert answer.json()["error"]["message"].startswith("Invalid argument percent:")
    assert (action.status, action.args["percent"]) == ("awaiting", 10)


def test_nobody_approves_what_they_did_not_see(api: Client) -> None:
    action = rows.waiting_for_staff()
    before = rows.log_size(action.turn.conversation)

    answer = decide(api, action, {"approved": True, "arguments_hash": "0" * 64})

    action.refresh_from_db()
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "arguments_changed")
    assert (action.status, rows.log_size(action.turn.conversation)) == ("awaiting", before)


def test_where_two_have_to_agree_the_first_hears_that_a_second_is_needed(client: Client) -> None:
    tool = rows.tool("refund", approval="staff", approvals_needed=2)
    action = rows.action(rows.turn(rows.customer()), tool)
    sam, kim = [rows.staff(name, "agents.decide_action") for name in ("sam", "kim")]

    client.force_login(sam)
    first = decide(client, action, {"approved": True})
    again = decide(client, action, {"approved": True})

    data = first.json()["data"]
    assert (first.status_code, data["status"], data["approvals_needed"]) == (200, "awaiting", 2)
    assert [vote["name"] for vote in data["votes"]] == ["sam"]
    assert (again.status_code, Turn.objects.get().status) == (403, "waiting")
    assert "A second person has to agree" in again.json()["error"]["message"]
    client.force_login(kim)
    assert decide(client, action, {"approved": True}).json()["data"]["status"] == "approved"


def test_a_key_is_nobody_where_two_people_have_to_agree(api: Client) -> None:
    tool = rows.tool("refund", approval="staff", approvals_needed=2)
    action = rows.action(rows.turn(rows.customer()), tool)

    refused = decide(api, action, {"approved": True})

    action.refresh_from_db()
    assert (refused.status_code, action.status, action.votes) == (403, "awaiting", [])
    assert "signed in to the console" in refused.json()["error"]["message"]


def test_a_key_cannot_approve_what_came_of_its_own_message(client: Client) -> None:
    client.defaults["HTTP_X_API_KEY"] = rows.key("conversations:write", "interrupts:decide")
    owner = rows.customer()
    sent = client.post(
        "/api/v1/conversations/t-own/messages",
        {"content": "10% off, please", "customer": {"subject": owner.subject, "name": "Ada"}},
        content_type="application/json",
    )
    turn = Turn.objects.select_related("conversation").get(pk=sent.json()["data"]["turn_id"])
    action = rows.action(turn, rows.tool("apply_discount", approval="staff"))

    refused = decide(client, action, {"approved": True})

    action.refresh_from_db()
    assert (refused.status_code, action.status) == (403, "awaiting")
    assert refused.json()["error"]["message"].startswith("You asked for this yourself.")
    assert decide(client, action, {"approved": False}).json()["data"]["status"] == "rejected"


def test_a_tool_that_has_changed_brings_the_approval_back_with_the_difference(api: Client) -> None:
    action = rows.waiting_for_staff()
    Tool.objects.update(path="/orders/{order_id}/rebates")

    refused = decide(api, action, {"approved": True})

    data = api.get(f"{URL}/{action.pk}").json()["data"]
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "tool_changed")
    assert (data["status"], data["reopened"]) == ("awaiting", 1)
    assert data["difference"] == [
        {"field": "path", "was": "/orders/{order_id}/apply_discount", "now": "/orders/{order_id}/rebates"}
    ]
    seen = {"approved": True, "arguments_hash": data["arguments_hash"]}
    assert decide(api, action, seen).json()["data"]["status"] == "approved"


def test_a_tool_that_is_switched_off_is_not_approved(api: Client) -> None:
    action = rows.waiting_for_staff()
    Tool.objects.update(enabled=False)

    refused = decide(api, action, {"approved": True})

    action.refresh_from_db()
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "tool_switched_off")
    assert action.status == "awaiting"
    assert decide(api, action, {"approved": False, "reason": "Off."}).json()["data"]["status"] == "rejected"


@pytest.mark.parametrize("sent_again", [False, True])
def test_a_refusal_that_has_written_something_keeps_it_also_under_an_idempotency_key(
    api: Client, sent_again: bool
) -> None:
    """The route's transaction is not undone by them: that an approval is over, or has come back, is told at once."""
    over, moved = rows.waiting_for_staff(), rows.waiting_for_staff()
    Action.objects.filter(pk=over.pk).update(expires_at=timezone.now())

    def sent(action: Action, key: str) -> tuple[int, str]:
        url, headers = f"{URL}/{action.pk}/decision", {"Idempotency-Key": key}
        answer = api.post(url, {"approved": True}, content_type="application/json", headers=headers)
        return answer.status_code, answer.json()["error"]["code"]

    assert sent(over, "d-1") == (410, "approval_expired")
    Tool.objects.update(path="/orders/{order_id}/rebates")
    assert sent(moved, "d-2") == (409, "tool_changed")
    if sent_again:
        assert sent(over, "d-1") == (410, "approval_expired")
        assert sent(moved, "d-2") == (409, "arguments_changed")

    over.refresh_from_db()
    moved.refresh_from_db()
    assert (over.status, moved.status, moved.reopened) == ("expired", "awaiting", 1)
    told = Event.objects.filter(kind__in=["approval_expired", "approval_reopened"])
    assert sorted(told.values_list("kind", flat=True)) == ["approval_expired", "approval_reopened"]
    assert Turn.objects.get(pk=over.turn_id).status == "queued"


def settle(client: Client, action: Action, body: Any) -> Any:
    return client.post(f"{URL}/{action.pk}/settlement", body, content_type="application/json")


@pytest.mark.parametrize(("happened", "outcome"), [(True, "succeeded"), (False, "failed")])
def test_an_unknown_outcome_is_settled(api: Client, happened: bool, outcome: str) -> None:
    action = rows.outcome_unknown()

    answer = settle(api, action, {"happened": happened, "note": "In the ledger."})

    assert (answer.status_code, answer.json()["data"]["outcome"]) == (200, outcome)
    payload = Event.objects.get(kind="action_settled").payload
    assert (payload["by_name"], payload["note"]) == ("API key Refund robot", "In the ledger.")
    second = settle(api, action, {"happened": not happened, "note": "No."})
    assert (second.status_code, second.json()["error"]["code"]) == (409, "not_unknown")
    assert second.json()["error"]["outcome"] == outcome


@pytest.mark.parametrize(
    "body",
    [
        {}, {"happened": True}, {"note": "x"}, {"happened": "true", "note": "x"}, {"happened": 1, "note": "x"},
        {"happened": True, "note": " "}, {"happened": True, "note": 5}, {"happened": True, "note": "x" * 501},
        {"happened": True, "note": "x", "more": 1}, [], None,
    ],
)  # fmt: skip
def test_a_settlement_that_cannot_be_changes_nothing(api: Client, body: Any) -> None:
    action = rows.outcome_unknown()
    before = rows.log_size(action.turn.conversation)

    answer = settle(api, action, body)

    action.refresh_from_db()
    assert (answer.status_code, action.status) == (400, "unknown")
    assert rows.log_size(action.turn.conversation) == before


@pytest.mark.parametrize("route", ["settlement", "repeat"])
def test_what_is_not_unknown_is_neither_settled_nor_sent_again(api: Client, route: str) -> None:
    action = rows.waiting_for_staff()
    body = {"happened": True, "note": "x"} if route == "settlement" else None

    answer = api.post(f"{URL}/{action.pk}/{route}", body, content_type="application/json")

    action.refresh_from_db()
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_unknown")
    assert (action.status, action.attempts) == ("awaiting", 0)


def test_what_is_not_declared_safe_is_not_sent_again(api: Client) -> None:
    action = rows.outcome_unknown()

    answer = api.post(f"{URL}/{action.pk}/repeat")

    action.refresh_from_db()
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_repeatable")
    assert "is not declared safe to send again" in answer.json()["error"]["message"]
    assert (action.status, action.repeats) == ("unknown", 0)


@pytest.mark.parametrize("route", ["settlement", "repeat"])
def test_a_key_that_may_only_read_settles_and_repeats_nothing(client: Client, route: str) -> None:
    client.defaults["HTTP_X_API_KEY"] = rows.key("interrupts:read")
    action = rows.outcome_unknown()

    answer = client.post(
        f"{URL}/{action.pk}/{route}", {"happened": True, "note": "x"}, content_type="application/json"
    )

    action.refresh_from_db()
    assert (answer.status_code, action.status, action.repeats) == (403, "unknown", 0)
