"""Imports from what was handed in to what can be reviewed."""

import base64
import json
import logging
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from agents.models import Access, Approver
from openapi_import import jobs, sweeping, tasks
from openapi_import.errors import ImportRefused, JobNotFound, TooManyImports, WrongStage
from openapi_import.models import Classification, ImportJob, ImportStatus, SpecSource
from openapi_import.signals import import_finished
from smartsupport.lib.sealing import unseal
from smartsupport.models import AuditEntry
from tests.agents.spending_rows import budget, spent
from tests.at_once import at_once
from tests.lib.wire import response
from tests.openapi_import.far_side import FarSide
from tests.openapi_import.far_side import far as far  # a fixture
from tests.openapi_import.import_jobs import (
    OPERATIONS,
    YAML,
    carried_out,
    now,
    published,
    rows,
    shop,
    submitted,
    text,
)
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = {"Authorization": "Bearer s3cret-of-ada"}


@pytest.fixture(autouse=True)
def allowed(settings: Settings) -> None:
    settings.SAFE_HTTP_ALLOWED_HOSTS = ["127.0.0.1"]


@pytest.fixture
def news() -> Any:
    """What `import_finished` told."""
    told: list[dict[str, Any]] = []

    def note(sender: Any, signal: Any, **what: Any) -> None:
        assert not connection.in_atomic_block
        told.append(what)

    import_finished.connect(note)
    yield told
    import_finished.disconnect(note)


def test_a_document_at_an_address_becomes_rows_to_review(far: FarSide, news: list[dict[str, Any]]) -> None:
    wire = far.documents({"/o.json": shop()})

    job = submitted(url=f"{wire.url}/o.json")
    assert (job.status, job.name, job.attempts) == (ImportStatus.PENDING, "", 0)
    jobs.run(job.pk)

    job = now(job)
    assert (job.status, job.error_message) == (ImportStatus.DONE, "")
    assert (job.name, job.title, job.version, job.created_by) == ("shop-of-ada", "Shop of Ada", "1", "ada")
    assert (job.total_endpoints, job.classified_count, job.usable_count) == (3, 3, 3)
    assert (job.lease, job.leased_until, job.attempts) == (None, None, 1)
    assert job.base_url == job.spec_url
    assert json.loads(bytes(job.content or b"")) == shop()
    assert job.started_at
    assert job.finished_at
    assert rows(job) == OPERATIONS
    assert sorted(job.classifications.values_list("index", flat=True)) == [0, 1, 2]
    told = [{"job_id": job.pk, "status": "done", "name": "shop-of-ada", "total": 3, "message": ""}]
    assert news == told


def test_each_operation_is_judged_and_has_its_tool() -> None:
    job = carried_out()

    look, delete = (job.classifications.get(operation_id=name) for name in ("getOrder", "deleteOrder"))
    assert (look.access_type, look.approval, look.judged_by, look.selected) == (
        Access.READ,
        Approver.NONE,
        "rules",
        True,
    )
    assert (delete.access_type, delete.method, delete.path) == (Access.WRITE, "DELETE", "/orders/{order_id}")
    assert delete.approval != Approver.NONE
    assert delete.reason
    assert delete.judged["access_type"] == Access.WRITE
    assert look.tool["server_url"] == "https://shop.example.com/v1"
    assert "order_id" in look.tool["input_schema"]["properties"]


