"""The subscription's half of the document: account, plan, invoices."""

from __future__ import annotations

from ..plans import PLANS
from .parts import (
    Object,
    body,
    day,
    many,
    number,
    or_null,
    query,
    reading,
    record,
    ref,
    text,
    writing,
)  # fmt: skip

TAG = "saas"
PLAN = text("A plan.", enum=list(PLANS))

SCHEMAS: Object = {
    "Subscription": record(
        "What the customer is subscribed to. A period is 30 days.",
        {
            "plan": PLAN,
            "status": text("Its state today.", enum=["trialing", "active", "past_due", "cancelled"]),
            "seats": number("How many people may use it."),
            "price_per_period": ref("Money"),
            "current_period_started_on": day("First day of the current period."),
            "current_period_ends_on": day("Last day of the current period."),
            "cancel_at_period_end": {"type": "boolean", "description": "Whether it ends with this period."},
            "ends_on": or_null(day("When it ends or ended, if it was cancelled.")),
            "renews_on": or_null(day("When the next period is charged.")),
        },
    ),
    "Account": record(
        "The customer's account.",
        {
            "customer_id": text("The customer."),
            "name": text("The owner's name."),
            "email": text("The owner's e-mail address."),
            "workspace": text("The name of the workspace."),
            "customer_since": day("When the subscription began."),
            "subscription": ref("Subscription"),
            "usage": record(
                "What is used of what the plan allows.",
                {
                    "seats_used": number("Seats in use."),
                    "seats": number("Seats paid for."),
                    "storage_used_gb": number("Storage in use, in gigabytes."),
                    "storage_gb": number("Storage in the plan, in gigabytes."),
                },
            ),
            "amount_owed": ref("Money"),
        },
    ),
    "Plan": record(
        "A plan on offer.",
        {
            "plan": PLAN,
            "title": text("Its name for people."),
            "price_per_seat": ref("Money"),
            "period_days": number("The days that the price is for."),
            "max_seats": number("The most seats it allows."),
            "storage_gb": number("Storage, in gigabytes."),
            "summary": text("Whom it is for."),
        },
    ),
    "Invoice": record(
        "An invoice.",
        {
            "invoice_id": number("Invoice number."),
            "issued_on": day("When it was issued."),
            "due_on": day("When it is due."),
            "description": text("What it is for."),
            "amount": ref("Money"),
            "status": text("Whether it was paid.", enum=["paid", "open", "overdue"]),
        },
    ),
}

OF_CUSTOMER = "/saas/customers/{customer_id}"
CUSTOMER = ref("CustomerId", "parameters")
MESSAGE = text("What was done, as a sentence.")

PATHS: Object = {
    OF_CUSTOMER + "/account": {
        "parameters": [CUSTOMER],
        "get": reading(
            "get_account_status",
            tag=TAG,
            summary="Get the account and subscription status",
            description="Looks up the customer's account: current plan and subscription status, seats and "
            "storage used, when it renews or ends, and what is owed. Use it for questions such "
            "as “Which plan am I on?” or “When is my next payment?”.",
            answer=ref("Account"),
        ),
    },
    OF_CUSTOMER + "/plans": {
        "parameters": [CUSTOMER],
        "get": reading(
            "list_plans",
            tag=TAG,
            summary="List the plans on offer",
            description="Lists every subscription plan with its price, seats and storage. Use it when the "
            "customer compares plans or asks for prices.",
            answer=record("The plans.", {"plans": many(ref("Plan"), "Cheapest first.")}),
        ),
    },
    OF_CUSTOMER + "/invoices": {
        "parameters": [CUSTOMER],
        "get": reading(
            "list_invoices",
            tag=TAG,
            summary="List the customer's invoices",
            description="Lists the customer's subscription invoices, newest first, with amount and payment "
            "status.",
            parameters=(
                query("limit", number("How many invoices to return.", minimum=1, maximum=100, default=12)),
            ),
            answer=record("The invoices.", {"invoices": many(ref("Invoice"), "Newest first.")}),
        ),
    },
    OF_CUSTOMER + "/subscription/plan": {
        "parameters": [CUSTOMER],
        "put": writing(
            "change_plan",
            tag=TAG,
            summary="Change the subscription plan",
            description="Moves the customer's subscription to another plan at once (upgrade or downgrade). "
            "The rest of the current period is charged or credited.",
            request=body(
                "The plan to move to.",
                {"plan": text("The plan to move to.", enum=list(PLANS))},
                required=("plan",),
            ),
            answer=record(
                "What was done.",
                {
                    "message": MESSAGE,
                    "previous_plan": PLAN,
                    "prorated_charge": ref("Money"),
                    "invoice": or_null(ref("Invoice")),
                    "subscription": ref("Subscription"),
                },
            ),
        ),
    },
    OF_CUSTOMER + "/subscription/cancellation": {
        "parameters": [CUSTOMER],
        "post": writing(
            "cancel_subscription",
            tag=TAG,
            summary="Cancel the subscription",
            description="Cancels the customer's subscription at the end of the paid period. Until then it "
            "can be used and resumed; nothing more is charged.",
            request=body(
                "Why the customer leaves, if they said so.",
                {"reason": text("The customer's reason, in their words.", maxLength=500)},
                required=(),
            ),
            answer=record("What was done.", {"message": MESSAGE, "subscription": ref("Subscription")}),
        ),
    },
    OF_CUSTOMER + "/subscription/resumption": {
        "parameters": [CUSTOMER],
        "post": writing(
            "resume_subscription",
            tag=TAG,
            summary="Resume a cancelled subscription",
            description="Takes back the cancellation of a subscription that has not ended yet, so that it "
            "renews as before.",
            answer=record("What was done.", {"message": MESSAGE, "subscription": ref("Subscription")}),
        ),
    },
}
