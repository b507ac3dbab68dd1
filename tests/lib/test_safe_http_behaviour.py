"""The cases of `outbound_cases.tsv` that are no address: what a server, a document or this machine's environment may
not bring about. Against real sockets, through the code that a call or an import takes."""

import asyncio
import gzip
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings

from agents.models import Tool
from agents.tool_http import send
from agents.tool_request import build
from openapi_import.errors import SpecInvalid
from openapi_import.getting import Getter
from openapi_import.reading.text import read_document
from smartsupport.lib.safe_http import (
    BadResponse,
    DeadlineExceeded,
    OutboundError,
    RefusedAddress,
    ResponseTooLarge,
    SafeClient,
)
from smartsupport.lib.threads import in_thread
from tests.agents.calling import OAUTH, request, stored, terms
from tests.factories import close_threads

from .outbound_cases import of_behaviour
from .wire import Drip, Internet, Names, Received, Wire, always, response

Case = Callable[[pytest.MonkeyPatch, Path, LazySettings], Awaitable[None]]
CASES: dict[str, Case] = {}
METADATA = "http://169.254.169.254/"


def case(name: str) -> Callable[[Case], Case]:
    def keep(test: Case) -> Case:
        CASES[name] = test
        return test

    return keep


@pytest.fixture(autouse=True)
def closed_threads() -> Iterator[None]:
    yield
    close_threads()


@case("HTTP_PROXY and its like name a proxy")
async def proxy(monkeypatch: pytest.MonkeyPatch, _: Path, __: LazySettings) -> None:
    async with Wire() as proxy, Wire() as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.lower(), proxy.url)
        async with SafeClient(allowed_hosts=[server.host]) as client:
            with pytest.raises(RefusedAddress):
                await client.request("GET", "http://127.0.0.1/")
            assert (await client.request("GET", server.url)).status == 200

        assert (proxy.connections, len(server.received)) == (0, 1)


