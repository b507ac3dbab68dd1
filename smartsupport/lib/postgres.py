"""Connections beside Django's own, to the same database in the same way; and statements that are planned once."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Self, TypeVar

import psycopg
from django.db import connection as default
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Model
from psycopg.pq import TransactionStatus

M = TypeVar("M", bound=Model)
OF_DJANGO = frozenset(
    {"pool", "cursor_factory", "context", "prepare_threshold", "server_side_binding", "client_encoding"}
)

KEEPALIVES = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "4"}
"""Seconds of silence, seconds between questions, and how many stay unanswered. Nothing over a Unix socket."""


def connection_parameters(connection: BaseDatabaseWrapper) -> dict[str, Any]:
    """What psycopg needs to reach Django's database: address, user, TLS and other libpq options, without what only
    Django's own connections use."""
    parameters = connection.get_connection_params()
    return {name: value for name, value in parameters.items() if name not in OF_DJANGO}


def lock_keeper(connection: BaseDatabaseWrapper) -> "psycopg.Connection[tuple[Any, ...]]":
    """A connection that is open for the sake of a lock. Where its machine loses power or its network, nothing tells
    Postgres, which would keep the lock for more than two hours: it is to ask, and lets go within half a minute."""
    opened = psycopg.connect(**connection_parameters(connection), autocommit=True)
    for name, value in KEEPALIVES.items():
        opened.execute("SELECT set_config(%s, %s, false)", [name, value])
    return opened


class _Planned(psycopg.Cursor[tuple[Any, ...]]):
    """Its statements outlive a migration that gives a column another type, a longer `varchar` for instance: Postgres
    refuses what it had planned for the old one, on every connection that is open then, and for as long."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        """Raises psycopg.OperationalError where a transaction is lost by it: tried again, it finds nothing planned."""
        try:
            return super().execute(query, params, **options)
        except psycopg.errors.FeatureNotSupported as outdated:
            if self.connection.info.transaction_status != TransactionStatus.IDLE:
                raise psycopg.OperationalError(str(outdated)) from outdated
        self.connection.execute("DEALLOCATE ALL")
        return super().execute(query, params, **options)


@contextmanager
def prepared() -> Iterator[CursorWrapper]:
    """A cursor of Django's connection whose statements Postgres parses and plans once per connection, and not each time
    as it does for Django's own cursors, which write the parameters into the text. For the few statements that every
    turn runs: planning them took longer than running them. In the surrounding transaction, if there is one."""
    default.close_if_health_check_failed()
    default.ensure_connection()
    raw = default.connection
    raw.prepare_threshold = 1  # from the second time on
    with default.wrap_database_errors:
        cursor = _Planned(raw)
    with default._prepare_cursor(cursor) as wrapped:  # type: ignore[attr-defined]
        yield wrapped


def rows_of(model: type[M], statement: str, *, beside: str = "", **parameters: Any) -> list[M]:
    """Rows of a model, by a prepared statement of our own. It selects first `{columns}`, those of the model's table,
    then `{beside}`, those of the table that the foreign key `beside` leads to. What it selects behind them becomes
    further attributes. For what every turn reads: putting a statement together from a QuerySet takes longer than
    asking it."""
    tables = [model, *([model._meta.get_field(beside).related_model] if beside else [])]
    text, reading = _selecting(tuple(tables), statement)
    found = []
    with prepared() as cursor:
        cursor.execute(text, parameters)
        names = [column.name for column in cursor.description]
        for values in cursor.fetchall():
            rows, place = [], 0
            for table, attributes, converted in reading:
                own = list(values[place : place + len(attributes)])
                for at, field in converted:
                    own[at] = field.from_db_value(own[at], None, default)
                rows.append(table.from_db(default.alias, attributes, own))
                place += len(attributes)
            row = rows[0]
            if beside:
                setattr(row, beside, rows[1])
            vars(row).update(zip(names[place:], values[place:], strict=True))
            found.append(row)
    return found


@cache
def _selecting(tables: tuple[Any, ...], statement: str) -> tuple[str, list[tuple[Any, list[str], list[Any]]]]:
    """The statement; of each table its model, its attributes in order, and the fields that read what comes."""
    texts, reading = [], []
    for table in tables:
        fields = table._meta.concrete_fields
        texts.append(", ".join(f'"{table._meta.db_table}"."{field.column}"' for field in fields))
        converted = [(at, field) for at, field in enumerate(fields) if hasattr(field, "from_db_value")]
        reading.append((table, [field.attname for field in fields], converted))
    return statement.format(**dict(zip(("columns", "beside"), texts, strict=False))), reading
