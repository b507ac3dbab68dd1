"""Django's `flush` truncates every table and makes content types, permissions and groups anew: a third of a second of
Postgres. A test writes into five tables. After the first time only what was written since is emptied; where what the
migrations' signals made has changed, or a table has grown, Django's own way is gone again.
"""

from typing import Any

from django.core.management.commands import flush
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

GROWN_BYTES = 2 * 1024 * 1024
"""Deleted rows stay in the file, and everybody reads past them: a table of this size is truncated."""

# By database: the tables that are not empty after a flush, with what changes when anybody writes into them.
_made_by_signals: dict[str, dict[str, tuple[int, int]]] = {}


class Command(flush.Command):
    def handle(self, **options: Any) -> None:
        connection = connections[options["database"]]
        name = str(connection.settings_dict["NAME"])
        asked_for_more = any(
            options.get(key) for key in ("reset_sequences", "inhibit_post_migrate", "interactive")
        )
        plain = not asked_for_more and not connection.in_atomic_block
        if plain and name in _made_by_signals and _emptied(connection, _made_by_signals[name]):
            return
        super().handle(**options)
        if plain:
            _made_by_signals[name] = _marks(connection, [table for table, _ in _written(connection)])


def _emptied(connection: BaseDatabaseWrapper, made_by_signals: dict[str, tuple[int, int]]) -> bool:
    """Empty what was written. False, with nothing done, where that is not enough."""
    written = _written(connection)
    if any(size > GROWN_BYTES for _, size in written):
        return False
    if _marks(connection, list(made_by_signals)) != made_by_signals:
        return False
    tables = [sql.Identifier(table) for table, _ in written if table not in made_by_signals]
    if tables:
        with connection.cursor() as cursor:
            cursor.execute(_emptying(tables))
    return True


def _emptying(tables: list[sql.Identifier]) -> sql.Composed:
    """Waits for whoever still writes, as TRUNCATE does, and asks no foreign key: everything goes at once."""
    return sql.SQL("; ").join(
        [
            sql.SQL("BEGIN"),
            sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.SQL(", ").join(tables)),
            sql.SQL("SET LOCAL session_replication_role = replica"),
            *(sql.SQL("DELETE FROM {}").format(table) for table in tables),
            sql.SQL("COMMIT"),
        ]
    )


def _written(connection: BaseDatabaseWrapper) -> list[tuple[str, int]]:
    """Django's tables that have, or have had, a row since they were truncated, with their size in bytes."""
    ours = connection.introspection.django_table_names(include_views=False)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relname = ANY(%s) "
            "AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0 ORDER BY relname",
            [ours],
        )
        return [(str(table), int(size)) for table, size in cursor.fetchall()]


def _marks(connection: BaseDatabaseWrapper, tables: list[str]) -> dict[str, tuple[int, int]]:
    """For each table the number of its rows and the newest transaction that wrote one of them."""
    each = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {}, count(*), coalesce(max(xmin::text::bigint), 0) FROM {}").format(
            sql.Literal(table), sql.Identifier(table)
        )
        for table in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(each)
        return {str(table): (int(rows), int(newest)) for table, rows, newest in cursor.fetchall()}
