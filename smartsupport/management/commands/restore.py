"""`manage.py restore FILE`: what `backup` wrote, back into the database."""

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from smartsupport.backups import canary, reading, restoring, unfinished
from smartsupport.backups.programs import BackupFailed

APPROVED = "Actions that were approved and not finished when the backup was made:"
SHOWN = 50


class Command(BaseCommand):
    help = (
        "Read a backup back into an empty database, apply the migrations that are newer, and check the audit. Stop "
        "web, turns, jobs and beat first. What fails leaves the database as it was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file")
        parser.add_argument("--replace", action="store_true", help="give up what is in the database now")
        parser.add_argument(
            "--without-keys",
            action="store_true",
            help="restore although the keys of this deployment do not open its secrets: they are entered again",
        )
        parser.add_argument(
            "--resume",
            action="store_true",
            help="nothing has run since the backup was made: carry out what was approved, and answer what was queued",
        )
        parser.add_argument("--look", action="store_true", help="only say what it is, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        file = Path(options["file"])
        try:
            contents = reading.read(file)
            self._introduce(contents)
            missing = canary.missing_keys(contents.backup_id, sealed=contents.sealed, signed=contents.signed)
            for sentence in missing:
                self.stderr.write(sentence)
            if options["look"]:
                return
            if missing and not options["without_keys"]:
                raise CommandError(
                    "Nothing was changed. Set the keys that it was made under, or add --without-keys."
                )
            done = restoring.restore(
                file,
                contents,
                replace=options["replace"],
                resume=options["resume"],
                told=self.stderr.write,
            )
        except BackupFailed as error:
            raise CommandError(str(error)) from None
        self._report(done)

    def _introduce(self, contents: reading.Contents) -> None:
        made = contents.at.strftime("%Y-%m-%d %H:%M:%S %Z")
        self.stdout.write(f"Backup {contents.backup_id} of {made}, made by version {contents.version}.")
        for sentence in restoring.faults(contents):
            self.stderr.write(sentence)

    def _report(self, done: restoring.Restored) -> None:
        self.stdout.write(f"Restored. {done.audit_entries} entries of the audit are as they were written.")
        if done.settled:
            self._tell(done.settled)
        if done.sent_next:
            self.stderr.write(
                f"{APPROVED} {len(done.sent_next)}. They are carried out as soon as a turns process starts, with the "
                "Idempotency-Key that they had:"
            )
            self._list(done.sent_next)
        if done.broken_audit:
            raise CommandError(
                f"The backup is restored, but its audit is not as it was written: {done.broken_audit} "
                "Keep the file, and find out who had it."
            )

    def _tell(self, settled: unfinished.Settled) -> None:
        if settled.unknown:
            self.stderr.write(
                f"{APPROVED} {len(settled.unknown)}. Nobody knows whether they were carried out after that, so they "
                "are not sent. Look in the business systems, and say in the console (Approvals, Outcome unknown) what "
                "you found:"
            )
            self._list(settled.unknown)
        if settled.ended:
            self.stderr.write(
                f"Messages that were not answered yet: {settled.ended}. They are not answered now either, and their "
                "customers are told so."
            )
        if settled.waiting:
            self.stderr.write(
                f"Approvals that still wait: {settled.waiting}. They may have been decided and carried out since: "
                "whoever is asked reads that, and looks first."
            )

    def _list(self, actions: list[tuple[UUID, str]]) -> None:
        for number, tool in actions[:SHOWN]:
            self.stderr.write(f"  {tool} {number}")
        if len(actions) > SHOWN:
            self.stderr.write(f"  and {len(actions) - SHOWN} more")
