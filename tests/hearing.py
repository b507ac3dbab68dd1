"""What is told to whoever measures (`smartsupport.lib.observing`), kept for a test to look at."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from smartsupport.lib import observing


@contextmanager
def heard(what: str) -> Iterator[list[dict[str, Any]]]:
    """The facts of everything of this kind that is told inside."""
    told: list[dict[str, Any]] = []

    def listen(name: str, facts: dict[str, Any]) -> None:
        if name == what:
            told.append(facts)

    observing.observe(listen)
    try:
        yield told
    finally:
        observing.forget(listen)
