"""Secrets at rest: sealed with Fernet (cryptography's MultiFernet, https://cryptography.io/en/latest/fernet/).

The first of SEALING_KEYS seals, all of them open, so that a key is replaced by putting a new one in front. Without
any, the key is derived from SECRET_KEY; what was sealed by that opens also with SECRET_KEY_FALLBACKS.
`smartsupport.resealing` seals anew what an older key has sealed; whoever adds a sealed column names it there.
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
    return MultiFernet(_keys()).encrypt(json.dumps(value).encode()).decode()


def unseal(sealed: str) -> Any:
    """What was sealed. Raises CannotUnseal."""
    try:
        return json.loads(MultiFernet(_keys()).decrypt(sealed.encode()))
    except (InvalidToken, ValueError) as error:
        raise CannotUnseal() from error


def resealed(sealed: str) -> str:
    """The same under the key that seals now; unchanged where that one has sealed it. Raises CannotUnseal."""
    newest, *_ = keys = _keys()
    try:
        newest.decrypt(sealed.encode())
    except InvalidToken:
        try:
            return MultiFernet(keys).rotate(sealed.encode()).decode()
        except InvalidToken as error:
            raise CannotUnseal() from error
    except ValueError as error:
        raise CannotUnseal() from error
    return sealed


def _keys() -> list[Fernet]:
    fallbacks: list[str] = settings.SECRET_KEY_FALLBACKS
    return _made((settings.SECRET_KEY, *fallbacks), tuple(settings.SEALING_KEYS))


@lru_cache(maxsize=8)
def _made(secret_keys: tuple[str, ...], keys: tuple[str, ...]) -> list[Fernet]:
    derived = [hashlib.sha256(b"smartsupport sealing\0" + key.encode()).digest() for key in secret_keys]
    return [Fernet(key) for key in keys] + [Fernet(base64.urlsafe_b64encode(key)) for key in derived]