@pytest.mark.parametrize(
    ("content", "more"),
    [
        (text(), {"filename": "api.json"}),
        (YAML, {"filename": "api.yaml"}),
        (YAML, {"content_type": "application/yaml"}),
        (YAML, {}),
        (b"\xef\xbb\xbf" + text(), {}),
    ],
)
def test_an_upload_or_a_paste_is_read_by_type_name_or_content(content: bytes, more: dict[str, str]) -> None:
    job = carried_out(content=content, **more)

    assert (job.status, job.title) == (ImportStatus.DONE, "Shop of Ada"), job.error_message


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"url": "", "content": None}, "url"),
        ({"url": "https://a.example/o.json", "content": b"{}"}, "url"),
        ({"url": "ftp://a.example/o.json"}, "url"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"content": b" \n "}, "file"),
        ({"content": b"x" * 2_001}, "file"),
        ({"content": b"{}", "base_url": "file:///etc/"}, "url"),
        ({"content": b"{}", "name": "Two Words"}, "name"),
        ({"content": b"{}", "name": "x" * 65}, "name"),
        ({"content": b"{}", "headers": {"X-Key": "v"}}, "headers"),
        ({"url": "https://a.example/o.json", "headers": {"Host": "b.example"}}, "headers"),
    ],
)
def test_what_cannot_be_imported_is_refused_and_nothing_is_written(
    settings: Settings, valkey: "redis.Redis", given: dict[str, Any], field: str
) -> None:
    settings.IMPORT_MAX_BYTES = 2_000

    with pytest.raises(ImportRefused) as refusal:
        jobs.submit(by="ada", **given)

    assert list(refusal.value.extra["fields"]) == [field]
    assert not ImportJob.objects.exists()
    assert valkey.dbsize() == 0


def test_only_so_many_imports_are_unfinished_at_once(valkey: "redis.Redis") -> None:
    outcomes = at_once([lambda: submitted() for _ in range(4)])  # the others beforehand, without threads
    for _ in range(jobs.UNFINISHED_AT_ONCE - 5):
        submitted()
    outcomes += at_once([lambda: submitted() for _ in range(3)])

    refused = [outcome for outcome in outcomes if isinstance(outcome, TooManyImports)]
    assert [(error.status, "cancel one" in error.message) for error in refused] == [(429, True)] * 2
    assert ImportJob.objects.count() == jobs.UNFINISHED_AT_ONCE
    first = ImportJob.objects.earliest("created_at")
    jobs.cancel(first.pk, "ada")
    assert submitted().status == ImportStatus.PENDING


def test_the_same_key_of_the_same_caller_starts_one_import() -> None:
    outcomes = at_once([lambda: submitted(idempotency_key="k1") for _ in range(4)])
    other = submitted(idempotency_key="k1", by="eve")

    first = {outcome.pk for outcome in outcomes if isinstance(outcome, ImportJob)}
    assert len(first) == 1
    assert other.pk not in first
    assert ImportJob.objects.count() == 2


def test_a_new_job_is_told_to_the_jobs_only_after_the_commit(valkey: "redis.Redis") -> None:
    with transaction.atomic():
        job = submitted()
        assert valkey.dbsize() == 0

    (queue,) = [key for key in valkey.keys() if valkey.type(key) == b"list"]
    (message,) = [json.loads(entry) for entry in valkey.lrange(queue, 0, -1)]
    assert message["headers"]["task"] == tasks.run_import.name
    assert json.loads(base64.b64decode(message["body"]))[0] == [str(job.pk)]
    assert tasks.sweep_imports.name == "openapi_import.tasks.sweep_imports"


def test_the_name_is_what_was_given_the_known_source_or_a_free_one_of_the_title(far: FarSide) -> None:
    wire = far.documents({"/o": shop(), "/other": shop()})
    first = carried_out(url=f"{wire.url}/o")
    source = published(first)

    again = carried_out(url=f"{wire.url}/o")
    elsewhere = carried_out(url=f"{wire.url}/other")
    uploaded = carried_out(name="shop-of-ada")
    nameless = carried_out(content=text(shop(title="♥")))

    assert (again.name, again.source) == ("shop-of-ada", source)
    assert (elsewhere.name, elsewhere.source) == ("shop-of-ada-2", None)
    assert (uploaded.name, uploaded.source) == ("shop-of-ada", source)
    assert nameless.name == "api"


def test_an_unchanged_document_is_named_as_one(far: FarSide) -> None:
    documents: dict[str, Any] = {"/o": response(body=text(), etag='"v1"')}
    wire = far.documents(documents)
    url = f"{wire.url}/o"
    first = carried_out(url=url)
    assert (first.etag, first.unchanged) == ('"v1"', False)
    published(first)

    documents["/o"] = response("304 Not Modified", body=b"")
    same = carried_out(url=url)
    documents["/o"] = response(body=text(shop(title="Shop of Eve")), etag='"v2"')
    other = carried_out(url=url)

    assert wire.received[1].headers["if-none-match"] == '"v1"'
    assert (same.status, same.unchanged, rows(same)) == (ImportStatus.DONE, True, OPERATIONS)
    assert bytes(same.content or b"") == text()
    assert (other.status, other.unchanged, other.etag) == (ImportStatus.DONE, False, '"v2"')


