"""Where connections are opened: resolve once, check every answer, dial exactly what was checked.

httpcore opens a socket for a host name here, and only here. It keeps the name for the Host header, SNI and
the certificate, and as the key of its pool, so a pooled connection always leads to an address that was
checked for that name. Nothing between the check and the dial knows the name, so nothing can resolve it a
second time.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore

from .addresses import AddressPolicy
from .errors import ConnectFailed, NameNotFound
from .urls import IPAddress, parse_host

# (host, port) -> addresses as text, best first. Raises OSError where the name does not resolve.
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

MAX_ADDRESSES_TRIED = 4
# An address that does not answer must not use up the time for the next one.
SECONDS_PER_ADDRESS = 3.0


async def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of a host from the system's resolver, in its order (RFC 6724), without repeats."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections for httpcore, to checked addresses only. `dialer` gets addresses, never names."""

    def __init__(
        self, policy: AddressPolicy, resolver: Resolver, dialer: httpcore.AsyncNetworkBackend
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._dialer = dialer

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect within `timeout` seconds, name lookup included. Raises RefusedAddress or ConnectFailed."""
        try:
            async with asyncio.timeout(timeout):
                addresses = self._policy.check_answers(host, port, await self._answers(host, port))
                return await self._dial(addresses[:MAX_ADDRESSES_TRIED], host, port, socket_options)
        except TimeoutError:
            raise ConnectFailed(
                "The server did not answer in time.", detail=f"host={host} port={port}"
            ) from None

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never: a local socket is not a public address."""
        raise ConnectFailed("Local sockets are not reachable.", detail=f"path={path}")

    async def sleep(self, seconds: float) -> None:
        """Wait; httpcore asks for this between its own connection retries, which are off."""
        await asyncio.sleep(seconds)

    async def _answers(self, host: str, port: int) -> Sequence[str]:
        if parse_host(f"[{host}]" if ":" in host else host).literal is not None:
            return [host]
        try:
            return await self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise NameNotFound("The host name could not be found.", detail=f"host={host}: {error}") from error

    async def _dial(
        self,
        addresses: Sequence[IPAddress],
        host: str,
        port: int,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        faults = []
        for address in addresses:
            last = address is addresses[-1]
            try:
                return await self._dialer.connect_tcp(
                    str(address),
                    port,
                    timeout=None if last else SECONDS_PER_ADDRESS,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                faults.append(f"{address}: {error or type(error).__name__}")
        raise ConnectFailed(
            "The server could not be reached.", detail=f"host={host} port={port} {'; '.join(faults)}"
        )
