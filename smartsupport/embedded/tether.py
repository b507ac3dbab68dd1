"""Runs one command and ends it when whoever asked for it is gone.

    python -I -S tether.py [--signal INT] [--grace 10] [--user UID --group GID] [--lock FILE] -- command ...

The parent keeps the write end of our standard input open. When that closes (the parent ended, however it ended) or a
TERM or INT arrives, the command gets its stop signal, and after the grace period its whole process group is killed.
On Linux the kernel also signals the command when this program itself is killed. Exits with the command's status.
With --lock, one such command runs at a time: the next waits until the one before, children included, has ended.
Needs the standard library only, so that it starts in a few milliseconds.
"""

import argparse
import ctypes
import fcntl
import os
import select
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
LOCK_SECONDS = 30.0
GONE_SECONDS = 2.0


def main(argv: list[str]) -> int:
    options = _options(argv)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # a parent that blocks signals would make us deaf to them
    stop_signal = signal.Signals[f"SIG{options.signal}"]
    lock = _take_lock(options.lock) if options.lock else None
    if lock is not None and options.stale:
        _remove(options.stale)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    child = _start(options, stop_signal, lock)
    deadline: float | None = None
    watched = [0, wake_read]
    while child.poll() is None:
        wait = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select(watched, [], [], wait)
        if deadline is not None and time.monotonic() >= deadline:
            _kill_group(child.pid)
            deadline = time.monotonic() + 1
        if _asked_to_stop(ready, watched, wake_read) and deadline is None:
            deadline = time.monotonic() + options.grace
            child.send_signal(stop_signal)
    _kill_group(child.pid)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tether", description=__doc__)
    parser.add_argument("--signal", default="TERM", help="what the command is stopped with: TERM, INT, QUIT")
    parser.add_argument("--grace", type=float, default=10.0, help="seconds between that and KILL")
    parser.add_argument("--user", type=int, default=None, help="run the command as this user id")
    parser.add_argument("--group", type=int, default=None, help="and this group id")
    parser.add_argument("--lock", help="hold this file's lock as long as the command or a child of it runs")
    parser.add_argument(
        "--stale", help="a file that a killed predecessor may have left; removed under the lock"
    )
    parser.add_argument("command", nargs="+")
    return parser.parse_args(argv)


def _take_lock(path: str) -> int:
    """The locked file's descriptor. Exits where the lock stays taken, or where our parent goes while we wait."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() > deadline:
                sys.exit(
                    f"another run still uses the data here ({path} is locked): stop it, then start again"
                )
        if select.select([0], [], [], 0.1)[0] and not os.read(0, 256):
            sys.exit(1)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _start(
    options: argparse.Namespace, stop_signal: signal.Signals, lock: int | None
) -> "subprocess.Popen[bytes]":
    parent = os.getpid()

    def bind_to_parent() -> None:
        # After the change of user, which would clear it. The second look closes the gap before the request.
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return subprocess.Popen(
        options.command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        user=options.user,
        group=options.group,
        extra_groups=None if options.user is None else [],
        preexec_fn=bind_to_parent,
        pass_fds=() if lock is None else (lock,),
    )


def _asked_to_stop(ready: list[int], watched: list[int], wake_read: int) -> bool:
    if wake_read in ready:
        numbers = os.read(wake_read, 256)
        if signal.SIGTERM in numbers or signal.SIGINT in numbers:
            return True
    if 0 in ready and not os.read(0, 256):
        watched.remove(0)
        return True
    return False


def _kill_group(group: int) -> None:
    """Kill what is left of the group, and wait a moment until it is gone from the process table."""
    deadline = time.monotonic() + GONE_SECONDS
    try:
        os.killpg(group, signal.SIGKILL)
        while time.monotonic() < deadline:
            time.sleep(0.01)
            os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
