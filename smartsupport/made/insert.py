"""INSERT ... SELECT into a model's table, with the model's own defaults in all columns that nobody names."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models import NOT_PROVIDED


def insert(model: type[models.Model], columns: dict[str, str], source: str) -> int:
    """Rows from `source` (a FROM clause); `columns` {column: SQL expression}. Rows that are there already stay as they
    are. Returns how many were written."""
    wanted = dict(columns)
    for field in model._meta.concrete_fields:
        if (
            not field.column
            or field.column in wanted
            or field.db_default is not NOT_PROVIDED
            or isinstance(field, models.BigAutoField)
        ):
            continue
        wanted[field.column] = _default(field)
    names = ", ".join(f'"{column}"' for column in wanted)
    sql = (
        f'INSERT INTO "{model._meta.db_table}" ({names}) SELECT {", ".join(wanted.values())} '  # noqa: S608 (ours)
        f"FROM {source} ON CONFLICT DO NOTHING"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.rowcount)


def _default(field: Any) -> str:
    if field.null:
        return "NULL"
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return "now()"
    default = field.get_default() if field.has_default() else ""
    if isinstance(field, models.JSONField):
        return "'[]'::jsonb" if default == [] else "'{}'::jsonb"
    if isinstance(field, ArrayField):
        return "'{}'"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, int):
        return str(default)
    return f"'{default}'"
