"""`manage.py backup FILE`: the whole database in one file."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from smartsupport.backups.making import make
from smartsupport.backups.programs import BackupFailed


class Command(BaseCommand):
    help = (
        "Write the whole database into one file, while everything goes on. Keys are not in it: keep SECRET_KEY and "
        "SEALING_KEYS somewhere else, or the secrets in it are lost. `manage.py restore` reads it, and so does "
        "pg_restore."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="a name that is not taken yet; - writes to standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        file: str = options["file"]
        try:
            if file == "-":
                if sys.stdout.isatty():
                    raise CommandError(
                        "A backup is no text for a terminal: name a file, or send it into one."
                    )
                row = make(sys.stdout.buffer)
            else:
                row = make(Path(file), told=self.stderr.write)
        except BackupFailed as error:
            raise CommandError(str(error)) from None
        size = "" if file == "-" else f", {Path(file).stat().st_size / 1e6:,.1f} MB"
        self.stderr.write(f"Backup {row.pk} is whole{size}.")
        self.stderr.write(f"Audit anchor: {row.audit_count}:{row.audit_hash}")
        self.stderr.write("The keys are not in it: it needs the SECRET_KEY and SEALING_KEYS of today.")
