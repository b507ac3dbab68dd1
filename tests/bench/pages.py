"""`python -m tests.bench.pages --scratch NAME`: what the pages of the console take over the made-up conversations in
the database of that name (`manage.py make_dataset`), as the table of docs/console.md.

Best of five in one process, signed in as somebody who may see everything. It writes one member of staff and a session.
"""

import argparse
import os
import time
from datetime import timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartsupport.settings")
TIMES = 5
NAME = "bench-root"


def addresses() -> list[tuple[str, str]]:
    """(What it is, where) of each page, about things in the middle of what there is."""
    from django.utils import timezone

    from agents.models import Action, ActionStatus
    from chat.models import Conversation, Customer

    now = timezone.now()
    conversation = Conversation.objects.filter(last_activity_at__lt=now - timedelta(days=30)).latest(
        "last_activity_at"
    )
    waiting = Action.objects.filter(status=ActionStatus.AWAITING).first()
    customer = Customer.objects.get(pk=conversation.customer_id)
    one = f"/admin/chat/conversation/{conversation.pk}"
    listed = "/admin/chat/conversation/"
    day = (now - timedelta(days=40)).date()
    found = [
        ("Home, 7 days", "/admin/?range=7d"),
        ("Home, 90 days", "/admin/?range=90d"),
        ("Conversations", listed),
        ("Conversations with a failed turn", f"{listed}?happened=failed"),
        ("Conversations that asked for a person", f"{listed}?happened=escalated"),
        ("Conversations of a day", f"{listed}?day={day}"),
        ("Search for “charged twice”", f"{listed}?q=charged+twice"),
        ("Search for an order's number", f"{listed}?q=1042"),
        ("A conversation", f"{one}/change/"),
        ("Its replay", f"{one}/replay/"),
        ("Approvals", "/admin/agents/action/"),
        ("Customers", "/admin/chat/customer/"),
        ("Customers, searched by name", "/admin/chat/customer/?q=stone"),
        ("A customer", f"/admin/chat/customer/{customer.pk}/change/"),
        ("Analytics, 7 days", "/admin/analytics/?range=7d"),
        ("Analytics, a year", "/admin/analytics/?range=365d"),
        ("Costs, 90 days", "/admin/agents/modelcall/costs/?range=90d"),
        ("Ledger", "/admin/agents/modelcall/"),
        ("Audit", "/admin/smartsupport/auditentry/"),
        ("API: conversations, newest 20", "/api/v1/conversations?cursor="),
        ("API: conversations with a page's total", "/api/v1/conversations"),
        ("API: analytics of a year", "/api/v1/analytics?range=365d"),
        ("API: a replay", f"/api/v1/replay/{conversation.thread_id}"),
    ]
    if waiting is not None:
        found.append(("An approval", f"/admin/agents/action/{waiting.pk}/change/"))
    return found


def measured(client: Any, url: str) -> tuple[int, float, float, int]:
    """(status, milliseconds by the clock, of processor time of this process, statements), of the best."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client.get(url)  # what is cached is cached
    best = (0, float("inf"), 0.0, 0)
    for _ in range(TIMES):
        with CaptureQueriesContext(connection) as asked:
            began, used = time.perf_counter(), time.process_time()
            status = client.get(url).status_code
            took, spent = time.perf_counter() - began, time.process_time() - used
        if took * 1000 < best[1]:
            best = (status, took * 1000, spent * 1000, len(asked))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pages", description=__doc__)
    parser.add_argument(
        "--scratch", required=True, metavar="DATABASE", help="the database's name, to be sure"
    )
    options = parser.parse_args()
    django.setup()
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client

    if connection.settings_dict["NAME"] != options.scratch:
        parser.error(f"--scratch must name the database in use, which is {connection.settings_dict['NAME']}.")
    users: Any = get_user_model().objects
    user = users.filter(username=NAME).first() or users.create_superuser(NAME)
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    print("| page | ms | of them in this process | statements |\n|---|---|---|---|")
    for what, url in addresses():
        status, took, spent, statements = measured(client, url)
        wrong = "" if status == 200 else f" (HTTP {status})"
        print(f"| {what}{wrong} | {took:.0f} | {spent:.0f} | {statements} |", flush=True)


if __name__ == "__main__":
    main()
