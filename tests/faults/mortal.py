"""Starts web and turns processes that die where they are told to: `python -m tests.faults.mortal FOLDER`. It is the
nursery of `tests/live`, asked in the same way, after it has wrapped the product's boundaries."""

import sys
import threading
from pathlib import Path

from tests.faults import boundaries
from tests.faults.orders import Passage
from tests.live import nursery


def main() -> int:
    nursery.load()
    boundaries.install(Passage(Path(sys.argv[1])))
    assert threading.active_count() == 1, f"A fork would lose threads: {threading.enumerate()}"
    return nursery.attend()


if __name__ == "__main__":
    sys.exit(main())
