"""Restores a backup, wholly or not at all: what was there is set aside until the new is in and brought up to date."""

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
from django.core.management import call_command
from django.core.management.commands import migrate
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from agents import restored
from smartsupport.audit import chain
from smartsupport.backups import unfinished
from smartsupport.backups.programs import ASIDE, BackupFailed, environment, last_line, program
from smartsupport.backups.reading import Contents
from smartsupport.lib import audit
from smartsupport.lib.postgres import connection_parameters

LOCK = 2_026_006
JOBS = 2
PATIENCE_SECONDS = 3.0
"""Our own earlier connections need a moment to be gone."""
CONNECTED = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
    AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""
UNFINISHED = (
    "A restore did not come to its end, or still runs. Nothing may start on half of a backup. Restore again: first of "
    "all, what was there before is put back."
)
Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Restored:
    """`migrations` were applied afterwards. `broken_audit`: what is wrong with the chain, or "".

    `settled`: what became of what was unfinished when the backup was made. None: it goes on, and `sent_next` are the
    actions (id, tool) that the first turns process carries out."""

    migrations: int
    audit_entries: int
    broken_audit: str
    settled: unfinished.Settled | None
    sent_next: list[tuple[UUID, str]]


def faults(contents: Contents) -> list[str]:
    """Why this code cannot take it, as sentences; keys are not among them."""
    known = set(MigrationLoader(None).graph.nodes)
    newer = sorted(f"{app} {name}" for app, name in contents.migrations - known)
    if newer:
        return [
            f"It was made by version {contents.version}, which has changes that this one does not know "
            f"({', '.join(newer[:3])}{', ...' if len(newer) > 3 else ''}). Restore it with that version or a newer one."
        ]
    return []


def restore(
    file: Path, contents: Contents, *, replace: bool, resume: bool = False, told: Told = lambda line: None
) -> Restored:
    """Put a backup into Django's database, while no other program is connected; into one that is not empty only with
    `replace`. `resume`: what was unfinished goes on by itself, because nothing has run since the backup was made.
    Raises BackupFailed; then the database is as it was."""
    if refusals := faults(contents):
        raise BackupFailed(" ".join(refusals))
    _let_go()
    with psycopg.connect(**connection_parameters(connection), autocommit=True) as admin:
        _alone(admin)
        _undo_an_interrupted_one(admin, told)
        occupied = _tables(admin)
        if occupied and not replace:
            raise BackupFailed(
                f"The database is not empty: it has {occupied} tables. Add --replace to give up what is in it."
            )
        _set_aside(admin)
        try:
            told("Restoring the rows ...")
            _run(file)
            missing = len(set(MigrationLoader(connection).graph.nodes) - contents.migrations)
            if missing:
                told(f"Applying {missing} migrations that are newer than the backup ...")
            # Django's own: ours refuses while a restore is not at its end.
            call_command(migrate.Command(), verbosity=0, interactive=False)
            # While nothing may start yet, or the first turns process would be faster.
            settled = None if resume else unfinished.settle(contents.at)
        except BaseException:
            _put_back(admin)
            raise
        _forget_what_was_there(admin)
    told("Looking whether the audit is as it was written ...")
    verdict = chain.verify({contents.audit_count: contents.audit_hash})
    detail = {
        "backup": contents.backup_id,
        "made_at": contents.at.isoformat(),
        "replaced": bool(occupied),
        "resumed": resume,
        "unknown_actions": len(settled.unknown) if settled else 0,
        "ended_turns": settled.ended if settled else 0,
    }
    audit.write(actor=audit.COMMANDS, verb="restore", object_type="backup", detail=detail)
    return Restored(
        migrations=missing,
        audit_entries=verdict.count,
        broken_audit=verdict.reason if verdict.broken_at is not None else "",
        settled=settled,
        sent_next=restored.unsettled() if resume else [],
    )


def _let_go() -> None:
    """Close what this process holds open of the database."""
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]


def _alone(admin: "psycopg.Connection[tuple[object, ...]]") -> None:
    """Only one restore at a time, and no program that would read half of it."""
    if not _first(admin, f"SELECT pg_try_advisory_lock({LOCK})"):
        raise BackupFailed("Another restore is running.")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while others := _first(admin, CONNECTED):
        if time.monotonic() > deadline:
            raise BackupFailed(
                f"{others} other connections to this database are open. Stop web, turns, jobs and beat first, and "
                "whoever else uses it."
            )
        time.sleep(0.1)


def is_unfinished() -> bool:
    """Whether a restore died: the tables are half of a backup then, or less, and what was there before is set aside."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", [ASIDE])
        return cursor.fetchone() != (0,)


def _undo_an_interrupted_one(admin: "psycopg.Connection[tuple[object, ...]]", told: Told) -> None:
    if _first(admin, f"SELECT count(*) FROM pg_namespace WHERE nspname = '{ASIDE}'"):  # noqa: S608 - our own name
        told("An earlier restore did not come to its end: putting back what was there before it.")
        _put_back(admin)


def _tables(admin: "psycopg.Connection[tuple[object, ...]]") -> int:
    statement = (
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
    )
    return int(str(_first(admin, statement)))


def _first(admin: "psycopg.Connection[tuple[object, ...]]", statement: str) -> object:
    row = admin.execute(statement).fetchone()
    return row[0] if row else None


def _set_aside(admin: "psycopg.Connection[tuple[object, ...]]") -> None:
    try:
        with admin.transaction():
            admin.execute(f"ALTER SCHEMA public RENAME TO {ASIDE}")
            admin.execute("CREATE SCHEMA public")
    except psycopg.errors.InsufficientPrivilege:
        raise BackupFailed(
            "The role in DATABASE_URL does not own the database's schema, so it cannot set aside what is there. "
            "Restore as the owner of the database."
        ) from None


def _put_back(admin: "psycopg.Connection[tuple[object, ...]]") -> None:
    _let_go()
    with admin.transaction():
        admin.execute("DROP SCHEMA IF EXISTS public CASCADE")
        admin.execute(f"ALTER SCHEMA {ASIDE} RENAME TO public")


def _forget_what_was_there(admin: "psycopg.Connection[tuple[object, ...]]") -> None:
    admin.execute(f"DROP SCHEMA {ASIDE} CASCADE")


def _run(file: Path) -> None:
    words = [
        "--no-owner",
        "--no-privileges",
        "--exit-on-error",
        f"--jobs={JOBS}",
        "--dbname",
        environment()["PGDATABASE"],
    ]
    process = subprocess.Popen(
        [program("pg_restore"), *words, file],
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
        errors="replace",
    )
    try:
        _, complaints = process.communicate()
    except BaseException:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        process.kill()
        raise
    if process.returncode != 0:
        raise BackupFailed(
            f"pg_restore could not read all of it: {last_line(complaints)} Nothing was changed."
        )
