"""What a document may say and Postgres does not keep: NUL characters, half of a surrogate pair, numbers without end."""

import json
import math
import re
from typing import Any

SUSPECT = re.compile(r"\\u0000|\\ud[89a-f]|NaN|Infinity")
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
REPLACEMENT = "�"


def storable(value: Any) -> Any:
    """The JSON value as it can be stored: itself, unless something in it cannot be. Then a character that cannot be
    becomes U+FFFD, and a number without end null."""
    return _mended(value) if SUSPECT.search(json.dumps(value)) else value


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return UNSTORABLE.sub(REPLACEMENT, value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_mended(item) for item in value]
    return value
