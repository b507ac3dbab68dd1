"""Text from outside, made storable and short."""

import codecs
import re
from typing import Any

REPLACEMENT = "\ufffd"


def storable(value: Any) -> Any:
    """`value` (JSON) with what Postgres cannot hold (NUL, lone surrogates) replaced by U+FFFD, in keys too."""
    if isinstance(value, str):
        if value.isascii() and "\x00" not in value:
            return value
        return value.replace("\x00", REPLACEMENT).encode("utf-8", "replace_surrogate").decode("utf-8")
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value


_UNSEEN_RANGES = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"
_UNSEEN = re.compile(f"[{_UNSEEN_RANGES}]")
READABLE_PATTERN = f"^[^{_UNSEEN_RANGES}]*$"
"""For schemas: a text that `readable` leaves as it is."""


def readable(text: str) -> str:
    """Without the characters that nobody sees and that change how what stands around them is shown: controls (of a
    terminal, too) and marks that turn the direction of writing."""
    return _UNSEEN.sub("", text)


_HIDING = re.compile(f"{_UNSEEN.pattern}|[\u00ad\u180e\u200b\u2060-\u2064\u206a-\u206f\U000e0000-\U000e007f]")


def marked(text: str) -> str:
    """With each character that nobody sees, or that turns the direction of what stands around it, written as
    `⟨U+202E⟩`: for those who decide on exactly this text. Joiners of letters and of emoji are left alone."""
    return _HIDING.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def unhidden(text: str) -> str:
    """Without these characters: what a program reads in them is not seen by who reviews the text."""
    return _HIDING.sub("", text)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters on one line, with an ellipsis where something was cut."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _replace_surrogate(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return REPLACEMENT.encode() * (error.end - error.start), error.end


codecs.register_error("replace_surrogate", _replace_surrogate)
