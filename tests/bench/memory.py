"""How much memory a running program holds: its resident set, with all that it started."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def resident_bytes(pid: int) -> int:
    """Of everything that `pid` has started, itself not included: our programs run under a tether."""
    table = list(_processes())
    found, waiting = 0, [pid]
    while waiting:
        parent = waiting.pop()
        for child, its_parent, resident in table:
            if its_parent == parent:
                found += resident
                waiting.append(child)
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
