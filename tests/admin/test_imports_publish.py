"""Publishing in the console, and what can be done with what is live."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents.approvals import Decider
from agents.models import Agent, Credential, Tool
from openapi_import import difference, publications, publish, roll_back
from openapi_import.models import Classification, ImportJob, ImportStatus, Publication, SpecSource
from tests import rows
from tests.admin import import_rows
from tests.admin.test_every_action import everything
from tests.admin.test_imports import ALL, APP, url

pytestmark = pytest.mark.django_db

KIM = Decider("staff", "kim", id="user:77")
SCRIPTED = {"HX-Request": "true"}
DIALOGS = ("pause_tools", "resume_tools", "take_back", "limit_calls", "delete_tools")


@pytest.fixture
def sam(client: Client) -> Client:
    """A member of staff who may publish, and look at imports and API documents."""
    may = ("view_importjob", "publish_importjob", "view_specsource")
    client.force_login(rows.staff("sam", *[f"{APP}.{one}" for one in may]))
    return client


def shop(**fields: Any) -> ImportJob:
    made = import_rows.job(**fields)
    import_rows.operation(made, name="get_invoice")
    import_rows.writing(made, "/refunds", name="refund", agent_group="refunds")
    import_rows.writing(made, "/search", name="search", uncertain=True, agent_group="refunds")
    import_rows.operation(made, "/health", name="health", selected=False)
    import_rows.operation(made, "/file", name="file", unusable="It has no address.")
    return made


def live() -> SpecSource:
    """An API that is published."""
    return publish.publish(shop().pk, KIM).source


def again() -> ImportJob:
    """A newer document of it: one operation is another, one is gone, one is new."""
    made = import_rows.job(version="2.2", source=SpecSource.objects.get(), finished_at=timezone.now())
    changed = import_rows.operation(made, name="get_invoice")
    changed.tool["input_schema"]["properties"]["currency"] = {"type": "string"}
    changed.tool["input_schema"]["required"].append("currency")
    changed.save()
    import_rows.writing(made, "/search", name="search", agent_group="refunds")
    import_rows.operation(made, "/credits", name="list_credits", agent_group="credits")
    difference.compare(made)
    return made


def do(client: Client, name: str, source: SpecSource, **fields: Any) -> Any:
    posted = {"_form_submitted": "True", **fields}
    return client.post(source_url(name, source), posted, headers=SCRIPTED)


def source_url(name: str, source: SpecSource, *more: Any) -> str:
    return reverse(f"admin:openapi_import_specsource_{name}", args=[source.pk, *more])


def told(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def live_names() -> list[str]:
    return list(Tool.objects.filter(enabled=True).order_by("name").values_list("name", flat=True))


def test_the_dialog_says_what_publishing_does_and_it_does_that(sam: Client) -> None:
    job = shop()

    dialog = sam.get(url("publish", job)).content.decode()
    for shown in ("Tools that are added", "<td>3</td>", "Operations that become no tool", "<td>2</td>"):
        assert shown in dialog, shown
    assert "Agents that are made: invoices, refunds." in dialog
    assert "Nobody has looked at 1 of them yet" in dialog
    assert Tool.objects.count() == 0

    answer = sam.post(url("publish", job), {"_form_submitted": "True"}, headers=SCRIPTED)

    source = SpecSource.objects.get()
    assert answer["HX-Redirect"] == source_url("change", source)
    assert told(answer) == "Published. Tools: 3 added. New agents: invoices, refunds."
    assert live_names() == ["get_invoice", "refund", "search"]
    assert sorted(Agent.objects.values_list("name", flat=True)) == ["invoices", "refunds"]
    assert Publication.objects.get().by_name == "sam"
    assert LogEntry.objects.get().user.username == "sam"
    job.refresh_from_db()
    assert job.status == ImportStatus.APPROVED


def test_the_dialog_of_a_newer_document_counts_what_becomes_of_each_tool(sam: Client) -> None:
    live()
    job = again()

    dialog = sam.get(url("publish", job)).content.decode()
    for shown in ("Tools that are added", "Tools that change", "gone from the document"):
        assert shown in dialog, shown
    assert "1 of them does something else now than what was published" in " ".join(dialog.split())
    assert "Agents that are made: credits." in dialog
    assert "Agents that get tools: invoices, refunds." in dialog

    answer = sam.post(url("publish", job), {"_form_submitted": "True"})

    assert live_names() == ["list_credits", "search"]  # the changed one waits for a look
    assert "1 added, 1 changed, 1 removed" in told(answer)


def test_an_import_is_published_once(sam: Client) -> None:
    job = shop()
    publish.publish(job.pk, KIM)

    answer = sam.post(url("publish", job), {"_form_submitted": "True"}, headers=SCRIPTED)

    assert answer["HX-Redirect"] == url("change", job)
    assert "kim has published this import already" in told(answer)
    assert Publication.objects.count() == 1


def test_what_was_overtaken_is_compared_again_first(client: Client) -> None:
    client.force_login(rows.staff("root", superuser=True))
    live()
    job = again()
    newer = import_rows.job(finished_at=timezone.now(), source=SpecSource.objects.get())
    import_rows.operation(newer, name="get_invoice")
    difference.compare(newer)
    publish.publish(newer.pk, KIM)

    refused = client.post(url("publish", job), {"_form_submitted": "True"})
    assert "Compare it again" in told(refused)
    page = client.get(url("change", job)).content.decode()
    assert "Something else of this API was published since" in page
    assert url("compare_again", job) in page

    client.post(url("compare_again", job), {"_form_submitted": "True"})
    gone = Classification.objects.filter(job=job, change="removed")
    assert not gone.filter(name="refund").exists()  # it went with the other one already


def test_nothing_is_published_without_the_permission(client: Client) -> None:
    job = shop()
    client.force_login(rows.staff("nina", *[f"{APP}.{one}" for one in ALL if one != "publish_importjob"]))
    before = everything()

    answers = [
        client.get(url("publish", job)),
        client.post(url("publish", job), {"_form_submitted": "True"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    for page in (url("change", job), url("review", job)):
        assert url("publish", job) not in client.get(page).content.decode()
    assert everything() == before


def test_the_page_of_an_api_tells_its_history(sam: Client) -> None:
    source = live()
    publish.publish(again().pk, KIM)
    publications.pause(source.pk, Decider("staff", "lee", id="user:78"), reason="The shop is down.")

    page = sam.get(source_url("change", source)).content.decode()

    assert (
        page.index("The shop is down.") < page.index("1 added, 1 changed, 1 removed") < page.index("3 added")
    )
    for shown in ("lee", "kim", "0 live", "Paused by lee: The shop is down.", "Gone from the document"):
        assert shown in page, shown
    assert "API documents" in page  # above it, on the way back
    assert "pec source" not in page


def test_the_page_of_an_api_says_which_credentials_its_tools_lack(sam: Client) -> None:
    source, key = live(), {"kind": "apiKey", "in": "header", "name": "X-Key"}
    page = source_url("change", source)
    Tool.objects.filter(name="refund").update(security=[{"till": key}])
    Tool.objects.filter(name="get_invoice").update(security=[{"other": key}], enabled=False)
    elsewhere = SpecSource.objects.create(name="else", document_hash="", fetched_at=timezone.now())
    rows.tool("far", security=[{"far": key}])
    Tool.objects.filter(name="far").update(source=elsewhere)

    asked = sam.get(page).content.decode()
    assert "Credentials are missing" in asked
    assert "<code>till</code> (API key, in the header X-Key)" in asked
    assert "<code>token</code> (HTTP sign-in (bearer)" in asked  # of the third tool
    assert not re.search("<code>(other|far)</code>|scheme=", asked)
    sam.force_login(rows.staff("root", superuser=True))
    [link] = re.findall(r'href="([^"]+scheme=till)"', sam.get(page).content.decode())
    assert f"source={source.pk}" in link

    Credential.objects.create(source=source, scheme="till", kind="api_key", secret="sealed")
    Credential.objects.create(source=source, scheme="token", kind="bearer", secret="sealed")
    assert "Credentials are missing" not in sam.get(page).content.decode()


def test_a_publication_shows_what_it_changed_field_by_field(sam: Client) -> None:
    source = live()
    publish.publish(again().pk, KIM)

    page = sam.get(source_url("publication", source, 2))

    found = {change.tool: change for change in page.context["changes"]}
    assert {name: change.what for name, change in found.items()} == {
        "get_invoice": "Changed",
        "list_credits": "Added",
        "refund": "Removed",
    }
    assert ("Switched on", "Yes", "No") in found["refund"].rows
    assert any(what == "Argument currency" for what, _, _ in found["get_invoice"].rows)
    assert found["list_credits"].address == "GET /credits"
    assert "credits</strong>" in page.content.decode()
    assert sam.get(source_url("publication", source, 9)).status_code == 404


def test_pausing_and_resuming(sam: Client) -> None:
    source = live()

    paused = do(sam, "pause_tools", source, reason="The shop is down.")
    assert (live_names(), told(paused)) == ([], "Paused. Tools: 3 paused.")
    assert Tool.objects.filter(paused_because="Paused by sam: The shop is down.").count() == 3
    twice = do(sam, "pause_tools", source)
    assert "switched off already" in told(twice)

    do(sam, "resume_tools", source)
    assert live_names() == ["get_invoice", "refund", "search"]
    assert list(Publication.objects.order_by("number").values_list("kind", "by_name")) == [
        ("publish", "kim"),
        ("pause", "sam"),
        ("resume", "sam"),
    ]


def test_rolling_back_undoes_what_the_dialog_showed(sam: Client) -> None:
    source = live()
    publish.publish(again().pk, KIM)
    newest = Publication.objects.order_by("-number").first()
    assert newest is not None
    dialog = sam.get(source_url("take_back", source)).content.decode()
    assert str(newest.pk) in dialog
    assert "1 added, 1 changed, 1 removed" in dialog

    do(sam, "take_back", source, publication=str(newest.pk))
    assert live_names() == ["get_invoice", "refund", "search"]

    twice = do(sam, "take_back", source, publication=str(newest.pk))
    assert "has rolled this back already" in told(twice)
    assert Publication.objects.filter(kind="roll_back").count() == 1
    missing = do(sam, "take_back", source, publication="")
    assert "There is nothing to roll back." in missing.content.decode()


def test_deleting_declines_what_waits_and_says_so_first(sam: Client) -> None:
    source = live()
    waiting = rows.action(rows.turn(rows.customer()), Tool.objects.get(name="refund"), customer_id="cus_1001")

    dialog = " ".join(sam.get(source_url("delete_tools", source)).content.decode().split())
    assert "1 approval waits for a decision on its tools. It is declined" in dialog

    answer = do(sam, "delete_tools", source)

    waiting.refresh_from_db()
    assert (live_names(), waiting.status, waiting.decided_by_name) == ([], "rejected", "sam")
    assert "3 deleted" in told(answer)


def test_limiting_calls(sam: Client) -> None:
    source = live()

    assert (
        "greater than or equal to 1" in do(sam, "limit_calls", source, calls_per_minute="0").content.decode()
    )
    do(sam, "limit_calls", source, calls_per_minute="120")
    source.refresh_from_db()
    assert source.calls_per_minute == 120
    assert "At most 120 a minute" in sam.get(source_url("change", source)).content.decode()

    do(sam, "limit_calls", source, calls_per_minute="")
    source.refresh_from_db()
    assert source.calls_per_minute is None


def test_only_what_would_do_something_is_offered(sam: Client) -> None:
    source = live()

    def offered() -> set[str]:
        page = sam.get(source_url("change", source)).content.decode()
        return {name for name in DIALOGS if source_url(name, source) in page}

    assert offered() == {"pause_tools", "take_back", "limit_calls", "delete_tools"}
    publications.pause(source.pk, KIM)
    assert offered() == {"resume_tools", "take_back", "limit_calls", "delete_tools"}
    publications.resume(source.pk, KIM)
    first = roll_back.newest_to_undo(source)
    assert first is not None
    roll_back.roll_back(first.pk, KIM)
    assert offered() == {"limit_calls"}


def test_who_may_only_look_at_an_api_changes_nothing(client: Client) -> None:
    source = live()
    newest = Publication.objects.get()
    client.force_login(rows.staff("nina", *[f"{APP}.{one}" for one in ALL if one != "publish_importjob"]))
    before = everything()

    for name in DIALOGS:
        assert client.get(source_url(name, source)).status_code == 403
        answer = do(client, name, source, publication=str(newest.pk), calls_per_minute="1")
        assert answer.status_code == 403
    page = client.get(source_url("change", source)).content.decode()
    assert not any(source_url(name, source) in page for name in DIALOGS)
    assert everything() == before


def test_who_may_not_look_at_apis_sees_none(client: Client) -> None:
    source = live()
    client.force_login(rows.staff("nina", *[f"{APP}.{one}" for one in ALL if one != "view_specsource"]))

    for page in (source_url("change", source), source_url("publication", source, 1)):
        assert client.get(page).status_code == 403
