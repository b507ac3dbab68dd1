"""Starts a command under the tether, which ends it when this process ends, even by `kill -9`."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

TETHER = Path(__file__).with_name("tether.py")


def start(
    command: Sequence[str | Path],
    *,
    stop_signal: str = "TERM",
    grace_seconds: float = 10,
    account: tuple[int, int] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    lock: Path | None = None,
    stale: Path | None = None,
    output: int | IO[bytes] | None = None,
) -> "subprocess.Popen[bytes]":
    """The tether's process. `account` is (uid, gid) to run the command as; `output` takes its stdout and stderr;
    with `lock` one such command runs at a time, and `stale` is a file of a killed predecessor to remove then.
    `terminate()` stops the command with `stop_signal`, then kills it after `grace_seconds`."""
    tether = [sys.executable, "-I", "-S", str(TETHER), "--signal", stop_signal, "--grace", str(grace_seconds)]
    if account is not None:
        tether += ["--user", str(account[0]), "--group", str(account[1])]
    if lock is not None:
        tether += ["--lock", str(lock)]
    if stale is not None:
        tether += ["--stale", str(stale)]
    return subprocess.Popen(
        [*tether, "--", *map(str, command)],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env=dict(env) if env is not None else None,
        cwd=cwd,
        # Its own session: Ctrl-C in the terminal reaches only us, and we decide in which order things stop.
        start_new_session=True,
    )
