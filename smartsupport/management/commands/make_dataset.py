"""`manage.py make_dataset --conversations 1000000 --scratch NAME`: a year of conversations in a scratch database."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from agents.models import Access, Agent, Approver, Tool
from agents.spending import slices
from chat.models import Conversation
from openapi_import.models import SpecSource
from smartsupport.made import conversations

TOOLS = {
    "track_parcel": (Access.READ, Approver.NONE),
    "search_articles": (Access.READ, Approver.NONE),
    "give_discount": (Access.WRITE, Approver.STAFF),
}


class Command(BaseCommand):
    help = (
        "Make conversations of a year, with customers, turns, events, approvals, costs, feedback, tags and notes, and "
        "count them. Only in development, and only in the database that --scratch names. May be stopped and started "
        "again with the same number: what is there already stays."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--conversations", type=int, default=1_000_000)
        parser.add_argument("--batch", type=int, default=10_000)
        parser.add_argument(
            "--scratch",
            required=True,
            metavar="DATABASE",
            help="The name of the database, to say that it may be filled.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        count, batch = options["conversations"], options["batch"]
        if not settings.DEBUG:
            raise CommandError(
                "DEBUG is off: this is no place for made-up conversations. Nothing was written."
            )
        name = connection.settings_dict["NAME"]
        if options["scratch"] != name:
            raise CommandError(
                f"--scratch must name the database in use, which is {name}. Nothing was written."
            )
        if count < 1 or batch < 1:
            raise CommandError("--conversations and --batch must be 1 or more. Nothing was written.")
        tools = {tool.name: str(tool.pk) for tool in _tools()}
        conversations.tags()
        begun, now = time.monotonic(), timezone.now()
        known = {int(one[5:]) for one in _last_of_batches(count, batch)}
        for first in range(1, count + 1, batch):
            last = min(first + batch - 1, count)
            if last not in known:
                conversations.make(first, last, count=count, now=now, tools=tools)
                self.stdout.write(f"{last:,} of {count:,} conversations, {time.monotonic() - begun:.0f} s")
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        slices.sum_up()
        call_command("rebuild_analytics", stdout=self.stdout)


def _last_of_batches(count: int, batch: int) -> list[str]:
    """Which batches are there: each is written whole or not at all, so its last conversation speaks for it."""
    lasts = [f"made-{min(first + batch - 1, count)}" for first in range(1, count + 1, batch)]
    return list(Conversation.objects.filter(thread_id__in=lasts).values_list("thread_id", flat=True))


def _tools() -> list[Tool]:
    """What the conversations mention, each with the agent that has it."""
    shop = {"title": "Made-up shop", "document_hash": "0" * 64, "fetched_at": timezone.now()}
    source, _ = SpecSource.objects.get_or_create(name="made-up-shop", defaults=shop)
    for agent in ("parcel_tracking", "refunds_desk", "help_desk"):
        Agent.objects.get_or_create(
            name=agent, defaults={"description": "Made up, to measure with.", "enabled": False}
        )
    found = []
    for name, (access, approval) in TOOLS.items():
        fields = {
            "source": source,
            "operation_id": name,
            "title": name.replace("_", " ").capitalize(),
            "method": "GET" if access == Access.READ else "POST",
            "path": f"/{name}",
            "server_url": "https://example.com",
            "access": access,
            "approval": approval,
            "enabled": False,
        }
        found.append(Tool.objects.get_or_create(name=name, defaults=fields)[0])
    return found
