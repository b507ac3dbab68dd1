"""What a document may say and Postgres does not keep: NUL, halves of surrogate pairs, numbers without end."""

import json
import math
import re
from typing import Any

from smartsupport.lib import text

SUSPECT = re.compile(r"\\u0000|\\ud[89a-f]|NaN|Infinity")


def storable(value: Any) -> Any:
    """The JSON value as it can be stored: itself (almost always, and found out fast), or with U+FFFD in place of such
    characters and null in place of such numbers."""
    return _finite(text.storable(value)) if SUSPECT.search(json.dumps(value)) else value


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