def test_credentials_are_sealed_sent_once_and_forgotten(
    far: FarSide, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    wire = far.documents({"/o": shop()})

    job = submitted(url=f"{wire.url}/o", headers=SECRET)
    assert "s3cret" not in job.fetch_secret
    assert unseal(job.fetch_secret) == SECRET
    jobs.run(job.pk)
    failing = carried_out(url=f"{wire.url}/missing", headers=SECRET)
    waiting = submitted(url=f"{wire.url}/o", headers=SECRET)
    jobs.cancel(waiting.pk, "ada")

    assert [asked.headers["authorization"] for asked in wire.received] == ["Bearer s3cret-of-ada"] * 2
    assert [now(one).fetch_secret for one in (job, failing, waiting)] == ["", "", ""]
    assert failing.status == ImportStatus.FAILED
    printed = capsys.readouterr()
    assert "s3cret" not in caplog.text + printed.out + printed.err
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(t::text, ' ') FROM openapi_import_importjob t")
        assert "s3cret" not in cursor.fetchone()[0]


def test_what_it_refers_to_is_fetched_from_its_own_place_and_counted(
    far: FarSide, settings: Settings
) -> None:
    schema = {"type": "object", "properties": {"colour": {"type": "string"}}}
    other = far.documents({"/schemas.json": {"Size": {"type": "integer"}}})
    parts: dict[str, Any] = {"/v1/parts/order.json": {"Order": schema}}
    wire = far.documents(parts)
    body = {
        "type": "object",
        "properties": {
            "order": {"$ref": "parts/order.json#/Order"},
            "size": {"$ref": f"{other.url}/schemas.json#/Size"},
            "lost": {"$ref": "parts/missing.json"},
            "inner": {"$ref": "http://localhost:9/inner.json"},
        },
    }
    paths = {
        "/orders": {
            "post": {
                "operationId": "createOrder",
                "requestBody": {"content": {"application/json": {"schema": body}}},
                "responses": {"200": {"description": "It"}},
            }
        }
    }
    parts["/v1/o.json"] = shop(paths=paths)

    job = carried_out(url=f"{wire.url}/v1/o.json", headers=SECRET)

    assert job.status == ImportStatus.DONE, job.error_message
    properties = job.classifications.get().tool["input_schema"]["properties"]
    assert properties["order"]["properties"]["colour"]["type"] == "string"
    assert properties["size"]["type"] == "integer"
    assert {one["url"] for one in job.documents} == {
        f"{wire.url}/v1/parts/order.json",
        f"{other.url}/schemas.json",
    }
    faults = {fault["pointer"]: fault["message"] for fault in job.faults}
    assert job.faults_total == len(job.faults)
    assert any("missing" in pointer or "lost" in pointer for pointer in faults), faults
    assert any("inner" in pointer for pointer in faults), faults
    assert {asked.headers.get("authorization") for asked in wire.received} == {SECRET["Authorization"]}
    assert "authorization" not in other.received[0].headers


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (response("401 Who"), "credentials"),
        (response("500 Oh"), "status 500"),
        (response(body=b"<html>", content_type="text/html"), "web page"),
    ],
)
def test_a_document_that_cannot_be_fetched_fails_there_and_can_be_tried_again(
    far: FarSide, news: list[dict[str, Any]], answer: bytes, words: str
) -> None:
    documents: dict[str, Any] = {"/o": answer}
    wire = far.documents(documents)

    job = carried_out(url=f"{wire.url}/o")
    assert (job.status, job.error_stage) == (ImportStatus.FAILED, ImportStatus.FETCHING)
    assert words in job.error_message
    assert job.content is None
    documents["/o"] = shop()
    assert jobs.retry(job.pk, "ada", headers=SECRET).status == ImportStatus.PENDING
    jobs.run(job.pk)

    job = now(job)
    assert (job.status, job.error_stage, job.error_message) == (ImportStatus.DONE, "", "")
    assert rows(job) == OPERATIONS
    assert wire.received[-1].headers["authorization"] == SECRET["Authorization"]
    assert [told["status"] for told in news] == ["failed", "done"]


