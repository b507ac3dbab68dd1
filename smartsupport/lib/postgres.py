"""Connections beside Django's own, to the same database in the same way."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

OF_DJANGO = frozenset(
    {"pool", "cursor_factory", "context", "prepare_threshold", "server_side_binding", "client_encoding"}
)


def connection_parameters(connection: BaseDatabaseWrapper) -> dict[str, Any]:
    """What psycopg needs to reach Django's database: address, user, TLS and other libpq options, without what only
    Django's own connections use."""
    parameters = connection.get_connection_params()
    return {name: value for name, value in parameters.items() if name not in OF_DJANGO}
