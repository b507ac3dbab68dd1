"""Handing a document in, and the page of an import."""

import json
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from openapi_import import jobs
from openapi_import.models import ImportJob, ImportStatus
from smartsupport.lib.sealing import unseal
from tests import rows
from tests.admin import import_rows
from tests.admin.test_every_action import everything

pytestmark = pytest.mark.django_db

LIST = "/admin/openapi_import/importjob/"
NEW = f"{LIST}add/"
APP = "openapi_import"
DOCUMENT = json.dumps(
    {
        "openapi": "3.1.0",
        "info": {"title": "Billing", "version": "1"},
        "servers": [{"url": "https://api.example.com"}],
        "paths": {
            "/invoices/{id}": {
                "get": {
                    "operationId": "getInvoice",
                    "parameters": [
                        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
                    ],
                    "responses": {"200": {"description": "It"}},
                }
            }
        },
    }
)


@pytest.fixture
def nina(client: Client) -> Client:
    """A member of staff who may hand documents in and look at imports."""
    client.force_login(rows.staff("nina", f"{APP}.add_importjob", f"{APP}.view_importjob"))
    return client


def url(name: str, job: ImportJob, *more: Any) -> str:
    return reverse(f"admin:openapi_import_importjob_{name}", args=[job.pk, *more])


def hand_in(client: Client, **fields: Any) -> Any:
    return client.post(NEW, fields)


def faults(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return dict(answer.context["form"].errors)


def page_of(client: Client, job: ImportJob) -> str:
    return client.get(url("change", job)).content.decode()


def told(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def test_text_file_and_address_each_become_an_import(nina: Client) -> None:
    text = hand_in(nina, text=DOCUMENT, strict="on")
    pasted = ImportJob.objects.get()
    assert text["Location"] == url("change", pasted)
    assert bytes(pasted.content or b"") == DOCUMENT.encode()
    assert (pasted.strict, pasted.ask_model, pasted.created_by, pasted.status) == (
        True,
        False,
        "nina",
        "pending",
    )

    file = SimpleUploadedFile("billing.yaml", b"openapi: 3.1.0\n", "application/yaml")
    hand_in(nina, file=file, name="billing", base_url="https://api.example.com/", ask_model="on")
    given = ImportJob.objects.get(filename="billing.yaml")
    assert (given.name, given.base_url, given.ask_model) == ("billing", "https://api.example.com/", True)
    assert given.content_type == "application/yaml"

    hand_in(nina, url="https://api.example.com/openapi.json")
    assert ImportJob.objects.get(spec_url="https://api.example.com/openapi.json").content is None


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"sign_in": "bearer", "token": "t0ken"}, {"Authorization": "Bearer t0ken"}),
        ({"sign_in": "header", "header": "X-API-Key", "key": "k3y"}, {"X-API-Key": "k3y"}),
        ({"sign_in": "basic", "user": "ada", "password": "pw"}, {"Authorization": "Basic YWRhOnB3"}),
    ],
)
def test_credentials_are_sealed(nina: Client, fields: dict[str, str], headers: dict[str, str]) -> None:
    hand_in(nina, url="https://api.example.com/openapi.json", **fields)

    job = ImportJob.objects.get()
    assert unseal(job.fetch_secret) == headers
    for secret in ("t0ken", "k3y", "YWRhOnB3"):
        assert secret not in job.fetch_secret
        assert secret not in page_of(nina, job)


