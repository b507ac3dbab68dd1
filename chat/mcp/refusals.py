"""How `/mcp` says no: before a message is read as an HTTP status with a JSON-RPC error, afterwards as the error alone
or as a result that says what is wrong. The codes in `data` are those of the REST API."""

import json
from collections.abc import Mapping
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

from smartsupport.lib.errors import ServiceError

REFUSED = -32010
"""The JSON-RPC code of a refusal that has nothing to do with the message: who asks, from where, how often."""
BROKE = "Something went wrong on our side. Please try again later."


class Refused(Exception):
    """A request that is not read any further. `headers` go onto the answer."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})

    def body(self) -> bytes:
        error = {"code": REFUSED, "message": self.message, "data": {"code": self.code}}
        return json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()


class ScopeMissing(ServiceError):
    code, status = "scope_missing", 403


def invalid(message: str, code: str) -> MCPError:
    """The request's parameters cannot be used."""
    return MCPError(INVALID_PARAMS, message, {"code": code})


def broke() -> MCPError:
    return MCPError(INTERNAL_ERROR, BROKE, {"code": "server_error"})


def told(error: ServiceError) -> dict[str, Any]:
    """A refusal as the structured content of a result."""
    return {"status": "refused", "error": {"code": error.code, "message": error.message}}
