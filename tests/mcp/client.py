"""The SDK's own client at our `/mcp`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from tests.live.stack import Stack

CUSTOMER = "cus_1001"
PATIENCE_SECONDS = 120
UNSETTLED = ("approved", "running")


@contextlib.asynccontextmanager
async def connected(
    stack: Stack,
    key: str,
    customer: str | None = CUSTOMER,
    *,
    path: str = "/mcp",
    mode: str = "auto",
    **headers: str,
) -> AsyncIterator[Client]:
    """A client with this key, acting for this customer. `mode` as the SDK has it."""
    sent = {"Authorization": f"Bearer {key}", **headers}
    if customer is not None:
        sent["X-Customer-Id"] = customer
    async with (
        httpx2.AsyncClient(headers=sent, timeout=90, trust_env=False) as http,
        Client(
            streamable_http_client(f"{stack.url}{path}", http_client=http), mode=mode, cache=None
        ) as client,
    ):
        yield client


def told(result: CallToolResult) -> dict[str, Any]:
    """What a call answered with."""
    content: dict[str, Any] = result.structured_content
    return content


async def status_of(client: Client, interrupt_id: str, wait: int = 30) -> dict[str, Any]:
    """What became of it, once it is settled; with `wait=0` what it is now."""
    asked = {"interrupt_id": interrupt_id, "wait_seconds": wait}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = told(await client.call_tool("get_action_status", asked))
            if not wait or found["status"] not in UNSETTLED:
                return found
