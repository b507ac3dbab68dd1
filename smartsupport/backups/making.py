"""Makes a backup: pg_dump's snapshot of the whole database, written beside its name and renamed when it is whole."""

import hashlib
import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO

from django.conf import settings
from django.utils import timezone

from smartsupport.backups import canary
from smartsupport.backups.programs import ASIDE, SEAL, BackupFailed, environment, last_line, program
from smartsupport.lib import audit
from smartsupport.models import AuditEntry, Backup

TELL_EVERY_SECONDS = 5.0
PIECE = 1 << 20
WITHOUT_DATA = ("django_session",)
"""Whoever gets hold of a backup must not be signed in by it."""
Told = Callable[[str], None]


def make(target: Path | IO[bytes], *, told: Told = lambda line: None) -> Backup:
    """Write a backup to a file that is not there yet, or to an open stream. Raises BackupFailed; then no file is left.

    The file is readable by its owner only. Nobody has to stop for it: it holds what was committed when it began.
    """
    dump = program("pg_dump")
    if isinstance(target, Path):
        return _to_file(dump, target, told)
    row = _begin()
    _run(dump, target, row, told)
    return row


def _to_file(dump: Path, target: Path, told: Told) -> Backup:
    if target.exists():
        raise BackupFailed(f"{target} exists already. Choose another name, or remove it.")
    unfinished = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BackupFailed(f"{unfinished} cannot be written: {error.strerror}.") from None
    try:
        with os.fdopen(handle, "wb") as output:
            row = _begin()
            _run(dump, output, row, told)
            os.fsync(output.fileno())
        _rename(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    return row


def _rename(unfinished: Path, target: Path) -> None:
    """Under its name, unless somebody else has taken that meanwhile; and kept through a loss of power."""
    try:
        try:
            os.link(unfinished, target)
        except FileExistsError:
            raise
        except OSError:
            # A file system without hard links (FAT, many network shares): take the name first, then put it there.
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            unfinished.replace(target)
    except FileExistsError:
        raise BackupFailed(f"{target} was made by somebody else meanwhile. Choose another name.") from None
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _begin() -> Backup:
    """The row that says of the backup, in it, what it is: committed first, so that the snapshot holds it."""
    number = uuid.uuid4()
    count = audit.write(actor=audit.COMMANDS, verb="backup", object_type="backup", object_id=number)
    return Backup.objects.create(
        pk=number,
        at=timezone.now(),
        version=settings.VERSION,
        sealed=canary.sealed(str(number)),
        signed=canary.signed(str(number)),
        audit_count=count,
        audit_hash=_audit_hash(count),
    )


def _audit_hash(number: int) -> str:
    return AuditEntry.objects.values_list("hash", flat=True).get(pk=number)


def _run(dump: Path, output: IO[bytes], row: Backup, told: Told) -> None:
    words: list[str | Path] = [
        dump,
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        f"--exclude-schema={ASIDE}",
    ]
    words += [f"--exclude-table-data={table}" for table in WITHOUT_DATA]
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=complaints, env=environment()) as process,
    ):
        assert process.stdout is not None
        try:
            _copy(process.stdout, output, told)
        except OSError as error:
            process.kill()
            raise BackupFailed(f"It could not be written: {error.strerror}. Nothing of it is kept.") from None
        except BaseException:
            process.kill()
            raise
        if process.wait() != 0:
            complaints.seek(0)
            raise BackupFailed(
                f"pg_dump could not make it: {last_line(complaints.read().decode(errors='replace'))}"
            )
    Backup.objects.filter(pk=row.pk).update(finished_at=timezone.now())


def _copy(source: IO[bytes], output: IO[bytes], told: Told) -> None:
    """All of it, and then the seal by which a file is known to be whole: pg_restore takes one that was cut for a whole
    one, and does not look at what stands behind an archive."""
    digest, size, next_time = hashlib.sha256(), 0, time.monotonic() + TELL_EVERY_SECONDS
    while piece := source.read(PIECE):
        digest.update(piece)
        output.write(piece)
        size += len(piece)
        if time.monotonic() > next_time:
            told(f"{size / 1e6:,.0f} MB so far")
            next_time = time.monotonic() + TELL_EVERY_SECONDS
    output.write(SEAL % (size, digest.hexdigest().encode()))
    output.flush()
