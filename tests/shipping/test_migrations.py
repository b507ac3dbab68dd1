"""Migrations leave what processes of the version before need: the old ones serve while and after the new step runs."""

from collections.abc import Iterator

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.models import NOT_PROVIDED

# The newest migration of each app when upgrades without a pause began to be promised.
BEFORE = {
    "agents": "0012",
    "analytics": "0002",
    "chat": "0009",
    "openapi_import": "0005",
    "smartsupport": "0001",
}
HARMLESS = (
    migrations.CreateModel,
    migrations.AlterModelOptions,
    migrations.AlterModelManagers,
    AddIndexConcurrently,
    RemoveIndexConcurrently,
)
EXPLAINED = {
    "chat 0011_webhook_endpoints RunSQL": "new triggers that write rows of the new tables, whoever makes the event",
}
"""Operations that a rule here refuses, by `app name operation`, and why old processes go on with them all the same."""


def later(loader: MigrationLoader) -> Iterator[tuple[str, migrations.Migration]]:
    for (app, name), migration in sorted(loader.disk_migrations.items()):
        if app in BEFORE and name[:4] > BEFORE[app]:
            yield f"{app} {name}", migration


def faults(migration: migrations.Migration, loader: MigrationLoader | None = None) -> Iterator[str]:
    """What of a migration an old process could trip over. Tables that it makes itself are nobody's yet."""
    own = {one.name.lower() for one in migration.operations if isinstance(one, migrations.CreateModel)}
    for operation in _flat(migration.operations):
        if getattr(operation, "model_name", "").lower() not in own and (found := fault(operation)):
            if loader is None or not only_says_more(operation, migration, loader):
                yield f"{type(operation).__name__}: {getattr(operation, 'name', '')} {found}"


def only_says_more(operation: Operation, migration: migrations.Migration, loader: MigrationLoader) -> bool:
    """Whether a changed field is the same in the database: its choices or its help are others."""
    if not isinstance(operation, migrations.AlterField):
        return False
    before = loader.project_state(migration.dependencies)
    key = (migration.app_label, operation.model_name.lower())
    old, new = before.models[key].fields[operation.name], operation.field
    return (type(old), old.null, old.max_length, old.db_default) == (
        type(new),
        new.null,
        new.max_length,
        new.db_default,
    )


def fault(operation: Operation) -> str:
    if isinstance(operation, HARMLESS):
        return ""
    if isinstance(operation, migrations.AddField):
        field = operation.field
        if field.many_to_many or field.null or field.db_default is not NOT_PROVIDED:
            return ""
        return "an old process inserts rows without it: it needs null or db_default"
    if isinstance(operation, migrations.AlterField):
        return (
            ""
            if operation.field.null or operation.field.db_default is not NOT_PROVIDED
            else "it may be narrower"
        )
    if isinstance(operation, migrations.AddIndex):
        return "writes wait until it is made: make it concurrently"
    if isinstance(operation, migrations.RunSQL | migrations.RunPython):
        return "nobody can tell what it does"
    return "an old process may use what it takes away or changes"


def _flat(operations: list[Operation]) -> Iterator[Operation]:
    for operation in operations:
        if isinstance(operation, migrations.SeparateDatabaseAndState):
            yield from _flat(operation.database_operations)
        else:
            yield operation


def test_every_migration_leaves_what_the_version_before_needs() -> None:
    loader = MigrationLoader(None)

    found = [f"{name} {text}" for name, migration in later(loader) for text in faults(migration, loader)]

    assert found, "otherwise an explanation is left over"

    assert [text for text in found if text.partition(":")[0] not in EXPLAINED] == []


@pytest.mark.parametrize(
    "operation",
    [
        migrations.RenameField("a", "old", "new"),
        migrations.RemoveField("a", "x"),
        migrations.DeleteModel("a"),
        migrations.RenameModel("a", "b"),
        migrations.AlterModelTable("a", "b"),
        migrations.RunSQL("DROP TABLE a"),
    ],
)
def test_what_takes_something_away_is_refused(operation: Operation) -> None:
    migration = migrations.Migration("0002_x", "chat")
    migration.operations = [operation]

    assert len(list(faults(migration))) == 1
