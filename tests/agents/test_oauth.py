"""OAuth 2 tokens: got once for everybody, renewed when they end or are refused, and kept sealed."""

import asyncio
import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.conf import LazySettings
from django.utils import timezone

from agents import credentials
from agents.models import Credential
from agents.tool_http import send
from smartsupport.lib.own_loop import on_own_loop
from smartsupport.lib.sealing import seal, unseal
from smartsupport.lib.threads import in_thread
from tests.agents.calling import OAUTH, SECRETS, request, stored, terms
from tests.factories import close_threads
from tests.lib.wire import Received, Wire, response

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def allowed(settings: LazySettings) -> Iterator[LazySettings]:
    settings.SAFE_HTTP_ALLOWED_HOSTS = ["127.0.0.1"]
    settings.TOOL_TIMEOUT_SECONDS = 20
    yield settings
    close_threads()


class SignIn(Wire):
    """A sign-in server. It numbers its tokens; `refuse` and `only_body` make it difficult."""

    def __init__(self, **more: Any) -> None:
        super().__init__(self._grant)
        self.more = {"token_type": "Bearer", "expires_in": 3600, **more}
        self.refuse = b""
        self.only_body = False
        self.go_on: asyncio.Event | None = None

    async def _grant(self, got: Received, writer: asyncio.StreamWriter) -> None:
        if self.go_on is not None:
            await self.go_on.wait()
        if self.refuse:
            writer.write(self.refuse)
        elif self.only_body and "authorization" in got.headers:
            writer.write(response("401 Who", b'{"error": "invalid_client"}'))
        else:
            body = {"access_token": f"token-{len(self.received)}", **self.more}
            writer.write(response(body=json.dumps(body).encode(), content_type="application/json"))

    def forms(self) -> list[dict[str, list[str]]]:
        return [parse_qs(got.body.decode()) for got in self.received]


class Business(Wire):
    """A business that takes the tokens in `good`, or any."""

    def __init__(self, *good: str) -> None:
        super().__init__(self._answer)
        self.good = set(good)

    async def _answer(self, got: Received, writer: asyncio.StreamWriter) -> None:
        token = got.headers.get("authorization", "").removeprefix("Bearer ")
        writer.write(response() if not self.good or token in self.good else response("401 Who"))

    def tokens(self) -> list[str]:
        return [got.headers["authorization"].removeprefix("Bearer ") for got in self.received]


async def credential(server: SignIn, kind: str = "oauth2_client", **fields: Any) -> Credential:
    return await in_thread(lambda: stored(kind, token_url=f"{server.url}/token", **fields))


async def again(row: Credential) -> Credential:
    return await in_thread(lambda: Credential.objects.get(pk=row.pk))


async def call(business: Wire, row: Credential, **more: Any) -> Any:
    options = {"repeatable": True, **more}
    return await send(request(business.url), terms((OAUTH, row)), **options)


async def test_a_token_is_got_once_and_kept_sealed() -> None:
    async with SignIn() as server, Business() as business:
        row = await credential(server, scopes=["orders:read", "orders:write"])

        for _ in range(3):
            assert (await call(business, await again(row))).ok

        assert business.tokens() == ["token-1"] * 3
        [form] = server.forms()
        assert form == {"grant_type": ["client_credentials"], "scope": ["orders:read orders:write"]}
        login = base64.b64encode(b"shop:client-s3cret").decode()
        assert server.received[0].headers["authorization"] == f"Basic {login}"
        kept = await again(row)
        assert "token-1" not in kept.token
        assert unseal(kept.token) == "token-1"
        assert kept.token_expires_at is not None
        left = kept.token_expires_at - timezone.now()
        assert timedelta(minutes=58) < left < timedelta(minutes=60)


async def test_many_calls_at_once_get_one_token(settings: LazySettings) -> None:
    async with SignIn() as server, Business() as business:
        server.go_on = asyncio.Event()
        row = await credential(server)
        calls = [asyncio.ensure_future(call(business, row)) for _ in range(6)]
        elsewhere = [asyncio.to_thread(on_own_loop, call(business, row)) for _ in range(2)]
        everybody = asyncio.gather(*calls, *elsewhere)
        async with asyncio.timeout(60):
            while not server.received:
                await asyncio.wait([everybody], timeout=0.01)
        server.go_on.set()

        assert all(outcome.ok for outcome in await everybody)
        assert len(server.received) == 1
        assert business.tokens() == ["token-1"] * 8


async def test_a_token_that_has_ended_is_renewed() -> None:
    async with SignIn() as server, Business() as business:
        row = await credential(
            server, token=seal("old"), token_expires_at=timezone.now() - timedelta(seconds=1)
        )

        assert (await call(business, row)).ok

        assert business.tokens() == ["token-1"]


