"""The REST API of imports: handing a document in, following it, cancelling and trying again."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from openapi_import import jobs
from openapi_import.models import ImportJob, ImportStatus
from smartsupport.lib.sealing import unseal
from tests import rows
from tests.openapi_import.far_side import FarSide
from tests.openapi_import.far_side import far as far  # a fixture
from tests.openapi_import.import_jobs import YAML, carried_out, now, shop, submitted, text

pytestmark = pytest.mark.django_db

IMPORT = "/api/v1/openapi/import"
JOBS = "/api/v1/openapi/jobs"
URL = "https://api.example.com/openapi.json"


@pytest.fixture
def api() -> Client:
    return Client(headers={"X-API-Key": rows.key("imports:read", "imports:write", name="ci")})


def post(api: Client, path: str, body: Any = None, **headers: str) -> Any:
    return api.post(path, json.dumps(body or {}), content_type="application/json", headers=headers)


@pytest.mark.django_db(transaction=True)
def test_a_document_is_handed_in_and_followed_to_its_end(
    api: Client, far: FarSide, settings: Settings
) -> None:
    settings.SAFE_HTTP_ALLOWED_HOSTS = ["127.0.0.1"]
    wire = far.documents({"/o.json": shop()})

    answer = post(api, IMPORT, {"url": f"{wire.url}/o.json"})
    assert answer.status_code == 202
    data = answer.json()["data"]
    expected = {
        "status": "pending",
        "spec_url": f"{wire.url}/o.json",
        "total_endpoints": 0,
        "classified_count": 0,
        "error_message": None,
        "created_by": "API key ci",
    }
    assert {name: data[name] for name in expected} == expected
    jobs.run(ImportJob.objects.get(pk=data["job_id"]).pk)

    followed = api.get(f"{JOBS}/{data['job_id']}").json()["data"]
    expected = {"status": "done", "total_endpoints": 3, "classified_count": 3, "name": "shop-of-ada"}
    assert {name: followed[name] for name in expected} == expected
    assert (followed["faults"], followed["listed"], followed["documents"]) == ([], [], [])
    listed = api.get(JOBS, {"status": "done"}).json()["data"]
    assert ([job["job_id"] for job in listed["jobs"]], listed["total"]) == ([data["job_id"]], 1)
    assert api.get(JOBS, {"status": "failed"}).json()["data"]["total"] == 0
    assert api.get(JOBS, {"name": "shop-of-ada"}).json()["data"]["total"] == 1


@pytest.mark.parametrize("in_memory", [1, 10**6])  # bytes; a larger upload lies in a file
def test_a_file_and_a_text_are_taken_with_what_belongs_to_them(
    api: Client, settings: Settings, in_memory: int
) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = in_memory
    file = SimpleUploadedFile("shop.yaml", YAML, content_type="application/yaml")
    form = {"file": file, "name": "shop", "base_url": "https://a.example/v1/", "strict": "true"}

    uploaded = api.post(IMPORT, {**form, "headers": '{"X-Key": "v"}'})
    pasted = post(api, IMPORT, {"text": YAML.decode(), "name": "shop", "ask_model": True})

    assert (uploaded.status_code, pasted.status_code) == (202, 202), uploaded.json()
    first, second = (ImportJob.objects.get(pk=one.json()["data"]["job_id"]) for one in (uploaded, pasted))
    assert (bytes(first.content or b""), bytes(second.content or b"")) == (YAML, YAML)
    assert (first.filename, first.content_type, first.base_url) == (
        "shop.yaml",
        "application/yaml",
        "https://a.example/v1/",
    )
    assert (first.strict, first.ask_model, unseal(first.fetch_secret)) == (True, False, {"X-Key": "v"})
    assert (second.strict, second.ask_model, second.name) == (False, True, "shop")


def test_a_user_name_and_password_are_sealed_and_never_answered(api: Client) -> None:
    answer = post(api, IMPORT, {"url": URL, "username": "ada", "password": "s3cret"})

    job = ImportJob.objects.get()
    assert unseal(job.fetch_secret) == {"Authorization": "Basic YWRhOnMzY3JldA=="}
    for text_of in (answer, api.get(JOBS), api.get(f"{JOBS}/{job.pk}")):
        assert "s3cret" not in text_of.content.decode()
        assert "fetch_secret" not in text_of.content.decode()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": URL, "text": "{}"}, "url"),
        ({"url": "ftp://a.example/o"}, "url"),
        ({"url": "not an address"}, "url"),
        ({"url": 5}, "url"),
        ({"url": None}, "url"),
        ({"url": URL, "name": "No Good"}, "name"),
        ({"url": URL, "headers": {"Host": "b.example"}}, "headers"),
        ({"url": URL, "headers": "x"}, "headers"),
        ({"url": URL, "headers": {"Authorization": "a"}, "username": "b", "password": "c"}, "username"),
        ({"url": URL, "password": "c"}, "username"),
        ({"url": URL, "spec": "x"}, "spec"),
        ({"text": " "}, "file"),
    ],
)
def test_what_is_no_document_is_refused(api: Client, body: dict[str, Any], field: str) -> None:
    answer = post(api, IMPORT, body)

    assert answer.status_code == 422, answer.json()
    assert answer.json()["error"]["code"] == "invalid"
    assert field in answer.json()["error"]["fields"]
    assert not ImportJob.objects.exists()


def test_a_document_over_the_limit_is_refused(api: Client, settings: Settings) -> None:
    settings.IMPORT_MAX_BYTES = 1_000

    large = api.post(IMPORT, {"file": SimpleUploadedFile("o.json", b"x" * 1_001)})
    huge = post(api, IMPORT, {"text": "x" * 100_000})
    empty = api.post(IMPORT, {"file": SimpleUploadedFile("o.json", b"")})
    nothing = api.post(IMPORT, {"name": "shop"})

    assert (large.status_code, large.json()["error"]["fields"]["file"]) == (
        422,
        ["The document is larger than 1,000 bytes (IMPORT_MAX_BYTES)."],
    )
    assert (huge.status_code, huge.json()["error"]["code"]) == (413, "too_large")
    assert (empty.status_code, nothing.status_code) == (422, 422)
    assert not ImportJob.objects.exists()


def test_too_many_unfinished_imports_are_refused(api: Client) -> None:
    ImportJob.objects.bulk_create(ImportJob(name="x") for _ in range(jobs.UNFINISHED_AT_ONCE))

    answer = post(api, IMPORT, {"url": URL})

    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_imports")
    assert ImportJob.objects.count() == jobs.UNFINISHED_AT_ONCE


def test_a_repeat_with_the_same_key_is_the_first_import(api: Client) -> None:
    answers = [post(api, IMPORT, {"url": URL}, **{"Idempotency-Key": "k"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert ImportJob.objects.count() == 1


@pytest.mark.parametrize("job_id", ["no-such-job", "6b9d3a52-0f5e-4f7c-9d0a-3d1f0c6a7e11"])
def test_a_job_that_does_not_exist_is_named(api: Client, job_id: str) -> None:
    for method, path in (
        ("GET", ""),
        ("GET", "/classifications"),
        ("PATCH", "/classifications"),
        ("GET", "/classifications/0"),
        ("PUT", "/classifications/0"),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("GET", "/export?format=yaml"),
    ):
        answer = api.generic(method, f"{JOBS}/{job_id}{path}", "{}", content_type="application/json")

        assert answer.status_code == 404, path
        assert answer.json()["error"]["message"] == f"Job '{job_id}' not found"


def test_an_import_is_cancelled_and_tried_again(api: Client) -> None:
    job = submitted()

    cancelled = post(api, f"{JOBS}/{job.pk}/cancel")
    twice = post(api, f"{JOBS}/{job.pk}/cancel")
    assert (cancelled.status_code, cancelled.json()["data"]["status"]) == (200, "cancelled")
    assert (twice.status_code, twice.json()["error"]["code"]) == (409, "wrong_stage")
    unknown = post(api, f"{JOBS}/{job.pk}/retry", {"again": True})
    assert (unknown.status_code, now(job).status) == (422, "cancelled")

    again = post(api, f"{JOBS}/{job.pk}/retry")
    assert (again.status_code, again.json()["data"]["status"]) == (202, "pending")
    jobs.run(job.pk)

    assert now(job).status == ImportStatus.DONE
    assert post(api, f"{JOBS}/{job.pk}/retry").status_code == 409


def test_a_failed_import_says_where_and_why(api: Client) -> None:
    broken = b'{"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {"/a": '
    job = carried_out(content=broken)

    data = api.get(f"{JOBS}/{job.pk}").json()["data"]

    assert (data["status"], bool(data["error_message"])) == ("failed", True)
    assert data["error_stage"] in ("validating", "parsing")


def test_lists_take_a_constant_number_of_queries(api: Client, django_assert_num_queries: Any) -> None:
    for _ in range(3):
        submitted(content=text())
    api.get(JOBS)

    with django_assert_num_queries(3):  # the key, the count, the page
        assert len(api.get(JOBS).json()["data"]["jobs"]) == 3
