"""`sent` decides between "failed" and "nobody knows": False only where nothing reached the server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Sequence

import httpcore
import pytest

from smartsupport.lib.safe_http import (
    BadResponse,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    InvalidRequest,
    NameNotFound,
    OutboundError,
    RefusedAddress,
    SafeClient,
)

from .wire import Internet, Names, Received, Wire, always, put_forward, response

pytestmark = pytest.mark.asyncio


async def never(*_: object) -> Sequence[str]:
    """A resolver that never answers."""
    await asyncio.Event().wait()
    raise AssertionError


class BlackHole(httpcore.AsyncNetworkBackend):
    """An address that never answers; notes what was tried."""

    def __init__(self) -> None:
        self.dialled: list[str] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.dialled.append(host)
        await asyncio.Event().wait()
        raise AssertionError


async def hang_up_without_answer(_: Received, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def post(client: SafeClient, url: str, **options: object) -> OutboundError:
    """The error that a write ends with."""
    with pytest.raises(OutboundError) as failure:
        await client.request("POST", url, json={"order": 1042}, **options)  # type: ignore[arg-type]
    return failure.value


async def test_a_refused_address_was_not_sent() -> None:
    async with Wire() as server, SafeClient() as client:
        error = await post(client, server.url.replace(str(server.port), "8080"))

        assert isinstance(error, RefusedAddress)
        assert error.sent is False
        assert server.connections == 0


async def test_a_private_server_that_is_not_listed_is_not_even_connected_to() -> None:
    async with Wire() as server, SafeClient(allowed_ports=[server.port]) as client:
        error = await post(client, server.url)

        assert isinstance(error, RefusedAddress)
        assert error.sent is False
        assert server.connections == 0


async def test_a_refused_connection_was_not_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        async with SafeClient(allowed_hosts=[host]) as client:
            error = await post(client, f"http://{host}/")

    assert type(error) is ConnectFailed
    assert error.sent is False
    assert "127.0.0.1" in error.detail
    assert "127.0.0.1" not in error.message


async def test_an_unknown_name_was_not_sent() -> None:
    async with SafeClient(resolver=Names({}), dialer=Internet()) as client:
        error = await post(client, "http://nowhere.example/")

    assert isinstance(error, NameNotFound)
    assert error.sent is False


async def test_a_connect_that_is_never_answered_was_not_sent() -> None:
    async with SafeClient(dialer=BlackHole(), connect_timeout=0.05) as client:
        error = await post(client, "http://93.184.216.34/")

    assert type(error) is ConnectFailed
    assert error.sent is False
    assert "93.184.216.34" in error.detail
    assert "93.184.216.34" not in error.message


@pytest.mark.parametrize("options", [{"resolver": never}, {"dialer": BlackHole()}])
async def test_a_deadline_before_the_request_was_not_sent(options: dict[str, object]) -> None:
    names = Names({"api.example.com": ["93.184.216.34"]})
    async with SafeClient(**{"resolver": names, **options}) as client:  # type: ignore[arg-type]
        error = await post(client, "http://api.example.com/", timeout=0.05)

    assert isinstance(error, DeadlineExceeded)
    assert error.sent is False


async def test_a_connection_dropped_after_the_request_may_have_acted() -> None:
    async with Wire(hang_up_without_answer) as server, SafeClient(allowed_hosts=[server.host]) as client:
        error = await post(client, server.url)

        assert isinstance(error, ConnectionLost)
        assert error.sent is True
        assert error.status is None
        assert len(server.received) == 1


async def test_a_server_that_never_answers_may_have_acted() -> None:
    async def stay_silent(_: Received, __: asyncio.StreamWriter) -> None:
        put_forward(60)
        await server.closing.wait()

    async with Wire(stay_silent) as server, SafeClient(allowed_hosts=[server.host]) as client:
        error = await post(client, server.url, timeout=60)

        assert isinstance(error, DeadlineExceeded)
        assert error.sent is True
        assert error.status is None
        assert len(server.received) == 1


async def test_a_body_that_breaks_off_tells_the_status_that_was_seen() -> None:
    async def half(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(response("201 Created", b"half of it", content_length="100"))
        writer.close()

    async with Wire(half) as server, SafeClient(allowed_hosts=[server.host]) as client:
        error = await post(client, server.url)

    assert isinstance(error, ConnectionLost)
    assert error.sent is True
    assert error.status == 201


async def test_an_answer_that_is_not_http_may_have_acted() -> None:
    async with Wire(always(b"-ERR unknown command\r\n\r\n")) as server:
        async with SafeClient(allowed_hosts=[server.host]) as client:
            error = await post(client, server.url)

    assert isinstance(error, BadResponse)
    assert error.sent is True


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "other.example"},
        {"content-length": "0"},
        {"Transfer-Encoding": "chunked"},
        {"Connection": "close"},
        {"Proxy-Authorization": "x"},
        {"X-Note": "a\r\nX-Injected: 1"},
        {"X Note": "a"},
        {"X-Note": " padded"},
    ],
)
async def test_a_header_that_is_not_the_callers_is_refused_and_nothing_sent(headers: dict[str, str]) -> None:
    async with Wire() as server, SafeClient(allowed_hosts=[server.host]) as client:
        error = await post(client, server.url, headers=headers)

        assert isinstance(error, InvalidRequest)
        assert error.sent is False
        assert server.connections == 0


async def test_an_ordinary_header_cannot_replace_a_credential() -> None:
    async with Wire() as server, SafeClient(allowed_hosts=[server.host]) as client:
        error = await post(
            client,
            server.url,
            headers={"authorization": "Bearer model"},
            secret_headers={"Authorization": "Bearer ours"},
        )

        assert isinstance(error, InvalidRequest)
        assert server.connections == 0


async def test_a_write_never_uses_a_connection_that_may_be_closing() -> None:
    async with Wire() as server, SafeClient(allowed_hosts=[server.host]) as client:
        await client.request("GET", server.url)
        await client.request("POST", server.url, json={})
        await client.request("DELETE", server.url)
        await client.request("GET", server.url)

        assert [(got.method, got.connection) for got in server.received] == [
            ("GET", 1),
            ("POST", 2),
            ("DELETE", 3),
            ("GET", 1),
        ]


async def test_a_read_on_a_connection_that_was_closed_meanwhile_is_asked_again() -> None:
    async def close_on_second(got: Received, writer: asyncio.StreamWriter) -> None:
        if got.connection == 1 and len(server.received) == 2:
            writer.close()  # as a server does whose keep-alive ends while the request is on its way
        else:
            writer.write(response())

    async with Wire(close_on_second) as server, SafeClient(allowed_hosts=[server.host]) as client:
        await client.request("GET", server.url)
        answer = await client.request("GET", server.url)

        assert answer.status == 200
        assert [got.connection for got in server.received] == [1, 1, 2]


async def test_a_read_on_a_new_connection_is_not_asked_again() -> None:
    async with Wire(hang_up_without_answer) as server, SafeClient(allowed_hosts=[server.host]) as client:
        with pytest.raises(ConnectionLost):
            await client.request("GET", server.url)

        assert len(server.received) == 1


async def test_a_post_that_is_safe_to_repeat_shares_connections_like_a_read() -> None:
    async with Wire() as server, SafeClient(allowed_hosts=[server.host]) as client:
        for _ in range(3):
            await client.request("POST", server.url, json={"find": "x"}, safe_to_repeat=True)

        assert server.connections == 1


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with Wire() as server:
        internet = Internet(**{"93.184.216.35": server})
        names = Names({"api.example.com": ["93.184.216.34", "93.184.216.35"]})
        async with SafeClient(resolver=names, dialer=internet) as client:
            await client.request("POST", "http://api.example.com/")

        assert [address for address, _ in internet.dialled] == ["93.184.216.34", "93.184.216.35"]
        assert len(server.received) == 1
