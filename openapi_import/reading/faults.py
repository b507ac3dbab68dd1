"""What is wrong with a document, and where."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Fault:
    """One fault. `pointer` is an RFC 6901 JSON pointer into the document ("" for all of it); `message` is a sentence.

    An error makes something unusable or leaves it out; a warning was read around without a loss.
    """

    pointer: str
    message: str
    severity: Severity = "error"
