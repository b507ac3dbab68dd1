"""Who may open the chat socket: a verified customer, an anonymous visitor, and from which pages."""

import base64
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from smartsupport.embedded import ports
from tests.chat.sockets import effects, found, nothing_written, refusal
from tests.live.chatter import Chatter, token_for
from tests.live.stack import ADMIN_PASSWORD, API_KEY, JWT_SECRET, ROOT, Stack, until

pytestmark = pytest.mark.xdist_group("live-offline")


async def turned_away(url: str, **how: Any) -> None:
    """The socket is accepted and then closed with 4001 and the reason, without a frame."""
    async with connect(url, proxy=None, open_timeout=60, **how) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "Unauthorized")


def unsigned(**claims: Any) -> str:
    parts = [{"alg": "none", "typ": "JWT"}, claims]
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        + "."
    )


def signed(secret: str = JWT_SECRET, **claims: Any) -> str:
    return jwt.encode(claims, secret, algorithm="HS256")


SOON = int(time.time()) + 3600
BAD_TOKENS = {
    "empty": "",
    "no token": "nonsense",
    "expired": signed(sub="cus_1002", exp=int(time.time()) - 1),
    "no exp": signed(sub="cus_1002"),
    "no sub": signed(exp=SOON),
    "empty sub": signed(sub="", exp=SOON),
    "blank sub": signed(sub=" ", exp=SOON),
    "another secret": signed("another-secret-of-somebody-0123456789", sub="cus_1002", exp=SOON),
    "unsigned": unsigned(sub="cus_1002", exp=SOON),
    "sub that cannot be stored": signed(sub="\ud800", exp=SOON),
}


@pytest.mark.parametrize("what", BAD_TOKENS)
async def test_bad_tokens(offline_stack: Stack, what: str) -> None:
    with nothing_written(offline_stack):
        await turned_away(f"{offline_stack.socket_url}?token={BAD_TOKENS[what]}")


