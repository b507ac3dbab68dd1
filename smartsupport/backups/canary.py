"""What tells, before anything is restored, whether this deployment has the keys that a backup needs."""

from django.core import signing

from smartsupport.lib.sealing import CannotUnseal, seal, unseal

_SALT = "smartsupport.backup"


def sealed(backup_id: str) -> str:
    """Opens with the SEALING_KEYS of now, or with SECRET_KEY where there are none."""
    return seal({"backup": backup_id})


def signed(backup_id: str) -> str:
    """Fits the SECRET_KEY of now."""
    return signing.dumps(backup_id, salt=_SALT)


def missing_keys(backup_id: str, *, sealed: str, signed: str) -> list[str]:
    """What of a backup cannot be used with the keys of this deployment, as sentences."""
    found = []
    try:
        opens = unseal(sealed) == {"backup": backup_id}
    except CannotUnseal:
        opens = False
    if not opens:
        found.append(
            "The stored secrets in it (credentials of business systems and the like) cannot be opened with the "
            "SEALING_KEYS and SECRET_KEY that are set here."
        )
    try:
        fits = signing.loads(signed, salt=_SALT) == backup_id
    except signing.BadSignature:
        fits = False
    if not fits:
        found.append(
            "It was made under another SECRET_KEY: staff sign in again, and anonymous visitors lose sight of their "
            "conversations."
        )
    return found
