"""Many threads that begin at the same moment, as many people or processes do."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import connection

T = TypeVar("T")
PATIENCE_SECONDS = 60


def at_once(work: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """What each piece returned or raised, in the order given. Each has a database connection of its own."""
    outcomes: dict[int, T | Exception] = {}
    gate = threading.Barrier(len(work))

    def run(place: int) -> None:
        gate.wait(PATIENCE_SECONDS)
        try:
            outcomes[place] = work[place]()
        except Exception as error:
            outcomes[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "a thread did not end"
    return [outcomes[place] for place in range(len(work))]
