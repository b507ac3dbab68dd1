"""Stored credentials: which are chosen, how they go onto a request, and where they never appear."""

import asyncio
import base64
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings

from agents import credentials
from agents.credentials import attached, chosen, kinds_for, terms_of
from agents.models import Credential, Tool
from agents.tool_http import NO_CREDENTIALS, UNREADABLE, send
from smartsupport.lib.sealing import seal
from smartsupport.lib.threads import in_thread
from tests.agents.calling import (
    BASIC,
    BEARER,
    KEY_IN_COOKIE,
    KEY_IN_HEADER,
    KEY_IN_QUERY,
    OAUTH,
    SECRETS,
    request,
    stored,
    terms,
    unsaved,
)
from tests.agents.tool_rows import make_source, make_tool
from tests.factories import close_threads
from tests.lib.wire import Received, Wire, always, response

DATABASE = pytest.mark.django_db(transaction=True)
EVERY_SECRET = ("sk_live_1042", "bearer-1042", "s3cret-pass", "client-s3cret")


@pytest.fixture(autouse=True)
def allowed(settings: LazySettings) -> Iterator[None]:
    settings.SAFE_HTTP_ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
    yield
    close_threads()


ONE, TWO = {"one": KEY_IN_HEADER}, {"two": BASIC}


@pytest.mark.parametrize(
    ("security", "have", "used", "missing"),
    [
        ([], {"one": "api_key"}, [], ()),
        ([ONE], {"one": "api_key"}, ["one"], ()),
        ([ONE, TWO], {"one": "api_key", "two": "basic"}, ["one"], ()),
        ([TWO, ONE], {"one": "api_key", "two": "basic"}, ["two"], ()),
        ([ONE, TWO], {"two": "basic"}, ["two"], ()),
        ([{**ONE, **TWO}], {"one": "api_key", "two": "basic"}, ["one", "two"], ()),
        ([{**ONE, **TWO}], {"one": "api_key"}, [], ("two",)),
        ([{**ONE, **TWO}, TWO], {"two": "basic"}, ["two"], ()),
        ([ONE, TWO], {}, [], ("one",)),
        ([ONE, {}], {}, [], ()),
        ([{}, ONE], {"one": "api_key"}, ["one"], ()),
        ([ONE], {"one": "basic"}, [], ("one",)),
        ([{"one": {"kind": "mutualTLS"}}], {"one": "api_key"}, [], ("one",)),
    ],
)
def test_the_first_alternative_that_we_can_meet_is_used(
    security: list[dict[str, Any]], have: dict[str, str], used: list[str], missing: tuple[str, ...]
) -> None:
    held, lacking = chosen(security, {name: unsaved(kind, name) for name, kind in have.items()})

    assert [one.credential.scheme for one in held] == used
    assert lacking == missing


@pytest.mark.parametrize(
    ("scheme", "kinds"),
    [
        (KEY_IN_QUERY, {"api_key"}),
        (BASIC, {"basic"}),
        (BEARER, {"bearer", "oauth2_client", "oauth2_refresh"}),
        ({"kind": "http", "scheme": "Token"}, {"bearer"}),
        ({"kind": "http", "scheme": "Digest"}, set()),
        (OAUTH, {"bearer", "oauth2_client", "oauth2_refresh"}),
        ({"kind": "openIdConnect"}, {"bearer", "oauth2_client", "oauth2_refresh"}),
        ({"kind": "mutualTLS"}, set()),
        ({"kind": "riddle"}, set()),
    ],
)
def test_a_scheme_is_met_by_credentials_of_its_kind(scheme: dict[str, Any], kinds: set[str]) -> None:
    assert set(kinds_for(scheme)) == kinds


LOGIN = base64.b64encode(b"ada:s3cret-pass").decode()


