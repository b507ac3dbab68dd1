"""Whether anything was written, asked after each of a thousand refusals: Postgres counts what a transaction writes,
which costs a hundredth of reading every row again."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from tests.isolation.world import TOUCHED_BY_ANY_REQUEST, everything

WRITES = """
SELECT relname, pg_stat_get_xact_tuples_inserted(oid) + pg_stat_get_xact_tuples_updated(oid)
    + pg_stat_get_xact_tuples_deleted(oid)
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""


class Watch:
    """The rows of every table as they are now. Where something was written they are read again, so that what was
    written and taken back is no change."""

    def __init__(self) -> None:
        assert connection.in_atomic_block, "only what this transaction writes is counted"
        self._writes = _writes()
        self._rows = everything()

    def changed(self) -> list[str]:
        """The tables that are not what they were when this was last asked."""
        return self._read_again() if _writes() != self._writes else []

    def _read_again(self) -> list[str]:
        before, self._writes, self._rows = self._rows, _writes(), everything()
        return [table for table in self._rows if self._rows[table] != before.get(table)]


@contextmanager
def watching() -> Iterator[Watch]:
    """A watch. At the end every row is read, whatever the counts say: a change that nobody asked about, or that was
    not counted (another connection's), raises AssertionError."""
    watch = Watch()
    yield watch
    assert (left := watch._read_again()) == [], f"changed, and not counted: {', '.join(left)}"


def _writes() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(WRITES)
        return {table: count for table, count in cursor.fetchall() if table not in TOUCHED_BY_ANY_REQUEST}