async def test_a_token_that_is_refused_is_renewed_once_also_for_a_write() -> None:
    good_till = timezone.now() + timedelta(hours=1)
    async with SignIn() as server, Business("token-1") as business:
        row = await credential(server, token=seal("revoked"), token_expires_at=good_till)

        outcome = await call(business, row, repeatable=False)

        assert (outcome.ok, outcome.attempts) == (True, 2)
        assert business.tokens() == ["revoked", "token-1"]
        assert not credentials.is_refused(await again(row)) or (await again(row)).last_used_at

    async with SignIn() as server, Business("none of them") as business:
        other = await credential(server, scheme="other", token=seal("revoked"), token_expires_at=good_till)

        outcome = await call(business, other)

        assert (outcome.kind, outcome.status) == ("auth", 401)
        assert business.tokens() == ["revoked", "token-1"]
        assert credentials.is_refused(await again(other))


async def test_a_refresh_token_that_is_replaced_is_kept() -> None:
    async with SignIn(refresh_token="refresh-2") as server, Business() as business:
        row = await credential(server, "oauth2_refresh")

        assert (await call(business, row)).ok

        assert server.forms()[0] == {"grant_type": ["refresh_token"], "refresh_token": ["refresh-1"]}
        assert unseal((await again(row)).secret) == {
            **SECRETS["oauth2_refresh"],
            "refresh_token": "refresh-2",
        }


async def test_a_server_that_wants_the_secret_in_the_body_gets_it_there() -> None:
    async with SignIn() as server, Business() as business:
        server.only_body = True

        assert (await call(business, await credential(server))).ok

        assert server.forms()[1] == {
            "grant_type": ["client_credentials"],
            "client_id": ["shop"],
            "client_secret": ["client-s3cret"],
        }
        assert "authorization" not in server.received[1].headers


@pytest.mark.parametrize(
    ("answer", "kind", "refused"),
    [
        (response("400 Bad", b'{"error": "invalid_grant"}'), "auth", True),
        (response("401 Who", b'{"error": "invalid_client"}'), "auth", True),
        (response(body=b'{"ok": false}'), "auth", True),
        (response(body=b'{"access_token": "t", "token_type": "mac"}'), "auth", True),
        (response(body=b'{"access_token": "two words\\r\\nX: y"}'), "auth", True),
        (response(body=b"<html>client-s3cret"), "auth", True),
        (response("302 Found", b"", location="https://elsewhere.example/"), "transient", False),
        (response("503 Busy", b""), "transient", False),
    ],
)
async def test_a_sign_in_that_fails_is_said_and_nothing_is_sent(
    answer: bytes, kind: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.tool_http.BACKOFF_SECONDS", 0.001)
    async with SignIn() as server, Business() as business:
        server.refuse = answer
        row = await credential(server)

        outcome = await call(business, row)

        assert (outcome.kind, outcome.seen, outcome.status) == (kind, True, None)
        assert outcome.message.startswith("The business's sign-in server")
        assert outcome.message.endswith("Nothing was sent.")
        assert business.connections == 0
        assert credentials.is_refused(await again(row)) == refused
        assert (await again(row)).token == ""


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/token", "http://127.0.0.1:1/token", "file:///etc/passwd"]
)
async def test_a_sign_in_server_is_no_way_inside(url: str, allowed: LazySettings) -> None:
    allowed.SAFE_HTTP_ALLOWED_HOSTS = []
    async with Business() as business:
        row = await in_thread(lambda: stored("oauth2_client", token_url=url))

        outcome = await call(business, row)

        assert (outcome.kind, business.connections) == ("auth", 0)
        assert (
            outcome.message
            == "The address of the business's sign-in server is not allowed. Nothing was sent."
        )


async def test_what_staff_enter_while_a_token_is_asked_for_stays() -> None:
    async with SignIn() as server, Business() as business:
        server.go_on = asyncio.Event()
        row = await credential(server)
        asked = asyncio.ensure_future(call(business, row))
        async with asyncio.timeout(60):
            while not server.received:
                await asyncio.wait([asked], timeout=0.01)
        entered = seal({"client_id": "new", "client_secret": "new-secret"})
        await in_thread(lambda: Credential.objects.filter(pk=row.pk).update(secret=entered, token=""))
        server.go_on.set()

        assert (await asked).ok
        kept = await again(row)
        assert (kept.secret, kept.token) == (entered, "")


async def test_a_sign_in_that_is_silent_ends_with_the_call(allowed: LazySettings) -> None:
    allowed.TOOL_TIMEOUT_SECONDS = 1
    async with SignIn() as server, Business() as business:
        server.go_on = asyncio.Event()

        outcome = await call(business, await credential(server))

        assert (outcome.kind, outcome.seen, business.connections) == ("transient", True, 0)
        server.go_on.set()
