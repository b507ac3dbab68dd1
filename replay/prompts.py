"""What a model was sent, put together again from the pieces that were kept (`chat.models.PromptPart`)."""

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from chat.models import Event, PromptPart
from replay.redaction import redacted

OLD = "This step is older than the keeping of prompts, or prompts are not kept here (KEEP_PROMPTS)."
GONE = "Some pieces of this prompt are no longer there: {} of {} are missing. The rest is shown in its order."
MALFORMED = "What this step says of its prompt cannot be read."


@dataclass(frozen=True, slots=True)
class SentPrompt:
    """`messages` in order, the system prompt first; `tools` as they were offered, `format` the JSON schema that the
    answer had to follow. `why`: what is missing, and why; "" where nothing is. All of it redacted."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    tools: list[dict[str, Any]] = field(default_factory=list)
    format: dict[str, Any] | None = None
    why: str = ""


def sent(event: Event) -> SentPrompt:
    """The prompt of the model call that an event tells of. Two queries at most."""
    payload = event.payload if isinstance(event.payload, dict) else {}
    named = payload.get("prompt")
    if named is None:
        return SentPrompt(why=OLD)
    listed = named.get("parts") if isinstance(named, dict) else None
    if not isinstance(listed, list):
        return SentPrompt(why=MALFORMED)
    pieces = [name for name in listed if isinstance(name, str)]
    tools, form = (name if isinstance(name := named.get(at), str) else "" for at in ("tools", "format"))
    beside = [name for name in (tools, form) if name]
    known = _read(event, {*pieces, *beside})
    known |= _read(event, {name for part in known.values() for name in _members(part)} - known.keys())
    order = [name for piece in pieces for name in (_members(known.get(piece)) or [piece])]
    missing = sum(name not in known for name in [*order, *beside])
    schema = known.get(form, {}).get("format")
    return SentPrompt(
        messages=[redacted(message) for name in order for message in _listed(known.get(name), "messages")],
        tools=[redacted(tool) for tool in _listed(known.get(tools), "tools")],
        format=schema if isinstance(schema, dict) else None,
        why=GONE.format(missing, len(order) + len(beside)) if missing else "",
    )


def _read(event: Event, digests: set[str]) -> dict[str, dict[str, Any]]:
    if not digests:
        return {}
    own = Q(conversation=event.conversation_id) | Q(conversation__isnull=True)
    rows = PromptPart.objects.filter(own, digest__in=digests).values_list("digest", "content")
    return {digest: content for digest, content in rows if isinstance(content, dict)}


def _members(part: dict[str, Any] | None) -> list[str]:
    listed = part.get("parts") if part else None
    return [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []


def _listed(part: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
    listed = part.get(name) if part else None
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
