"""Idempotency keys and the journal: an effect takes place once, and is on record with it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.demo.program import ORDER, journal, message
from tests.live.stack import until

COUPONS = "/shop/customers/cus_1001/coupons"
TEN_PERCENT = {"discount_percent": 10}


def test_a_repeated_request_gets_the_first_answer_and_has_no_second_effect(business: httpx.Client) -> None:
    first = business.post(COUPONS, json=TEN_PERCENT, headers={"Idempotency-Key": "k"})
    coupons = business.get(COUPONS).json()

    second = business.post(COUPONS, content=b' {"discount_percent" : 10} ', headers={"Idempotency-Key": "k"})

    assert (second.status_code, second.json()) == (first.status_code, first.json()) == (201, first.json())
    assert "Idempotent-Replay" not in first.headers
    assert second.headers["Idempotent-Replay"] == "true"
    assert business.get(COUPONS).json() == coupons
    assert len(journal(business)) == 1


def test_every_write_of_the_document_takes_a_key(business: httpx.Client) -> None:
    document = business.get("/openapi.json").json()
    writes = [
        operation
        for item in document["paths"].values()
        for method, operation in item.items()
        if method in ("post", "put", "patch", "delete")
    ]

    assert len(writes) == 8
    for operation in writes:
        assert {"$ref": "#/components/parameters/IdempotencyKey"} in operation["parameters"]


def test_without_a_key_every_request_counts(business: httpx.Client) -> None:
    codes = {business.post(COUPONS, json=TEN_PERCENT).json()["coupon"]["code"] for _ in range(2)}

    assert len(codes) == len(journal(business)) == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (COUPONS, {"discount_percent": 20}),
        (f"{ORDER}/cancellation", {}),
        (f"{ORDER}/discount", {"percent": 10}),
    ],
)
def test_a_key_belongs_to_one_request(business: httpx.Client, path: str, body: dict[str, Any]) -> None:
    business.post(COUPONS, json=TEN_PERCENT, headers={"Idempotency-Key": "k"})
    before = business.get(ORDER).json(), business.get(COUPONS).json()

    refused = business.post(path, json=body, headers={"Idempotency-Key": "k"})

    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "idempotency_key_reused"
    assert (business.get(ORDER).json(), business.get(COUPONS).json()) == before
    assert len(journal(business)) == 1


def test_a_refusal_is_remembered_for_its_key(business: httpx.Client) -> None:
    path = "/shop/customers/cus_1001/orders/1031/cancellation"

    first = business.post(path, headers={"Idempotency-Key": "k"})
    second = business.post(path, headers={"Idempotency-Key": "k"})

    assert first.status_code == second.status_code == 409
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replay"] == "true"
    assert journal(business) == []


def test_bad_input_leaves_its_key_free(business: httpx.Client) -> None:
    refused = business.post(COUPONS, json={"discount_percent": 0}, headers={"Idempotency-Key": "k"})
    accepted = business.post(COUPONS, json=TEN_PERCENT, headers={"Idempotency-Key": "k"})

    assert (refused.status_code, accepted.status_code) == (422, 201)
    assert len(journal(business)) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
def test_a_key_that_is_none_is_refused(business: httpx.Client, key: str) -> None:
    refused = business.post(COUPONS, json=TEN_PERCENT, headers={"Idempotency-Key": key})

    assert (refused.status_code, message(refused)) == (
        400,
        "Idempotency-Key must be 1 to 255 printable ASCII characters.",
    )
    assert journal(business) == []


def test_many_at_once_with_one_key_have_one_effect(business: httpx.Client) -> None:
    def ask(_: int) -> httpx.Response:
        return business.post(COUPONS, json=TEN_PERCENT, headers={"Idempotency-Key": "k"})

    # All of them are in the server before the first one acts.
    business.post("/_faults", json={"hold": True}).raise_for_status()
    with ThreadPoolExecutor(8) as threads:
        asked = threads.map(ask, range(8))
        try:
            until(lambda: business.get("/_faults").json()[0]["fired"] == 8)
        finally:
            business.delete("/_faults")
        answers = list(asked)

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["coupon"]["code"] for answer in answers}) == 1
    assert sum("Idempotent-Replay" in answer.headers for answer in answers) == 7
    assert len(journal(business)) == 1


def test_cancelling_twice_at_once_with_two_keys_has_one_effect(business: httpx.Client) -> None:
    def ask(number: int) -> int:
        return business.post(f"{ORDER}/cancellation", headers={"Idempotency-Key": f"k{number}"}).status_code

    with ThreadPoolExecutor(4) as threads:
        statuses = sorted(threads.map(ask, range(4)))

    assert statuses == [200, 409, 409, 409]
    assert len(journal(business)) == 1


def test_the_journal_says_what_took_place(business: httpx.Client) -> None:
    business.post(f"{ORDER}/discount", json={"percent": 10}, headers={"Idempotency-Key": "a key"})
    business.post(f"{ORDER}/cancellation")
    business.get(ORDER)

    entries = journal(business)

    assert [set(entry) for entry in entries] == [
        {"at", "operation", "method", "path", "body", "idempotency_key"}
    ] * 2
    assert {**entries[0], "at": None} == {
        "at": None,
        "operation": "apply_discount",
        "method": "POST",
        "path": f"{ORDER}/discount",
        "body": {"percent": 10},
        "idempotency_key": "a key",
    }
    assert (entries[1]["body"], entries[1]["idempotency_key"]) == (None, None)
    assert journal(business, after=1) == entries[1:]
    assert journal(business, after=2) == []
    assert journal(business, operation="cancel_order") == entries[1:]


@pytest.mark.parametrize("query", [{"after": "-1"}, {"after": "x"}, {"operation": "delete_everything"}])
def test_a_journal_that_cannot_be_asked_for(business: httpx.Client, query: dict[str, str]) -> None:
    assert business.get("/_journal", params=query).status_code == 400


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_books_journal_and_keys_outlive_a_restart(start: Any, tmp_path: Path, end: str) -> None:
    first = start(tmp_path)
    answer = first.client.post(COUPONS, json=TEN_PERCENT, headers={"Idempotency-Key": "k"})
    first.client.post(f"{ORDER}/cancellation")
    order, coupons, entries = (
        first.client.get(ORDER).json(),
        first.client.get(COUPONS).json(),
        journal(first.client),
    )
    getattr(first, end)()

    # Another seed does not touch books that exist.
    second = start(tmp_path, "--seed", "7")

    assert second.client.get(ORDER).json() == order
    assert second.client.get(COUPONS).json() == coupons
    assert journal(second.client) == entries
    again = second.client.post(COUPONS, json=TEN_PERCENT, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()) == (201, answer.json())
    assert again.headers["Idempotent-Replay"] == "true"
    assert len(journal(second.client)) == 2


def test_a_reset_brings_back_the_first_day(business: httpx.Client) -> None:
    order, coupons = business.get(ORDER).json(), business.get(COUPONS).json()
    business.post(f"{ORDER}/cancellation", headers={"Idempotency-Key": "k"})
    business.post(COUPONS, json=TEN_PERCENT)
    business.post("/_faults", json={"fail": 500, "operation": "get_order_status"})

    business.post("/_reset")

    assert business.get(ORDER).json() == order
    assert business.get(COUPONS).json() == coupons
    assert journal(business) == []
    cancelled = business.post(f"{ORDER}/cancellation", headers={"Idempotency-Key": "k"})
    assert "Idempotent-Replay" not in cancelled.headers
