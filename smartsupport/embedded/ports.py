"""Free ports on this machine's loopback address."""

import random
import socket

CHOICE = range(10_000, 32_000)
"""Below those that systems give to whoever connects (from 32768 on): nobody gets one by chance before it is listened
at, or while what has remembered it is stopped."""


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True


def choose(remembered: int | None) -> int:
    """The remembered port where it is still free, else any. Raises RuntimeError where none is."""
    if remembered is not None and is_free(remembered):
        return remembered
    for port in random.sample(CHOICE, len(CHOICE)):
        if is_free(port):
            return port
    raise RuntimeError(f"No port from {CHOICE.start} to {CHOICE.stop - 1} is free on this machine.")
