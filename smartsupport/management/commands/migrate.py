"""`manage.py migrate`: Django's own, beside processes that serve (`smartsupport.patient_migrating`)."""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections

from smartsupport.backups import restoring
from smartsupport.patient_migrating import Patience, alone


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        if restoring.is_unfinished():
            raise CommandError(restoring.UNFINISHED)
        connection = connections[options["database"]]

        def told(line: str) -> None:
            if options["verbosity"]:
                self.stdout.write(f"\n  {line}")
                self.stdout.flush()

        patience = Patience(connection, told)
        with alone(connection, told), patience.kept():
            patience.keep_trying(lambda: super(Command, self).handle(*args, **options))
