"""The tether: a command ends when whoever asked for it is gone, however that happened."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from smartsupport.embedded import tethered
from tests.ground.product import ROOT, marked, until

# Says when it is ready, and outlives the polite signals if told to.
PROGRAM = """
import signal, subprocess, sys, threading
if "stubborn" in sys.argv:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
print("up", flush=True)
threading.Event().wait()
"""
PARENT = """
import sys, threading
from smartsupport.embedded import tethered
tethered.start([sys.executable, "-c", sys.argv[1], *sys.argv[2:]], grace_seconds=0.5)
threading.Event().wait()
"""


@pytest.fixture
def mark() -> str:
    return f"SMARTSUPPORT_TEST_RUN={uuid.uuid4().hex}"


@contextmanager
def parent_of(mark: str, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that started PROGRAM under the tether, when all four are up."""
    name, _, value = mark.partition("=")
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, PROGRAM, *words],
        env=os.environ | {name: value, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        try:
            assert parent.stdout is not None
            assert parent.stdout.readline() == "up\n"
            until(
                lambda: len(marked(mark)) == 4
            )  # the parent, the tether, the command, and the command's own child
            yield parent
        finally:
            for pid in marked(mark):
                # It may end just now by itself.
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("words", [[], ["stubborn"]])
def test_killing_the_parent_ends_the_command_and_its_children(mark: str, words: list[str]) -> None:
    with parent_of(mark, *words) as parent:
        parent.kill()

        until(lambda: not marked(mark))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals a process when its parent dies")
def test_killing_the_tether_ends_the_command(mark: str) -> None:
    with parent_of(mark):
        (tether,) = (pid for pid, words in marked(mark).items() if "tether.py" in words)
        (command,) = (pid for pid in marked(mark) if _parent_id(pid) == tether)

        os.kill(tether, signal.SIGKILL)

        until(lambda: command not in marked(mark))


def _parent_id(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_the_status_of_the_command_is_told(tmp_path: Path) -> None:
    ended = tethered.start([sys.executable, "-c", "import sys; sys.exit(7)"])

    assert ended.wait(timeout=60) == 7
    assert ended.stdin is not None
    ended.stdin.close()


def test_a_second_command_with_the_same_lock_waits_for_the_first(tmp_path: Path) -> None:
    lock, order = tmp_path / "lock", tmp_path / "order"
    write = f"open({str(order)!r}, 'a').write"
    wait_for_end = f"import threading; {write}('first began '); threading.Event().wait()"
    first = tethered.start([sys.executable, "-c", wait_for_end], lock=lock)
    until(lambda: order.exists() and order.read_text() == "first began ")
    second = tethered.start([sys.executable, "-c", f"{write}('second ran')"], lock=lock)

    assert order.read_text() == "first began "
    first.terminate()
    first.wait(timeout=60)
    second.wait(timeout=60)

    assert order.read_text() == "first began second ran"
    for each in (first, second):
        assert each.stdin is not None
        each.stdin.close()
