"""The first person and the first program that may come in."""

import hashlib
import secrets

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction

from chat.models import ApiKey
from smartsupport.lib.locks import one_at_a_time
from smartsupport.staff import AGENT, APPROVER, MANAGER, VIEWER

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
def create_one_of_each_role() -> str:
    """For development, right after the first staff user: one of each role with that user's password, so that anybody
    can see the console with their eyes. Returns what to tell."""
    users = get_user_model().objects
    admin = users.get(username=ADMIN)
    made = []
    for role in (VIEWER, AGENT, APPROVER, MANAGER):
        group = Group.objects.filter(name=role).first()
        if group is None or users.filter(username=role.lower()).exists():
            continue
        user = users.create(username=role.lower(), password=admin.password, is_staff=True)
        user.groups.add(group)
        made.append(user.username)
    return f"{', '.join(made)}: one of each role, with the same password" if made else ""


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
