"""A customer's own yes or no by REST: theirs alone, once, and carried out as the socket's is."""

import asyncio
import threading
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.utils import timezone

from agents.models import Action
from chat import api_keys
from chat.models import Customer
from smartsupport.lib import idempotency
from tests import rows
from tests.chat.sse import Listener
from tests.chat.test_api_stream import address
from tests.chat.test_socket_cuts import SCRIPT
from tests.live.chatter import token_for
from tests.live.stack import Stack
from tests.scripted_model.fixture import RunningModel

SECRET = "a secret of thirty-two characters!"


@pytest.fixture(autouse=True)
def secret(settings: LazySettings) -> None:
    settings.CUSTOMER_JWT_SECRET = SECRET


@pytest.fixture
def ada(db: None) -> Customer:
    return rows.customer(name="Ada Stone")


@pytest.fixture
def action(ada: Customer) -> Action:
    return rows.action(rows.turn(ada, "t-1"), rows.tool())


def headers(customer: Customer, **claims: Any) -> dict[str, str]:
    whole = {"sub": customer.subject, "exp": int(time.time()) + 60, **claims}
    return {"Authorization": f"Bearer {jwt.encode(whole, SECRET, algorithm='HS256')}"}


def say(action: Action | str, approved: Any, **given: str) -> Any:
    """`given` are headers."""
    at = action if isinstance(action, str) else action.pk
    body = approved if isinstance(approved, dict) else {"approved": approved}
    return Client().post(
        f"/api/v1/interrupts/{at}/answer", body, content_type="application/json", headers=given
    )


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize(("approved", "resolution"), [(True, "approved"), (False, "rejected")])
def test_their_answer_is_the_decision(ada: Customer, action: Action, approved: bool, resolution: str) -> None:
    answer = say(action, approved, **headers(ada))

    assert (answer.status_code, answer.json()["data"]) == (
        200,
        {"interrupt_id": str(action.pk), "resolution": resolution},
    )
    action.refresh_from_db()
    assert (action.status, action.decided_by) == (resolution, "customer")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"approved": "true"},
        {"approved": 1},
        {"approved": None},
        {"approved": True, "args": {"order_id": 7}},
    ],
)
def test_anything_but_yes_or_no_changes_nothing(ada: Customer, action: Action, body: dict[str, Any]) -> None:
    assert code(say(action, body, **headers(ada))) == (400, "invalid")
    assert waits(action)


def test_nobody_else_answers_for_them(ada: Customer, action: Action) -> None:
    _, own_key = api_keys.issue(name="Ada's", scopes=["admin"], customer=str(ada.subject))
    root = Client()
    root.force_login(rows.staff("root", superuser=True))

    assert code(say(action, True, **headers(rows.customer()))) == (404, "not_found")
    assert code(say(action, True)) == (401, "not_authenticated")
    assert code(say(action, True, **headers(ada, exp=int(time.time()) - 60)))[0] == 401
    for key in (rows.key("admin"), own_key):
        assert code(say(action, True, **{"X-API-Key": key})) == (403, "forbidden")
        assert code(say(action, True, **{"X-API-Key": key}, **headers(ada))) == (403, "forbidden")
    by_staff = root.post(
        f"/api/v1/interrupts/{action.pk}/answer", {"approved": True}, content_type="application/json"
    )
    assert code(by_staff) == (403, "forbidden")
    assert waits(action)


def test_what_waits_for_staff_is_not_theirs_to_answer(ada: Customer) -> None:
    for_staff = rows.action(rows.turn(ada, "t-2"), rows.tool("refund", approval="staff"))

    assert code(say(for_staff, True, **headers(ada))) == (403, "not_allowed")
    assert waits(for_staff)


def test_their_token_does_not_open_the_door_of_staff(ada: Customer, action: Action) -> None:
    answer = Client().post(
        f"/api/v1/interrupts/{action.pk}/decision",
        {"approved": True},
        content_type="application/json",
        headers=headers(ada),
    )

    assert answer.status_code == 401
    assert waits(action)


