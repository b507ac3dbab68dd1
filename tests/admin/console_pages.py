"""Every page of the console that somebody opens, found by its routes, with something on each."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from django.test import Client
from django.utils import timezone

from agents import facts
from agents.models import Action, Credential
from chat.models import CannedReply, Conversation, Tag
from openapi_import.models import ImportJob
from tests import rows
from tests.admin.roles_world import console_routes, name_of
from tests.isolation.check import model_of
from tests.isolation.routes import Ids, NoIdeaWhatToSend
from tests.isolation.world import plant

NOT_PAGES = (
    "csv",
    "jsonl",
    "download",
    "autocomplete",
    "jsi18n",
    "admin/^(?P<app_label>",
    "admin/r/",
    "admin/(?P<url>",
)


@dataclass(frozen=True)
class Page:
    """`name` as the table of roles calls it."""

    name: str
    url: str


def furnished() -> Ids:
    """Two customers and their things, and one of everything that the console has a page for."""
    world = plant()
    credential = Credential.objects.create(
        source=rows.source(), scheme="key", kind="api_key", refused_at=timezone.now()
    )
    reply = CannedReply.objects.create(
        shortcut="hello", title="Say hello", body="Hello {customer}, how are you?"
    )
    tag = Tag.objects.create(name="gift")
    of = Conversation.objects.get(pk=world.theirs.row["chat.Conversation"])
    of.tags.add(tag)
    delivery = rows.webhook_given_up()
    endpoint = rows.webhook_endpoint(description="Ticket system")
    unknown = rows.outcome_unknown()
    failed = rows.turn(rows.customer(name="Grace"), "t-failed", "Where is my parcel?")
    rows.happened(
        failed,
        facts.tool_returned(
            agent="a", tool="t", call_id="c", ok=True, result={"long": "x" * 300, "list": [1] * 30}
        ),
    )
    type(failed).objects.filter(pk=failed.pk).update(
        status="failed", sealed_at=timezone.now(), error="The model did not answer."
    )
    ImportJob.objects.create(title="Shop", status="parsing", stage_done=3, stage_total=9)
    Action.objects.filter(pk=unknown.pk).update(created_at=timezone.now() - timedelta(hours=2))
    more = {
        "agents.Credential": str(credential.pk),
        "chat.CannedReply": str(reply.pk),
        "chat.Tag": str(tag.pk),
        "chat.WebhookDelivery": str(delivery.pk),
        "chat.WebhookEndpoint": str(endpoint.pk),
    }
    return replace(world.for_staff, row={**world.theirs.row, **more})


def pages(client: Client, ids: Ids, only: Collection[str] = ()) -> Iterator[Page]:
    """What answers this member of staff with a whole page, each just after it did. Pieces of pages, dialogs and files
    are left out, and the page to sign in, which answers those who are in with another. `only`: the pages of these
    names."""
    for route in console_routes():
        if only and name_of(route) not in only:
            continue
        if route.pattern == "admin/login/" or any(part in route.pattern for part in NOT_PAGES):
            continue
        try:
            url = route.url(ids, model=model_of(route))
        except NoIdeaWhatToSend:  # tests/isolation says so, and more
            continue
        answer = client.get(url)
        html = answer.get("Content-Type", "").startswith("text/html") and not answer.streaming
        if answer.status_code == 200 and html and b"<html" in answer.content:
            yield Page(name_of(route), url)
