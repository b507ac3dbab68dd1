"""One attempt: a signed POST, and what came of it."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from uuid import UUID

import structlog
from django.conf import settings
from django.utils import timezone

from chat.webhook_addresses import in_words
from chat.webhook_signing import headers
from smartsupport.lib import observing, safe_http
from smartsupport.lib.text import shorten, storable

log = structlog.get_logger(__name__)

BODY_HEAD = 2_000
BODY_BYTES = 16_384
RETRY_AFTER_LIMIT = 3_600
RETRIED_STATUSES = frozenset({408, 425, 429})
CANNOT_SIGN = "Its secret cannot be opened with the keys of this deployment. Make a new one: rotate it."
OUR_FAULT = "It could not be sent, because something is wrong on our side. The log of the jobs says what."


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that this process makes now. `number` counts from 1 and is the claim's fence. `keys` sign it; None:
    they cannot be opened. `endpoint_id` None: it goes to WEBHOOK_URL. `begun_at` is by the database's clock."""

    delivery_id: UUID
    number: int
    body: bytes
    url: str
    keys: tuple[str, ...] | None
    begun_at: datetime
    endpoint_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt. `wait` is what the other side asked for, in seconds."""

    delivered: bool
    again: bool
    status: int | None = None
    body_head: str = ""
    error: str = ""
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Finished:
    """An attempt that was made, and is to be recorded."""

    attempt: Attempt
    outcome: Outcome
    duration_ms: int


def client(at_once: int) -> safe_http.SafeClient:
    """One for as many attempts as run on one event loop. Close it."""
    return safe_http.SafeClient(allowed_hosts=settings.WEBHOOK_ALLOWED_HOSTS, max_connections=at_once)


async def make(attempt: Attempt, through: safe_http.SafeClient) -> Finished:
    """Send it and say what came of it. Whatever goes wrong is an outcome: what is not recorded is sent for ever."""
    started = time.monotonic()
    try:
        outcome = await _post(attempt, through)
    except Exception:
        log.exception("webhook_not_made", delivery_id=str(attempt.delivery_id))
        outcome = Outcome(False, again=True, error=OUR_FAULT)
    took = time.monotonic() - started
    told = {"delivered": outcome.delivered, "status": outcome.status, "seconds": took}
    observing.tell("webhook_attempted", **told)
    return Finished(attempt, outcome, round(took * 1000))


async def _post(attempt: Attempt, through: safe_http.SafeClient) -> Outcome:
    if attempt.keys is None:
        return Outcome(False, again=True, error=CANNOT_SIGN)
    try:
        answer = await through.request(
            "POST",
            attempt.url,
            headers=headers(str(attempt.delivery_id), attempt.body, attempt.keys, timezone.now()),
            content=attempt.body,
            timeout=settings.WEBHOOK_TIMEOUT_SECONDS,
            max_bytes=BODY_BYTES,
            truncate=True,
            follow_redirects=False,
            # Connections are kept. One that was closed meanwhile may have taken the request along: receivers compare
            # `webhook-id`, and may get it twice anyway.
            safe_to_repeat=True,
        )
    except safe_http.OutboundError as fault:
        return _unanswered(fault)
    return _answered(answer.status, answer.text, answer.headers.get("retry-after", ""))


def _unanswered(fault: safe_http.OutboundError) -> Outcome:
    log.warning("webhook_unanswered", code=fault.code, detail=fault.detail)
    if fault.status is not None:  # the answer came, and its body could not be read
        return _answered(fault.status, "", "")
    refused = safe_http.RefusedAddress | safe_http.InvalidUrl | safe_http.InvalidRequest
    return Outcome(False, again=not isinstance(fault, refused), error=shorten(in_words(fault), 300))


def _answered(status: int, text: str, retry_after: str) -> Outcome:
    head = storable(text)[:BODY_HEAD]
    if 200 <= status < 300:
        return Outcome(True, again=False, status=status, body_head=head)
    again = status in RETRIED_STATUSES or status >= 500
    error = "It answered with a redirect, which is not followed." if 300 <= status < 400 else ""
    return Outcome(False, again, status, head, error, seconds_asked(retry_after) if again else 0.0)


def seconds_asked(retry_after: str) -> float:
    """Seconds of a Retry-After header (seconds or an HTTP date; RFC 9110, 10.2.3), at most an hour; 0 for nonsense."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), RETRY_AFTER_LIMIT))
    try:
        wanted = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return 0.0
    wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
    return min(max(0.0, (wanted - timezone.now()).total_seconds()), float(RETRY_AFTER_LIMIT))
