"""Secrets at rest: sealed with Fernet (cryptography's MultiFernet, https://cryptography.io/en/latest/fernet/).

The first of SEALING_KEYS seals, all of them open, so that a key is replaced by putting a new one in front. Without
any, the key is derived from SECRET_KEY.
"""

import base64
import hashlib
import json
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from smartsupport.lib.errors import ServiceError


class CannotUnseal(ServiceError):
    """The keys of this deployment do not open it."""

    code, status = "cannot_unseal", 409
    message = "A stored secret cannot be opened with the keys of this deployment. Enter it again."


def seal(value: Any) -> str:
    """JSON-serialisable `value` as text that only this deployment can open."""
    return (
        _fernet(settings.SECRET_KEY, tuple(settings.SEALING_KEYS))
        .encrypt(json.dumps(value).encode())
        .decode()
    )


def unseal(sealed: str) -> Any:
    """What was sealed. Raises CannotUnseal."""
    try:
        return json.loads(_fernet(settings.SECRET_KEY, tuple(settings.SEALING_KEYS)).decrypt(sealed.encode()))
    except (InvalidToken, ValueError) as error:
        raise CannotUnseal() from error


@lru_cache(maxsize=8)
def _fernet(secret_key: str, keys: tuple[str, ...]) -> MultiFernet:
    derived = hashlib.sha256(b"smartsupport sealing\0" + secret_key.encode()).digest()
    return MultiFernet([Fernet(key) for key in keys] + [Fernet(base64.urlsafe_b64encode(derived))])
