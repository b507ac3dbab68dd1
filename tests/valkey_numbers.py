"""Numbers of Valkey's databases for products that a test runs: one has each at a time, whichever worker asks. Who has
which is kept in a database that all workers of a run share and no test empties."""

import os

import redis

from tests.servers import REDIS_URL

NUMBERS = range(32, 63)
"""Beside those of xdist's workers, which count from 1."""
KEPT_IN = 63


def claim() -> str:
    """The URL of a database that nobody else uses and in which nothing is left. It is kept until `give_back`."""
    with redis.Redis.from_url(_url(KEPT_IN)) as shared:
        for number in NUMBERS:
            if shared.set(_key(number), os.getpid(), nx=True):
                with redis.Redis.from_url(_url(number)) as mine:
                    mine.flushdb()
                return _url(number)
    raise RuntimeError("All of Valkey's databases are in use.")


def give_back(url: str) -> None:
    server, _, number = url.rpartition("/")  # which of several, whatever the environment says by now
    with redis.Redis.from_url(f"{server}/{KEPT_IN}") as shared:
        shared.delete(_key(int(number)))


def _url(number: int) -> str:
    return f"{os.environ[REDIS_URL].rpartition('/')[0]}/{number}"


def _key(number: int) -> str:
    return f"tests:number:{number}"
