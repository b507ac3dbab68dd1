"""Integrators' keys: made once, shown once, stored as a hash. They may end, and be replaced without a gap: the old key
works on for a while beside the new one."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from chat import key_lines
from chat.key_bounds import KeyNotFound as KeyNotFound
from chat.key_bounds import MoreThanOwn as MoreThanOwn
from chat.key_bounds import check_may_give as check_may_give
from chat.key_bounds import check_own_line, check_within, customer_for, hold_makers, maker_of, same_life
from chat.key_bounds import line_of as line_of
from chat.models import ApiKey, usable_keys
from chat.scopes import SCOPES as SCOPES
from chat.scopes import UnknownScope as UnknownScope
from chat.scopes import checked
from smartsupport.lib import audit
from smartsupport.lib.errors import ServiceError

log = structlog.get_logger(__name__)

PREFIX_LENGTH = 10
USE_RECORDED_EVERY = timedelta(minutes=1)
OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=30)
ENDS_SOON = timedelta(days=14)
"""How long before its end staff are warned of it."""


class KeyExpired(ServiceError):
    code, status = "api_key_expired", 403
    message = "This API key has expired. Ask for a new one."


class KeyEnded(ServiceError):
    code, status = "key_ended", 409
    message = "This key does not work any more, so nothing can take its place. Make a new key."


class AlreadyReplaced(ServiceError):
    code, status = "already_replaced", 409
    message = "This key was replaced already. Replace the newer one, or make a new key."


def hash_of(key: str, *, held: bool = False) -> str:
    """SHA-256 (hex). The keys are 256 random bits, so a slow password hash would protect nothing more. `held`: of a key
    that is held to a customer. That is no SHA-256 of any text, so whoever does not know of such keys accepts none."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"held:{digest[5:]}" if held else digest


usable = usable_keys


def find(key: str) -> ApiKey | None:
    """The key with this text if it is accepted, or None. It has `line`: its decider's id, and the people who made it.

    Found by its hash, so the time that it takes says nothing about the key.
    """
    return ApiKey.objects.filter(usable(), _of_text(key)).annotate(line=key_lines.line()).first()


def is_expired(key: str) -> bool:
    """Whether a text that `find` does not accept is that of a key that came to its end."""
    return ApiKey.objects.filter(_of_text(key), enabled=True, expires_at__isnull=False).exists()


def _of_text(key: str) -> Q:
    free = Q(key_hash=hash_of(key), customer=None)
    return free | Q(key_hash=hash_of(key, held=True), customer__isnull=False)


def issue(
    *,
    name: str,
    scopes: Iterable[str],
    key: str = "",
    expires_at: datetime | None = None,
    per_minute: int | None = None,
    customer: str = "",
    by: Any = None,
) -> tuple[ApiKey, str]:
    """Store a new key and return it with its text, which nobody can read again. `key`: a text of your own. `customer`:
    the one whom it is held to, by the company's id or by ours; whom nobody knows here yet is made. `by`: the member of
    staff or the integrator who makes it; neither makes one with more than they have, and one that is made by a key
    which is held to a customer is held to the same.

    Raises UnknownScope, MoreThanOwn, CustomerNotFound (another one than that).
    """
    wanted = checked(scopes)
    check_within(by, wanted, expires_at, per_minute)
    with transaction.atomic():
        hold_makers(by)
        row = ApiKey(name=name, scopes=wanted, expires_at=expires_at, per_minute=per_minute)
        row.customer_id = customer_for(by, customer)
        return _stored(row, key, by)


