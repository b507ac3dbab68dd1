"""Regular expressions from outside: which of them are sure to end soon."""

import re
import warnings

LONGEST = 300
MAX_UNBOUNDED = 2  # each further one is another power of the length
MAX_REPEATS = 20
# Repeated groups and back references can take exponential time; Python warns of the others.
_UNSURE = re.compile(r"\)[*+{]|\\[1-9]|\(\?P=|\[\[|--|&&|~~|\|\|")
_UNBOUNDED = re.compile(r"[*+]|\{\d*,(?:\d{4,})?\}")
_REPEATED_GROUP = re.compile(r"\)\{(\d+)(?:,(\d+))?\}")


def compiles(pattern: str) -> bool:
    """Whether Python can read it. Of what a later Python may read otherwise (`[[`), it only warns."""
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def ends_soon(pattern: str) -> bool:
    """Whether it compiles, and matching takes no more than the square of a text's length. Some that do are refused."""
    if len(pattern) > LONGEST:
        return False
    plain = pattern
    if not _UNBOUNDED.search(pattern):  # then a group repeated a few times ends soon, too
        groups = _REPEATED_GROUP.findall(pattern)
        if len(groups) == 1 and int(groups[0][1] or groups[0][0]) <= MAX_REPEATS:
            plain = _REPEATED_GROUP.sub(")", pattern)
    if _UNSURE.search(plain) or len(_UNBOUNDED.findall(pattern)) > MAX_UNBOUNDED:
        return False
    return compiles(pattern)
