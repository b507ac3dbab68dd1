"""One terminal for several programs: each line says whose it is."""

import sys
import threading
from typing import IO

WIDTH = 8
_one_at_a_time = threading.Lock()


def say(text: str, *, name: str = "") -> None:
    """Print lines, each with the program's name in front where it has one. A closed terminal is no error."""
    prefix = f"{name:<{WIDTH}} | " if name else ""
    with _one_at_a_time:
        try:
            for line in text.splitlines() or [""]:
                sys.stdout.write(f"{prefix}{line}\n")
            sys.stdout.flush()
        except OSError:
            pass


def relay(name: str, stream: IO[bytes], kept: list[str] | None = None) -> threading.Thread:
    """Print a program's lines as they come, or only collect them in `kept`. The thread ends with the stream."""

    def pump() -> None:
        with stream:
            for raw in stream:
                line = raw.decode(errors="replace").rstrip("\r\n")
                if kept is None:
                    say(line, name=name)
                else:
                    kept.append(line)

    thread = threading.Thread(target=pump, name=f"output of {name}", daemon=True)
    thread.start()
    return thread
