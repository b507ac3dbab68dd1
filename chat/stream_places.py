"""Who reads streams at this moment, how many may, and whether they still may. Synchronous; asked from views."""

import threading
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.utils import timezone

from chat import api_keys
from chat.models import ApiKey
from smartsupport.lib.errors import ServiceError

STREAMS_OF_A_PERSON = 10
"""In one process: a customer's, or those of a member of staff. A page holds one."""


class TooManyStreams(ServiceError):
    code, status, retry_after = "too_many_streams", 429, 5
    message = "Too many streams are open for you here. Close one, then open this one again."


class NoRoom(ServiceError):
    code, status, retry_after = "no_room", 503, 5
    message = "This process holds as many streams as it can. Try again: another one may answer."


@dataclass(frozen=True, slots=True)
class Caller:
    """`kind` is `key`, `user` or `customer`. `session` is the console's, of a user."""

    kind: str
    id: str
    session: str = ""
    permission: str = ""

    @property
    def most(self) -> int:
        return int(settings.STREAMS_PER_KEY) if self.kind == "key" else STREAMS_OF_A_PERSON


@dataclass(slots=True)
class Opening:
    """The right to read one conversation from `after` on, until `ends` (of `time.monotonic`). It holds a place among
    those of its caller and of the process until it leaves."""

    conversation_id: UUID
    thread_id: str
    after: int
    caller: Caller
    ends: float
    left: bool = False

    def seconds_left(self) -> float:
        return max(0.0, self.ends - time.monotonic())

    def leave(self) -> None:
        with _counting:
            if not self.left:
                self.left = True
                _open[self.caller.kind, self.caller.id] -= 1
                if not _open[self.caller.kind, self.caller.id]:
                    del _open[self.caller.kind, self.caller.id]


_counting = threading.Lock()
_open: Counter[tuple[str, str]] = Counter()


def enter(
    *, conversation_id: UUID, thread_id: str, after: int, caller: Caller, may_until: float | None
) -> Opening:
    """Take a place. `may_until`: when the caller's credential ends (of `time.time`). Raises TooManyStreams, NoRoom."""
    life = float(settings.STREAM_SECONDS)
    if may_until is not None:
        life = min(life, may_until - time.time())
    who = (caller.kind, caller.id)
    with _counting:
        if _open[who] >= caller.most:
            raise TooManyStreams()
        if _open.total() >= settings.STREAMS_PER_PROCESS:
            raise NoRoom()
        _open[who] += 1
    return Opening(conversation_id, thread_id, after, caller, time.monotonic() + life)


def refused(callers: Collection[Caller]) -> set[Caller]:
    """Those who may not read any more: a key that was switched off, somebody who signed out or lost the permission. One
    query for all keys, one each for people."""
    keys = {UUID(one.id): one for one in callers if one.kind == "key"}
    good = (
        set(ApiKey.objects.filter(api_keys.usable(), pk__in=keys).values_list("pk", flat=True))
        if keys
        else set()
    )
    people = [one for one in callers if one.kind == "user"]
    return {keys[pk] for pk in keys.keys() - good} | {one for one in people if not _still_staff(one)}


def _still_staff(caller: Caller) -> bool:
    user = get_user_model().objects.filter(pk=caller.id, is_active=True, is_staff=True).first()
    if user is None or not user.has_perm(caller.permission):
        return False
    signed_in = Session.objects.filter(session_key=caller.session, expire_date__gt=timezone.now())
    return bool(signed_in.exists())
