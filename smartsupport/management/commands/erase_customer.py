"""`manage.py erase_customer SUBJECT [--pseudonymise]`: everything of one customer is taken away."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chat.models import Conversation
from smartsupport.retention import erasing, people


class Command(BaseCommand):
    help = (
        "Delete a customer with all conversations, actions and prompts. Costs and analytics stay, and lead to nobody. "
        "There is no way back but a backup."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("subject", help="the company's own id of the customer, or our id of a visitor")
        parser.add_argument(
            "--pseudonymise",
            action="store_true",
            help="keep when what happened and what it cost, without words and without the person",
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        customer = people.find(options["subject"])
        if customer is None:
            self.stdout.write("No customer has this subject or id (any more). Nothing was changed.")
            return
        many = Conversation.objects.filter(customer=customer).count()
        if not options["yes"]:
            self._insist(many)
        try:
            done = erasing.erase(customer.pk, pseudonymise=options["pseudonymise"])
        except erasing.NotFinished as error:
            raise CommandError(
                f"{error.message} Finish these first (decide, settle, resolve): {', '.join(error.threads)}."
            ) from None
        gone = done.conversations if done else 0
        self.stdout.write(
            f"The customer is erased, and so are {gone} conversations. Backups that were made before still hold them: "
            "after a restore, erase again."
        )

    def _insist(self, many: int) -> None:
        try:
            answer = input(
                f"This erases the customer and {many} conversations for good. Type erase to go on: "
            )
        except EOFError:
            answer = ""
        if answer.strip() != "erase":
            raise CommandError("Nothing was erased.")
