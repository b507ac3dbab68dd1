"""Identifiers and the canonical form of JSON, on which hashes are made."""

import hashlib
import json
import re
import uuid
from typing import Any

THREAD_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def new_id() -> uuid.UUID:
    return uuid.uuid4()


def is_thread_id(value: object) -> bool:
    """True for a string that wholly matches `[A-Za-z0-9_-]{1,128}`."""
    return isinstance(value, str) and THREAD_ID.fullmatch(value) is not None


def parse_uuid(value: object) -> uuid.UUID | None:
    """The UUID that a string from outside names, or None. Only the plain hyphenated form counts."""
    if not isinstance(value, str) or len(value) != 36:
        return None
    try:
        return uuid.UUID(value)
    except ValueError:
        return None


def canonical_json(value: Any) -> str:
    """One text for equal JSON values: sorted keys, no spaces, no NaN (ValueError)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 (hex, 64 characters) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
