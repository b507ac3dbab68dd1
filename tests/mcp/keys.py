"""API keys of a running stack, with just the scopes that a test gives them."""

import hashlib
import secrets
import uuid

from tests.live.stack import Stack


def key_of(stack: Stack, *scopes: str, name: str = "", per_minute: int | None = None) -> str:
    """A new key. Its line is its own: nobody else's key, and no member of staff, made it."""
    text = f"sk_{secrets.token_urlsafe(24)}"
    stack.db(
        "INSERT INTO chat_apikey (id, name, prefix, key_hash, scopes, enabled, per_minute, created_at) "
        "VALUES (%s, %s, %s, %s, %s, true, %s, now())",
        uuid.uuid4(),
        name or f"assistant {text[3:9]}",
        text[:10],
        hashlib.sha256(text.encode()).hexdigest(),
        list(scopes),
        per_minute,
    )
    return text
