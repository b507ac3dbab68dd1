"""`manage.py seed`: what a first start needs. Running it again, or twice at once, changes nothing more."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.spending import prices
from openapi_import.errors import SpecUnavailable
from smartsupport.lib import audit
from smartsupport.lib.errors import ServiceError
from smartsupport.seeding.access import create_first_api_key, create_first_staff_user, create_one_of_each_role
from smartsupport.seeding.demo_tools import document_url, publish_demo_tools
from smartsupport.seeding.template import load_chosen_template


class Command(BaseCommand):
    help = (
        "Create the first staff user and the first API key, enter the public list prices of models, read the demo "
        "business's tools from its OpenAPI document, and load the agents of TEMPLATE_NAME. What is there, and what "
        "staff have changed, stays."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--no-demo",
            action="store_true",
            help="leave out the demo business's tools and the template's agents (always when DEBUG is off)",
        )
        parser.add_argument(
            "--migrate", action="store_true", help="bring the database up to date first, as `migrate` does"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["migrate"]:
            call_command("migrate", interactive=False, verbosity=0)
        self.made: list[str] = []
        try:
            self.fill(**options)
        finally:
            if self.made:
                audit.write(
                    actor=audit.COMMANDS, verb="seed", object_type="console", detail={"made": self.made}
                )

    def fill(self, **options: Any) -> None:
        first = create_first_staff_user()
        self.tell("Log in as", first)
        if first and settings.DEBUG and not options["no_demo"]:
            self.tell("or as", create_one_of_each_role())
        self.tell("API key", create_first_api_key())
        listed = prices.add_public_list(only_first=True)
        self.tell(
            "Model prices", f"{listed} of the public list; replace them by what you pay" if listed else ""
        )
        if options["no_demo"] or not settings.DEBUG:
            return
        try:
            tools = publish_demo_tools()
            self.tell("Tools", f"{len(tools)} read from the demo business" if tools else "")
            self.tell("Agents", load_chosen_template())
        except SpecUnavailable as error:
            raise CommandError(
                f"The demo business API does not answer at {document_url()}: start it with `make run`, or "
                f"leave it out with --no-demo. ({error.message})"
            ) from error
        except ServiceError as error:
            raise CommandError(error.message) from error

    def tell(self, what: str, news: str) -> None:
        if news:
            self.made.append(what)  # and not the news, which tells passwords
            self.stdout.write(f"{what:<14}{news}")
