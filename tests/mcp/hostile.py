"""A server that speaks just enough of the protocol to misbehave, byte by byte."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from tests.lib.wire import Received, response

Reply = bytes | Callable[[dict[str, Any], asyncio.StreamWriter], Awaitable[None]]
HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "wire", "version": "1"},
}


def result(message: dict[str, Any], value: Any) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": value}).encode()
    return response(body=body, content_type="application/json")


def error(message: dict[str, Any], code: int, status: str = "200 OK", **headers: str) -> bytes:
    said = {"code": code, "message": "The far side said no."}
    body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": said}).encode()
    return response(status, body, content_type="application/json", **headers)


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object", "properties": {"x": {"type": "string"}}}} | more


class Hostile:
    """`pages`: cursor -> result of `tools/list`; `call` answers `tools/call`. An answer for `tests.lib.wire.Wire`."""

    def __init__(self, *tools: dict[str, Any]) -> None:
        self.list: Callable[[str], Any] = lambda cursor: {"tools": list(tools)}
        self.call: Callable[[dict[str, Any], asyncio.StreamWriter], Awaitable[bytes | None]] = self._fine
        self.called = 0

    async def _fine(self, message: dict[str, Any], _: asyncio.StreamWriter) -> bytes:
        return result(message, {"content": [{"type": "text", "text": "fine"}]})

    async def __call__(self, asked: Received, writer: asyncio.StreamWriter) -> None:
        message = json.loads(asked.body) if asked.body else {}
        match message.get("method"):
            case "initialize":
                writer.write(result(message, HELLO))
            case "tools/list":
                cursor = (message.get("params") or {}).get("cursor") or ""
                writer.write(result(message, self.list(cursor)))
            case "tools/call":
                self.called += 1
                answer = await self.call(message, writer)
                if answer is None:
                    writer.close()
                else:
                    writer.write(answer)
            case _ if "id" in message:
                writer.write(error(message, -32601, "404 Not Found"))
            case _:
                writer.write(response("202 Accepted", b""))
