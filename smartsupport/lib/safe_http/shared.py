"""One client per event loop, for code that has no lifetime of its own to tie a client to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field

from .client import SafeClient

_Key = tuple[tuple[str, ...], str]


@dataclass
class _LoopClients:
    closer: AsyncGenerator[None, None]
    clients: dict[_Key, SafeClient] = field(default_factory=dict)


_loops: dict[asyncio.AbstractEventLoop, _LoopClients] = {}


async def shared_client(*, allowed_hosts: Iterable[str] = (), user_agent: str = "SmartSupport") -> SafeClient:
    """The running loop's client for these settings; made on first use. Do not close it.

    Its connections are closed when the loop shuts down its asynchronous generators, as `asyncio.run` does. A
    server that does not run on `asyncio.run` calls `close_shared_clients` itself.
    """
    loop = asyncio.get_running_loop()
    for ended in [known for known in list(_loops) if known.is_closed()]:
        _loops.pop(ended, None)  # several threads may be here, each with a loop of its own
    if loop not in _loops:
        closer = _close_with_loop()
        await anext(closer)
        _loops[loop] = _LoopClients(closer)
    key = (tuple(allowed_hosts), user_agent)
    clients = _loops[loop].clients
    if key not in clients:
        clients[key] = SafeClient(allowed_hosts=key[0], user_agent=user_agent)
    return clients[key]


async def close_shared_clients() -> None:
    """Close the clients of the running loop. The next `shared_client` makes a new one."""
    ending = _loops.get(asyncio.get_running_loop())
    if ending is not None:
        await ending.closer.aclose()


async def _close_with_loop() -> AsyncGenerator[None, None]:
    """Wait, suspended, until the loop shuts down and runs the `finally` while connections can still close."""
    try:
        yield
    finally:
        ending = _loops.pop(asyncio.get_running_loop(), None)
        for client in ending.clients.values() if ending else ():
            await client.aclose()
