"""`manage.py export_customer SUBJECT --to FILE`: what is stored of one person, for that person."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from smartsupport.retention import exporting, people


class Command(BaseCommand):
    help = "Write what is stored of one customer into a JSON file that only you can read."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("subject", help="the company's own id of the customer, or our id of a visitor")
        parser.add_argument("--to", required=True, metavar="FILE", help="a name that is not taken yet")

    def handle(self, *args: Any, **options: Any) -> None:
        customer = people.find(options["subject"])
        if customer is None:
            raise CommandError("No customer has this subject or id. Nothing was written.")
        file = Path(options["to"])
        try:
            conversations = exporting.export(customer, file)
        except FileExistsError:
            raise CommandError(f"{file} is there already. Name another file.") from None
        except OSError as error:
            raise CommandError(f"{file} could not be written: {error.strerror}.") from None
        self.stdout.write(f"{conversations} conversations are in {file}, which only you can read.")
