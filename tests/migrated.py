"""One migrated database for a run: its processes' and stacks' are copies of it, which takes a tenth of migrating."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlparse, urlunparse

import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
NAME = "smartsupport_migrated"
_UNFINISHED = f"{NAME}_unfinished"
_LOCK = 2_026_001
"""The number of the lock that makes one process migrate and the others wait for it."""


def provide(server_url: str, *, migrate: Callable[[str], None] | None = None) -> None:
    """See to it that the server has the database NAME, which is only ever copied. Idempotent, from any process.
    `migrate` migrates the empty database that it is given the name of; without it a process of its own does."""
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
            return
        unfinished = sql.Identifier(_UNFINISHED)
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(unfinished))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(unfinished))
        if migrate is not None:
            migrate(_UNFINISHED)
        else:
            _migrate(urlunparse(urlparse(server_url)._replace(path=f"/{_UNFINISHED}")))
        admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(unfinished, sql.Identifier(NAME)))


def copy(server_url: str, name: str) -> None:
    """Make a migrated database called `name`."""
    provide(server_url)
    with psycopg.connect(server_url, autocommit=True) as admin:
        # Its files are copied; by way of the log, which is the default, takes eight times as long.
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        admin.execute(statement.format(sql.Identifier(name), sql.Identifier(NAME)))


def without_helpers(server_url: str, name: str) -> None:
    """Let each query of this database be answered by one process: to look into sixty empty tables at once Postgres
    starts two more, which takes ten times as long as looking."""
    with psycopg.connect(server_url, autocommit=True) as admin:
        statement = sql.SQL("ALTER DATABASE {} SET max_parallel_workers_per_gather = 0")
        admin.execute(statement.format(sql.Identifier(name)))


def drop(server_url: str, name: str) -> None:
    """Remove a copy, whoever is still connected."""
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _migrate(database_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "smartsupport.settings"},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