@case(".netrc has a password for the host")
async def netrc(monkeypatch: pytest.MonkeyPatch, folder: Path, _: LazySettings) -> None:
    file = folder / ".netrc"
    file.write_text("machine api.example.com login spy password spy\ndefault login spy password spy\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    monkeypatch.setenv("HOME", str(folder))
    names = Names({"api.example.com": ["93.184.216.34"]})
    async with Wire() as server, SafeClient(resolver=names, dialer=Internet(server)) as client:
        await client.request("GET", "http://api.example.com/")

        assert "authorization" not in server.received[0].headers


@case("a length of 100 is announced, and the body never ends")
async def endless(_: pytest.MonkeyPatch, __: Path, ___: LazySettings) -> None:
    sent = 0

    async def on_and_on(_: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\ntransfer-encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            await writer.drain()
            sent += 1024

    async def longer_than_announced(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(response(body=b"x" * 5_000, content_length="100"))

    async with Wire(on_and_on) as server, SafeClient(allowed_hosts=[server.host]) as client:
        with pytest.raises((ResponseTooLarge, BadResponse)):
            await client.request("GET", server.url, max_bytes=50_000)
    assert sent < 50_000_000
    async with Wire(longer_than_announced) as server, SafeClient(allowed_hosts=[server.host]) as client:
        assert len((await client.request("GET", server.url)).content) == 100


@case("a body drips, one byte before each read would time out")
async def drip(_: pytest.MonkeyPatch, __: Path, ___: LazySettings) -> None:
    drop_by_drop = Drip()
    async with Wire(drop_by_drop) as server:
        drop_by_drop.internet.lead_to(server)
        async with SafeClient(allowed_hosts=[server.host], dialer=drop_by_drop.internet) as client:
            with pytest.raises(DeadlineExceeded):
                await client.request("GET", server.url, timeout=30)

    assert 29 <= drop_by_drop.sent <= 31


@case("a body is packed many times over")
async def packed(_: pytest.MonkeyPatch, __: Path, ___: LazySettings) -> None:
    codings = "gzip, " * 20 + "br"
    body = gzip.compress(gzip.compress(bytes(1_000_000)))
    async with Wire(always(response(body=body, content_encoding=codings))) as server:
        async with SafeClient(allowed_hosts=[server.host]) as client:
            with pytest.raises(BadResponse):
                await client.request("GET", server.url)


@case("YAML names Python objects to make")
async def yaml_objects(_: pytest.MonkeyPatch, folder: Path, __: LazySettings) -> None:
    made = folder / "made"
    for tag in ("object/apply:os.mkdir", "object/new:os.mkdir", "name:os.mkdir", "object:builtins.dict"):
        document = f"openapi: 3.1.0\ninfo: !!python/{tag} ['{made}']\npaths: {{}}\n"
        try:
            info = read_document(document.encode(), content_type="application/yaml").get("info")
        except SpecInvalid:
            info = None
        assert info in (None, [str(made)])  # refused, or read as the plain list that it is
        assert not made.exists()


@case("a document refers to the metadata service")
async def reference(_: pytest.MonkeyPatch, __: Path, settings: LazySettings) -> None:
    settings.SAFE_HTTP_ALLOWED_HOSTS = ["localhost"]
    async with Wire() as server:
        for url in (METADATA, f"{server.url}/inside.json", "file:///etc/passwd"):
            getter = Getter(home="", headers={}, stop=lambda: False)
            with pytest.raises(SpecInvalid) as refusal:
                await asyncio.to_thread(getter.reference, url)

            assert not re.search(r"169\.254|127\.0", str(refusal.value))
        assert server.connections == 0


@case("the server of a document is the metadata service")
async def server_inside(_: pytest.MonkeyPatch, __: Path, settings: LazySettings) -> None:
    settings.SAFE_HTTP_ALLOWED_HOSTS = ["localhost"]
    async with Wire() as server:
        for url in (METADATA, server.url, "http://[::ffff:a9fe:a9fe]", "http://2852039166"):
            tool = Tool(method="GET", server_url=url.rstrip("/"), path="/latest/meta-data")

            outcome = await send(build(tool, {}, {}), terms(), repeatable=True)

            assert (outcome.ok, outcome.seen) == (False, True)
            assert outcome.message == "The address of this tool is not allowed."
        assert server.connections == 0


@case("the sign-in address of a document is inside")
async def sign_in_inside(_: pytest.MonkeyPatch, __: Path, settings: LazySettings) -> None:
    async with Wire() as inside, Wire() as business:
        settings.SAFE_HTTP_ALLOWED_HOSTS = [business.host]
        row = await in_thread(lambda: stored("oauth2_client", token_url=f"{inside.url}/token"))

        outcome = await send(request(business.url), terms((OAUTH, row)), repeatable=True)

        assert (outcome.kind, outcome.status) == ("auth", None)
        assert (inside.connections, business.connections) == (0, 0)


@case("a document has Host, Authorization and Content-Length as parameters")
async def own_headers(_: pytest.MonkeyPatch, __: Path, settings: LazySettings) -> None:
    names = ["Host", "Authorization", "Content-Length", "Cookie", "Transfer-Encoding", "X-Forwarded-For"]
    parameters = [{"argument": f"a{at}", "name": name, "in": "header"} for at, name in enumerate(names)]
    async with Wire() as server:
        settings.SAFE_HTTP_ALLOWED_HOSTS = [server.host]
        tool = Tool(method="POST", server_url=server.url, path="/", parameters=parameters)

        await send(build(tool, {f"a{at}": "evil" for at in range(len(names))}, {}), terms(), repeatable=False)

        assert not any("evil" in value for got in server.received for value in got.headers.values())


@case("the answer and the address of a fault could be told")
async def told(_: pytest.MonkeyPatch, __: Path, settings: LazySettings) -> None:
    async def odd(got: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"root:x:0:0 10.0.0.7 is no HTTP\r\n\r\n")
        writer.close()

    names = Names({"moved.example": ["10.0.0.7"]})
    async with Wire(odd) as server:
        settings.SAFE_HTTP_ALLOWED_HOSTS = [server.host]
        outcome = await send(request(server.url), terms(), repeatable=False)
        async with SafeClient(resolver=names, dialer=Internet(server)) as client:
            with pytest.raises(OutboundError) as refusal:
                await client.request("GET", "http://moved.example/")

    for text in (f"{outcome.message} {outcome.result}", refusal.value.message, str(refusal.value)):
        assert not re.search(r"root|10\.0|127\.0|moved", text)


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", of_behaviour())
async def test_it_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: LazySettings
) -> None:
    await CASES[name](monkeypatch, tmp_path, settings)


def test_every_case_is_listed() -> None:
    assert set(CASES) == set(of_behaviour())
