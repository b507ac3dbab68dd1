"""What children of a jobs worker counted before they ended, added up in one file of each kind.

Each child writes files of its own, and a worker replaces its children every so often: without this the folder would
grow until the disk is full, which kills whoever writes into a mapped file.
"""

import os
import struct
import threading
from contextlib import suppress
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

ROOM_BYTES = 1024 * 1024
"""Whoever writes into a mapped file on a disk that is full is killed. Below this nobody begins to."""
ADDED_UP = ("counter", "histogram")
SUM = "ended"
reading = threading.Lock()
"""Hold it while the files are read: what is read while files are folded counts twice, or not at all."""


def fold(folder: Path) -> int:
    """Add up the files of ended processes and delete them; how many there were. Call it in the children's parent."""
    if not has_room(folder):
        return 0
    with reading:
        ended = [path for path in folder.glob("*_*.db") if _has_ended(path)]
        for path in ended:
            kind = path.name.split("_")[0]
            if kind in ADDED_UP:
                _add(path, folder / f"{kind}_{SUM}.db")
            path.unlink()
        return len(ended)


def has_room(folder: Path) -> bool:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize >= ROOM_BYTES


def _has_ended(path: Path) -> bool:
    process = path.stem.rpartition("_")[2]
    if not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # the number is somebody else's by now: until that one ends, too
    return False


def _add(path: Path, total: Path) -> None:
    with suppress(struct.error, ValueError, RuntimeError, OSError):  # it was killed while it wrote
        values = list(MmapedDict.read_all_values_from_file(str(path)))  # type: ignore[no-untyped-call]
        summed = MmapedDict(str(total))  # type: ignore[no-untyped-call]
        try:
            for key, value, _, _ in values:
                before, _ = summed.read_value(key)  # type: ignore[no-untyped-call]
                summed.write_value(key, before + value, 0.0)  # type: ignore[no-untyped-call]
        finally:
            summed.close()  # type: ignore[no-untyped-call]
