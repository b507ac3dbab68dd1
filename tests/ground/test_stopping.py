"""A run notices that make was interrupted, whatever make was doing when the run began."""

import signal
import subprocess
import sys
from typing import IO

from tests.ground.product import ROOT

# Between two looks it waits until it is told to go on.
WATCHING = """
import sys
from smartsupport.supervisor.stopping import Stop, Watch

watch = Watch(parent_counts=True)
try:
    watch.until(lambda: print("waiting", flush=True) or not sys.stdin.readline(), pause=0)
except Stop:
    print("stopped", flush=True)
"""


def _block(how: int) -> None:
    signal.pthread_sigmask(how, {signal.SIGINT})


def test_a_parent_that_held_interrupts_back_while_it_started_us_can_be_interrupted() -> None:
    _block(signal.SIG_BLOCK)
    try:
        watching = subprocess.Popen(
            [sys.executable, "-c", WATCHING],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with watching:
            try:
                assert watching.stdin is not None
                assert watching.stdout is not None
                assert watching.stdout.readline() == "waiting\n"
                assert _look(watching.stdin, watching.stdout) == "waiting\n"
                _block(signal.SIG_UNBLOCK)
                assert _look(watching.stdin, watching.stdout) == "waiting\n"
                _block(signal.SIG_BLOCK)

                assert _look(watching.stdin, watching.stdout) == "stopped\n"
                assert watching.wait(60) == 0
            finally:
                watching.kill()
    finally:
        _block(signal.SIG_UNBLOCK)


def _look(told: IO[str], says: IO[str]) -> str:
    """Let it look once; what it says afterwards."""
    told.write("\n")
    told.flush()
    return says.readline()