async def test_a_bad_token_is_not_made_good_by_a_cookie(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as visitor:
        await visitor.say("hello")

    with nothing_written(offline_stack):
        headers = {"Cookie": f"smartsupport_customer={visitor.cookie}"}
        await turned_away(f"{offline_stack.socket_url}?token=bad", additional_headers=headers)


async def test_a_good_token_lets_in_and_brings_the_same_customer_back(offline_stack: Stack) -> None:
    subject = f"cus_{uuid4().hex}"
    async with Chatter(offline_stack.socket_url, token=token_for(subject, name="Ada")) as here:
        await here.say("hello")
        assert here.cookie == ""

    async with Chatter(offline_stack.socket_url, token=token_for(subject)) as there:
        there.thread_id = here.thread_id
        await there.send({"type": "resume", "thread_id": there.thread_id})

        assert found(await there.until("resumed"), "user_message")["content"] == "hello"
    [row] = offline_stack.db("SELECT name, business_id FROM chat_customer WHERE subject = %s", subject)
    assert row == {"name": "Ada", "business_id": subject}


async def test_a_verified_customers_tools_are_bound_to_them(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url, token=token_for("cus_1002")) as other:
        looked_up = await other.say("What is the status of order 1058?")
        waiting = await other.say("Cancel order 1058")
        done = await other.answer(True)

    result = found(looked_up, "tool_result")
    assert not result["ok"]
    assert "was not found" in result["result"]["message"]
    assert "was not found" in found(looked_up, "agent_response")["content"]
    assert waiting[-1]["params"] == {"order_id": 1058}
    assert not found(done, "tool_result")["ok"]
    assert effects(offline_stack, 1058) == []
    async with Chatter(offline_stack.socket_url, token=token_for("cus_1001")) as owner:
        assert found(await owner.say("What is the status of order 1058?"), "tool_result")["ok"]


async def test_a_new_visitor_gets_a_cookie_that_works_next_time(offline_stack: Stack) -> None:
    with nothing_written(offline_stack):
        async with Chatter(offline_stack.socket_url) as first:
            assert first.cookie
            header = first.socket.response.headers["Set-Cookie"] if first.socket.response else ""
            assert "HttpOnly" in header
            assert "SameSite=Lax" in header
            assert "Path=/" in header
    async with Chatter(offline_stack.socket_url, cookie=first.cookie) as second:
        await second.say("hello")

    async with Chatter(offline_stack.socket_url, cookie=first.cookie) as third:
        assert third.socket.response is not None
        assert "Set-Cookie" not in third.socket.response.headers
        await third.send({"type": "resume", "thread_id": second.thread_id})
        assert found(await third.until("resumed"), "user_message")["content"] == "hello"


async def test_the_cookie_of_the_page_is_the_sockets(offline_stack: Stack) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as browser:
        page = await browser.get(offline_stack.url)
    cookie = page.cookies["smartsupport_customer"]
    async with Chatter(offline_stack.socket_url, cookie=cookie) as visitor:
        assert visitor.cookie == cookie
        await visitor.say("hello")
    async with Chatter(offline_stack.socket_url, cookie=cookie) as again:
        await again.send({"type": "resume", "thread_id": visitor.thread_id})
        assert found(await again.until("resumed"), "user_message")["content"] == "hello"


async def test_the_cookie_is_found_among_odd_ones(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as visitor:
        await visitor.say("hello")
    odd = f'prefs={{"a": [1, 2]}}; x; =y; café=1; smartsupport_customer={visitor.cookie}; z="un'.encode()

    cookie = {"Cookie": odd.decode("latin-1")}
    async with connect(
        offline_stack.socket_url, proxy=None, open_timeout=60, additional_headers=cookie
    ) as socket:
        assert socket.response is not None
        assert "Set-Cookie" not in socket.response.headers
        await socket.send(json.dumps({"type": "resume", "thread_id": visitor.thread_id}))
        assert json.loads(await socket.recv())["type"] == "user_message"


@pytest.mark.parametrize(
    "forge", [lambda good: good[:-2] + "xx", lambda good: str(uuid4()), lambda good: "x"]
)
async def test_a_forged_cookie_is_a_new_visitor(offline_stack: Stack, forge: Any) -> None:
    async with Chatter(offline_stack.socket_url) as owner:
        await owner.say("hello")

    async with Chatter(offline_stack.socket_url, cookie=forge(owner.cookie)) as forger:
        assert forger.cookie not in ("", owner.cookie, forge(owner.cookie))
        answer = await refusal(forger, {"type": "resume", "thread_id": owner.thread_id})
        assert answer["message"] == "Thread not found"


@pytest.mark.parametrize("origin", [None, "own"])
async def test_the_own_page_and_programs_may_connect(offline_stack: Stack, origin: str | None) -> None:
    async with Chatter(offline_stack.socket_url, origin=origin and offline_stack.url) as visitor:
        await visitor.quiet()


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://127.0.0.1.evil.example", "null", "https://evil.example/127.0.0.1"],
)
async def test_foreign_pages_may_not_connect_even_with_a_good_credential(
    offline_stack: Stack, origin: str
) -> None:
    for url in (offline_stack.socket_url, f"{offline_stack.socket_url}?token={token_for('cus_1001')}"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, proxy=None, open_timeout=60, origin=origin)  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403


async def test_tokens_reach_no_log(offline_stack: Stack) -> None:
    good = token_for("cus_1003")
    async with Chatter(offline_stack.socket_url, token=good) as customer:
        await customer.say("hello")
    await turned_away(f"{offline_stack.socket_url}?token={BAD_TOKENS['expired']}")

    for name in ("web", "turns"):
        written = offline_stack.log(name)
        assert written
        for token in (good, BAD_TOKENS["expired"]):
            assert token not in written
            assert token.split(".")[2] not in written
        assert "token=" not in written.replace("token=***", "")


async def test_no_credential_reaches_any_log(offline_stack: Stack) -> None:
    """Cookies, keys, tokens and passwords, good and bad, wherever a caller may put them."""
    good, wrong = token_for("cus_1003"), "sk_" + secrets.token_urlsafe(32)
    async with Chatter(offline_stack.socket_url) as visitor:
        await visitor.say("hello")
    async with Chatter(offline_stack.socket_url, cookie=visitor.cookie) as again:
        await again.send({"type": "resume", "thread_id": visitor.thread_id})
        await again.until("resumed")
        await refusal(again, {"type": "stop", "thread_id": "nobodys", "token": good})
    with pytest.raises(InvalidStatus):
        await connect(
            f"{offline_stack.socket_url}?token={good}",
            proxy=None,
            open_timeout=60,
            origin="https://evil.example",
        )  # type: ignore[arg-type]
    with pytest.raises(InvalidStatus):
        await connect(
            offline_stack.url.replace("http", "ws") + f"/nowhere?token={good}", proxy=None, open_timeout=60
        )
    tries: list[dict[str, Any]] = [
        {"url": "/api/v1/conversations", "headers": {"X-API-Key": API_KEY}},
        {"url": "/api/v1/conversations", "headers": {"X-API-Key": wrong}},
        {"url": "/api/v1/nowhere", "headers": {"X-API-Key": API_KEY, "Authorization": f"Bearer {good}"}},
        {"url": "/api/v1/conversations", "params": {"token": good, "api_key": wrong}},
        {"url": "/", "params": {"token": good}, "cookies": {"smartsupport_customer": visitor.cookie}},
        {"url": "/nowhere", "params": {"access_token": good}},
    ]
    for one in tries:
        async with httpx.AsyncClient(trust_env=False, timeout=60, cookies=one.pop("cookies", None)) as caller:
            await caller.get(offline_stack.url + one.pop("url"), **one)
    async with httpx.AsyncClient(trust_env=False, timeout=60, base_url=offline_stack.url) as staff:
        await staff.get("/admin/login/")
        form = {"username": "admin", "csrfmiddlewaretoken": staff.cookies["csrftoken"]}
        await staff.post("/admin/login/", data={**form, "password": wrong})
        signed_in = await staff.post("/admin/login/", data={**form, "password": ADMIN_PASSWORD})
        assert signed_in.status_code == 302
        session = staff.cookies["sessionid"]

    logs = {path.name: path.read_text(errors="replace") for path in offline_stack.directory.glob("*.log")}
    assert {"web.log", "turns.log", "demo.log"} <= set(logs)
    assert '"request": "GET /api/v1/nowhere"' in logs["web.log"]
    hidden = [
        good,
        wrong,
        API_KEY,
        ADMIN_PASSWORD,
        JWT_SECRET,
        visitor.cookie,
        session,
        form["csrfmiddlewaretoken"],
    ]
    for name, written in logs.items():
        assert [one for one in hidden if one in written or one.rpartition(".")[2] in written] == [], name


@pytest.fixture(scope="module")
def members_only(offline_stack: Stack) -> Iterator[str]:
    """The URL of a second web process of the same product, on which anonymous chat is off."""
    port = ports.choose(None)
    env = offline_stack.env | {"ALLOW_ANONYMOUS_CHAT": "false", "PORT": str(port)}
    command = [
        sys.executable,
        "-m",
        "daphne",
        "-b",
        "127.0.0.1",
        "-p",
        str(port),
        "smartsupport.asgi:application",
    ]
    with (offline_stack.directory / "members.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        until(lambda: _alive(f"http://127.0.0.1:{port}/healthz"))
        yield f"ws://127.0.0.1:{port}/ws"
    finally:
        process.kill()
        process.wait()


def _alive(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


async def test_where_anonymous_chat_is_off_only_a_token_lets_in(
    offline_stack: Stack, members_only: str
) -> None:
    async with Chatter(offline_stack.socket_url) as visitor:
        await visitor.say("hello")
    with nothing_written(offline_stack):
        await turned_away(members_only)
        cookie = {"Cookie": f"smartsupport_customer={visitor.cookie}"}
        await turned_away(members_only, additional_headers=cookie)
        await turned_away(members_only + "?token=")

    async with Chatter(members_only, token=token_for("cus_1003")) as customer:
        assert (await customer.say("hello"))[-1]["status"] == "completed"
