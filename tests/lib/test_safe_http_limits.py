"""Time and bytes: one deadline over everything, and a cap that counts what comes out of decompression."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib

import pytest

from smartsupport.lib.safe_http import BadResponse, DeadlineExceeded, ResponseTooLarge, SafeClient

from .wire import Drip, Received, Wire, always, put_forward, response

pytestmark = pytest.mark.asyncio
MEGABYTE = 1024 * 1024


async def test_a_dripping_body_ends_at_the_deadline() -> None:
    drip = Drip()
    async with Wire(drip) as server:
        drip.internet.lead_to(server)
        async with SafeClient(allowed_hosts=[server.host], dialer=drip.internet) as client:
            with pytest.raises(DeadlineExceeded) as late:
                await client.request("GET", server.url, timeout=30)

    assert 29 <= drip.sent <= 31
    assert late.value.sent is True
    assert late.value.status == 200


async def test_redirects_share_the_one_deadline() -> None:
    async def slowly_on(_: Received, writer: asyncio.StreamWriter) -> None:
        put_forward(10)
        writer.write(response("302 Found", b"", location="/again"))

    async with Wire(slowly_on) as server, SafeClient(allowed_hosts=[server.host]) as client:
        with pytest.raises(DeadlineExceeded):
            await client.request("GET", server.url, timeout=35, max_redirects=50)

        assert len(server.received) == 4


async def test_a_connection_cut_off_by_the_deadline_is_not_used_again() -> None:
    async def first_is_silent(_: Received, writer: asyncio.StreamWriter) -> None:
        if len(server.received) == 1:
            put_forward(60)
            await server.closing.wait()
        writer.write(response())

    async with Wire(first_is_silent) as server, SafeClient(allowed_hosts=[server.host]) as client:
        with pytest.raises(DeadlineExceeded):
            await client.request("GET", server.url, timeout=60)
        answer = await client.request("GET", server.url)

        assert answer.status == 200
        assert [got.connection for got in server.received] == [1, 2]


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_bomb_stops_at_the_cap_and_takes_no_memory(coding: str) -> None:
    zeros = bytes(100 * MEGABYTE)
    bomb = gzip.compress(zeros) if coding == "gzip" else zlib.compress(zeros)
    del zeros
    async with Wire(always(response(body=bomb, content_encoding=coding))) as server:
        async with SafeClient(allowed_hosts=[server.host]) as client:
            tracemalloc.start()
            try:
                with pytest.raises(ResponseTooLarge) as stopped:
                    await client.request("GET", server.url, max_bytes=MEGABYTE)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    assert stopped.value.status == 200
    assert peak < 8 * MEGABYTE


async def test_a_body_of_exactly_the_cap_is_fine_and_one_more_byte_is_not() -> None:
    packed = response(body=gzip.compress(b"x" * 1000), content_encoding="gzip")
    async with Wire(always(packed)) as server, SafeClient(allowed_hosts=[server.host]) as client:
        answer = await client.request("GET", server.url, max_bytes=1000)
        assert answer.content == b"x" * 1000

        with pytest.raises(ResponseTooLarge):
            await client.request("GET", server.url, max_bytes=999)


async def test_an_announced_length_beyond_the_cap_is_refused_at_once() -> None:
    async with Wire(always(response(body=b"first", content_length="5000"))) as server:
        async with SafeClient(allowed_hosts=[server.host]) as client:
            with pytest.raises(ResponseTooLarge):
                await client.request("GET", server.url, max_bytes=1000)


async def test_an_endless_body_without_a_length_stops_at_the_cap() -> None:
    async def endless(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            await writer.drain()

    async with Wire(endless) as server, SafeClient(allowed_hosts=[server.host]) as client:
        with pytest.raises(ResponseTooLarge):
            await client.request("GET", server.url, max_bytes=100_000)


async def test_a_cut_body_is_given_where_the_caller_asks_for_it() -> None:
    async with Wire(always(response("500 Oops", b"x" * 5000))) as server:
        async with SafeClient(allowed_hosts=[server.host]) as client:
            answer = await client.request("POST", server.url, max_bytes=100, truncate=True)

    assert (answer.status, answer.content, answer.truncated) == (500, b"x" * 100, True)


async def test_head_tells_the_length_of_a_body_that_is_not_sent() -> None:
    async with Wire(always(response(body=b"", content_length="99999999"))) as server:
        async with SafeClient(allowed_hosts=[server.host]) as client:
            answer = await client.request("HEAD", server.url, max_bytes=10)

    assert (answer.status, answer.content, answer.truncated) == (200, b"", False)


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b"hello")),
        ("x-gzip", gzip.compress(b"hel") + gzip.compress(b"lo")),
        ("gzip", gzip.compress(b"hello") + bytes(512)),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", zlib.compress(b"hello")[2:-4]),
        ("identity", b"hello"),
    ],
    ids=["gzip", "two members", "padded", "deflate", "bare deflate", "identity"],
)
async def test_an_encoding_that_was_asked_for_is_unpacked(coding: str, packed: bytes) -> None:
    async with Wire(always(response(body=packed, content_encoding=coding))) as server:
        async with SafeClient(allowed_hosts=[server.host]) as client:
            answer = await client.request("GET", server.url)

            assert answer.content == b"hello"
            assert server.received[0].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip, gzip", gzip.compress(gzip.compress(b"hello"))),
        ("gzip, gzip, br" + ", br" * 20, b"hello"),
        ("br", b"hello"),
        ("gzip", b"not gzip at all"),
        ("gzip", gzip.compress(b"hello")[:-6]),
    ],
    ids=["twice", "many times", "not asked for", "not what it says", "cut off"],
)
async def test_any_other_encoding_is_refused(coding: str, packed: bytes) -> None:
    async with Wire(always(response(body=packed, content_encoding=coding))) as server:
        async with SafeClient(allowed_hosts=[server.host]) as client:
            with pytest.raises(BadResponse) as refusal:
                await client.request("GET", server.url)

    assert refusal.value.sent is True
    assert refusal.value.status == 200
