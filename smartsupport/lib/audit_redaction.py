"""What must not get into the audit: secrets, by the name of a field and by their shape in any text; and what Postgres
cannot store."""

import json
import math
import re
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from smartsupport.logs import MASK, SECRET_FIELD, masked_text

# Beside the names that logs mask: stored hashes, sealed values and what sessions and keys are recognised by.
MORE_SECRET_FIELD = re.compile(
    r"(?i)(hash|sealed|secret|signature|session|private|otp|passphrase|passcode|(access|refresh|auth|id)_?token"
    r"|(^|_)(cvv2?|cvc|pin|pwd)($|_))"
)
SECRET_SHAPE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:sk|ss|pk|rk|whsec|gh[pousr]|xox[abeoprs]|hf|npm)[_-][A-Za-z0-9_\-+/=]{8,}"
    r"|\b(?:github_pat_|glpat-|SG\.|ya29\.)[A-Za-z0-9_.\-+/=]{8,}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{30,}"
)
SECRET_PARAMETER = re.compile(  # of an address, or as people write it
    r"(?i)((?:[?&](?:key|sig|signature|code|auth|access_key|client_secret)=|\b(?:password|passphrase|secret)\s?:\s?))"
    r"[^&\s\"'#]+"
)
CARD = re.compile(r"(?<![\w.-])(?:\d[ -]?){12,18}\d(?![\w.-])")
RANDOM_SHAPE = re.compile(r"\b(?![a-z_]+\b)[A-Za-z0-9_-]{40,}\b")  # words joined by lines are no secret
MARKUP = re.compile(r"<[^>]{1,200}>")
DEEPEST = 6
LONGEST_TEXT = 2_000


def plain(text: str, longest: int) -> str:
    """The text as Postgres can store it (no NUL, valid UTF-8), cut."""
    return text[:longest].replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def without_secrets(text: str) -> str:
    """The text with tokens, keys and passwords in it masked, and without markup."""
    plainer = SECRET_SHAPE.sub(MASK, masked_text(MARKUP.sub("", text)))
    plainer = SECRET_PARAMETER.sub(rf"\g<1>{MASK}", plainer)
    return CARD.sub(_hidden_card, RANDOM_SHAPE.sub(MASK, plainer))


def _hidden_card(found: re.Match[str]) -> str:
    """A run of digits is a card's number where its check digit is right (Luhn)."""
    digits = [int(one) for one in found[0] if one.isdigit()][::-1]
    checked = sum(digits[::2]) + sum(sum(divmod(2 * one, 10)) for one in digits[1::2])
    return found[0] if checked % 10 else MASK


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
