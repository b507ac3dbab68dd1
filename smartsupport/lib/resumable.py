"""Operations for migrations that are not atomic (`atomic = False`): each does nothing where it was done before, so that
a migration that was killed half-way goes on where it was. In SQL of your own: IF NOT EXISTS, OR REPLACE."""

from typing import Any

from django.contrib.postgres import operations as postgres
from django.db import migrations


class CreateModel(migrations.CreateModel):
    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        table = to_state.apps.get_model(app_label, self.name)._meta.db_table
        if not _one(schema_editor, "SELECT to_regclass(quote_ident(%s)) IS NOT NULL", table):
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class AddField(migrations.AddField):
    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)._meta
        known = "SELECT 1 FROM pg_attribute WHERE attrelid = quote_ident(%s)::regclass AND attname = %s"
        if not _one(schema_editor, known, model.db_table, model.get_field(self.name).column):
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class AddIndexConcurrently(postgres.AddIndexConcurrently):
    """What was left of an index by one who was killed is removed, and it is built anew."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if not _is_whole(schema_editor, self.index.name):
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class BuildIndexConcurrently(migrations.RunSQL):
    """The same for an index that no model names: `name`, and the whole CREATE INDEX CONCURRENTLY."""

    def __init__(self, name: str, sql: str) -> None:
        super().__init__(sql, f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        self.name = name

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if not _is_whole(schema_editor, self.name):
            super().database_forwards(app_label, schema_editor, from_state, to_state)


def _is_whole(schema_editor: Any, index: str) -> bool:
    """Whether there is such an index; half a one is removed."""
    known = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(quote_ident(%s))"
    valid = _one(schema_editor, known, index)
    if valid is False:
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(index)}")
    return bool(valid)


def _one(schema_editor: Any, statement: str, *parameters: str) -> Any:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
        return row[0] if row else None
