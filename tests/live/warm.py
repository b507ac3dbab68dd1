"""Starts the product's programs from a process that has loaded what they import (`tests/live/preloaded.py`): one for a
whole test run, started by whoever needs it first."""

import atexit
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60
SCRIPT = Path(__file__).with_name("preloaded.py")
Stream = int | IO[bytes] | None


class Forks(Protocol):
    """Whoever forks processes and can be asked how they ended."""

    def status(self, pid: int) -> int | None: ...


class Forked:
    """One process, to be used like `subprocess.Popen`. Its `returncode` is set by `poll` and `wait`, as Popen's is."""

    def __init__(self, parent: Forks, words: tuple[str, ...], pid: int) -> None:
        self.args, self.pid = words, pid
        self.returncode: int | None = None
        self._parent = parent

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._parent.status(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its status. Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            threading.Event().wait(0.01)
        return status

    def send_signal(self, sign: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sign)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Warm:
    """This process's connection."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._door: socket.socket | None = None

    def start(
        self,
        words: Sequence[str | Path],
        env: Mapping[str, str],
        cwd: Path,
        streams: Sequence[int],
        *,
        session: bool,
    ) -> int:
        asked = {"start": [*map(str, words)], "env": dict(env), "cwd": str(cwd), "session": session}
        pid: int = self._ask(asked, streams)["pid"]
        return pid

    def status(self, pid: int) -> int | None:
        status: int | None = self._ask({"status": pid})["status"]
        return status

    def _ask(self, request: dict[str, Any], streams: Sequence[int] = ()) -> dict[str, Any]:
        with self._asking:
            if self._door is None:
                self._door = self._connected()
            line = json.dumps(request).encode() + b"\n"
            sent = socket.send_fds(self._door, [line], list(streams))
            self._door.sendall(line[sent:])
            told = b""
            while not told.endswith(b"\n"):
                piece = self._door.recv(4096)
                if not piece:
                    self._close()
                    raise RuntimeError("What programs are forked from has ended.")
                told += piece
        answer: dict[str, Any] = json.loads(told)
        return answer

    def _connected(self) -> socket.socket:
        data = os.environ.get("SMARTSUPPORT_TEST_DATA_DIR")
        if data is None:  # no test run: a program of ours
            folder = Path(tempfile.mkdtemp(prefix="smartsupport-warm-"))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        else:
            folder = Path(data).parent
        address = folder / "preloaded.socket"
        with (folder / "preloaded.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            door = _door(address)
            if door is None:
                _serve(address)
                door = _door(address)
        assert door is not None
        atexit.register(self._close)
        return door

    def _close(self) -> None:
        if self._door is not None:
            self._door.close()
        self._door = None


def _door(address: Path) -> socket.socket | None:
    door = socket.socket(socket.AF_UNIX)
    try:
        door.connect(str(address))
    except OSError:
        door.close()
        return None
    return door


def _serve(address: Path) -> None:
    """Start it, in a process group of its own: it outlives who has started it as long as others need it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ready, told = os.pipe()
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-u", str(SCRIPT), str(address)],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, told, 1),
        ],
        setpgroup=0,
    )
    os.close(told)
    with os.fdopen(ready, "rb") as output:
        select.select([output], [], [], PATIENCE_SECONDS)
        if b"ready" not in output.readline():
            raise RuntimeError("What programs are forked from did not load.")


_WARM = _Warm()


def start(
    words: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path = ROOT,
    stdin: Stream = None,
    stdout: Stream = None,
    stderr: Stream = None,
) -> Forked:
    """What `subprocess.Popen([python, *words])` would start. A stream of None is nothing."""
    return Forked(
        _WARM, tuple(map(str, words)), _start(words, env, cwd, (stdin, stdout, stderr), session=False)
    )


def _start(
    words: Sequence[str | Path],
    env: Mapping[str, str],
    cwd: Path,
    streams: Sequence[Stream],
    *,
    session: bool,
) -> int:
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        numbers = [
            nothing if stream is None else stream if isinstance(stream, int) else stream.fileno()
            for stream in streams
        ]
        return _WARM.start(words, env, cwd, numbers, session=session)
    finally:
        os.close(nothing)


def run(
    words: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path = ROOT
) -> "subprocess.CompletedProcess[str]":
    """What `subprocess.run([python, *words], capture_output=True, text=True)` would do."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        pid = _start(words, env, cwd, (None, out.fileno(), err.fileno()), session=False)
        status = Forked(_WARM, tuple(map(str, words)), pid).wait()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, status, out.read(), err.read())


class Group(Forked):
    """A program and all that it starts. `terminate` sends it its stop signal; `grace` seconds later, or when it has
    ended, whatever is left of it is killed."""

    def __init__(
        self,
        words: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path = ROOT,
        output: IO[bytes],
        stop_signal: str = "TERM",
        grace: float = 10,
    ) -> None:
        pid = _start(words, env, cwd, (None, output, output), session=True)
        super().__init__(_WARM, tuple(map(str, words)), pid)
        self._stop_signal, self._grace = signal.Signals[f"SIG{stop_signal}"], grace
        self._patience_ends = float("inf")

    def poll(self) -> int | None:
        if self.returncode is None:
            if time.monotonic() > self._patience_ends:
                self._kill_group()
            if super().poll() is not None:
                self._kill_group()
        return self.returncode

    def terminate(self) -> None:
        if self._patience_ends == float("inf"):
            self._patience_ends = time.monotonic() + self._grace
        self.send_signal(self._stop_signal)

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
