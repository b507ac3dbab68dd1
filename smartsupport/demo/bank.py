"""The bank: the account, what was paid from it, and disputes about payments."""

from __future__ import annotations

import sqlite3
from datetime import date, timedelta
from typing import Any

from .calls import Answer, Call, Operation
from .errors import conflict, invalid, not_found
from .formats import money, timestamp, written

REVIEW_DAYS = 10
TRANSACTIONS = (
    "SELECT t.*, d.dispute_id FROM transactions t LEFT JOIN disputes d USING (transaction_id)"
    " WHERE t.customer_id = :customer"
)
MATCHING_TRANSACTIONS = TRANSACTIONS + (
    " AND (:since IS NULL OR substr(t.at, 1, 10) >= :since) AND (:until IS NULL OR substr(t.at, 1, 10) <= "
    ":until)"
    " AND (:text IS NULL OR instr(lower(t.description), lower(:text)) > 0)"
    " ORDER BY t.at DESC, t.transaction_id DESC"
)
ONE_TRANSACTION = TRANSACTIONS + " AND t.transaction_id = :transaction"


def get_account_balance(db: sqlite3.Connection, call: Call) -> Answer:
    """What is on the account, and what of it is still pending."""
    account = db.execute("SELECT * FROM accounts WHERE customer_id = ?", (call.customer_id,)).fetchone()
    posted, pending = db.execute(
        "SELECT coalesce(sum(iif(status = 'posted', amount_cents, 0)), 0),"
        " coalesce(sum(iif(status = 'pending', amount_cents, 0)), 0) FROM transactions WHERE customer_id = ?",
        (call.customer_id,),
    ).fetchone()
    balance, currency = account["opening_cents"] + posted, account["currency"]
    return Answer(
        200,
        {
            "account_number": account["account_number"],
            "balance": money(balance, currency),
            "pending": money(pending, currency),
            "available": money(balance + pending, currency),
        },
    )


def get_transaction_history(db: sqlite3.Connection, call: Call) -> Answer:
    """The customer's payments, newest first, narrowed by day and by words of the statement."""
    since, until = _days(call)
    text = call.arguments.get("text")
    filters = {
        "customer": call.customer_id,
        "since": since.isoformat() if since else None,
        "until": until.isoformat() if until else None,
        "text": text.strip() if text else None,
    }
    rows = db.execute(MATCHING_TRANSACTIONS, filters).fetchall()
    wanted = rows[: call.arguments["limit"]]
    return Answer(200, {"transactions": [_transaction(row) for row in wanted], "total": len(rows)})


def file_dispute(db: sqlite3.Connection, call: Call) -> Answer:
    """Open a dispute about a payment from the account. There is at most one for each payment."""
    number = call.arguments["transaction_id"]
    payment = db.execute(
        "SELECT *, (SELECT dispute_id FROM disputes d WHERE d.transaction_id = t.transaction_id) AS "
        "dispute_id"
        " FROM transactions t WHERE transaction_id = ? AND customer_id = ?",
        (number, call.customer_id),
    ).fetchone()
    reason = " ".join(call.arguments["reason"].split())
    if payment is None:
        raise not_found("Transaction", number)
    if not reason:
        raise invalid("reason must not be empty.")
    if payment["dispute_id"]:
        raise conflict(f"Transaction {number} is already disputed: dispute {payment['dispute_id']}.")
    if payment["amount_cents"] >= 0:
        raise conflict(
            f"Transaction {number} is money received. Only payments from the account can be disputed."
        )
    dispute_id = db.execute("SELECT max(dispute_id) + 1 FROM disputes").fetchone()[0]
    now = timestamp(call.now)
    db.execute(
        "INSERT INTO disputes VALUES (?, ?, ?, ?, 'received', ?)",
        (dispute_id, call.customer_id, number, reason, now),
    )
    db.execute("INSERT INTO dispute_events VALUES (?, 1, ?, 'We received your dispute.')", (dispute_id, now))
    answer_by = (call.now + timedelta(days=REVIEW_DAYS)).date()
    amount = written(-payment["amount_cents"], payment["currency"])
    message = (
        f"Dispute {dispute_id} was filed for the payment of {amount} to {payment['description']}. "
        f"You will hear from us by {answer_by}."
    )
    dispute = _dispute(db, _dispute_row(db, dispute_id, call))
    return Answer(201, {"message": message, "dispute_id": dispute_id, "dispute": dispute})


def check_dispute_status(db: sqlite3.Connection, call: Call) -> Answer:
    """One dispute and what has happened to it so far."""
    return Answer(200, _dispute(db, _dispute_row(db, call.arguments["dispute_id"], call)))


def list_disputes(db: sqlite3.Connection, call: Call) -> Answer:
    """The customer's disputes, newest first."""
    rows = db.execute(
        "SELECT dispute_id FROM disputes WHERE customer_id = ? ORDER BY filed_at DESC, dispute_id DESC",
        (call.customer_id,),
    ).fetchall()
    return Answer(
        200, {"disputes": [_dispute(db, _dispute_row(db, row["dispute_id"], call)) for row in rows]}
    )


def _days(call: Call) -> tuple[date | None, date | None]:
    since, until = call.arguments.get("since"), call.arguments.get("until")
    first = date.fromisoformat(since) if since else None
    last = date.fromisoformat(until) if until else None
    if first and last and first > last:
        raise invalid("since must not be later than until.")
    return first, last


def _dispute_row(db: sqlite3.Connection, dispute_id: int, call: Call) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute(
        "SELECT d.*, t.description, t.amount_cents, t.currency FROM disputes d JOIN transactions t"
        " USING (transaction_id) WHERE dispute_id = ? AND d.customer_id = ?",
        (dispute_id, call.customer_id),
    ).fetchone()
    if row is None:
        raise not_found("Dispute", dispute_id)
    return row


def _dispute(db: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    events = db.execute(
        "SELECT at, description FROM dispute_events WHERE dispute_id = ? ORDER BY line", (row["dispute_id"],)
    ).fetchall()
    return {
        "dispute_id": row["dispute_id"],
        "transaction_id": row["transaction_id"],
        "merchant": row["description"],
        "amount": money(-row["amount_cents"], row["currency"]),
        "reason": row["reason"],
        "status": row["status"],
        "filed_at": row["filed_at"],
        "events": [dict(event) for event in events],
    }


def _transaction(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "transaction_id": row["transaction_id"],
        "at": row["at"],
        "kind": row["kind"],
        "description": row["description"],
        "amount": money(row["amount_cents"], row["currency"]),
        "status": row["status"],
        "dispute_id": row["dispute_id"],
    }


OPERATIONS: dict[str, Operation] = {
    "get_account_balance": get_account_balance,
    "get_transaction_history": get_transaction_history,
    "file_dispute": file_dispute,
    "check_dispute_status": check_dispute_status,
    "list_disputes": list_disputes,
}