def test_a_document_that_cannot_be_read_says_so_and_keeps_no_rows(
    far: FarSide, news: list[dict[str, Any]]
) -> None:
    documents: dict[str, Any] = {"/o": b'{"openapi": "3.1.0", '}
    wire = far.documents(documents)

    job = carried_out(url=f"{wire.url}/o")
    assert job.status == ImportStatus.FAILED
    assert job.error_stage in (ImportStatus.VALIDATING, ImportStatus.PARSING)
    assert job.error_message
    assert rows(job) == []
    documents["/o"] = shop()
    jobs.retry(job.pk, "ada")
    jobs.run(job.pk)
    assert (now(job).status, len(wire.received)) == (ImportStatus.FAILED, 1), "it goes on with what it has"
    jobs.retry(job.pk, "ada", fetch_again=True)
    jobs.run(job.pk)

    assert now(job).status == ImportStatus.DONE
    assert len(wire.received) == 2
    assert [told["status"] for told in news] == ["failed", "failed", "done"]


def test_a_document_without_operations_fails_in_words() -> None:
    job = carried_out(content=text(shop(paths={})))

    assert job.status == ImportStatus.FAILED
    assert "no operations" in job.error_message


def test_strict_fails_where_the_document_has_a_fault() -> None:
    faulty = shop()
    faulty["paths"] = {**faulty["paths"], "/broken": {"get": {"parameters": [{"$ref": "#/nowhere"}]}}}

    lenient, strict = carried_out(content=text(faulty)), carried_out(content=text(faulty), strict=True)

    assert (lenient.status, lenient.faults_total > 0) == (ImportStatus.DONE, True)
    assert strict.status == ImportStatus.FAILED
    assert strict.error_pointer
    assert rows(strict) == []


def test_text_that_postgres_cannot_hold_is_held_with_a_mark() -> None:
    raw = text(shop(title="NUL"))
    raw = raw.replace(b"Look an order up", b"Look \\u0000 up \\ud800")

    job = carried_out(content=raw)

    assert job.status == ImportStatus.DONE, job.error_message
    assert job.classifications.get(operation_id="getOrder").summary == "Look � up �"


def test_the_offline_model_is_asked_and_says_that_it_does_not_judge() -> None:
    job = carried_out(ask_model=True)

    assert job.status == ImportStatus.DONE
    assert "offline model" in job.model_note
    assert set(job.classifications.values_list("judged_by", flat=True)) == {"rules"}


def test_no_model_judges_while_the_deployments_budget_is_used_up(
    settings: Any, scripted_model: RunningModel
) -> None:
    settings.LLM_PROVIDER, settings.OPENAI_API_KEY = "openai", "none"
    settings.OPENAI_BASE_URL = scripted_model.url
    budget(1_000, "deployment")
    spent(1_000)

    job = carried_out(ask_model=True)

    assert job.status == ImportStatus.DONE
    assert "budget for the whole deployment is used up" in job.model_note
    assert set(job.classifications.values_list("judged_by", flat=True)) == {"rules"}
    assert scripted_model.requests() == []


@pytest.mark.parametrize("status", [ImportStatus.DONE, ImportStatus.APPROVED, ImportStatus.PENDING])
def test_only_what_failed_or_was_cancelled_can_be_tried_again(status: ImportStatus) -> None:
    job = submitted()
    ImportJob.objects.filter(pk=job.pk).update(status=status)

    with pytest.raises(WrongStage):
        jobs.retry(job.pk, "ada")

    assert (now(job).status, now(job).leased_until) == (status, None)


def test_what_does_not_exist_cannot_be_cancelled_or_tried_again() -> None:
    unknown = submitted().pk
    ImportJob.objects.all().delete()

    for change in (jobs.cancel, jobs.retry):
        with pytest.raises(JobNotFound, match=f"Job '{unknown}' not found"):
            change(unknown, "ada")
    jobs.run(unknown)