def test_a_second_answer_is_told_what_the_first_was_but_not_by_whom(ada: Customer, action: Action) -> None:
    assert say(action, False, **headers(ada)).status_code == 200

    again = say(action, True, **headers(ada))

    assert code(again) == (409, "already_decided")
    assert again.json()["error"]["resolution"] == "rejected"
    assert "by_name" not in again.json()["error"]


def test_the_same_request_again_is_answered_as_before(ada: Customer, action: Action) -> None:
    once = {**headers(ada), "Idempotency-Key": uuid4().hex}

    first, second = (say(action, True, **once) for _ in range(2))

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["data"] == second.json()["data"]
    assert second.headers[idempotency.REPLAYED] == "true"


def test_one_customers_idempotency_key_is_not_anothers(ada: Customer, action: Action) -> None:
    bob = rows.customer(name="Bob Reed")
    key = {"Idempotency-Key": uuid4().hex}
    assert say(action, True, **headers(ada), **key).status_code == 200

    assert code(say(action, True, **headers(bob), **key)) == (404, "not_found")


def test_too_late_is_told_and_recorded(ada: Customer, action: Action) -> None:
    Action.objects.filter(pk=action.pk).update(expires_at=timezone.now() - timedelta(seconds=1))

    late = say(action, True, **headers(ada))

    assert code(late) == (410, "approval_expired")
    action.refresh_from_db()
    assert action.status == "expired"


@pytest.mark.parametrize("strange", ["x", "0", "0191a3c4-7f12-7c1e-9a55-0d7a6f0c9e11", "%00", "a" * 300])
def test_an_id_of_nothing(ada: Customer, strange: str) -> None:
    assert code(say(strange, True, **headers(ada))) == (404, "not_found")


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_counts(ada: Customer, action: Action) -> None:
    found: list[int] = []
    start = threading.Barrier(6)

    def answer(approved: bool) -> None:
        try:
            start.wait()
            found.append(say(action, approved, **headers(ada)).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=answer, args=(number % 2 == 0,)) for number in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert sorted(found) == [200, 409, 409, 409, 409, 409]


def waits(action: Action) -> bool:
    action.refresh_from_db()
    return action.status == "awaiting"


@pytest.mark.xdist_group("live-scripted")
async def test_a_customer_without_a_socket_asks_reads_and_approves(
    scripted_stack: Stack, scripted_model_server: RunningModel
) -> None:
    """Their company's server writes with a key; they read the stream and say yes with their own token."""
    stack = scripted_stack
    stack.business.post("/_reset")
    scripted_model_server.script(*SCRIPT)
    thread_id, own = uuid4().hex, {"Authorization": f"Bearer {token_for('cus_1001')}"}
    body = {
        "content": "Cancel order 1042",
        "client_message_id": uuid4().hex,
        "customer": {"subject": "cus_1001"},
    }
    sent = await asyncio.to_thread(stack.api.post, f"/conversations/{thread_id}/messages", json=body)
    assert sent.status_code == 202

    async with Listener(address(stack, thread_id), **own) as listener:
        asked = (await listener.until("interrupt"))[-1]
        url = f"{stack.url}/api/v1/interrupts/{asked['interrupt_id']}/answer"
        answer = await asyncio.to_thread(lambda: httpx.post(url, json={"approved": True}, headers=own))
        await listener.until("message_complete")

    assert answer.json()["data"]["resolution"] == "approved"
    resolved = [frame for frame in listener.frames if frame["type"] == "interrupt_resolved"]
    assert [(one["resolution"], one["by"]) for one in resolved] == [("approved", "customer")]
    [effect] = [entry for entry in stack.journal() if entry["method"] != "GET"]
    assert "/orders/1042/" in effect["path"]
