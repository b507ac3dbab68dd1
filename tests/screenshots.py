"""`make screenshots`: pictures of every page of the console, light and dark, wide and narrow, into docs/images/console.

Not among the tests: it is run on its own, over the demo business and a few thousand made-up conversations.
"""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.db import connection
from django.test import Client
from playwright.sync_api import Page as BrowserPage

from agents.models import Action, Agent
from agents.spending.models import Budget
from chat.models import CannedReply, Conversation, WebhookDelivery
from openapi_import.models import Classification, ImportJob, Publication
from tests import rows
from tests.admin.console_pages import Page, pages
from tests.admin.test_axe import wear
from tests.admin.test_browser import staff_browser
from tests.demo.program import Program
from tests.isolation.routes import Ids

INTO = Path(__file__).resolve().parent.parent / "docs" / "images" / "console"
CONVERSATIONS = 3_000
WIDTHS = {1280: 800, 390: 844}
TALLEST = 1200
QUALITY = 25
LEFT_OUT = ("_delete", "_history", "_run", "password_change")
"""Pages of the theme's that look alike."""

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def business(tmp_path: Path, settings: Any) -> Iterator[Program]:
    """The demo business, which the demo's tools are read from."""
    running = Program(tmp_path)
    settings.DEBUG = True
    settings.DEMO_PORT = int(running.url.rpartition(":")[2])
    settings.SAFE_HTTP_ALLOWED_HOSTS = [f"127.0.0.1:{settings.DEMO_PORT}"]
    yield running
    running.stop()


def furnish() -> Ids:
    """A house in use: the demo's agents and tools, a year of conversations, an import under way, a budget."""
    call_command("seed", verbosity=0)
    name = str(connection.settings_dict["NAME"])
    call_command("make_dataset", conversations=CONVERSATIONS, scratch=name, verbosity=0)
    Agent.objects.filter(tool_links=None, enabled=False).delete()
    Budget.objects.create(scope="deployment", period="day", limit_micros=500_000)
    Budget.objects.create(scope="each_customer", period="week", limit_micros=5_000_000)
    CannedReply.objects.create(
        shortcut="refund-time", title="How long a refund takes", body="Hello {customer}, it takes three days."
    )
    ImportJob.objects.create(title="Parcel service", status="parsing", stage_done=312, stage_total=640)
    return _ids()


def _ids() -> Ids:
    """What the addresses of pages are filled with: the newest of each kind, or one with more on it."""
    newest = {
        model._meta.label: model._default_manager.order_by("-pk").first() for model in admin.site._registry
    }
    row = {label: str(one.pk) for label, one in newest.items() if one is not None}
    told = Conversation.objects.filter(status="held", tags__isnull=False).order_by("-last_seq").first()
    waits = Action.objects.filter(status="awaiting").order_by("created_at")[0]
    row |= {
        "chat.Conversation": str((told or Conversation.objects.all()[0]).pk),
        "agents.Action": str(waits.pk),
    }
    row["agents.Agent"] = str(Agent.objects.filter(enabled=True)[0].pk)
    row["chat.WebhookDelivery"] = str(
        WebhookDelivery.objects.filter(status="failed").first() or row["chat.Conversation"]
    )
    seen = Classification.objects.select_related("job")[0]
    row["openapi_import.ImportJob"] = str(seen.job_id)
    publication = Publication.objects.order_by("-at")[0]
    row["openapi_import.SpecSource"] = str(publication.source_id)
    return Ids(
        thread_id="",
        turn_id="",
        interrupt_id=str(waits.pk),
        row=row,
        name=Agent.objects.all()[0].name,
        job_id=str(seen.job_id),
        index=str(seen.index),
        source_name="",
        publication_id=str(publication.pk),
        number=str(publication.number),
        customer="",
        customer_id=row["chat.Customer"],
        key_id="",
        link_id="",
        webhook_id="",
        delivery_id="",
    )


def take(page: BrowserPage, one: Page) -> None:
    """The pictures of one page. WebP, which the browser encodes: a third of a PNG."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(one.url)
    page.wait_for_load_state("networkidle")
    session = page.context.new_cdp_session(page)
    for theme in ("light", "dark"):
        wear(page, theme)
        for width, height in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate("scrollTo(0, 0)")  # a conversation opens at its end
            tall = page.evaluate("document.documentElement.scrollHeight")
            clip = {"x": 0, "y": 0, "width": width, "height": min(tall, TALLEST), "scale": 1}
            wanted = {"format": "webp", "quality": QUALITY, "clip": clip, "captureBeyondViewport": True}
            shot = session.send("Page.captureScreenshot", wanted)
            name = f"{one.name.replace('/', '-').strip('-')}-{width}-{theme}.webp"
            (INTO / name).write_bytes(base64.b64decode(shot["data"]))
    session.detach()


def test_write_pictures(business: Program, live_server: Any, client: Client) -> None:
    ids = furnish()
    client.force_login(rows.staff("sam", superuser=True))
    found = [page for page in pages(client, ids) if not page.name.endswith(LEFT_OUT)]
    INTO.mkdir(parents=True, exist_ok=True)
    for old in INTO.glob("*.webp"):
        old.unlink()

    with staff_browser(live_server) as (page, _):
        for one in found:
            take(page, one)

    assert sum(file.stat().st_size for file in INTO.glob("*.webp")) < 6_000_000
