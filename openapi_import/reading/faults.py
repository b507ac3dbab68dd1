"""What is wrong with a document, and where."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from openapi_import.errors import SpecInvalid

Severity = Literal["error", "warning"]
MAX_FAULTS = 10_000
MAX_POINTER = 2_000  # characters; a document may have names of megabytes, and ten thousand faults in one


@dataclass(frozen=True)
class Fault:
    """One fault. `pointer` is an RFC 6901 JSON pointer ("" for all of it) into the document, or into the one at
    `document` where that is not empty; `message` is a sentence.

    An error makes something unusable or leaves it out; a warning was read around without a loss.
    """

    pointer: str
    message: str
    severity: Severity = "error"
    document: str = ""


class Unusable(SpecInvalid):
    """Something cannot be used, and this is why and where: what needs it is left out."""

    def __init__(self, message: str, pointer: str) -> None:
        super().__init__(message)
        self.pointer = pointer


class Faults:
    """The faults of one reading, each once and one error a place, in the order in which they were found. At most
    MAX_FAULTS are kept.

    `origin`: (address of a document, pointer in it) of a pointer into all documents together; see `bundle`.
    """

    def __init__(self) -> None:
        self.origin: Callable[[str], tuple[str, str]] = lambda pointer: ("", pointer)
        self._known: set[Fault | tuple[str, str]] = set()
        self._found: list[Fault] = []
        self._taken = 0

    def error(self, pointer: str, message: str) -> None:
        self.add(Fault(pointer, message))

    def warning(self, pointer: str, message: str) -> None:
        self.add(Fault(pointer, message, "warning"))

    def add(self, fault: Fault) -> None:
        document, pointer = (fault.document, fault.pointer) if fault.document else self.origin(fault.pointer)
        fault = replace(fault, document=document, pointer=pointer[:MAX_POINTER])
        key = (fault.document, fault.pointer) if fault.severity == "error" else fault
        if key in self._known or len(self._found) > MAX_FAULTS:
            return
        if len(self._found) == MAX_FAULTS:
            fault = Fault("", "There are more faults than can be listed.", "warning")
        self._known.add(key)
        self._found.append(fault)

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._found)

    def fresh(self) -> list[Fault]:
        """Those that were found since the last time."""
        found = self._found[self._taken :]
        self._taken = len(self._found)
        return found