@pytest.mark.parametrize(
    ("fields", "at", "words"),
    [
        ({}, "url", "Give an address"),
        ({"text": "  \n "}, "url", "Give an address"),
        ({"url": "ftp://a/b"}, "url", "begins with https://"),
        ({"url": "https://a.example/x", "text": "openapi: 3.1.0"}, "text", "Keep one"),
        ({"text": "a: b", "name": "Not a Name"}, "name", "small letters"),
        ({"text": "a: b", "sign_in": "bearer", "token": "t"}, "sign_in", "need an address"),
        ({"url": "https://a.example/x", "sign_in": "bearer"}, "token", "Give the token"),
        ({"url": "https://a.example/x", "sign_in": "header", "key": "k"}, "header", "Name the header"),
        ({"url": "https://a.example/x", "sign_in": "header", "header": "Host", "key": "k"}, "key", "cannot be"),
        ({"url": "https://a.example/x", "sign_in": "header", "header": "a b", "key": "k"}, "header", "has letters"),
        ({"url": "https://a.example/x", "sign_in": "bearer", "token": "tö"}, "token", "no header can carry"),
        ({"text": "x" * 2_000}, "text", "IMPORT_MAX_BYTES"),
        ({"file": SimpleUploadedFile("a.json", b"x" * 2_000)}, "file", "IMPORT_MAX_BYTES"),
        ({"file": SimpleUploadedFile("a.json", b"")}, "file", "empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_kept(
    nina: Client, settings: Any, fields: dict[str, Any], at: str, words: str
) -> None:
    settings.IMPORT_MAX_BYTES = 1_024

    answer = hand_in(nina, **fields)

    assert words in " ".join(faults(answer)[at])
    assert words in answer.content.decode()
    assert ImportJob.objects.count() == 0


def test_a_second_click_starts_no_second_import(nina: Client) -> None:
    first = hand_in(nina, text=DOCUMENT, once="one")
    second = hand_in(nina, text=DOCUMENT, once="one")

    assert first["Location"] == second["Location"]
    assert ImportJob.objects.count() == 1


def test_importing_again_begins_with_what_is_known(nina: Client) -> None:
    source = rows.source()

    form = nina.get(f"{NEW}?source={source.name}").context["form"]

    assert form.initial == {"name": "shop", "url": source.url}


def test_the_list_shows_imports_the_newest_first(nina: Client) -> None:
    import_rows.job(title="Older")
    import_rows.job(ImportStatus.FAILED, name="", title="", spec_url="", filename="shop.yaml")

    page = nina.get(LIST).content.decode()

    assert page.index("shop.yaml") < page.index("Older")
    assert "Import an API" in page


def test_progress_tells_what_moves_and_then_loads_the_page_anew(nina: Client) -> None:
    job = import_rows.job(ImportStatus.PARSING, stage_done=40, stage_total=1_234, finished_at=None)
    page = page_of(nina, job)
    assert 'hx-trigger="every 1s"' in page
    assert "40 of 1,234" in page
    state = nina.get(url("change", job)).context["state"]
    asked = {"HX-Request": "true"}

    assert nina.get(url("progress", job), {"state": state}, headers=asked).status_code == 204
    ImportJob.objects.filter(pk=job.pk).update(stage_done=900)
    moved = nina.get(url("progress", job), {"state": state}, headers=asked)
    assert "900 of 1,234" in moved.content.decode()
    assert "HX-Refresh" not in moved.headers
    ImportJob.objects.filter(pk=job.pk).update(status=ImportStatus.DONE)
    ended = nina.get(url("progress", job), {"state": state}, headers=asked)
    assert ended["HX-Refresh"] == "true"
    assert "every 1s" not in ended.content.decode()
    assert "every 1s" not in page_of(nina, job)


def test_what_is_announced_changes_with_the_stage_and_not_with_each_count(nina: Client) -> None:
    job = import_rows.job(ImportStatus.PARSING, stage_done=40, stage_total=1_234)
    before = nina.get(url("change", job)).context["sentence"]

    ImportJob.objects.filter(pk=job.pk).update(stage_done=900)
    counted = nina.get(url("change", job)).context["sentence"]
    ImportJob.objects.filter(pk=job.pk).update(status=ImportStatus.CLASSIFYING)
    judged = nina.get(url("change", job)).context["sentence"]

    assert before == counted != judged


def test_an_import_that_nobody_begins_says_so(nina: Client) -> None:
    job = import_rows.job(ImportStatus.PENDING)
    assert "Waiting to begin." in page_of(nina, job)

    ImportJob.objects.update(created_at=timezone.now() - timedelta(minutes=2))

    assert "No worker has begun this import yet" in page_of(nina, job)


def test_a_failure_says_where_and_why(nina: Client) -> None:
    job = import_rows.job(
        ImportStatus.FAILED,
        error_stage="validating",
        error_message="The document has no paths. <script>alert(1)</script>",
        error_pointer="/paths",
    )

    page = page_of(nina, job)

    for shown in ("Checking it failed.", "The document has no paths. &lt;script&gt;", "/paths", "Try again"):
        assert shown in page
    assert "<script>alert(1)" not in page
    assert url("review", job) not in page


def test_faults_are_filtered_paged_and_counted(nina: Client) -> None:
    found = [{"pointer": f"/paths/{n}", "message": "Odd.", "severity": "warning"} for n in range(30)]
    found.append({"pointer": "/paths/7/get", "message": "Broken <b>", "severity": "error"})
    job = import_rows.job(faults=found, faults_total=1_500)
    import_rows.operation(job)

    page = page_of(nina, job)
    assert page.index("Broken &lt;b&gt;") < page.index("/paths/0")
    assert "And 1,469 more" in page
    assert "/paths/29" not in page

    def listed(**asked: str) -> str:
        return nina.get(url("faults", job), asked, headers={"HX-Request": "true"}).content.decode()

    assert "/paths/29" in listed(page="4")
    errors = listed(severity="error")
    assert ("Broken" in errors, "Odd." in errors) == (True, False)
    pointed = listed(q="/PATHS/7")
    assert ("/paths/7" in pointed, "/paths/8" in pointed) == (True, False)
    assert "No fault matches" in listed(q="nothing like this")
    assert "Back to the import" in nina.get(url("faults", job)).content.decode()


def test_the_page_shows_all_that_was_found(nina: Client) -> None:
    job = import_rows.job(
        unchanged=True,
        model_note="The model was out of reach.",
        listed=[
            {"kind": "webhook", "name": "invoice.paid", "method": "post", "summary": "Paid", "pointer": "/w"},
            {"kind": "callback", "name": "onDone", "method": "post", "summary": "", "pointer": "/c"},
        ],
        documents=[{"url": "https://api.example.com/money.yaml", "bytes": 2_048}],
        security_schemes={"key": {"kind": "apiKey", "in": "header", "name": "X-Key"}},
    )
    import_rows.writing(job, uncertain=True)

    page = page_of(nina, job)

    export = client_export(nina, job)
    assert export["Content-Disposition"] == 'attachment; filename="billing.json"'
    for shown in (
        "invoice.paid",
        "onDone",
        "https://api.example.com/money.yaml",
        "API key in the header “X-Key”",
        "The model was out of reach.",
        "the same document as the one that is published",
        url("review", job),
    ):
        assert shown in page, shown
    assert url("publish", job) not in page  # nina may not publish


def client_export(client: Client, job: ImportJob) -> Any:
    """What the link on the page gives a person who is signed in."""
    link = f"{client.get(url('change', job)).context['export_url']}?format=mcp"
    assert link in page_of(client, job)
    return client.get(link)


def test_cancelling_and_trying_again(nina: Client) -> None:
    job = jobs.submit(by="nina", content=DOCUMENT.encode())
    assert url("cancel", job) in page_of(nina, job)

    answer = nina.post(url("cancel", job), {"_form_submitted": "True"}, headers={"HX-Request": "true"})

    job.refresh_from_db()
    assert (answer["HX-Redirect"], job.status) == (url("change", job), ImportStatus.CANCELLED)
    page = page_of(nina, job)
    assert (url("retry", job) in page, url("cancel", job) in page) == (True, False)

    late = nina.post(url("cancel", job), {"_form_submitted": "True"})
    assert "not running any more" in told(late)

    nina.post(url("retry", job), {"_form_submitted": "True"})
    job.refresh_from_db()
    assert job.status == ImportStatus.PENDING


def test_dialogs_say_what_will_happen(nina: Client) -> None:
    running = jobs.submit(by="nina", content=DOCUMENT.encode())
    dialog = nina.get(url("cancel", running)).content.decode()
    assert re.findall(r">\s*(Cancel|Keep importing|Cancel the import)\s*<", dialog) == [
        "Keep importing", "Cancel the import",
    ]  # fmt: skip

    def plan(**fields: Any) -> str:
        job = import_rows.job(ImportStatus.FAILED, error_message="It broke.", **fields)
        page = nina.get(url("retry", job)).content.decode()
        assert "It failed: It broke." in page
        return page

    nothing_yet = plan(error_stage="fetching")
    assert "is fetched from its address and read from the beginning" in nothing_yet
    assert "Fetch the document anew" not in nothing_yet
    fetched = plan(error_stage="parsing", content=b"{}")
    assert "that was fetched is read from the beginning" in fetched
    assert "Fetch the document anew" in fetched
    assert "only the judging is done again" in plan(error_stage="classifying", content=b"{}")
    handed_in = plan(error_stage="parsing", content=b"{}", spec_url="")
    assert "that was handed in is read from the beginning" in handed_in
    assert "not kept any more" in plan(error_stage="parsing", spec_url="")


def test_an_address_is_written_as_it_is_where_the_page_says_where_one_is(nina: Client) -> None:
    job = import_rows.job(
        ImportStatus.FAILED, title="", name="", spec_url="http://api.example.com/openapi.json"
    )

    page = page_of(nina, job)

    assert "Http://" not in page
    assert "http://api.example.com/openapi.json" in page


def test_a_list_without_rows_says_what_to_do_next(nina: Client) -> None:
    def said(**asked: str) -> str:
        return re.sub(r"<[^>]*>|\s+", " ", nina.get(LIST, asked).content.decode())

    empty = said()
    assert "No document was imported yet" in empty
    assert "review what it would become" in empty
    import_rows.job()
    assert "No document was imported yet" not in said()
    assert "Nothing matches" in said(q="nowhere")
    assert "yielded" not in empty + said(q="nowhere")


def test_trying_again_can_fetch_anew_with_credentials(nina: Client) -> None:
    job = import_rows.job(ImportStatus.FAILED, error_stage="fetching", error_message="It was refused.")

    missing = nina.post(url("retry", job), {"_form_submitted": "True", "header": "Authorization"})
    job.refresh_from_db()
    assert "Give its value." in missing.content.decode()
    assert (job.status, job.fetch_secret) == (ImportStatus.FAILED, "")

    nina.post(
        url("retry", job),
        {"_form_submitted": "True", "fetch_again": "on", "header": "Authorization", "key": "Bearer t0ken"},
    )
    job.refresh_from_db()
    assert (job.status, unseal(job.fetch_secret)) == (ImportStatus.PENDING, {"Authorization": "Bearer t0ken"})


ALL = ("add_importjob", "view_importjob", "change_importjob", "publish_importjob", "view_specsource")
PAGES = {
    "change": ["view_importjob", "change_importjob"],
    "progress": ["view_importjob", "change_importjob"],
    "faults": ["view_importjob", "change_importjob"],
    "review": ["view_importjob", "change_importjob"],
}
"""Each page, and the permissions that any one of opens it."""


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_only_with_its_permission(client: Client, name: str) -> None:
    job = import_rows.job()
    import_rows.operation(job)
    without = [f"{APP}.{one}" for one in ALL if one not in PAGES[name]]
    client.force_login(rows.staff("sam", *without))
    before = everything()

    assert client.get(url(name, job)).status_code == 403
    unknown = reverse(f"admin:openapi_import_importjob_{name}", args=[uuid4()])
    assert client.get(unknown).status_code == 403  # says nothing about what there is
    assert everything() == before

    client.force_login(rows.staff("nina", f"{APP}.view_importjob"))
    assert client.get(url(name, job)).status_code == 200


def test_only_who_may_hand_in_can(client: Client) -> None:
    client.force_login(rows.staff("sam", *[f"{APP}.{one}" for one in ALL if one != "add_importjob"]))
    before = everything()

    assert client.get(NEW).status_code == 403
    assert hand_in(client, text=DOCUMENT).status_code == 403
    assert "Import an API" not in client.get(LIST).content.decode()
    assert everything() == before


def test_without_the_csrf_token_nothing_is_handed_in() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(rows.staff("root", superuser=True))

    assert hand_in(client, text=DOCUMENT).status_code == 403
    assert ImportJob.objects.count() == 0


def test_who_may_hand_in_and_not_look_is_told_that_it_worked(client: Client) -> None:
    client.force_login(rows.staff("sam", f"{APP}.add_importjob"))

    answer = hand_in(client, text=DOCUMENT)

    assert (answer["Location"], ImportJob.objects.count()) == (reverse("admin:index"), 1)
    assert "being read" in told(answer)
