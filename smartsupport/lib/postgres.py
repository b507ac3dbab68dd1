"""Connections beside Django's own, to the same database in the same way; and statements that are planned once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection as default
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

OF_DJANGO = frozenset(
    {"pool", "cursor_factory", "context", "prepare_threshold", "server_side_binding", "client_encoding"}
)


def connection_parameters(connection: BaseDatabaseWrapper) -> dict[str, Any]:
    """What psycopg needs to reach Django's database: address, user, TLS and other libpq options, without what only
    Django's own connections use."""
    parameters = connection.get_connection_params()
    return {name: value for name, value in parameters.items() if name not in OF_DJANGO}


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
