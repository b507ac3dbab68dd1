"""Statements that Postgres ends when they take too long."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction


class TooLong(Exception):
    """A statement was ended because it took too long."""


# What was set comes first: the list is worked off from left to right.
_BOUND = """
SELECT current_setting('statement_timeout'), current_setting('max_parallel_workers_per_gather'),
       set_config('statement_timeout', %s, true), set_config('max_parallel_workers_per_gather', %s, true)
"""


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """A transaction in which Postgres ends what takes longer. Raises TooLong, and what was done in it is undone.

    Nothing in it runs in parallel: starting workers takes longer than reading the few rows of a page, and a busy
    machine has none to spare.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_BOUND, [str(int(seconds * 1000)), "0"])
            timeout, workers, *_ = cursor.fetchone() or ("0", "0")
            yield
            if connection.savepoint_ids:  # what is set is set for the whole of a transaction around this
                cursor.execute(_BOUND, [timeout, workers])
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != "57014":  # query_canceled
            raise
        raise TooLong from error
