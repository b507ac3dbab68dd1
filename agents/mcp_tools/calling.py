"""`tools/call` at an external server, as one answer in the taxonomy of all tools.

What the server says is data: text, structured content, and references to what is neither. An error that the tool
itself reports is `validation`, as an answer of 4xx is. A call whose answer nobody saw is `seen=False`, which makes a
write `unknown`.
"""

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Iterable
from typing import Any

import structlog
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    AudioContent,
    BlobResourceContents,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
)

from agents import answers
from agents.credentials import Signed
from agents.mcp_tools import Answer, taken_apart
from agents.mcp_tools.connecting import asked
from agents.mcp_tools.transport import SafeTransport
from smartsupport.lib import safe_http
from smartsupport.lib.safe_http.client import MAX_BYTES
from smartsupport.lib.text import shorten, storable

log = structlog.get_logger(__name__)

META_KEY = "idempotencyKey"
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
NOTHING_DONE = frozenset({INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND})
"""JSON-RPC errors of a request that was not carried out."""
ASKED_TO_WAIT = frozenset({425, 429})
DEEPEST = 200


async def call(signed: Signed, *, timeout: float) -> Answer:
    """Call the tool that the request is for."""
    request = signed.request
    server, name = taken_apart(request.url)
    query = request.address.removeprefix(request.url)
    arguments = json.loads(request.body) if request.body else {}
    if not isinstance(arguments, dict):
        return Answer(False, kind="validation", message="The arguments of this tool have to be an object.")
    key = request.headers.get("Idempotency-Key", "")
    transport = SafeTransport(
        {**_headers(request.headers), **signed.secret_headers},
        seconds=timeout,
        max_bytes=MAX_BYTES,
        of_method="tools/call",
    )
    meta: Any = {META_KEY: key} if key else None
    params = CallToolRequestParams(name=name, arguments=arguments, _meta=meta)

    async def ask(client: Client) -> CallToolResult:
        return await client.session.send_request(CallToolRequest(params=params), CallToolResult)

    found = await asked(server + query, transport, ask)
    if isinstance(found, CallToolResult):
        return _told(found, signed.secrets)
    return _not_told(found, transport, signed.secrets)


def _headers(headers: dict[str, str]) -> dict[str, str]:
    """Those of the request that are not the protocol's own: the key of a write, and what a cookie proves."""
    return {name: value for name, value in headers.items() if name in ("Idempotency-Key", "Cookie")}


def _told(result: CallToolResult, secrets: tuple[str, ...]) -> Answer:
    decoded = answers.cleaned(_finite(storable(_decoded(result))), secrets)
    if not result.is_error:
        return Answer(True, decoded, status=200)
    message = answers.error_text(decoded) or "The tool reported an error and did not say which."
    return Answer(False, decoded, "validation", message, 200)


def _not_told(error: Exception, transport: SafeTransport, secrets: tuple[str, ...]) -> Answer:
    """No result came. What is known of it is what the transport saw."""
    log.warning(
        "mcp_tool_unanswered",
        sent=transport.sent,
        status=transport.status,
        error=type(error).__name__,
        detail=transport.fault.detail if transport.fault else "",
    )
    sent, status, fault = transport.sent, transport.status, transport.fault
    if isinstance(fault, safe_http.RefusedAddress | safe_http.InvalidUrl | safe_http.InvalidRequest):
        return Answer(
            False, kind="unknown", message="The address of this tool is not allowed.", seen=not sent
        )
    if not sent and (fault is not None or isinstance(error, TimeoutError)):
        return Answer(False, kind="transient", message="The business system cannot be reached.")
    if fault is not None or isinstance(error, TimeoutError):
        return Answer(False, kind="transient", message="The business system did not answer.", seen=False)
    if status in (401, 403):
        return Answer(
            False, kind="auth", message="The business system refused our credentials.", status=status
        )
    own = _words(error, secrets) if transport.speaks else ""
    message = own or f"The business system answered with status {status}."
    if status in TRANSIENT:
        seen = not sent or status in ASKED_TO_WAIT
        wait = transport.retry_after
        return Answer(False, kind="transient", message=message, status=status, seen=seen, retry_after=wait)
    refused = transport.speaks and isinstance(error, MCPError) and error.code in NOTHING_DONE
    if refused or (not sent and isinstance(error, MCPError)):
        return Answer(False, kind="validation", message=message, status=status)
    if status is not None and 400 <= status < 500:
        return Answer(False, kind="validation", message=message, status=status)
    return Answer(False, kind="unknown", message=message, status=status, seen=not sent)


def _words(error: Exception, secrets: tuple[str, ...]) -> str:
    """The server's own words, without our credentials in them. What the SDK says of an answer that it cannot read is
    for nobody but us."""
    if not isinstance(error, MCPError):
        return ""
    if error.code == PARSE_ERROR:
        return "The business system's answer cannot be read."
    return shorten(answers.cleaned(storable(error.message), secrets), 500)


def _decoded(result: CallToolResult) -> Any:
    """Structured content as it is; without it the text, as JSON where it is some; with everything else beside it."""
    blocks = [_block(block) for block in result.content]
    texts = all(isinstance(block, TextContent) for block in result.content)
    if result.structured_content is not None:
        rest = [block for block in blocks if not isinstance(block, str)]
        return (
            {"structured": result.structured_content, "content": rest} if rest else result.structured_content
        )
    if texts and len(blocks) <= 1:
        return _json(blocks[0]) if blocks else None
    return blocks


def _block(block: Any) -> Any:
    match block:
        case TextContent():
            return block.text
        case ImageContent() | AudioContent():
            return _reference(block.mime_type, block.data)
        case ResourceLink():
            return {"uri": str(block.uri), "name": block.name}
        case EmbeddedResource():
            inner = block.resource
            if isinstance(inner, BlobResourceContents):
                return {"uri": str(inner.uri), **_reference(inner.mime_type or "", inner.blob)}
            return {"uri": str(inner.uri), "text": inner.text}
    return {"content_type": "unknown"}


def _reference(kind: str, data: str) -> dict[str, Any]:
    """What is no text, by its size and hash, as in the answers of other tools."""
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        content = data.encode()
    digest = hashlib.sha256(content).hexdigest()
    return {"content_type": kind or "application/octet-stream", "bytes": len(content), "sha256": digest}


def _json(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        value = json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text
    return text if _is_deep(value) else value


def _is_deep(value: Any) -> bool:
    """Whether it is nested more deeply than the SDK lets structured content be: too deeply to be worked on."""
    level = [value]
    for _ in range(DEEPEST):
        level = [item for held in level for item in _items(held)]
        if not level:
            return False
    return True


def _items(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _finite(value: Any) -> Any:
    """Numbers that JSON does not have become text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value
