"""The headers of an attempt, and the secrets that sign it (https://www.standardwebhooks.com, version 1 signatures)."""

import base64
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from django.conf import settings
from standardwebhooks import Webhook

from chat.models import WebhookEndpoint
from smartsupport.lib.sealing import CannotUnseal, unseal

KEY_BYTES = 32
"""The specification asks for 24 to 64."""


def new_secret() -> str:
    """A random secret as receivers' libraries take it: `whsec_` and base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def secrets_of(endpoint: WebhookEndpoint | None, now: datetime) -> list[str]:
    """What signs for this endpoint now, the newest first; None: WEBHOOK_URL, whose secret may be missing in
    development. One that signed before and cannot be opened is left out. Raises CannotUnseal."""
    if endpoint is None:
        return (
            [settings.WEBHOOK_SECRET, *settings.WEBHOOK_SECRET_FALLBACKS] if settings.WEBHOOK_SECRET else []
        )
    found = [unseal(endpoint.secret)]
    if endpoint.old_secret and endpoint.old_secret_until and endpoint.old_secret_until > now:
        with suppress(CannotUnseal):
            found.append(unseal(endpoint.old_secret))
    return found


def headers(webhook_id: str, body: bytes, keys: Sequence[str], at: datetime) -> dict[str, str]:
    """The headers of an attempt made `at` (aware). Each of `keys` signs; without any nothing is signed."""
    made = {
        "Content-Type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
    }
    if not keys:
        return made
    signed = [_signer(key).sign(webhook_id, at.astimezone(UTC), body.decode()) for key in keys]
    return {**made, "webhook-signature": " ".join(signed)}


def _signer(secret: str) -> Webhook:
    # The library takes a text for base64; what is not marked as such is the key itself.
    return Webhook(secret if secret.startswith("whsec_") else secret.encode())
