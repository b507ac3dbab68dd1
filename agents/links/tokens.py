"""The text of a link: 256 random bits, signed. What is not signed by this deployment is refused without a look into the
database, and the database knows only the hash of what is."""

import hashlib
import secrets

from django.core.signing import BadSignature, Signer

PREFIX = "apl_"
"""What logs know such a text by, to hide it (`smartsupport.logs`)."""
LONGEST = 200


def _signer() -> Signer:
    return Signer(salt="agents.links", sep=".")


def new() -> str:
    return _signer().sign(f"{PREFIX}{secrets.token_urlsafe(32)}")


def hash_of(token: str) -> str:
    """SHA-256 (hex) of the token; "" where it is none of ours."""
    if len(token) > LONGEST or not token.startswith(PREFIX):
        return ""
    try:
        return hashlib.sha256(_signer().unsign(token).encode()).hexdigest()
    except BadSignature:
        return ""
