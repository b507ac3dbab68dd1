"""Connections beside Django's own, to the same database in the same way; and statements that are planned once."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import psycopg
from django.db import connection as default
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Field, Model

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
        cursor = psycopg.Cursor(raw)
    with default._prepare_cursor(cursor) as wrapped:  # type: ignore[attr-defined]
        yield wrapped


def rows_of(model: type[M], statement: str, **parameters: Any) -> list[M]:
    """Rows of a model, by a prepared statement of our own that selects `{columns}`, those of the model's table, first.
    What it selects behind them becomes further attributes. For what every turn reads: putting a statement together from
    a QuerySet takes longer than asking it."""
    selects, fields, read = _selecting(model, statement)
    with prepared() as cursor:
        cursor.execute(selects, parameters)
        more = [column.name for column in cursor.description[len(fields) :]]
        found = []
        for values in map(list, cursor.fetchall()):
            for place, field in read:
                values[place] = field.from_db_value(values[place], None, default)
            row = model.from_db(default.alias, fields, values[: len(fields)])
            vars(row).update(zip(more, values[len(fields) :], strict=True))
            found.append(row)
    return found


@cache
def _selecting(model: type[Model], statement: str) -> tuple[str, list[str], list[tuple[int, Any]]]:
    """The statement, the model's attributes in its order, and those whose fields read what the database gives."""
    fields: list[Field[Any, Any]] = list(model._meta.concrete_fields)
    columns = ", ".join(f'"{model._meta.db_table}"."{field.column}"' for field in fields)
    read = [(place, field) for place, field in enumerate(fields) if hasattr(field, "from_db_value")]
    return statement.format(columns=columns), [field.attname for field in fields], read
