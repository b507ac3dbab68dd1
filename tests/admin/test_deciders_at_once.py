"""Fifty deciders at the same moment, at the socket, in the console and through the API: one wins, and everybody else is
told who. Over real connections, to the product as it runs."""

import asyncio
import re
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pytest

from tests.chat.sockets import action, effects
from tests.live.chatter import Chatter, Frame
from tests.live.stack import API_KEY, Stack, until

pytestmark = pytest.mark.xdist_group("live-offline")

T = TypeVar("T")
PASSWORD = "correct horse battery"
PEOPLE = """
from django.contrib.auth.models import Permission, User
for number in range(5):
    user = User.objects.create_user(f"{name}{{number}}", password="{password}", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=["view_action", "decide_action"]))
"""
BOX = re.compile(r"already (approved|declined) by ([\w ]+)\.")


class Colleague:
    """A member of staff with a browser: signed in over HTTP."""

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self.http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=120)

    async def sign_in(self) -> None:
        await self.http.get("/admin/login/")
        form = {"username": self.name, "password": PASSWORD, "csrfmiddlewaretoken": self._token()}
        answer = await self.http.post(
            "/admin/login/", data={**form, "next": "/admin/"}, headers=self._headers()
        )
        assert answer.status_code == 302, answer.text

    def _token(self) -> str:
        return self.http.cookies["csrftoken"]

    def _headers(self) -> dict[str, str]:
        return {"Referer": str(self.http.base_url), "Origin": str(self.http.base_url).rstrip("/")}

    async def decide(self, interrupt_id: str, approved: bool, seen: str) -> str:
        """Press the button in a window of their own; what the next page says."""
        async with httpx.AsyncClient(
            base_url=self.http.base_url, trust_env=False, timeout=120, cookies=dict(self.http.cookies)
        ) as window:
            form = {
                "csrfmiddlewaretoken": self._token(),
                "_form_submitted": "True",
                "seen": seen,
                "reason": "As agreed.",
            }
            what = "approve" if approved else "decline"
            path = f"/admin/agents/action/{interrupt_id}/{what}/"
            done = await window.post(path, data=form, headers=self._headers())
            assert done.status_code == 302, done.text[:500]
            page: str = (await window.get(done.headers["Location"])).text
            return page


async def colleagues(stack: Stack) -> list[Colleague]:
    name = f"sam{uuid4().hex[:6]}n"
    await asyncio.to_thread(
        stack._manage, "shell", "-v", "0", "-c", PEOPLE.format(name=name, password=PASSWORD)
    )
    found = [Colleague(stack.url, f"{name}{number}") for number in range(5)]
    for one in found:
        await one.sign_in()
    return found


async def by_api(stack: Stack, interrupt_id: str, approved: bool) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=120) as client:
        return await client.post(
            f"{stack.url}/api/v1/interrupts/{interrupt_id}/decision",
            json={"approved": approved, "reason": "As agreed."},
            headers={"X-API-Key": API_KEY},
        )


async def by_socket(customer: Chatter, interrupt_id: str, approved: bool) -> list[Frame]:
    """The error frames that answer the decision: none for the one that counts."""
    await customer.decide(approved, interrupt_id=interrupt_id)
    await customer.send({"type": "ping"})
    return [frame for frame in await customer.until("pong") if frame["type"] == "error"]


async def at_the_same_moment(work: Sequence[Awaitable[T]]) -> list[T]:
    """All of them leave when the last one is ready to."""
    gate = asyncio.Barrier(len(work))

    async def one(what: Awaitable[T]) -> T:
        await gate.wait()
        return await what

    return await asyncio.gather(*(one(what) for what in work))


async def tabs(stack: Stack, customer: Chatter, count: int) -> list[Chatter]:
    """More sockets of the same customer, looking at the same conversation."""
    opened = []
    for _ in range(count):
        tab = Chatter(stack.socket_url, cookie=customer.cookie)
        await tab.__aenter__()
        tab.thread_id = customer.thread_id
        opened.append(tab)
    return opened


def decisions(stack: Stack, thread_id: str) -> list[dict[str, Any]]:
    return [event["payload"] for event in stack.events(thread_id) if event["kind"] == "approval_decided"]


