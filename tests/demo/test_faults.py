"""Faults on demand: slow, failing, hanging up before or after acting."""

from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

import httpx
import pytest

from tests.demo.program import ORDER, journal, message
from tests.live.stack import until

KEY = {"Idempotency-Key": "k"}


def test_a_connection_dropped_after_acting_leaves_one_effect_and_the_answer_for_a_retry(
    business: httpx.Client,
) -> None:
    business.post("/_faults", json={"operation": "cancel_order", "drop": "after", "times": 1})

    with pytest.raises(httpx.TransportError):
        business.post(f"{ORDER}/cancellation", headers=KEY)

    assert business.get(ORDER).json()["status"] == "cancelled"
    assert len(journal(business)) == 1
    retry = business.post(f"{ORDER}/cancellation", headers=KEY)
    assert retry.status_code == 200
    assert retry.headers["Idempotent-Replay"] == "true"
    assert len(journal(business)) == 1


def test_a_connection_dropped_before_acting_leaves_nothing(business: httpx.Client) -> None:
    business.post("/_faults", json={"operation": "cancel_order", "drop": "before", "times": 1})

    with pytest.raises(httpx.TransportError):
        business.post(f"{ORDER}/cancellation", headers=KEY)

    assert business.get(ORDER).json()["status"] == "processing"
    assert journal(business) == []
    retry = business.post(f"{ORDER}/cancellation", headers=KEY)
    assert retry.status_code == 200
    assert "Idempotent-Replay" not in retry.headers


def test_a_refusal_can_be_lost_on_the_way_too(business: httpx.Client) -> None:
    business.post("/_faults", json={"drop": "after", "times": 1})

    with pytest.raises(httpx.TransportError):
        business.post(f"{ORDER}/discount", json={"percent": 0})

    assert journal(business) == []


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_a_failure_on_demand_changes_nothing(business: httpx.Client, status: int) -> None:
    business.post("/_faults", json={"operation": "cancel_order", "fail": status, "times": 1})

    failed = business.post(f"{ORDER}/cancellation", headers=KEY)

    assert (failed.status_code, failed.json()["error"]["code"]) == (status, "injected_fault")
    assert journal(business) == []
    assert business.post(f"{ORDER}/cancellation", headers=KEY).status_code == 200


def test_a_slow_answer_takes_its_time(business: httpx.Client) -> None:
    business.post("/_faults", json={"operation": "get_order_status", "slow_ms": 400, "times": 1})
    began = monotonic()

    assert business.get(ORDER).status_code == 200
    assert monotonic() - began >= 0.4


def test_a_caller_that_gives_up_does_not_stop_what_it_asked_for(business: httpx.Client) -> None:
    business.post("/_faults", json={"operation": "cancel_order", "hold": True})

    with pytest.raises(httpx.ReadTimeout):
        business.post(f"{ORDER}/cancellation", headers=KEY, timeout=httpx.Timeout(30, read=0.2))
    until(lambda: business.get("/_faults").json()[0]["fired"] == 1)
    assert journal(business) == []

    business.delete("/_faults")
    until(lambda: journal(business))
    assert business.get(ORDER).json()["status"] == "cancelled"
    assert len(journal(business)) == 1


def test_a_rule_wears_out_and_the_list_says_so(business: httpx.Client) -> None:
    created = business.post("/_faults", json={"operation": "get_order_status", "fail": 503, "times": 2})

    statuses = [business.get(ORDER).status_code for _ in range(4)]

    assert created.status_code == 201
    assert statuses == [503, 503, 200, 200]
    assert business.get("/_faults").json() == [{**created.json(), "fired": 2}]


def test_rules_for_one_operation_spare_the_others_and_clear_ends_them(business: httpx.Client) -> None:
    business.post("/_faults", json={"operation": "get_tracking_info", "fail": 500})
    assert business.get(ORDER).status_code == 200
    assert business.get(f"{ORDER}/tracking").status_code == 500

    business.post("/_faults", json={"operation": None, "fail": 502})
    assert business.get(ORDER).status_code == 502
    assert business.get("/_health").status_code == business.get("/openapi.json").status_code == 200

    assert business.delete("/_faults").json() == {"cleared": 2}
    assert business.get("/_faults").json() == []
    assert business.get(f"{ORDER}/tracking").status_code == 200


def test_chance_repeats_itself(business: httpx.Client) -> None:
    def draw() -> list[int]:
        business.delete("/_faults")
        business.post("/_faults", json={"fail": 500, "probability": 0.5})
        return [business.get(ORDER).status_code for _ in range(24)]

    first, second = draw(), draw()

    assert first == second
    assert set(first) == {200, 500}


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ([], "A fault rule must be a JSON object."),
        ({}, "A fault rule needs at least one of slow_ms, hold, fail and drop."),
        ({"times": 3}, "A fault rule needs at least one of slow_ms, hold, fail and drop."),
        ({"fail": True}, "fail must be a whole number from 400 to 599."),
        ({"fail": 200}, "fail must be a whole number from 400 to 599."),
        ({"slow_ms": "10"}, "slow_ms must be a whole number from 1 to 600000."),
        ({"slow_ms": 10, "times": 0}, "times must be a whole number from 1 to 1000000."),
        ({"hold": False}, "hold must be true."),
        ({"hold": 1}, "hold must be true."),
        ({"drop": "during"}, "drop must be before or after."),
        ({"drop": ["before"]}, "drop must be before or after."),
        ({"drop": "after", "fail": 500}, "A fault rule can fail or drop, not both."),
        ({"drop": "after", "probability": 0}, "probability must be a number above 0 and at most 1."),
        ({"drop": "after", "probability": "1"}, "probability must be a number above 0 and at most 1."),
        ({"drop": "after", "operaton": "cancel_order"}, "operaton is not part of a fault rule."),
        ({"drop": "after", "operation": "explode"}, "Unknown operation."),
        ({"drop": "after", "operation": ["cancel_order"]}, "Unknown operation."),
    ],
)
def test_junk_is_no_rule(business: httpx.Client, rule: Any, reason: str) -> None:
    refused = business.post("/_faults", json=rule)

    assert refused.status_code == 400
    assert message(refused).startswith(reason)
    assert business.get("/_faults").json() == []


def test_a_request_that_was_held_up_does_nothing_after_a_reset(business: httpx.Client) -> None:
    business.post("/_faults", json={"operation": "cancel_order", "hold": True})
    with ThreadPoolExecutor(1) as beside:
        late = beside.submit(lambda: business.post(f"{ORDER}/cancellation", headers=KEY))
        until(lambda: business.get("/_faults").json()[0]["fired"] == 1)
        business.post("/_reset")
        with pytest.raises(httpx.TransportError):
            late.result()

    assert journal(business) == []