def replace(
    key_id: UUID, *, overlap: timedelta = OVERLAP, expires_at: datetime | None = None, by: Any = None
) -> tuple[ApiKey, str]:
    """A new key with the name, scopes, limits and customer of this one, and its text. The old one is accepted for
    `overlap` (0 to 30 days) more and then ends. Without `expires_at`, the new one lives as long as the old one was
    meant to.

    `by` a key: only itself, or one of its own line, as it would be another integrator with the new text.

    Raises KeyNotFound, KeyEnded, AlreadyReplaced, MoreThanOwn.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise ValueError("The overlap is 0 to 30 days.")
    with transaction.atomic():
        hold_makers(by, key_id)
        now = timezone.now()
        old = ApiKey.objects.filter(pk=key_id).first()
        if old is None:
            raise KeyNotFound()
        check_own_line(by, old)
        if not ApiKey.objects.filter(usable(now), pk=old.pk).exists():
            raise KeyEnded()
        if ApiKey.objects.filter(usable(now), replaces=old).exists():
            raise AlreadyReplaced()
        ends = expires_at or same_life(old, now, by)
        check_within(by, old.scopes, ends, old.per_minute)
        new = ApiKey(
            name=old.name, scopes=old.scopes, expires_at=ends, per_minute=old.per_minute, replaces=old
        )
        new.customer_id = old.customer_id
        made, text = _stored(new, "", by)
        old.expires_at = min(filter(None, (old.expires_at, now + overlap)))
        old.save(update_fields=["expires_at"])
    log.info("api_key_replaced", key_id=str(old.pk), by_key_id=str(made.pk), name=old.name)
    return made, text


def _stored(row: ApiKey, key: str, by: Any) -> tuple[ApiKey, str]:
    text = key or f"sk_{secrets.token_urlsafe(32)}"
    row.prefix, row.key_hash = text[:PREFIX_LENGTH], hash_of(text, held=row.customer_id is not None)
    row.created_by = maker_of(by)
    row.save(force_insert=True)
    log.info("api_key_made", key_id=str(row.pk), name=row.name, scopes=row.scopes)
    return row, text


@dataclass(frozen=True, slots=True)
class Disabled:
    """What switching a key off has done. `was_on`: it was enabled until then; `made`: the keys that it made and that
    were switched off with it."""

    was_on: bool
    made: list[ApiKey]


def disable(key: ApiKey, *, made_too: bool = False) -> Disabled:
    """Switch a key off for good, at once; with `made_too`, all keys that work and that it made, as well. Nobody makes
    one with any of them meanwhile. Of a key that was off before, those that it made may still go."""
    with transaction.atomic():
        # In one order, as whoever switches off one of them waits for the others.
        off = _switched_off([key.pk, *(one.pk for one in (live_made(key) if made_too else []))])
        # Whoever makes a key has held their own: once a key is off, what it made is all there.
        while made_too and (found := [one.pk for one in live_made(key)]):
            off += _switched_off(found)
    made = [one for one in off if one.pk != key.pk]
    was_on = len(made) < len(off)
    if was_on or made:
        log.info("api_key_disabled", key_id=str(key.pk), name=key.name, was_on=was_on, made=len(made))
    return Disabled(was_on, made)


def _switched_off(ids: Sequence[UUID]) -> list[ApiKey]:
    """Those of these keys that were enabled until now."""
    rows = ApiKey.objects.select_for_update(no_key=True).filter(pk__in=ids, enabled=True).order_by("pk")
    found = list(rows)
    ApiKey.objects.filter(pk__in=[one.pk for one in found]).update(enabled=False)
    for one in found:
        audit.changed("chat.apikey", one.pk, before={"enabled": True}, after={"enabled": False})
    return found


def live_made(key: ApiKey) -> list[ApiKey]:
    """The keys that work and that this one made, or that came of those. Two statements."""
    return list(ApiKey.objects.filter(usable(), pk__in=key_lines.made_by(key.pk)).order_by("name", "pk"))


def record_use(key: ApiKey) -> None:
    """Remember when the key was used last, written at most once a minute."""
    now = timezone.now()
    stale = now - USE_RECORDED_EVERY
    if key.last_used_at is not None and key.last_used_at > stale:
        return
    unused = Q(last_used_at=None) | Q(last_used_at__lte=stale)
    ApiKey.objects.filter(unused, pk=key.pk).update(last_used_at=now)
