"""Integrators' keys: made once, shown once, stored as a hash."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from chat.models import ApiKey
from smartsupport.lib import audit

SCOPES = {
    "conversations:read": "Read conversations, their events and replays",
    "conversations:write": "Write messages for customers and to them, stop turns, resolve conversations",
    "interrupts:read": "Read approvals",
    "interrupts:decide": "Approve and decline what waits for staff",
    "agents:read": "Read agents and export them",
    "agents:write": "Import agents",
    "imports:read": "Read imports of APIs, what was judged of their operations, and what was published",
    "imports:write": "Start, review, cancel and retry imports",
    "imports:publish": "Publish imports as live tools, pause, roll back and delete them",
    "audit:read": "Read who did what",
    "analytics:read": "Read analytics and export them",
    "usage:read": "Read what models cost, by customer, and budgets",
    "usage:write": "Grant, reset and exempt budgets",
    "admin": "Everything",
}
PREFIX_LENGTH = 10
USE_RECORDED_EVERY = timedelta(minutes=1)


class UnknownScope(ValueError):
    pass


def hash_of(key: str) -> str:
    """SHA-256 (hex). The keys are 256 random bits, so a slow password hash would protect nothing more."""
    return hashlib.sha256(key.encode()).hexdigest()


def issue(*, name: str, scopes: Iterable[str], key: str = "") -> tuple[ApiKey, str]:
    """Store a new key and return it with its text, which nobody can read again. `key`: a text of your own.

    Raises UnknownScope.
    """
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise UnknownScope(f"Unknown scope {unknown[0]}." if unknown else "A key needs at least one scope.")
    text = key or f"sk_{secrets.token_urlsafe(32)}"
    row = ApiKey.objects.create(name=name, prefix=text[:PREFIX_LENGTH], key_hash=hash_of(text), scopes=wanted)
    return row, text


def find(key: str) -> ApiKey | None:
    """The enabled key with this text, or None.

    Found by its hash, so the time that it takes says nothing about the key.
    """
    return ApiKey.objects.filter(key_hash=hash_of(key), enabled=True).first()


def record_use(key: ApiKey) -> None:
    """Remember when the key was used last, written at most once a minute."""
    now = timezone.now()
    stale = now - USE_RECORDED_EVERY
    if key.last_used_at is not None and key.last_used_at > stale:
        return
    unused = Q(last_used_at=None) | Q(last_used_at__lte=stale)
    ApiKey.objects.filter(unused, pk=key.pk).update(last_used_at=now)


def disable(key: ApiKey) -> bool:
    """Switch a key off for good. False: it was off."""
    if not ApiKey.objects.filter(pk=key.pk, enabled=True).update(enabled=False):
        return False
    audit.changed("chat.apikey", key.pk, before={"enabled": True}, after={"enabled": False})
    return True
