"""A run notices that make was interrupted, whatever make was doing when the run began."""

import signal
import subprocess
import sys

from tests.ground.product import ROOT

WATCHING = """
from smartsupport.supervisor.stopping import Stop, Watch

watch = Watch(parent_counts=True)
try:
    watch.until(lambda: print("looking", flush=True))
except Stop:
    print("stopped", flush=True)
"""


def _block(how: int) -> None:
    signal.pthread_sigmask(how, {signal.SIGINT})


def test_a_parent_that_held_interrupts_back_while_it_started_us_can_be_interrupted() -> None:
    _block(signal.SIG_BLOCK)
    try:
        watching = subprocess.Popen(
            [sys.executable, "-c", WATCHING], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert watching.stdout is not None
        assert watching.stdout.readline() == "looking\n"
        _block(signal.SIG_UNBLOCK)
        for _ in range(3):  # at least one whole look since
            assert watching.stdout.readline() == "looking\n"
        _block(signal.SIG_BLOCK)

        lines = watching.stdout.read().splitlines()

        assert lines[-1] == "stopped"
        assert watching.wait(10) == 0
    finally:
        _block(signal.SIG_UNBLOCK)
        watching.kill()
        watching.stdout.close()
        watching.wait()
