"""`manage.py rebuild_analytics [--since 2026-01-31]`: count everything anew from the log."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics import rollups
from smartsupport.lib import audit


class Command(BaseCommand):
    help = (
        "Count conversations anew from the log, and make the day tables from that. May be stopped and started again; "
        "meanwhile the numbers stay readable."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since",
            metavar="YYYY-MM-DD",
            help="Only what began on this UTC day or later (default: everything).",
        )

    def handle(self, *args: Any, since: str | None = None, **options: Any) -> None:
        try:
            first = date.fromisoformat(since) if since else None
        except ValueError:
            raise CommandError(f"--since must be a day like 2026-01-31, not {since!r}.") from None
        rollups.forget(first)
        counted = rollups.roll_up(everything=True, seconds=float("inf"), wait=True)
        rollups.sweep_days(first)
        told = {"since": since or "the beginning", "counted": counted}
        audit.write(actor=audit.COMMANDS, verb="rebuild", object_type="analytics", detail=told)
        self.stdout.write(f"Counted {counted} {'conversation' if counted == 1 else 'conversations'}.")
