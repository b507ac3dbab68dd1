"""`manage.py apply_retention [--dry-run]`: what the jobs do every hour, now and to its end."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from smartsupport.retention import forgetting


class Command(BaseCommand):
    help = (
        "Delete or pseudonymise (RETENTION_MODE) conversations in which nothing happened for RETENTION_DAYS. What is "
        "not finished is left alone. It may be interrupted and run again, also while the jobs do the same."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        days, mode = settings.RETENTION_DAYS, settings.RETENTION_MODE
        if not days:
            self.stdout.write("RETENTION_DAYS is 0: everything is kept, and nothing was changed.")
            return
        if options["dry_run"]:
            found = forgetting.due(days=days, mode=mode)
            self.stdout.write(
                f"Would {mode}: {found.conversations} conversations. Customers without any: {found.customers}. "
                f"Not finished, and left alone: {found.open}."
            )
            return
        done = forgetting.forget(
            days=days,
            mode=mode,
            most=None,
            told=lambda so_far: self.stderr.write(f"{so_far.conversations} conversations so far"),
        )
        word = "Deleted" if mode == forgetting.DELETE else "Pseudonymised"
        self.stdout.write(
            f"{word} {done.conversations} conversations, and deleted {done.customers} customers without any. "
            f"Not finished, and left alone: {done.open}."
        )
        if done.failed:
            raise CommandError(f"{done.failed} could not be forgotten. The log says which, and why.")
