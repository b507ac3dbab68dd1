"""A tool's request is signed and sent through `safe_http`, and its answer becomes one outcome.

The error taxonomy of the contract: `transient` (408, 425, 429, 500, 502, 503, 504, time-outs, connection faults),
`validation` (other 4xx), `auth` (401, 403), `unknown` (everything else: redirects, odd 5xx, an outcome nobody saw).
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import structlog
from django.conf import settings

from agents import answers, breaker, credentials, mcp_tools, oauth, pacing, paging
from agents.credentials import Signed, Terms
from agents.tool_request import Request
from smartsupport.lib import observing, safe_http
from smartsupport.lib.sealing import CannotUnseal

log = structlog.get_logger(__name__)

TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
ASKED_TO_WAIT = frozenset({425, 429})
"""The business did nothing, and says that it is well."""
ATTEMPTS = 3
BACKOFF_SECONDS = 0.25
NO_CREDENTIALS = (
    "This cannot be called: no credentials for the business system are stored, or not the ones that it needs. "
    "Nothing was sent. Our staff can see it and have to enter them."
)
UNREADABLE = (
    "This cannot be called: our credentials for the business system cannot be opened. Nothing was sent. "
    "Our staff have to enter them again."
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request. `kind` is "" when ok; `seen` is False where the request may have had an effect that
    nobody saw (it was sent, and no answer that tells came back). `next_link`: where the answer says that the next page
    is. `wait_seconds`: how long the business asked us to wait."""

    ok: bool
    result: Any = None
    kind: str = ""
    message: str = ""
    status: int | None = None
    seen: bool = True
    attempts: int = 1
    next_link: str = ""
    wait_seconds: float = field(default=0.0, compare=False)


async def send(request: Request, terms: Terms, *, repeatable: bool, in_doubt: bool = False) -> Outcome:
    """Send it, again where that is safe and may help, within the tool call's time limit. Never raises for the other
    side's faults. `in_doubt`: it may have been sent before, by somebody who did not see what came of it.

    A 401 to an OAuth token is answered with a new token, once.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + settings.TOOL_TIMEOUT_SECONDS
    attempt, renewed, refused = 0, False, ""
    last: Outcome | None = None
    while True:
        held_back, blemished = await _held_back(request, terms, deadline)
        if held_back is not None:
            return _told(last) if last else replace(held_back, attempts=0, seen=not in_doubt)
        attempt += 1
        outcome, token = await _attempt(request, terms, refused, deadline, blemished)
        if in_doubt and not _settles_doubt(outcome):
            outcome = replace(outcome, seen=False)
        in_doubt = not outcome.seen
        last = outcome = replace(outcome, attempts=attempt + renewed)
        if outcome.status == 401 and token and not renewed:
            renewed, refused, attempt = True, token, attempt - 1
            continue
        again = outcome.kind == "transient" and (repeatable or outcome.seen)
        pause = max(BACKOFF_SECONDS * 2 ** (attempt - 1), outcome.wait_seconds)
        if not again or attempt >= ATTEMPTS or clock() + pause >= deadline:
            return _told(outcome)
        await asyncio.sleep(pause)


def _settles_doubt(outcome: Outcome) -> bool:
    """Whether this answer also tells what came of an earlier, unanswered attempt with the same key: the answer to it,
    given once more. A refused connection or 401 says nothing of it, and 409 may be its own doing; so may an error that
    a tool of an MCP server reports (200), which has no status to tell them apart."""
    return outcome.ok or (outcome.kind == "validation" and outcome.status not in (None, 200, 409))


def _told(outcome: Outcome) -> Outcome:
    """With the time that the business asked for, where nobody can wait that long."""
    if outcome.kind != "transient" or outcome.wait_seconds < 1 or outcome.status is None:
        return outcome
    wait = f"The business system asked us to wait {outcome.wait_seconds:.0f} seconds."
    return replace(outcome, message=f"{outcome.message} {wait}")


async def _attempt(
    request: Request, terms: Terms, refused: str, deadline: float, blemished: bool
) -> tuple[Outcome, str]:
    """One attempt, and the OAuth token that it carried."""
    clock = asyncio.get_running_loop().time
    try:
        signed = await credentials.sign(request, terms, refused=refused, seconds=max(0.1, deadline - clock()))
    except CannotUnseal:
        await breaker.not_asked(terms.source_id, request.url)
        log.error("credential_unreadable", source=terms.source)
        return Outcome(False, kind="auth", message=UNREADABLE), ""
    except oauth.TokenRefused as fault:
        await breaker.not_asked(terms.source_id, request.url)
        await credentials.note_answer(terms, refused=True)
        return Outcome(False, kind="auth", message=f"{fault} Nothing was sent."), ""
    except oauth.TokenUnavailable as fault:
        await breaker.not_asked(terms.source_id, request.url)
        return Outcome(False, kind="transient", message=f"{fault} Nothing was sent."), ""
    outcome = await _send_once(signed, timeout=max(0.1, deadline - clock()))
    await _note(request, terms, outcome, blemished)
    return outcome, signed.token


async def _held_back(request: Request, terms: Terms, deadline: float) -> tuple[Outcome | None, bool]:
    """What becomes of it without its being sent, and whether the host is blemished (`breaker`); waits where the
    source's pace asks for that."""
    if terms.missing:
        log.warning("tool_credentials_missing", source=terms.source, schemes=list(terms.missing))
        return Outcome(False, kind="auth", message=NO_CREDENTIALS), False
    admission = await breaker.admission(terms.source_id, request.url)
    if closed := admission.closed_seconds:
        away = "The business system has not answered many times in a row, so it is left alone for a moment."
        nothing = f"{away} Nothing was sent."
        return Outcome(False, kind="transient", message=nothing, wait_seconds=closed), True
    left = deadline - asyncio.get_running_loop().time()
    free, wait = await pacing.place_for(terms.source_id, terms.calls_per_minute, patience=left - 1)
    if not free:
        await breaker.not_asked(terms.source_id, request.url)
        log.warning("tool_pace_reached", source=terms.source, calls_per_minute=terms.calls_per_minute)
        busy = f"We have asked this business system as often as we may. It can be asked again in {wait:.0f} seconds."
        nothing = f"{busy} Nothing was sent."
        return Outcome(False, kind="transient", message=nothing, wait_seconds=wait), admission.blemished
    if wait:
        await asyncio.sleep(wait)
    return None, admission.blemished


