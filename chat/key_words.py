"""What an API key is at this moment, in one word, and what staff read about it."""

from datetime import datetime

from django.contrib.auth import get_user_model
from django.utils import timezone

from chat.api_keys import ENDS_SOON
from chat.models import ApiKey
from smartsupport.lib.ids import parse_uuid

STATES = {
    "enabled": "Enabled",
    "ends_soon": "Ends soon",
    "replaced": "Replaced, still works",
    "expired": "Expired",
    "disabled": "Disabled",
}


def state_of(key: ApiKey, now: datetime | None = None) -> str:
    """One of STATES. `ends_soon`: within 14 days, and nothing has taken its place."""
    now = now or timezone.now()
    if not key.enabled:
        return "disabled"
    if key.expires_at is None:
        return "enabled"
    if key.expires_at <= now:
        return "expired"
    if replacement_of(key) is not None:
        return "replaced"
    return "ends_soon" if key.expires_at - now <= ENDS_SOON else "enabled"


def replacement_of(key: ApiKey) -> ApiKey | None:
    """The newest key that took its place. Reads `replaced_by`, which lists have fetched."""
    return max(key.replaced_by.all(), key=lambda row: row.created_at, default=None)


def maker_of(key: ApiKey) -> str:
    """Who made it, by name."""
    kind, _, own = key.created_by.partition(":")
    if kind == "user" and own.isdecimal():
        user = get_user_model().objects.filter(pk=own).first()
        return user.get_username() if user else "somebody who is gone"
    if kind == "key":
        known = parse_uuid(own)
        row = ApiKey.objects.filter(pk=known).first() if known else None
        return f"the API key {row.name}" if row else "an API key that is gone"
    return "set-up"
