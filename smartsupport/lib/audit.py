"""Writing the audit: who did what, to what, from where, and what came of it. No models; see docs/roles-and-audit.md.

Requests of staff and of API keys are recorded by themselves (`smartsupport.audit.middleware`). A service adds what only
it knows with `note`; work that no request asked for (a purge by the jobs) is recorded with `write`.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from smartsupport.lib.audit_redaction import plain, redacted

BEGUN, DONE, ANSWERED, REFUSED, FAILED = "begun", "done", "answered", "refused", "failed"
LONGEST_STATE = 20_000
MOST_MESSAGES = 20


@dataclass(frozen=True, slots=True)
class Actor:
    """`kind` is `staff`, `key` (an API key), `system` (our own jobs) or `unknown` (a sign-in that failed)."""

    kind: str
    id: str = ""
    name: str = ""


SYSTEM = Actor("system", "", "Smart Support")
COMMANDS = Actor("system", "", "manage.py")
NOBODY = Actor("unknown")
WRONG_KEY = Actor("unknown", "", "A key that is not valid")


@dataclass(frozen=True, slots=True)
class Place:
    """From where: the caller's address, the head of its user agent, and which request it was."""

    address: str = ""
    user_agent: str = ""
    request_id: str = ""
    method: str = ""
    path: str = ""


@dataclass(slots=True)
class Recording:
    """What is known so far of something that is going on."""

    actor: Actor
    place: Place = field(default_factory=Place)
    verb: str = ""
    object_type: str = ""
    object_id: str = ""
    object_label: str = ""
    begun_id: int | None = None
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)


_current: ContextVar[Recording | None] = ContextVar("audit_recording", default=None)


def current() -> Recording | None:
    """What is being recorded in this request, if anything is."""
    return _current.get()


@contextmanager
def recording(of: Recording) -> Iterator[Recording]:
    """Let `note` add to this recording. Threads and coroutines that are started inside see it too."""
    token = _current.set(of)
    try:
        yield of
    finally:
        _current.reset(token)


def note(
    *,
    verb: str = "",
    object_type: str = "",
    object_id: object = "",
    object_label: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    message: str = "",
) -> None:
    """Add to what is recorded of the request that is going on; nothing outside of one. Secrets are taken out later."""
    into = current()
    if into is None:
        return
    into.verb = verb or into.verb
    if object_type:
        into.object_type, into.object_id, into.object_label = object_type, str(object_id), object_label
    into.before |= before or {}
    into.after |= after or {}
    if message and len(into.messages) < MOST_MESSAGES:
        into.messages.append(message)


def changed(
    object_type: str, object_id: object, *, before: Mapping[str, Any] | None = None, after: Mapping[str, Any]
) -> None:
    """Note what a service changed by a statement of its own. Fields of a row that the request is not about are named
    with the row before them, so that one request may change many."""
    into = current()
    if into is None:
        return
    about = into.object_type == object_type and into.object_id in ("", str(object_id))
    row = "" if about else f"{object_type} {object_id}: "
    into.before |= {f"{row}{name}": value for name, value in (before or {}).items()}
    into.after |= {f"{row}{name}": value for name, value in after.items()}


def write(
    *,
    actor: Actor,
    verb: str,
    outcome: str = DONE,
    object_type: str = "",
    object_id: object = "",
    object_label: str = "",
    place: Place | None = None,
    status: int | None = None,
    begun_id: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    detail: Mapping[str, Any] | None = None,
) -> int:
    """Append one entry and return its number. One statement; number, time and hash come from the database.

    `before` and `after` hold the fields that changed, `detail` anything else; secrets in them are masked by name and
    by shape. Inside a transaction make it the last thing: other writers wait for its end. Raises DatabaseError.
    """
    place = place or Place()
    row: dict[str, Any] = {
        "actor_kind": actor.kind,
        "actor_id": plain(actor.id, 100),
        "actor_name": plain(actor.name, 200),
        "verb": plain(verb, 100),
        "object_type": plain(object_type, 100),
        "object_id": plain(str(object_id), 200),
        "object_label": plain(object_label, 200),
        "outcome": outcome,
        "status": status,
        "begun_id": begun_id,
        "before": _stored(before),
        "after": _stored(after),
        "detail": _stored(detail),
    }
    row |= {of.name: plain(getattr(place, of.name), 500) for of in fields(Place)}
    columns = ", ".join(row)
    values = ", ".join(["%s"] * len(row))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO smartsupport_auditentry ({columns}) VALUES ({values}) RETURNING id",  # noqa: S608 - our names
            list(row.values()),
        )
        return int(cursor.fetchone()[0])


def begin(of: Recording) -> int:
    """Record that something was begun, before it is done: a process that dies in between leaves this."""
    return write(
        actor=of.actor,
        verb=of.verb,
        outcome=BEGUN,
        object_type=of.object_type,
        object_id=of.object_id,
        place=of.place,
    )


def end(of: Recording, outcome: str, *, status: int | None = None) -> int:
    """Record what came of it, with what was noted meanwhile."""
    return write(
        actor=of.actor,
        verb=of.verb,
        outcome=outcome,
        object_type=of.object_type,
        object_id=of.object_id,
        object_label=of.object_label,
        place=of.place,
        status=status,
        begun_id=of.begun_id,
        before=of.before or None,
        after=of.after or None,
        detail={"messages": of.messages} if of.messages else None,
    )


def _stored(state: Mapping[str, Any] | None) -> str | None:
    if state is None:
        return None
    text = json.dumps(redacted(dict(state)), cls=DjangoJSONEncoder, ensure_ascii=False)
    if len(text) > LONGEST_STATE:
        text = json.dumps({"too long to keep": sorted(str(name) for name in state)[:200]}, ensure_ascii=False)
    return plain(text, LONGEST_STATE * 2)