async def _note(request: Request, terms: Terms, outcome: Outcome, blemished: bool) -> None:
    """Tell the breaker and staff what this attempt showed."""
    if outcome.kind == "transient" and outcome.status not in ASKED_TO_WAIT:
        if await breaker.failed(terms.source_id, request.url):
            log.warning("tool_circuit_opened", source=terms.source, seconds=breaker.OPEN_SECONDS)
    elif blemished and outcome.status is not None:
        await breaker.answered(terms.source_id, request.url)
    elif blemished:
        await breaker.not_asked(terms.source_id, request.url)
    if outcome.kind == "auth":
        log.warning("tool_credentials_refused", source=terms.source, status=outcome.status)
    if terms.held and outcome.status is not None:
        await credentials.note_answer(terms, refused=outcome.kind == "auth")


async def _send_once(signed: Signed, *, timeout: float) -> Outcome:
    request = signed.request
    if request.method == mcp_tools.METHOD:
        answer = await mcp_tools.call(signed, timeout=timeout)
        told = answer.ok, answer.result, answer.kind, answer.message, answer.status
        return Outcome(*told, seen=answer.seen, wait_seconds=_retry_after(answer.retry_after))
    client = await safe_http.shared_client(allowed_hosts=tuple(settings.SAFE_HTTP_ALLOWED_HOSTS))
    try:
        response = await client.request(
            request.method,
            request.address,
            headers=observing.outgoing_headers() | request.headers,
            secret_headers=signed.secret_headers,
            content=request.body,
            timeout=timeout,
            follow_redirects=request.method in ("GET", "HEAD"),
        )
    except safe_http.OutboundError as error:
        return _not_answered(error)
    return _answered(response, signed.secrets)


def _not_answered(error: "safe_http.OutboundError") -> Outcome:
    log.warning("tool_request_unanswered", code=error.code, sent=error.sent, detail=error.detail)
    if isinstance(error, safe_http.InvalidRequest):
        return Outcome(
            False, kind="unknown", message="The request cannot be sent as it is.", seen=not error.sent
        )
    if isinstance(error, safe_http.RefusedAddress | safe_http.InvalidUrl):
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


def _answered(response: "safe_http.Response", secrets: Sequence[str] = ()) -> Outcome:
    """What the answer says. A system that repeats what it was sent must not tell our credentials to a model."""
    response = answers.without(response, secrets)
    status = response.status
    result = answers.cleaned(answers.decoded(response), secrets)
    if 200 <= status < 300:
        link = paging.next_link(response.headers.get("link", ""))
        return Outcome(True, result=result, status=status, next_link=link)
    message = answers.error_text(result) or f"The business system answered with status {status}."
    if status in TRANSIENT_STATUSES:
        # An answer of 5xx does not say whether something happened before it failed.
        wait = _retry_after(response.headers.get("retry-after", ""))
        return Outcome(
            False, result, "transient", message, status, seen=status in ASKED_TO_WAIT, wait_seconds=wait
        )
    if status in (401, 403):
        return Outcome(False, None, "auth", "The business system refused our credentials.", status)
    if 400 <= status < 500:
        return Outcome(False, result, "validation", message, status)
    return Outcome(False, result, "unknown", message, status, seen=False)


def _retry_after(value: str) -> float:
    """Seconds from now that a Retry-After header names, as a number or a date (RFC 9110, 10.2.3); otherwise 0."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return 0.0
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time())
