"""A tool's request is sent through `safe_http`, and its answer becomes one outcome.

The error taxonomy of the contract: `transient` (408, 425, 429, 500, 502, 503, 504, time-outs, connection faults),
`validation` (other 4xx), `auth` (401, 403), `unknown` (everything else: redirects, odd 5xx, an outcome nobody saw).
"""

import asyncio
import json
import math
from dataclasses import dataclass, replace
from typing import Any

import structlog
from django.conf import settings

from agents.tool_request import Request
from smartsupport.lib import safe_http
from smartsupport.lib.text import shorten, storable

log = structlog.get_logger(__name__)

TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
ATTEMPTS = 3
BACKOFF_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request. `kind` is "" when ok; `seen` is False where the request may have had an effect that
    nobody saw (it was sent, and no answer that tells came back)."""

    ok: bool
    result: Any = None
    kind: str = ""
    message: str = ""
    status: int | None = None
    seen: bool = True
    attempts: int = 1


async def send(request: Request, *, repeatable: bool, in_doubt: bool = False) -> Outcome:
    """Send it, again where that is safe and may help, within the tool call's time limit. Never raises for the other
    side's faults. `in_doubt`: it may have been sent before, by somebody who did not see what came of it."""
    deadline = asyncio.get_running_loop().time() + settings.TOOL_TIMEOUT_SECONDS
    attempt = 0
    while True:
        attempt += 1
        outcome = await _send_once(request, timeout=max(0.1, deadline - asyncio.get_running_loop().time()))
        if in_doubt and not _settles_doubt(outcome):
            outcome = replace(outcome, seen=False)
        in_doubt = not outcome.seen
        again = outcome.kind == "transient" and (repeatable or outcome.seen)
        pause = BACKOFF_SECONDS * 2 ** (attempt - 1)
        if not again or attempt >= ATTEMPTS or asyncio.get_running_loop().time() + pause >= deadline:
            return replace(outcome, attempts=attempt)
        await asyncio.sleep(pause)


def _settles_doubt(outcome: Outcome) -> bool:
    """Whether this answer also tells what came of an earlier, unanswered attempt with the same key: the answer to it,
    given once more. A refused connection or 401 says nothing of it, and 409 may be its own doing."""
    return outcome.ok or (outcome.kind == "validation" and outcome.status not in (None, 409))


async def _send_once(request: Request, *, timeout: float) -> Outcome:
    client = await safe_http.shared_client(allowed_hosts=tuple(settings.SAFE_HTTP_ALLOWED_HOSTS))
    try:
        response = await client.request(
            request.method,
            request.url,
            params=list(request.query),
            headers=request.headers,
            content=request.body,
            timeout=timeout,
            follow_redirects=request.method in ("GET", "HEAD"),
        )
    except safe_http.OutboundError as error:
        return _not_answered(error)
    return _answered(response)


def _not_answered(error: "safe_http.OutboundError") -> Outcome:
    log.warning("tool_request_unanswered", code=error.code, sent=error.sent, detail=error.detail)
    if isinstance(error, safe_http.RefusedAddress | safe_http.InvalidUrl | safe_http.InvalidRequest):
        return Outcome(
            False, kind="unknown", message="The address of this tool is not allowed.", seen=not error.sent
        )
    if error.status is not None and 200 <= error.status < 300:
        return Outcome(
            True, result={"note": "It worked, but the answer could not be read."}, status=error.status
        )
    if error.sent:
        return Outcome(False, kind="transient", message="The business system did not answer.", seen=False)
    return Outcome(False, kind="transient", message="The business system cannot be reached.")


def _answered(response: "safe_http.Response") -> Outcome:
    status = response.status
    result = _decoded(response)
    if 200 <= status < 300:
        return Outcome(True, result=result, status=status)
    message = _error_text(result) or f"The business system answered with status {status}."
    if status in TRANSIENT_STATUSES:
        # An answer of 5xx does not say whether something happened before it failed.
        return Outcome(False, result, "transient", message, status, seen=status in (425, 429))
    if status in (401, 403):
        return Outcome(False, result, "auth", "The business system refused our credentials.", status)
    if 400 <= status < 500:
        return Outcome(False, result, "validation", message, status)
    return Outcome(False, result, "unknown", message, status, seen=False)


def _decoded(response: "safe_http.Response") -> Any:
    if not response.content:
        return None
    try:
        # Numbers that JSON does not have (NaN, 1e999) become text: they could not be stored.
        return storable(json.loads(response.content, parse_constant=str, parse_float=_float_or_text))
    except (ValueError, RecursionError):
        kind = response.headers.get("content-type", "").split(";")[0].strip()
        if kind.startswith("text/") or not kind:
            return storable(response.content.decode("utf-8", "replace"))
        return {"content_type": kind, "bytes": len(response.content)}


def _float_or_text(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _error_text(result: Any) -> str:
    """The sentence in an error answer: problem details, {"error": {"message"}}, {"message"}, {"detail"}, or text."""
    if isinstance(result, str):
        return shorten(result, 500)
    if not isinstance(result, dict):
        return ""
    nested = result.get("error")
    inner: dict[str, Any] = nested if isinstance(nested, dict) else result
    for field in ("message", "detail", "title", "error_description", "error"):
        if isinstance(inner.get(field), str) and inner[field].strip():
            return shorten(inner[field], 500)
    return ""
