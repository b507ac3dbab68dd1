"""Getting a document over the real outbound client, from real servers."""

import asyncio
import gzip
import json
import socket
import threading
from typing import Any

import pytest
from pytest_django import Settings

from openapi_import import getting
from openapi_import.errors import ImportRefused, SpecInvalid, SpecUnavailable
from openapi_import.getting import Getter, checked_headers, checked_url
from openapi_import.waiting import Stopped, run_until
from tests.lib.wire import Received, response
from tests.openapi_import.far_side import FarSide
from tests.openapi_import.far_side import far as far  # a fixture

DOCUMENT = {"openapi": "3.1.0", "info": {"title": "Shop", "version": "1"}, "paths": {"/x": {"get": {}}}}
SECRET = {"X-Api-Key": "s3cret"}


@pytest.fixture(autouse=True)
def allowed(settings: Settings) -> None:
    settings.SAFE_HTTP_ALLOWED_HOSTS = ["127.0.0.1"]


@pytest.fixture
def without_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for the server waits for an hour, in vain."""
    monkeypatch.setattr(getting, "SECONDS", 3_600.0)


def getter(home: str = "", **more: Any) -> Getter:
    return Getter(home=home, headers=more.pop("headers", {}), stop=more.pop("stop", lambda: False))


def test_a_document_is_got_as_it_is_with_its_type_and_its_mark(far: FarSide) -> None:
    body = b"openapi: 3.1.0\ninfo: {title: Shop, version: '1'}"
    wire = far.documents({"/o.yaml": response(body=body, content_type="application/yaml", etag='"v1"')})

    got = getter().document(f"{wire.url}/o.yaml")

    assert (got.content, got.content_type, got.etag, got.same) == (body, "application/yaml", '"v1"', False)
    assert got.url == f"{wire.url}/o.yaml"
    assert "application/json" in wire.received[0].headers["accept"]
    assert "if-none-match" not in wire.received[0].headers


def test_a_server_that_still_has_the_same_version_sends_nothing(far: FarSide) -> None:
    wire = far.documents({"/o": response("304 Not Modified", body=b"", etag='"v1"')})

    got = getter().document(f"{wire.url}/o", etag='"v1"')

    assert (got.same, got.content, got.etag) == (True, b"", '"v1"')
    assert wire.received[0].headers["if-none-match"] == '"v1"'


def test_after_a_redirect_the_address_is_where_it_was_found(far: FarSide) -> None:
    there = far.documents({"/v2/openapi.json": DOCUMENT})
    here = far.documents({"/o": response("302 Found", location=f"{there.url}/v2/openapi.json")})

    assert getter().document(f"{here.url}/o").url == f"{there.url}/v2/openapi.json"


def test_credentials_go_to_the_documents_server_and_to_no_other(far: FarSide) -> None:
    there = far.documents({"/o": DOCUMENT, "/part": {}})
    here = far.documents(
        {"/o": response("302 Found", location=f"{there.url}/o"), "/own": {}, "/direct": DOCUMENT}
    )
    asking = getter(here.url, headers=SECRET)

    asking.document(f"{here.url}/o")
    asking.document(f"{here.url}/direct")
    asking.reference(f"{here.url}/own")
    asking.reference(f"{there.url}/part")

    assert [asked.headers.get("x-api-key") for asked in here.received] == ["s3cret"] * 3
    assert [asked.headers.get("x-api-key") for asked in there.received] == [None, None]


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        ("401 Who", SpecInvalid, "credentials"),
        ("403 No", SpecInvalid, "credentials"),
        ("404 Gone", SpecInvalid, "no document at this address"),
        ("503 Busy", SpecUnavailable, "status 503"),
        ("500 Oh", SpecUnavailable, "Try again later"),
    ],
)
def test_an_answer_without_a_document_says_what_to_do(
    far: FarSide, status: str, error: type[Exception], words: str
) -> None:
    wire = far.documents({"/o": response(status)})

    with pytest.raises(error, match=words):
        getter().document(f"{wire.url}/o")


def test_a_web_page_is_named_as_one(far: FarSide) -> None:
    wire = far.documents({"/o": response(body=b"\n<!doctype html><p>Sign in", content_type="text/html")})

    with pytest.raises(SpecInvalid, match="web page"):
        getter().document(f"{wire.url}/o")


def test_nobody_there_may_be_tried_again_later() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises(SpecUnavailable, match="could not be fetched"):
            getter().document(f"http://127.0.0.1:{unheard.getsockname()[1]}/openapi.json")


def test_all_documents_together_have_one_limit_counted_unpacked(far: FarSide, settings: Settings) -> None:
    settings.IMPORT_MAX_BYTES = 10_000
    bomb = response(body=gzip.compress(b" " * 100_000), content_encoding="gzip")
    wire = far.documents(
        {"/large": b" " * 10_001, "/bomb": bomb, "/most": b" " * 9_000, "/more": b" " * 1_001}
    )

    for path in ("/large", "/bomb"):
        with pytest.raises(SpecInvalid, match=r"larger than 10,000 bytes \(IMPORT_MAX_BYTES\)"):
            getter().document(wire.url + path)
    asking = getter()
    assert len(asking.document(f"{wire.url}/most").content) == 9_000
    with pytest.raises(SpecInvalid, match="larger than 10,000"):
        asking.reference(f"{wire.url}/more")
    assert asking.documents == []


def test_references_are_counted_one_by_one(far: FarSide, settings: Settings) -> None:
    settings.IMPORT_MAX_DOCUMENTS = 3
    wire = far.documents({"/o": DOCUMENT, "/a": {"a": 1}, "/b": {}, "/c": {}})
    asking = getter()
    asking.document(f"{wire.url}/o")

    assert json.loads(asking.reference(f"{wire.url}/a")) == {"a": 1}
    asking.reference(f"{wire.url}/b")
    with pytest.raises(SpecInvalid, match="more than 2 others"):
        asking.reference(f"{wire.url}/c")

    assert [one["url"] for one in asking.documents] == [f"{wire.url}/a", f"{wire.url}/b"]
    assert [one["bytes"] for one in asking.documents] == [8, 2]
    assert [asked.target for asked in wire.received] == ["/o", "/a", "/b"]


@pytest.mark.parametrize("what", ["document", "reference"])
def test_an_inner_address_is_refused_without_a_connection(
    far: FarSide, settings: Settings, what: str
) -> None:
    settings.SAFE_HTTP_ALLOWED_HOSTS = []
    wire = far.documents({"/o": DOCUMENT})

    with pytest.raises(SpecInvalid) as refusal:
        getattr(getter(), what)(f"{wire.url}/o")

    assert wire.connections == 0
    assert "127.0.0.1" not in refusal.value.message


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://a.example",
        "x",
        "http://user:secret@127.0.0.1/",
        "http://a.example/" + "x" * 2000,
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ImportRefused) as refusal:
        checked_url(url)

    assert refusal.value.extra["fields"]["url"]
    assert "secret" not in refusal.value.message
    with pytest.raises(SpecInvalid):
        getter().reference(url + " ")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "a.example"},
        {"cookie": "a=b"},
        {"X Key": "v"},
        {"X-Key": "s3cret\r\nHost: b"},
        {"X-Key": ""},
        {"X-Key": " s3cret"},
        {"X-Key": "s3crét"},
        {"X-Key": 5},
        {"X-Key": "s3cret", "x-key": "s3cret"},
        {f"X-{number}": "s3cret" for number in range(6)},
        {"X-Key": "s3cret" * 2000},
    ],
)
def test_headers_that_are_no_credentials_are_refused_without_repeating_them(headers: dict[str, Any]) -> None:
    with pytest.raises(ImportRefused) as refusal:
        checked_headers(headers)

    assert "s3cr" not in str(refusal.value.extra) + refusal.value.message


def test_a_user_name_and_password_become_a_header() -> None:
    assert getting.basic("Aladdin", "open sesame") == {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}


def test_waiting_for_a_server_ends_soon_after_stop(far: FarSide, without_a_limit: None) -> None:
    wire, asked = far.silent()

    with pytest.raises(Stopped):
        getter(stop=asked.is_set).document(f"{wire.url}/o")

    assert asked.is_set()


def test_a_body_that_does_not_end_is_left_soon_after_stop(far: FarSide, without_a_limit: None) -> None:
    begun = threading.Event()

    async def begin(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
        await writer.drain()
        begun.set()
        await wire.closing.wait()

    wire = far.serve(begin)

    with pytest.raises(Stopped):
        getter(stop=begun.is_set).document(f"{wire.url}/o")


def test_stopping_cancels_the_work_and_what_stop_raises_goes_on() -> None:
    cancelled = threading.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    def broken() -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_until(work(), broken)
    assert cancelled.wait(60)