def test_a_cancelled_job_is_not_carried_out_until_it_is_tried_again() -> None:
    job = submitted()

    assert jobs.cancel(job.pk, "ada").status == ImportStatus.CANCELLED
    jobs.run(job.pk)
    assert (now(job).status, rows(job)) == (ImportStatus.CANCELLED, [])
    with pytest.raises(WrongStage, match="cancelled"):
        jobs.cancel(job.pk, "ada")
    jobs.retry(job.pk, "ada")
    jobs.run(job.pk)

    assert (now(job).status, rows(job)) == (ImportStatus.DONE, OPERATIONS)


def test_what_is_ready_cannot_be_cancelled() -> None:
    job = carried_out()

    with pytest.raises(WrongStage):
        jobs.cancel(job.pk, "ada")

    assert (now(job).status, rows(job)) == (ImportStatus.DONE, OPERATIONS)


def test_old_documents_that_were_not_published_are_let_go() -> None:
    old, live, fresh = (carried_out() for _ in range(3))
    running = submitted()
    long_ago = timezone.now() - sweeping.CONTENT_KEPT - timedelta(minutes=1)
    ImportJob.objects.exclude(pk=fresh.pk).update(created_at=long_ago)
    published(live)

    assert sweeping.empty_old() == 1
    assert sweeping.empty_old() == 0

    kept = {job.pk for job in ImportJob.objects.filter(content__isnull=False)}
    assert kept == {live.pk, fresh.pk, running.pk}
    assert rows(old) == OPERATIONS
    ImportJob.objects.filter(pk=old.pk).update(status=ImportStatus.FAILED)
    with pytest.raises(WrongStage, match="not kept"):
        jobs.retry(old.pk, "ada")


def test_what_was_never_published_nor_looked_at_for_half_a_year_is_deleted() -> None:
    """Whoever imports the same document every night would fill the disk with its operations."""
    done, failed, cancelled, live, reviewed, fresh = (carried_out() for _ in range(6))
    running = submitted()
    long_ago = timezone.now() - timedelta(days=181)
    ImportJob.objects.exclude(pk=fresh.pk).update(created_at=long_ago)
    ended = ImportJob.objects.exclude(pk__in=[fresh.pk, running.pk])
    ended.update(finished_at=long_ago)
    ImportJob.objects.filter(pk=failed.pk).update(status=ImportStatus.FAILED)
    ImportJob.objects.filter(pk=cancelled.pk).update(status=ImportStatus.CANCELLED)
    published(live)
    lately = timezone.now() - timedelta(days=179)
    Classification.objects.filter(job=reviewed, index=0).update(reviewed_at=lately)
    Classification.objects.filter(job=done, index=0).update(reviewed_at=long_ago)

    tasks.empty_old_imports()

    kept = [live, reviewed, fresh, running]
    assert {job.pk for job in ImportJob.objects.all()} == {job.pk for job in kept}
    assert {row.job_id for row in Classification.objects.all()} == {job.pk for job in kept[:3]}
    assert rows(reviewed) == OPERATIONS
    [told] = AuditEntry.objects.filter(verb="purge", detail__has_key="deleted")
    assert told.detail == {"deleted": 3}
    tasks.empty_old_imports()
    assert ImportJob.objects.count() == 4


def test_an_old_import_that_is_tried_again_or_published_at_this_moment_is_not_deleted() -> None:
    old = carried_out()
    long_ago = timezone.now() - timedelta(days=181)
    ImportJob.objects.update(created_at=long_ago, finished_at=long_ago)

    with transaction.atomic():
        ImportJob.objects.select_for_update(no_key=True).get(pk=old.pk)
        assert at_once([sweeping.forget_old]) == [0]

    assert rows(old) == OPERATIONS
    assert at_once([sweeping.forget_old] * 3).count(1) == 1


def test_importing_writes_no_source_and_no_tools() -> None:
    carried_out()

    assert not SpecSource.objects.exists()
    assert Classification.objects.count() == 3
