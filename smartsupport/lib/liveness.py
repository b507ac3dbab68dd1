"""Programs without a port say that they live by touching a file, and `python -m smartsupport.lib.liveness turns` (a
container's health check) looks how old it is. It needs no server and loads nothing, so that it may be asked often.

`DATA_DIR/alive/<part>-<pid>`; parts are `turns`, `jobs` and `beat`. Exit status 0: said within the last 30 seconds.
"""

import argparse
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

WITHIN_SECONDS = 30.0
PARTS = ("turns", "jobs", "beat")


def say(part: str, directory: Path) -> None:
    """This process lives. A folder that cannot be written to ends nobody: the check will say so."""
    path = directory / "alive" / f"{part}-{os.getpid()}"
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def silent(part: str, directory: Path) -> None:
    """This process leaves on purpose."""
    with suppress(OSError):
        (directory / "alive" / f"{part}-{os.getpid()}").unlink(missing_ok=True)


def age(part: str, directory: Path) -> float | None:
    """Seconds since a process of this kind said so; None where none ever did."""
    moments = []
    for path in (directory / "alive").glob(f"{part}-*"):
        with suppress(OSError):
            moments.append(path.stat().st_mtime)
    return time.time() - max(moments) if moments else None


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m smartsupport.lib.liveness", description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--within", type=float, default=WITHIN_SECONDS, metavar="SECONDS")
    asked = parser.parse_args(words)
    directory = Path(os.environ.get("DATA_DIR", "").strip() or ".local")
    found = age(asked.part, directory)
    if found is None:
        sys.stderr.write(f"{asked.part}: no process here has said that it lives.\n")
        return 1
    if found > asked.within:
        sys.stderr.write(f"{asked.part}: said that it lives {found:.0f} seconds ago.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
