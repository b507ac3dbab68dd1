"""The subscription and the bank account."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.demo.program import journal, message

SAAS = "/saas/customers/cus_1001"
BANK = "/bank/customers/cus_1001"


def test_a_plan_change_is_charged_for_the_rest_of_the_period(business: httpx.Client) -> None:
    before = business.get(f"{SAAS}/account").json()["subscription"]
    today = datetime.now(UTC).date()

    changed = business.put(f"{SAAS}/subscription/plan", json={"plan": "business"}).json()

    ends = datetime.fromisoformat(before["current_period_ends_on"]).date()
    # It may be midnight.
    rest = {(ends - day).days for day in (today, datetime.now(UTC).date())}
    assert before["plan"] == changed["previous_plan"] == "team"
    assert changed["prorated_charge"]["amount"] in {f"{(39 - 19) * 3 * days / 30:.2f}" for days in rest}
    account = business.get(f"{SAAS}/account").json()
    assert account["subscription"] == changed["subscription"]
    assert account["subscription"]["plan"] == "business"
    assert account["amount_owed"] == changed["prorated_charge"]
    assert business.get(f"{SAAS}/invoices").json()["invoices"][0] == changed["invoice"]


def test_a_downgrade_is_credited_and_not_billed(business: httpx.Client) -> None:
    invoices = business.get(f"{SAAS}/invoices").json()

    changed = business.put(f"{SAAS}/subscription/plan", json={"plan": "starter"}).json()

    assert changed["prorated_charge"]["amount"].startswith("-")
    assert changed["invoice"] is None
    assert business.get(f"{SAAS}/invoices").json() == invoices


@pytest.mark.parametrize(
    ("plan", "status", "reason"),
    [
        ("team", 409, "The subscription is already on the Team plan."),
        ("platinum", 422, "plan must be one of: free, starter, team, business, enterprise."),
    ],
)
def test_a_plan_change_that_makes_no_sense_changes_nothing(
    business: httpx.Client, plan: str, status: int, reason: str
) -> None:
    before = business.get(f"{SAAS}/account").json()

    refused = business.put(f"{SAAS}/subscription/plan", json={"plan": plan})

    assert (refused.status_code, message(refused)) == (status, reason)
    assert business.get(f"{SAAS}/account").json() == before
    assert journal(business) == []


def test_a_plan_that_is_too_small_for_the_seats_is_refused(business: httpx.Client) -> None:
    for number in range(1002, 1241):
        account = f"/saas/customers/cus_{number}"
        subscription = business.get(f"{account}/account").json()["subscription"]
        if subscription["seats"] > 5 and subscription["status"] == "active":
            break

    refused = business.put(f"{account}/subscription/plan", json={"plan": "starter"})

    assert refused.status_code == 409
    seats = subscription["seats"]
    assert message(refused) == f"The Starter plan allows 5 seats, and this account has {seats}."
    assert journal(business) == []


def test_a_cancelled_subscription_runs_out_and_can_be_resumed(business: httpx.Client) -> None:
    ends = business.get(f"{SAAS}/account").json()["subscription"]["current_period_ends_on"]

    cancelled = business.post(f"{SAAS}/subscription/cancellation", json={"reason": "Too expensive"}).json()

    subscription = business.get(f"{SAAS}/account").json()["subscription"]
    assert subscription == cancelled["subscription"]
    assert (subscription["cancel_at_period_end"], subscription["ends_on"], subscription["renews_on"]) == (
        True,
        ends,
        None,
    )
    again = business.post(f"{SAAS}/subscription/cancellation")
    assert (again.status_code, message(again)) == (
        409,
        f"The subscription is already cancelled and ends on {ends}.",
    )
    plan = business.put(f"{SAAS}/subscription/plan", json={"plan": "free"})
    assert (plan.status_code, message(plan)) == (
        409,
        f"The subscription ends on {ends}. Resume it before changing the plan.",
    )

    business.post(f"{SAAS}/subscription/resumption")

    assert business.get(f"{SAAS}/account").json()["subscription"]["renews_on"] == ends
    assert business.post(f"{SAAS}/subscription/resumption").status_code == 409
    assert [entry["operation"] for entry in journal(business)] == [
        "cancel_subscription",
        "resume_subscription",
    ]


def test_an_old_subscription_has_renewed_since_and_a_cancelled_one_ends_when_promised(start: Any) -> None:
    client = start(None, "--today", "2026-03-01").client
    today = datetime.now(UTC).date()

    before = client.get(f"{SAAS}/account").json()["subscription"]
    cancelled = client.post(f"{SAAS}/subscription/cancellation").json()["subscription"]

    assert before["status"] == "active"
    latest = datetime.now(UTC).date() + timedelta(days=30)
    assert str(today) < before["current_period_ends_on"] <= str(latest)
    assert cancelled["ends_on"] == before["current_period_ends_on"]


def test_the_history_is_newest_first_and_can_be_narrowed(business: httpx.Client) -> None:
    everything = business.get(f"{BANK}/transactions", params={"limit": 100}).json()
    northwind = business.get(f"{BANK}/transactions", params={"text": "northwind"}).json()
    day = everything["transactions"][10]["at"][:10]
    that_day = business.get(f"{BANK}/transactions", params={"since": day, "until": day, "limit": 100}).json()

    assert everything["total"] == len(everything["transactions"]) >= 40
    times = [transaction["at"] for transaction in everything["transactions"]]
    assert times == sorted(times, reverse=True)
    assert [t["amount"]["amount"] for t in northwind["transactions"]] == ["-14.99", "-14.99"]
    assert that_day["transactions"] == [t for t in everything["transactions"] if t["at"].startswith(day)]
    assert len(business.get(f"{BANK}/transactions").json()["transactions"]) == 20


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"since": "2026-02-30"}, "since must be a day written as YYYY-MM-DD."),
        ({"since": "20260101"}, "since must be a day written as YYYY-MM-DD."),
        ({"since": "2026-02-02", "until": "2026-02-01"}, "since must not be later than until."),
        ({"limit": "0"}, "limit must be a whole number from 1 to 100."),
        ({"limit": "ten"}, "limit must be a whole number."),
        ({"text": " "}, "text must not be empty."),
        ({"limt": "5"}, "limt is not a parameter of this operation."),
        ({"limit": ["1", "2"]}, "limit must be given once."),
    ],
)
def test_a_history_that_cannot_be_asked_for(
    business: httpx.Client, query: dict[str, Any], reason: str
) -> None:
    refused = business.get(f"{BANK}/transactions", params=query)

    assert (refused.status_code, message(refused)) == (422, reason)


def test_the_balance_counts_what_was_posted(business: httpx.Client) -> None:
    account = business.get(f"{BANK}/account").json()

    def number(name: str) -> int:
        return int(account[name]["amount"].replace(".", ""))

    assert number("balance") + number("pending") == number("available")


def test_a_dispute_is_filed_and_followed(business: httpx.Client) -> None:
    twice = business.get(f"{BANK}/transactions", params={"text": "Northwind"}).json()["transactions"][0]

    filed = business.post(
        f"{BANK}/disputes", json={"transaction_id": twice["transaction_id"], "reason": "I was charged twice."}
    )

    assert filed.status_code == 201
    number = filed.json()["dispute_id"]
    dispute = business.get(f"{BANK}/disputes/{number}").json()
    assert dispute == filed.json()["dispute"]
    assert (dispute["status"], dispute["reason"]) == ("received", "I was charged twice.")
    assert dispute["amount"] == {"amount": "14.99", "currency": "EUR"}
    assert business.get(f"{BANK}/disputes").json()["disputes"][0] == dispute
    marked = business.get(f"{BANK}/transactions", params={"text": "Northwind"}).json()["transactions"][0]
    assert marked["dispute_id"] == number


def test_there_is_a_dispute_to_ask_about_from_the_first_day(business: httpx.Client) -> None:
    disputes = business.get(f"{BANK}/disputes").json()["disputes"]

    assert [(d["dispute_id"], d["status"]) for d in disputes] == [(5001, "under_review")]
    foreign = business.get("/bank/customers/cus_1002/disputes/5001")
    assert (foreign.status_code, message(foreign)) == (404, "Dispute 5001 was not found.")


def test_what_cannot_be_disputed(business: httpx.Client) -> None:
    salary = business.get(f"{BANK}/transactions", params={"text": "Salary"}).json()["transactions"][0]
    disputed = business.get(f"{BANK}/disputes/5001").json()["transaction_id"]
    number = salary["transaction_id"]

    def refused(transaction_id: int, reason: str = "Not mine") -> tuple[int, str]:
        answer = business.post(f"{BANK}/disputes", json={"transaction_id": transaction_id, "reason": reason})
        return answer.status_code, message(answer)

    assert refused(number) == (
        409,
        f"Transaction {number} is money received. Only payments from the account can be disputed.",
    )
    assert refused(disputed) == (409, f"Transaction {disputed} is already disputed: dispute 5001.")
    assert refused(999) == (404, "Transaction 999 was not found.")
    assert refused(number, " ") == (422, "reason must not be empty.")
    assert len(business.get(f"{BANK}/disputes").json()["disputes"]) == 1
    assert journal(business) == []
