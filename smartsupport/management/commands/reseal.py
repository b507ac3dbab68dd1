"""`manage.py reseal`: after a new key was put in front of SEALING_KEYS, before the old one is taken away."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from smartsupport import resealing


class Command(BaseCommand):
    help = (
        "Seal every stored secret with the first of SEALING_KEYS (without any: with SECRET_KEY). Then the older keys "
        "can go. It may run while everything else does, and be interrupted and run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--look", action="store_true", help="only count, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        look = options["look"]
        found = resealing.reseal(look=look, told=self.stdout.write)
        anew = sum(counts.anew for counts in found.values())
        lost = [row for counts in found.values() for row in counts.lost]
        for column, number in lost[:50]:
            self.stderr.write(f"No key opens {column} of {number}.")
        if lost:
            raise CommandError(
                f"{len(lost)} secrets cannot be opened with the keys of this deployment. Keep the older keys, or put "
                "back the one that is missing; otherwise enter those secrets again."
            )
        if look:
            self.stdout.write(f"{anew} secrets are sealed by an older key. Run it without --look.")
        else:
            self.stdout.write("Every stored secret is sealed by the newest key. The older ones can go.")
