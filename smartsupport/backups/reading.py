"""Looks into a backup without restoring it: when it was made, by which version, and what it needs."""

import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from smartsupport.backups.programs import BackupFailed, last_line, program

COPY = re.compile(r"^COPY \S+ \((?P<columns>[^)]*)\) FROM stdin;$")

SEALED = re.compile(rb"\nsmartsupport backup: (?P<size>[0-9]{1,19}) bytes, sha256 (?P<hash>[0-9a-f]{64})\n\Z")
TAIL = 200
PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Contents:
    """`migrations` are (app, name) as applied when it was made; `tables` what it has."""

    backup_id: str
    at: datetime
    version: str
    sealed: str
    signed: str
    audit_count: int
    audit_hash: str
    migrations: frozenset[tuple[str, str]]
    tables: frozenset[str]


def read(file: Path) -> Contents:
    """What a backup says of itself. Raises BackupFailed where it is none, or not a whole one."""
    if not file.is_file():
        raise BackupFailed(f"There is no file {file}.")
    _insist_that_it_is_whole(file)
    restore = program("pg_restore")
    listed = _run(restore, file, "--list")
    tables = frozenset(re.findall(r"(?m)^\d+; \d+ \d+ TABLE public (\S+)", listed))
    if "smartsupport_backup" not in tables:
        raise BackupFailed(f"{file} is a dump of some database, but `manage.py backup` did not make it.")
    rows = _rows(_run(restore, file, "--data-only", "--table=smartsupport_backup", "--file=-"))
    newest = max(rows, key=lambda row: row["at"], default=None)
    if newest is None:
        raise BackupFailed(f"{file} does not say when it was made: it is not whole, or was changed.")
    applied = _rows(_run(restore, file, "--data-only", "--table=django_migrations", "--file=-"))
    return Contents(
        backup_id=newest["id"],
        at=datetime.fromisoformat(newest["at"]),
        version=newest["version"],
        sealed=newest["sealed"],
        signed=newest["signed"],
        audit_count=int(newest["audit_count"]),
        audit_hash=newest["audit_hash"],
        migrations=frozenset((row["app"], row["name"]) for row in applied),
        tables=tables,
    )


def _insist_that_it_is_whole(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            size = opened.seek(0, os.SEEK_END)
            opened.seek(max(0, size - TAIL))
            found = SEALED.search(opened.read())
            if found is not None:
                opened.seek(0)
                digest, left = hashlib.sha256(), size - len(found[0])
                while piece := opened.read(min(PIECE, left)):
                    digest.update(piece)
                    left -= len(piece)
                if (
                    int(found["size"]) == size - len(found[0])
                    and digest.hexdigest().encode() == found["hash"]
                ):
                    return
    except OSError as error:
        raise BackupFailed(f"{file} cannot be read: {error.strerror}.") from None
    raise BackupFailed(
        f"{file} is not a backup, or not a whole one: its end or its hash is not as it was written."
    )


def _run(restore: Path, file: Path, *words: str) -> str:
    done = subprocess.run([restore, *words, file], capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise BackupFailed(f"{file} is not a backup, or not a whole one: {last_line(done.stderr)}")
    return done.stdout


def _rows(script: str) -> list[dict[str, str]]:
    """The rows of the one COPY in a script. None of these columns holds what COPY would have to escape."""
    rows, columns = [], None
    for line in script.splitlines():
        if columns is None:
            if found := COPY.match(line):
                columns = [name.strip().strip('"') for name in found["columns"].split(",")]
        elif line == "\\.":
            break
        else:
            rows.append(dict(zip(columns, line.split("\t"), strict=True)))
    return rows