@pytest.mark.asyncio
@DATABASE
@pytest.mark.parametrize(
    ("scheme", "kind", "headers", "target"),
    [
        (KEY_IN_HEADER, "api_key", {"x-key": "sk_live_1042"}, "/?q=1"),
        (KEY_IN_QUERY, "api_key", {}, "/?q=1&api_key=sk_live_1042"),
        (KEY_IN_COOKIE, "api_key", {"cookie": "lang=en; session=sk_live_1042"}, "/?q=1"),
        (BASIC, "basic", {"authorization": f"Basic {LOGIN}"}, "/?q=1"),
        (BEARER, "bearer", {"authorization": "Bearer bearer-1042"}, "/?q=1"),
        ({"kind": "http", "scheme": "Token"}, "bearer", {"authorization": "Token bearer-1042"}, "/?q=1"),
    ],
    ids=["header", "query", "cookie", "basic", "bearer", "another scheme"],
)
async def test_a_credential_arrives_where_its_scheme_says(
    scheme: dict[str, Any], kind: str, headers: dict[str, str], target: str
) -> None:
    async with Wire() as server:
        asked = request(server.url, query=(("q", "1"),), headers={"Cookie": "lang=en; session=model"})

        assert (await send(asked, terms((scheme, unsaved(kind))), repeatable=True)).ok

        [got] = server.received
        assert got.headers.items() >= headers.items()
        assert got.target == target


def test_what_a_tool_has_under_the_same_name_gives_way() -> None:
    asked = request(
        "https://shop.example/",
        query=(("api_key", "model"), ("q", "1")),
        headers={"x-KEY": "model", "A": "b"},
    )

    signed = attached(asked, [(terms((KEY_IN_QUERY, unsaved("api_key"))).held[0], "k1")])
    also = attached(signed.request, [(terms((KEY_IN_HEADER, unsaved("api_key"))).held[0], "k2")])

    assert also.request.query == (("q", "1"), ("api_key", "k1"))
    assert (also.request.headers, also.secret_headers) == ({"A": "b"}, {"X-Key": "k2"})


@DATABASE
def test_a_source_has_credentials_of_its_own() -> None:
    tool = make_tool("orders", security=[{"main": KEY_IN_HEADER}])
    stored("api_key", source="another")

    assert terms_of(tool).missing == ("main",)

    mine = stored("api_key")
    assert [one.credential for one in terms_of(tool).held] == [mine]


@pytest.mark.asyncio
@DATABASE
async def test_without_credentials_nothing_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    async with Wire() as server:
        outcome = await send(request(server.url), terms(missing=("main",)), repeatable=True)

        assert (outcome.kind, outcome.message, outcome.seen) == ("auth", NO_CREDENTIALS, True)
        assert (server.connections, outcome.attempts) == (0, 0)


@pytest.mark.asyncio
@DATABASE
async def test_a_credential_that_cannot_be_opened_is_said_and_nothing_sent() -> None:
    broken = Credential(scheme="main", kind="api_key", secret="gAAAAA-not-ours")
    async with Wire() as server:
        outcome = await send(request(server.url), terms((KEY_IN_HEADER, broken)), repeatable=True)

        assert (outcome.kind, outcome.message, server.connections) == ("auth", UNREADABLE, 0)


@pytest.mark.asyncio
@DATABASE
@pytest.mark.parametrize(
    ("scheme", "kind"),
    [(KEY_IN_HEADER, "api_key"), (KEY_IN_QUERY, "api_key"), (KEY_IN_COOKIE, "api_key"), (BASIC, "basic")],
)
async def test_a_redirect_takes_no_credential_to_another_host(scheme: dict[str, Any], kind: str) -> None:
    async with Wire() as other:
        there = f"http://localhost:{other.port}/elsewhere"
        async with Wire(always(response("302 Found", b"", location=there))) as server:
            outcome = await send(request(server.url), terms((scheme, unsaved(kind))), repeatable=True)

            assert outcome.ok
            [first], [second] = server.received, other.received
            secret = LOGIN if kind == "basic" else "sk_live_1042"
            assert secret in f"{first.headers} {first.target}"
            assert secret not in f"{second.headers} {second.target}"


