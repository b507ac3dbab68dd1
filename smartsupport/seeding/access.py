"""The first person and the first program that may come in."""

import hashlib
import secrets

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction

from chat.models import ApiKey
from smartsupport.lib.locks import one_at_a_time

ADMIN = "admin"
SHORTEST_KEY_TO_SHOW_8_OF = 16


@transaction.atomic
def create_first_staff_user() -> str:
    """Create the superuser `admin` unless there are staff. Returns what to tell, once, else ""."""
    one_at_a_time("first access")
    users = get_user_model().objects
    if users.filter(is_staff=True).exists() or users.filter(username=ADMIN).exists():
        return ""
    password = settings.ADMIN_PASSWORD or secrets.token_urlsafe(12)
    users.create_superuser(ADMIN, password=password)
    shown = (
        "the password in ADMIN_PASSWORD" if settings.ADMIN_PASSWORD else f"password {password} (shown once)"
    )
    return f"{ADMIN}, {shown}"


@transaction.atomic
def create_first_api_key() -> str:
    """Create an API key with all rights unless there is a key. Returns what to tell, once, else ""."""
    one_at_a_time("first access")
    if ApiKey.objects.exists():
        return ""
    key = settings.ADMIN_API_KEY or f"ss_{secrets.token_urlsafe(32)}"
    ApiKey.objects.create(
        name="First key",
        # What people recognise it by must not be most of a short key.
        prefix=key[:8] if len(key) >= SHORTEST_KEY_TO_SHOW_8_OF else key[:2],
        key_hash=hashlib.sha256(key.encode()).hexdigest(),
        scopes=["admin"],
    )
    return "the key in ADMIN_API_KEY" if settings.ADMIN_API_KEY else f"{key} (shown once)"
