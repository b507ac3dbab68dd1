"""`manage.py write_analytics_docs`: write the definitions into docs/analytics.md from their docstrings."""

from typing import Any

from django.core.management.base import BaseCommand

from analytics.written_definitions import PAGE, with_definitions


class Command(BaseCommand):
    help = "Write the definitions of analytics into docs/analytics.md from their docstrings."

    def handle(self, *args: Any, **options: Any) -> None:
        PAGE.write_text(with_definitions(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        self.stdout.write(f"Written: {PAGE}")
