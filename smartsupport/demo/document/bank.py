"""The bank's half of the document: account, transactions, disputes."""

from __future__ import annotations

from .parts import (
    Object,
    body,
    day,
    identifier,
    in_path,
    many,
    moment,
    number,
    or_null,
    query,
    reading,
    record,
    ref,
    text,
    writing,
)  # fmt: skip

TAG = "bank"
TRANSACTION_ID = identifier("The number of the transaction, as in the transaction history.", 700123)
DISPUTE_ID = identifier("The number of the dispute, as given when it was filed.", 5001)
KINDS = ["card_payment", "direct_debit", "transfer", "cash_withdrawal", "deposit", "fee"]

SCHEMAS: Object = {
    "Transaction": record(
        "A payment from or to the account. Money that leaves the account is negative.",
        {
            "transaction_id": TRANSACTION_ID,
            "at": moment("When it was made."),
            "kind": text("What kind of payment.", enum=KINDS),
            "description": text("The text on the statement, usually the merchant."),
            "amount": ref("Money"),
            "status": text("`pending` until the merchant has collected it.", enum=["pending", "posted"]),
            "dispute_id": or_null(number("The dispute about it, if there is one.")),
        },
    ),
    "Dispute": record(
        "A customer's objection to a payment, and what has happened to it.",
        {
            "dispute_id": DISPUTE_ID,
            "transaction_id": TRANSACTION_ID,
            "merchant": text("Whom the payment went to."),
            "amount": ref("Money"),
            "reason": text("Why the customer disputes it."),
            "status": text("How far it has got.", enum=["received", "under_review", "refunded", "rejected"]),
            "filed_at": moment("When it was filed."),
            "events": many(
                record("A step.", {"at": moment("When."), "description": text("What happened.")}),
                "What has happened so far, oldest first.",
            ),
        },
    ),
}

OF_CUSTOMER = "/bank/customers/{customer_id}"
CUSTOMER = ref("CustomerId", "parameters")

PATHS: Object = {
    OF_CUSTOMER + "/account": {
        "parameters": [CUSTOMER],
        "get": reading(
            "get_account_balance",
            tag=TAG,
            summary="Get the balance of the bank account",
            description="Tells the balance of the customer's bank account, what is pending, and what is "
            "available.",
            answer=record(
                "The balance.",
                {
                    "account_number": text("The last digits of the account number."),
                    "balance": ref("Money"),
                    "pending": ref("Money"),
                    "available": ref("Money"),
                },
            ),
        ),
    },
    OF_CUSTOMER + "/transactions": {
        "parameters": [CUSTOMER],
        "get": reading(
            "get_transaction_history",
            tag=TAG,
            summary="Get the transaction history",
            description="Lists the payments from and to the customer's bank account, newest first, with "
            "transaction number, date, merchant, amount and status. Use it for questions such "
            "as “Show my recent transactions” or “What did I pay to Northwind?”, and to find "
            "the number of a payment that the customer wants to dispute.",
            parameters=(
                query("since", day("Only transactions on or after this day.")),
                query("until", day("Only transactions on or before this day.")),
                query(
                    "text",
                    text("Only transactions whose description contains this.", minLength=1, maxLength=100),
                ),
                query(
                    "limit", number("How many transactions to return.", minimum=1, maximum=100, default=20)
                ),
            ),
            answer=record(
                "Transactions.",
                {
                    "transactions": many(ref("Transaction"), "Newest first."),
                    "total": number("How many there are in all."),
                },
            ),
        ),
    },
    OF_CUSTOMER + "/disputes": {
        "parameters": [CUSTOMER],
        "get": reading(
            "list_disputes",
            tag=TAG,
            summary="List the customer's disputes",
            description="Lists the disputes that the customer has filed, newest first. Use it when the "
            "customer asks about a dispute without giving its number.",
            answer=record("The disputes.", {"disputes": many(ref("Dispute"), "Newest first.")}),
        ),
        "post": writing(
            "file_dispute",
            tag=TAG,
            summary="File a dispute about a transaction",
            description="Disputes (contests) a payment that the customer does not recognise, that was "
            "charged twice or that was never delivered. There is at most one dispute for each "
            "transaction.",
            request=body(
                "Which payment, and why.",
                {
                    "transaction_id": TRANSACTION_ID,
                    "reason": text(
                        "Why the customer disputes the payment, in their words.", minLength=1, maxLength=500
                    ),
                },
                required=("transaction_id", "reason"),
            ),
            answer=record(
                "The new dispute.",
                {
                    "message": text("What was done, as a sentence."),
                    "dispute_id": DISPUTE_ID,
                    "dispute": ref("Dispute"),
                },
            ),
            status="201",
        ),
    },
    OF_CUSTOMER + "/disputes/{dispute_id}": {
        "parameters": [CUSTOMER, in_path("dispute_id", DISPUTE_ID)],
        "get": reading(
            "check_dispute_status",
            tag=TAG,
            summary="Check the status of a dispute",
            description="Looks up one dispute by its number: the payment, the reason, and how far the bank "
            "has got.",
            answer=ref("Dispute"),
        ),
    },
}
