"""Fetching a document over the real outbound client."""

import json
import socket

import pytest
from pytest_django import Settings

from openapi_import.errors import SpecInvalid, SpecUnavailable
from openapi_import.fetch import fetch
from openapi_import.reading.text import MAX_BYTES
from tests.lib.wire import Wire, always, response
from tests.openapi_import.documents import document

DOCUMENT = document({"/x": {"get": {}}})


@pytest.fixture(autouse=True)
def allowed(settings: Settings) -> None:
    settings.SAFE_HTTP_ALLOWED_HOSTS = ["127.0.0.1"]


async def test_a_document_is_fetched_as_json_or_yaml() -> None:
    for body in (
        json.dumps(DOCUMENT).encode(),
        b"openapi: 3.1.0\ninfo: {title: Shop, version: '1'}\npaths: {/x: {get: {}}}",
    ):
        async with Wire(always(response(body=body))) as wire:
            fetched = await fetch(f"{wire.url}/openapi")

        assert fetched.document == DOCUMENT
        assert fetched.url == f"{wire.url}/openapi"
        assert "application/json" in wire.received[0].headers["accept"]


async def test_after_a_redirect_the_address_is_where_it_was_found() -> None:
    async with Wire(always(response(body=json.dumps(DOCUMENT).encode()))) as there:
        async with Wire(always(response("302 Found", location=f"{there.url}/v2/openapi.json"))) as here:
            fetched = await fetch(f"{here.url}/openapi.json")

        assert fetched.url == f"{there.url}/v2/openapi.json"


async def test_an_error_answer_may_be_tried_again_later() -> None:
    async with Wire(always(response("503 Busy"))) as wire:
        with pytest.raises(SpecUnavailable, match="status 503"):
            await fetch(wire.url)


async def test_nobody_there_may_be_tried_again_later() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises(SpecUnavailable, match="could not be fetched"):
            await fetch(f"http://127.0.0.1:{unheard.getsockname()[1]}/openapi.json")


async def test_a_document_beyond_the_limit_is_refused() -> None:
    async with Wire(always(response(body=b" " * (MAX_BYTES + 1)))) as wire:
        with pytest.raises(SpecInvalid):
            await fetch(wire.url)


async def test_an_inner_address_is_refused_without_a_connection(settings: Settings) -> None:
    settings.SAFE_HTTP_ALLOWED_HOSTS = []
    async with Wire() as wire:
        with pytest.raises(SpecInvalid) as refusal:
            await fetch(wire.url)

        assert wire.connections == 0
    assert "127.0.0.1" not in refusal.value.message


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a.example", "x", "", "http://user:secret@127.0.0.1/"]
)
async def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SpecInvalid):
        await fetch(url)
