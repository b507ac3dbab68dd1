"""What must not get into the audit: secrets, by the name of a field and by their shape in any text; and what Postgres
cannot store."""

import json
import math
import re
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from smartsupport.logs import MASK, SECRET_FIELD, masked_text

# Beside the names that logs mask: stored hashes, sealed values and what sessions and keys are recognised by.
MORE_SECRET_FIELD = re.compile(r"(?i)(hash|sealed|secret|signature|session|private|otp|passphrase)")
SECRET_SHAPE = re.compile(r"\b(?:sk|ss|pk|whsec|ghp|xox[abp])[_-][A-Za-z0-9_\-+/=]{8,}")
RANDOM_SHAPE = re.compile(r"\b(?![a-z_]+\b)[A-Za-z0-9_-]{40,}\b")  # words joined by lines are no secret
MARKUP = re.compile(r"<[^>]{1,200}>")
DEEPEST = 6
LONGEST_TEXT = 2_000


def plain(text: str, longest: int) -> str:
    """The text as Postgres can store it (no NUL, valid UTF-8), cut."""
    return text[:longest].replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def without_secrets(text: str) -> str:
    """The text with tokens, keys and passwords in it masked, and without markup."""
    return RANDOM_SHAPE.sub(MASK, SECRET_SHAPE.sub(MASK, masked_text(MARKUP.sub("", text))))


def redacted(value: Any, name: str = "", depth: int = DEEPEST) -> Any:
    """The value as JSON may hold it: secrets masked, bytes never shown, deep and long things cut."""
    if (
        name
        and value not in (None, "", [], {})
        and (SECRET_FIELD.search(name) or MORE_SECRET_FIELD.search(name))
    ):
        return MASK
    if isinstance(value, bytes | bytearray | memoryview):
        return MASK
    if isinstance(value, str):
        shown = without_secrets(value)
        return plain(shown if len(shown) <= LONGEST_TEXT else f"{shown[:LONGEST_TEXT]}…", LONGEST_TEXT + 1)
    if isinstance(value, dict):
        if not depth:
            return "…"
        return {plain(str(key), 200): redacted(item, str(key), depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(item, "", depth - 1) for item in value] if depth else "…"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bool | int | float) or value is None:
        return value
    return redacted(json.loads(json.dumps(value, cls=DjangoJSONEncoder, default=str)), name, depth - 1)
