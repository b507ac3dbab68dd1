"""What running programs hold and have used: memory and processor time, with all that they started."""

import math
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

PROC = Path("/proc")


def resident_bytes(pid: int) -> int:
    """Of everything that `pid` has started, itself not included: our programs run under a tether."""
    resident = {process: held for process, _, held in _processes()}
    return sum(resident.get(process, 0) for process in started_by(pid))


def processor_seconds(pids: Iterable[int]) -> float:
    """User and system time that all that `pids` have started has used so far, children that have ended included.
    NaN where the system has no /proc."""
    if not (PROC / "self").exists():
        return math.nan
    ticks = 0
    for process in {process for pid in pids for process in started_by(pid)}:
        try:
            fields = (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile; its parent counts it
            continue
        ticks += sum(map(int, fields[11:15]))  # utime, stime, and those of children that were waited for
    return ticks / os.sysconf("SC_CLK_TCK")


def started_by(pid: int) -> list[int]:
    """All descendants of a process."""
    table = [(process, parent) for process, parent, _ in _processes()]
    found, waiting = [], [pid]
    while waiting:
        parent = waiting.pop()
        children = [process for process, its_parent in table if its_parent == parent]
        found += children
        waiting += children
    return found


def _processes() -> Iterator[tuple[int, int, int]]:
    """(process, parent, resident bytes) of all that run."""
    if not (PROC / "self").exists():
        listed = subprocess.run(["ps", "-axo", "pid=,ppid=,rss="], capture_output=True, text=True, check=True)
        for line in listed.stdout.splitlines():
            process, parent, kibibytes = map(int, line.split())
            yield process, parent, kibibytes * 1024
        return
    page = os.sysconf("SC_PAGE_SIZE")
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
                pages = int((folder / "statm").read_text().split()[1])
            except OSError:  # it ended meanwhile
                continue
            yield int(folder.name), int(stat.rpartition(")")[2].split()[1]), pages * page
