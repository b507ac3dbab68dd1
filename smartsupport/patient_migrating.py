"""Migrations beside processes that serve: none of them makes others wait for long, and one runs at a time.

A change of a table waits for whoever has used it in a transaction that is still open (a backup, a report), and
meanwhile everybody else who wants the table waits behind it. So it gives up after a second, lets them through, and
tries again.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.core.management.base import CommandError
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from smartsupport.lib.postgres import lock_keeper

LOCK = 2_026_008
LOOK_SECONDS = 1.0
LOCK_SECONDS = 1
"""How long others may have to wait for a table because of us, in one go."""
PAUSE_SECONDS = 2.0
PATIENCE_SECONDS = 1_800.0

Told = Callable[[str], None]

_IN_THE_WAY = """
SELECT pid, coalesce(nullif(application_name, ''), 'no name'),
       extract(epoch FROM clock_timestamp() - xact_start)::int
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
ORDER BY xact_start LIMIT 1
"""


@contextmanager
def alone(connection: BaseDatabaseWrapper, told: Told) -> Iterator[None]:
    """Wait until nobody else migrates this database. By asking: who waits inside a statement would hold up an index
    that the other one builds concurrently."""
    with lock_keeper(connection) as guard:
        waits = False
        while guard.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone() != (True,):
            if not waits:
                told("Somebody else is migrating this database: waiting for them.")
            waits = True
            time.sleep(LOOK_SECONDS)
        yield


class Patience:
    """Tries what could not have its lock, again and again; gives up with a CommandError when it is at its end."""

    def __init__(self, connection: BaseDatabaseWrapper, told: Told) -> None:
        self._connection = connection
        self._told = told
        self._ends = time.monotonic() + PATIENCE_SECONDS

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Inside, no statement waits for a lock for longer than LOCK_SECONDS. What stands in no transaction is tried
        again by itself; what stands in one raises, and `keep_trying` does the whole again."""
        self._set(f"SET lock_timeout = '{LOCK_SECONDS}s'")
        try:
            with self._connection.execute_wrapper(self._statement):
                yield
        finally:
            if self._connection.connection is not None and not self._connection.in_atomic_block:
                self._set("RESET lock_timeout")

    def keep_trying(self, work: Callable[[], Any]) -> Any:
        """Do `work` until every lock was there."""
        while True:
            try:
                return work()
            except OperationalError as error:
                self._wait(error)

    def _statement(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if self._connection.in_atomic_block:
            return execute(sql, params, many, context)
        if "CONCURRENTLY" not in str(sql):
            return self.keep_trying(lambda: execute(sql, params, many, context))
        # It waits for old transactions while others read and write; cut short, it would leave half an index.
        self._set("SET lock_timeout = 0")
        try:
            return execute(sql, params, many, context)
        finally:
            self._set(f"SET lock_timeout = '{LOCK_SECONDS}s'")

    def _wait(self, error: OperationalError) -> None:
        """Raises what is no lock's fault, and CommandError."""
        if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
            raise error
        rows = self._raw().execute(_IN_THE_WAY).fetchall()
        oldest = "; ".join(
            f"the oldest transaction is {seconds} s old, of {name}, pid {pid}" for pid, name, seconds in rows
        )
        if time.monotonic() > self._ends:
            raise CommandError(
                f"A table could not be changed, because others used it all the time ({oldest}). What was migrated "
                "stays; end that one, and migrate again."
            ) from error
        self._told(f"A table is in use, trying again ({oldest}).")
        time.sleep(PAUSE_SECONDS)

    def _set(self, statement: str) -> None:
        self._connection.ensure_connection()
        self._raw().execute(statement)

    def _raw(self) -> Any:
        """Psycopg's own connection: what is asked on it does not come back to us."""
        return self._connection.connection