async def test_of_fifty_who_decide_for_the_company_one_wins(offline_stack: Stack) -> None:
    stack = offline_stack
    staff = await colleagues(stack)
    async with Chatter(stack.socket_url) as customer:
        waiting = (await customer.say("Give me a 10% discount on order 1068"))[-1]
        assert waiting["approver"] == "staff"
        interrupt_id, seen = waiting["interrupt_id"], action(stack, waiting["interrupt_id"])["arguments_hash"]
        more = await tabs(stack, customer, 5)
        work: list[Awaitable[Any]] = []
        for number in range(25):
            work.append(by_api(stack, interrupt_id, number % 2 == 0))
            work.append(staff[number % 5].decide(interrupt_id, number % 3 != 0, seen))
        work += [by_socket(tab, interrupt_id, True) for tab in more]

        told = await at_the_same_moment(work)

        for tab in more:
            await tab.socket.close()
        [decided] = decisions(stack, customer.thread_id)
        answers = [one for one in told if isinstance(one, httpx.Response)]
        pages = [one for one in told if isinstance(one, str)]
        refusals = [one for one in told if isinstance(one, list)]
        won_by_api = [answer for answer in answers if answer.status_code == 200]
        losers = [BOX.search(page) for page in pages]
        assert (len(answers), len(pages), len(refusals)) == (25, 25, 5)
        assert len(won_by_api) + losers.count(None) == 1
        for answer in answers:
            if answer.status_code != 200:
                error = answer.json()["error"]
                assert (answer.status_code, error["code"]) == (409, "already_decided")
                assert (error["by_name"], error["resolution"]) == (decided["by_name"], decided["resolution"])
        verb = "approved" if decided["resolution"] == "approved" else "declined"
        assert {(found[1], found[2]) for found in losers if found} <= {(verb, decided["by_name"])}
        for errors in refusals:
            assert [error["message"] for error in errors] in (["Not allowed to decide"], ["Already decided"])

        end = await customer.until("message_complete")
        assert end[-1]["status"] == "completed"
    assert len(effects(stack, 1068)) == (1 if decided["resolution"] == "approved" else 0)
    for one in staff:
        await one.http.aclose()


async def test_of_many_tabs_of_the_customer_one_wins_and_staff_are_refused(offline_stack: Stack) -> None:
    stack = offline_stack
    staff = await colleagues(stack)
    async with Chatter(stack.socket_url) as customer:
        waiting = (await customer.say("Cancel order 1069"))[-1]
        assert waiting["approver"] == "customer"
        interrupt_id, seen = waiting["interrupt_id"], action(stack, waiting["interrupt_id"])["arguments_hash"]
        more = await tabs(stack, customer, 20)
        for answer in await at_the_same_moment([by_api(stack, interrupt_id, True) for _ in range(5)]):
            assert (answer.status_code, answer.json()["error"]["message"]) == (403, "Not allowed to decide")
        assert "This is the customer&#x27;s to decide." in await staff[0].decide(interrupt_id, True, seen)
        assert action(stack, interrupt_id)["status"] == "awaiting"

        work: list[Awaitable[Any]] = [
            by_socket(tab, interrupt_id, place % 2 == 0) for place, tab in enumerate(more)
        ]
        work += [by_api(stack, interrupt_id, place % 2 == 0) for place in range(15)]
        work += [staff[place % 5].decide(interrupt_id, True, seen) for place in range(15)]
        told = await at_the_same_moment(work)

        [decided] = decisions(stack, customer.thread_id)
        assert decided["by"] == "customer"
        refusals = [one for one in told if isinstance(one, list)]
        assert [len(errors) for errors in refusals].count(0) == 1
        for error in (errors[0] for errors in refusals if errors):
            assert (error["message"], error["resolution"], error["by"]) == (
                "Already decided", decided["resolution"], "customer",
            )  # fmt: skip
        codes = {answer.status_code for answer in told if isinstance(answer, httpx.Response)}
        assert codes <= {403, 409}
        for page in (one for one in told if isinstance(one, str)):
            assert (
                "customer&#x27;s to decide" in page
                or "by the customer. Your decision changed nothing" in page
            )
        for tab in more:
            await tab.socket.close()
        end = await customer.until("message_complete")
        assert end[-1]["status"] == "completed"
    cancelled = decided["resolution"] == "approved"
    until(lambda: len(effects(stack, 1069)) == (1 if cancelled else 0))
    for one in staff:
        await one.http.aclose()
