"""`python -m smartsupport.supervisor`: what `make run` runs.

--with-parent also stops everything when the program that started this one (make) is gone.
"""

import argparse
import sys

from smartsupport import startup
from smartsupport.supervisor import stopping
from smartsupport.supervisor.output import say


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m smartsupport.supervisor", description=__doc__)
    parser.add_argument("--with-parent", action="store_true", help="stop when the parent process ends")
    options = parser.parse_args()
    watch = stopping.Watch(parent_counts=options.with_parent)
    try:
        stopping.on_signals()
        startup.read_settings()
        from smartsupport.supervisor import run

        run.everything(watch)
    except stopping.Stop as stop:
        if stop.status == 1 and stop.sentence:
            print(stop.sentence, file=sys.stderr, flush=True)
        else:
            say("Everything is stopped.")
        return stop.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
