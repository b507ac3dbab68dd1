"""What a new API key may have, by who makes it: nobody gives more than they have themselves."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from chat import customers, key_lines
from chat.models import ApiKey
from chat.scopes import PERMISSIONS, granted
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.rest import decider_id

LATEST = datetime.max.replace(tzinfo=UTC)


class KeyNotFound(ServiceError):
    code, status, message = "not_found", 404, "This API key does not exist."


class MoreThanOwn(ServiceError):
    code, status = "more_than_own", 403


def line_of(key: ApiKey) -> list[str]:
    """The `line` of a key, also of one that was not found by its text."""
    known: list[str] | None = getattr(key, "line", None)
    if known is None:
        rows = ApiKey.objects.filter(pk=key.pk).annotate(line=key_lines.line())
        found = rows.values_list("line", flat=True).first()
        known = found or [f"key:{key.pk}"]
    return known


def maker_of(by: Any) -> str:
    """Of a key this very one, and not the first of its line as in a decider's id: it may be switched off with all that
    it made."""
    own: ApiKey | None = getattr(by, "key", None)
    if own is not None:
        return f"key:{own.pk}"
    return decider_id(by) if by is not None else ""


def same_life(old: ApiKey, now: datetime, by: Any) -> datetime | None:
    """When the new key ends, where nobody says: after as long a life, but not after the key that makes it."""
    life = now + min(old.expires_at - old.created_at, LATEST - now) if old.expires_at else None
    own: ApiKey | None = getattr(by, "key", None)
    if own is None or own.expires_at is None:
        return life
    return min(life, own.expires_at) if life else own.expires_at


def hold_makers(by: Any, *others: UUID) -> None:
    """Let nobody switch off the key that makes one, or these others, before the transaction ends. Raises MoreThanOwn
    where it was switched off a moment ago."""
    own: ApiKey | None = getattr(by, "key", None)
    wanted = {*others, *([own.pk] if own is not None else [])}
    held = ApiKey.objects.select_for_update().filter(pk__in=wanted).order_by("pk") if wanted else []
    works = {key.pk for key in held if key.enabled}
    if own is not None and own.pk not in works:
        raise MoreThanOwn("This key was switched off a moment ago. It makes no other.")


def customer_for(by: Any, named: str) -> UUID | None:
    """The customer of a new key. Raises CustomerNotFound."""
    own: ApiKey | None = getattr(by, "key", None)
    if own is None or own.customer_id is None:
        return customers.named_or_new(named).pk if named else None
    if named and customers.named(named).pk != own.customer_id:
        raise customers.CustomerNotFound()
    return own.customer_id


def check_own_line(by: Any, old: ApiKey) -> None:
    """A key replaces itself and those of its own line. Raises KeyNotFound, MoreThanOwn."""
    own: ApiKey | None = getattr(by, "key", None)
    if own is None:
        return
    if own.customer_id is not None and own.customer_id != old.customer_id:
        raise KeyNotFound()
    if line_of(own)[0] != line_of(old)[0]:
        raise MoreThanOwn(
            "A key replaces itself and the keys that it made. Ask a member of staff to replace this one."
        )


def check_may_give(user: Any, scopes: Iterable[str]) -> None:
    """Nobody gives a key what they may not do themselves: they would have it from then on. Raises MoreThanOwn."""
    for scope in sorted(granted(scopes)):
        if not user.has_perms(PERMISSIONS[scope]):
            raise MoreThanOwn(f"You cannot give what you may not do yourself: {scope}.")


def check_within(by: Any, scopes: Iterable[str], expires_at: datetime | None, per_minute: int | None) -> None:
    """Whether `by` may make a key with these; nobody asks where it is a command. Raises MoreThanOwn."""
    own: ApiKey | None = getattr(by, "key", None)
    if own is None:
        if by is not None:
            check_may_give(by, scopes)
        return
    if more := granted(scopes) - granted(own.scopes):
        raise MoreThanOwn(f"A key cannot give what it does not have: {sorted(more)[0]}.")
    if own.expires_at is not None and (expires_at is None or expires_at > own.expires_at):
        raise MoreThanOwn("A key cannot make one that lives longer than itself: give an earlier expires_at.")
    if own.per_minute is not None and (per_minute is None or per_minute > own.per_minute):
        raise MoreThanOwn("A key cannot make one that may be used more often: give a lower per_minute.")
