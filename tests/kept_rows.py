"""Rows that many tests begin with: made once by the product itself, then put back as they were."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from psycopg import sql

_kept: dict[Hashable, dict[str, bytes]] = {}


def put_back(what: Hashable) -> bool:
    """Write the rows that were kept under this name. False, and nothing written, where there are none."""
    rows = _kept.get(_key(what))
    if rows is None:
        return False
    with transaction.atomic(), connection.cursor() as cursor:
        # What triggers make of a row is among the rows, and so is what a foreign key points to.
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table, content in rows.items():
            statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier(table))
            with cursor.copy(statement) as copy:
                copy.write(content)
        cursor.execute("SET LOCAL session_replication_role = origin")
    return True


@contextmanager
def keeping(what: Hashable) -> Iterator[None]:
    """Keep under this name the rows of every table that is empty now and is not at the end."""
    before = _with_rows()
    yield
    rows = {}
    with connection.cursor() as cursor:
        for table in _with_rows() - before:
            statement = sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(sql.Identifier(table))
            with cursor.copy(statement) as copy:
                rows[table] = b"".join(bytes(piece) for piece in copy)
    _kept[_key(what)] = rows


def _with_rows() -> set[str]:
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    each = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(sql.Literal(table), sql.Identifier(table))
        for table in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(each)
        return {str(table) for (table,) in cursor.fetchall()}


def _key(what: Hashable) -> Hashable:
    """Content types that were made anew have new numbers, which rows may name."""
    return what, ContentType.objects.order_by("-pk").values_list("pk", flat=True).first()