@pytest.mark.asyncio
@DATABASE
async def test_staff_see_that_the_business_refuses_us_and_when_it_took_us_last() -> None:
    answers = {"/401": "401 Who", "/403": "403 No", "/200": "200 OK", "/404": "404 None"}

    async def answer(got: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(response(answers[got.target], b"{}"))

    row = await in_thread(lambda: stored("api_key"))
    own = terms((KEY_IN_HEADER, row))
    async with Wire(answer) as server:

        async def after(path: str) -> Credential:
            await send(request(server.url + path), own, repeatable=True)
            return await in_thread(lambda: Credential.objects.get(pk=row.pk))

        refused = await after("/401")
        assert credentials.is_refused(refused)
        assert refused.last_used_at is None
        used = await after("/404")
        assert not credentials.is_refused(used)
        again = await after("/403")
        assert credentials.is_refused(again)
        assert again.refused_at is not None
        assert used.last_used_at is not None
        assert again.refused_at > used.last_used_at
        assert not credentials.is_refused(await after("/200"))


@pytest.mark.asyncio
@DATABASE
async def test_a_business_that_repeats_what_it_was_sent_tells_nobody_our_secrets() -> None:
    async def echo(got: Received, writer: asyncio.StreamWriter) -> None:
        body = json.dumps({"headers": got.headers, "url": got.target}).encode()
        status = "400 Bad" if got.method == "POST" else "200 OK"
        writer.write(
            response(status, body, content_type="application/json", link=f"<{got.target}>; rel=next")
        )

    async with Wire(echo) as server:
        for scheme, kind in (
            (KEY_IN_HEADER, "api_key"),
            (KEY_IN_QUERY, "api_key"),
            (BASIC, "basic"),
            (BEARER, "bearer"),
        ):
            own = terms((scheme, unsaved(kind)))
            for method in ("GET", "POST"):
                outcome = await send(request(server.url, method), own, repeatable=False)

                assert "[hidden]" in str(outcome.result)
                assert not any(secret in repr(outcome) for secret in (*EVERY_SECRET, LOGIN))


@pytest.mark.asyncio
@DATABASE
@pytest.mark.parametrize("as_error", [False, True])
@pytest.mark.parametrize(
    "written", ["ab/cd+ef/12", r"ab\/cd+ef\/12", r"ab\u002fcd\u002Bef/12", r"\u0061b/cd+ef/12"]
)
async def test_a_secret_that_json_writes_in_another_way_is_hidden_too(written: str, as_error: bool) -> None:
    status = "400 Bad" if as_error else "200 OK"
    body = f'{{"message": "No key {written} here", "keys": {{"{written}": ["{written}"]}}}}'.encode()
    row = unsaved("api_key")
    row.secret = seal({"value": "ab/cd+ef/12"})

    async with Wire(always(response(status, body, content_type="application/json"))) as server:
        outcome = await send(request(server.url), terms((KEY_IN_HEADER, row)), repeatable=False)

    assert "ab/cd" not in repr(outcome).replace("\\", "")
    assert outcome.result == {"message": "No key [hidden] here", "keys": {"[hidden]": ["[hidden]"]}}


@pytest.mark.asyncio
@DATABASE
async def test_no_log_line_and_no_text_of_a_row_has_a_secret(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def odd(got: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")

    async with Wire(odd) as server, Wire(always(response("401 Who"))) as refusing:
        for scheme, kind in ((KEY_IN_HEADER, "api_key"), (KEY_IN_QUERY, "api_key"), (BASIC, "basic")):
            own = terms((scheme, unsaved(kind)))
            await send(request(server.url), own, repeatable=False)
            await send(request(refusing.url), own, repeatable=False)
            await send(request("http://127.0.0.1:1/"), own, repeatable=False)
            signed = await credentials.sign(request(server.url), own, seconds=1)
            print(repr(own), repr(signed), str(own.held[0].credential))

    out, err = capsys.readouterr()
    told = out + err + caplog.text
    assert "tool_request_unanswered" in told
    assert not any(secret in told for secret in (*EVERY_SECRET, LOGIN))


@DATABASE
def test_secrets_are_sealed_where_they_are_kept() -> None:
    for kind in SECRETS:
        row = stored(kind, scheme=kind)
        assert not any(text in row.secret for secret in SECRETS.values() for text in secret.values())


@DATABASE
def test_the_terms_of_a_tool_that_needs_nothing_cost_no_look_at_credentials(
    django_assert_num_queries: Any,
) -> None:
    make_tool("orders")
    make_source().__class__.objects.update(calls_per_minute=7)
    tool = Tool.objects.select_related("source").get()

    with django_assert_num_queries(0):
        own = terms_of(tool)

    assert (own.calls_per_minute, own.held, own.missing) == (7, (), ())
