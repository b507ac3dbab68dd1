"""A whole conversation as one JSON file, redacted as everywhere, written step by step: its length does not matter."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db.models import Q
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from chat.models import Conversation, Event, PromptPart
from replay.redaction import redacted
from replay.timeline import shown_payload, step

ROWS_AT_ONCE = 200
FORMAT = "smartsupport-replay/1"


def download(request: HttpRequest, conversation: Conversation) -> StreamingHttpResponse:
    """All steps, or with `?step=` that one; of each its event, and the pieces of prompts that the events name."""
    asked = request.GET.get("step", "")
    only = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 16 else 0
    pieces = _pieces(conversation, only)
    response = StreamingHttpResponse(
        _later(pieces) if isinstance(request, ASGIRequest) else pieces,
        content_type="application/json; charset=utf-8",
    )
    name = re.sub(r"[^A-Za-z0-9_-]", "_", conversation.thread_id)[:100]
    which = f"-step-{only}" if only else ""
    response.headers["Content-Disposition"] = f'attachment; filename="replay-{name}{which}.json"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _pieces(conversation: Conversation, only: int) -> Iterator[str]:
    head = {
        "format": FORMAT,
        "thread_id": conversation.thread_id,
        "status": conversation.status,
        "exported_at": timezone.now().astimezone(UTC).isoformat(),
        "total_steps": conversation.last_seq,
        "cost_micros": conversation.cost_micros,
    }
    yield _json(head)[:-1] + ', "steps": ['
    named: set[str] = set()
    after, between = (only - 1 if only else 0), "\n"
    rows = Event.objects.filter(conversation=conversation).order_by("seq")
    last = only or conversation.last_seq
    while page := list(rows.filter(seq__gt=after, seq__lte=last)[:ROWS_AT_ONCE]):
        for event in page:
            named |= _named(event)
            yield between + _json(_step(event))
            between = ",\n"
        after = page[-1].seq
    yield '\n], "prompt_parts": {'
    yield from _parts(conversation, named)
    yield "\n}}\n"


def _step(event: Event) -> dict[str, Any]:
    told = step(event)
    prompt = event.payload.get("prompt") if isinstance(event.payload, dict) else None
    return {
        "step": event.seq,
        "type": told.type,
        "kind": event.kind,
        "timestamp": event.created_at.astimezone(UTC).isoformat(),
        "turn_id": str(event.turn_id) if event.turn_id else None,
        "agent": event.agent or None,
        "title": told.title,
        "tokens_in": event.tokens_in,
        "tokens_cached": event.tokens_cached,
        "tokens_out": event.tokens_out,
        "cost_micros": event.cost_micros,
        "duration_ms": event.duration_ms,
        "payload": shown_payload(event) | ({"prompt": prompt} if _named(event) else {}),
    }


def _named(event: Event) -> set[str]:
    """Digests of the pieces that the prompt of this event consists of."""
    prompt = event.payload.get("prompt") if isinstance(event.payload, dict) else None
    if not isinstance(prompt, dict):
        return set()
    listed = prompt.get("parts")
    names = [*(listed if isinstance(listed, list) else []), prompt.get("tools"), prompt.get("format")]
    return {name for name in names if isinstance(name, str) and 0 < len(name) <= 22}


def _parts(conversation: Conversation, named: set[str]) -> Iterator[str]:
    """The pieces, and those that they list in turn: each once."""
    between, known = "\n", set[str]()
    own = Q(conversation=conversation) | Q(conversation__isnull=True)
    while wanted := sorted(named - known)[:ROWS_AT_ONCE]:
        known.update(wanted)
        for digest, content in PromptPart.objects.filter(own, digest__in=wanted).values_list(
            "digest", "content"
        ):
            listed = content.get("parts") if isinstance(content, dict) else None
            named |= {name for name in listed if isinstance(name, str)} if isinstance(listed, list) else set()
            shown = content if isinstance(listed, list) else redacted(content)
            yield f"{between}{json.dumps(digest)}: {_json(shown)}"
            between = ",\n"


async def _later(pieces: Iterator[str]) -> AsyncIterator[str]:
    """The same under ASGI, where Django would first collect all of an ordinary generator."""
    following = sync_to_async(lambda: next(pieces, None), thread_sensitive=True)
    while (piece := await following()) is not None:
        yield piece


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
