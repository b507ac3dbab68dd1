"""The REST API of imports: reviewing, publishing, taking away, and what is live."""

import ast
import json
from typing import Any

import pytest
from django.test import Client
from ruamel.yaml import YAML

from agents.models import Agent, Tool
from openapi_import.models import Classification, ImportJob, ImportStatus, Publication
from tests import rows
from tests.openapi_import.import_jobs import carried_out, now, shop, submitted, text

pytestmark = pytest.mark.django_db

JOBS = "/api/v1/openapi/jobs"
SOURCES = "/api/v1/openapi/sources"
PUBLICATIONS = "/api/v1/openapi/publications"
SCOPES = ("imports:read", "imports:write", "imports:publish")


@pytest.fixture
def api() -> Client:
    return Client(headers={"X-API-Key": rows.key(*SCOPES, name="ci")})


@pytest.fixture
def job() -> ImportJob:
    return carried_out()


def send(api: Client, method: str, path: str, body: Any = None) -> Any:
    return api.generic(method, path, json.dumps(body or {}), content_type="application/json")


def index_of(job: ImportJob, operation_id: str) -> int:
    return job.classifications.get(operation_id=operation_id).index


def listed(api: Client, job: ImportJob, **query: Any) -> list[str]:
    data = api.get(f"{JOBS}/{job.pk}/classifications", query).json()["data"]
    assert data["total"] == len(data["classifications"])
    return sorted(row["endpoint"]["operation_id"] for row in data["classifications"])


def test_what_was_judged_is_listed_in_pages(api: Client, job: ImportJob) -> None:
    data = api.get(f"{JOBS}/{job.pk}/classifications", {"per_page": 2, "page": 2}).json()["data"]
    row = api.get(f"{JOBS}/{job.pk}/classifications/{index_of(job, 'getOrder')}").json()["data"]

    assert (data["total"], data["page"], data["per_page"], len(data["classifications"])) == (3, 2, 2, 1)
    assert data["classifications"][0]["index"] == 2
    assert "tool" not in data["classifications"][0]
    assert (row["access_type"], row["needs_interrupt"], row["change"], row["revision"]) == (
        "read",
        False,
        "added",
        0,
    )
    assert 0 <= row["confidence"] <= 1
    assert row["reason"]
    assert isinstance(row["customer_params"], dict)
    assert {name: row["endpoint"][name] for name in ("path", "method", "operation_id", "summary")} == {
        "path": "/orders/{order_id}",
        "method": "GET",
        "operation_id": "getOrder",
        "summary": "Look an order up",
    }
    assert row["endpoint"]["description"] == ""
    assert row["tool"]["input_schema"]["required"] == ["order_id"]


def test_rows_are_found_by_what_they_are_and_by_words(api: Client, job: ImportJob) -> None:
    row = job.classifications.get(operation_id="createOrder")
    Classification.objects.filter(pk=row.pk).update(uncertain=True, agent_group="billing", selected=False)

    assert listed(api, job, access_type="read") == ["getOrder"]
    assert listed(api, job, access_type="write") == ["createOrder", "deleteOrder"]
    assert listed(api, job, q="order_id look") == ["getOrder"]
    assert listed(api, job, q="DELETE") == ["deleteOrder"]
    assert listed(api, job, q="no such word") == []
    assert listed(api, job, q="100%") == []
    assert listed(api, job, uncertain="true") == ["createOrder"]
    assert listed(api, job, agent_group="billing") == ["createOrder"]
    assert listed(api, job, selected="true", usable="true", reviewed="false") == ["deleteOrder", "getOrder"]
    assert listed(api, job, usable="false") == []
    assert listed(api, job, change="changed") == []
    refused = api.get(f"{JOBS}/{job.pk}/classifications", {"access_type": "both"})
    assert (refused.status_code, list(refused.json()["error"]["fields"])) == (400, ["access_type"])


def test_one_row_is_changed_and_remembers_by_whom(api: Client, job: ImportJob) -> None:
    path = f"{JOBS}/{job.pk}/classifications/{index_of(job, 'createOrder')}"
    changes = {"access_type": "write", "approval": "customer", "agent_group": "orders-2", "revision": 0}

    answer = send(api, "PUT", path, changes)

    assert answer.status_code == 200, answer.json()
    row = answer.json()["data"]
    assert (row["approval"], row["needs_interrupt"], row["agent_group"]) == ("customer", True, "orders-2")
    assert (row["revision"], row["reviewed_by"], row["judged_by"]) == (1, "API key ci", "staff")
    assert row["judged"]["approval"] == "staff"
    late = send(api, "PUT", path, {"selected": False, "revision": 0})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "changed_meanwhile")
    assert job.classifications.get(operation_id="createOrder").selected


@pytest.mark.parametrize(
    "changes",
    [
        {"agent_group": "two words"},
        {"agent_group": "ok\n"},
        {"agent_group": ""},
        {"agent_group": "é"},
        {"agent_group": 5},
        {"access_type": "both"},
        {"access_type": "read"},
        {"needs_interrupt": "yes"},
        {"needs_interrupt": False},
        {"approval": "nobody"},
        {"customer_params": {"no_such": "customer.id"}},
        {"customer_params": ["order_id"]},
        {"name": "a b"},
        {"unknown": 1},
        {"selected": 1},
    ],
)
def test_a_change_that_does_not_fit_changes_nothing(
    api: Client, job: ImportJob, changes: dict[str, Any]
) -> None:
    before = list(Classification.objects.order_by("index").values())

    answer = send(api, "PUT", f"{JOBS}/{job.pk}/classifications/{index_of(job, 'deleteOrder')}", changes)

    assert answer.status_code == 422, answer.json()
    assert answer.json()["error"]["fields"]
    assert list(Classification.objects.order_by("index").values()) == before


def test_a_refusal_names_every_field_that_is_wrong(api: Client, job: ImportJob) -> None:
    changes = {"unknown": 1, "access_type": "both", "agent_group": "two words", "title": "Fine"}

    answer = send(api, "PUT", f"{JOBS}/{job.pk}/classifications/0", changes)

    assert answer.status_code == 422
    assert set(answer.json()["error"]["fields"]) == {"unknown", "access_type", "agent_group"}
    assert not job.classifications.filter(title="Fine").exists()


@pytest.mark.parametrize("index", ["3", "-1", "99999999999999999999", "x", "٣"])
def test_an_index_that_does_not_exist_is_named(api: Client, job: ImportJob, index: str) -> None:
    for method in ("GET", "PUT"):
        answer = send(api, method, f"{JOBS}/{job.pk}/classifications/{index}", {"selected": False})

        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == f"Classification index {index} out of range"


def test_many_rows_are_changed_at_once_or_none(api: Client, job: ImportJob) -> None:
    path = f"{JOBS}/{job.pk}/classifications"
    writes = [index_of(job, "createOrder"), index_of(job, "deleteOrder")]

    grouped = send(api, "PATCH", path, {"indexes": writes, "changes": {"agent_group": "orders-2"}})
    dropped = send(api, "PATCH", f"{path}?q=delete", {"all": True, "changes": {"selected": False}})
    looked = send(api, "PATCH", f"{path}?access_type=read", {"all": True, "looked": True})

    assert [one.json()["data"] for one in (grouped, dropped, looked)] == [
        {"changed": 2},
        {"changed": 1},
        {"changed": 1},
    ]
    assert listed(api, job, agent_group="orders-2") == ["createOrder", "deleteOrder"]
    assert listed(api, job, selected="false") == ["deleteOrder"]
    assert listed(api, job, reviewed="true") == ["getOrder"]
    before = list(Classification.objects.order_by("index").values())
    for body, status in (
        ({"indexes": [0, 77], "changes": {"agent_group": "x"}}, 404),
        ({"indexes": [0, 1, 2], "changes": {"approval": "customer"}}, 422),
        ({"indexes": [0], "all": True, "changes": {"agent_group": "x"}}, 422),
        ({"changes": {"agent_group": "x"}}, 422),
        ({"indexes": [0]}, 422),
        ({"indexes": [0], "looked": True, "changes": {"agent_group": "x"}}, 422),
        ({"indexes": [0], "changes": {"name": "x"}}, 422),
    ):
        assert send(api, "PATCH", path, body).status_code == status, body
    assert list(Classification.objects.order_by("index").values()) == before


def test_what_is_approved_is_live(api: Client, job: ImportJob) -> None:
    send(
        api,
        "PATCH",
        f"{JOBS}/{job.pk}/classifications?q=delete",
        {"all": True, "changes": {"selected": False}},
    )

    answer = send(api, "POST", f"{JOBS}/{job.pk}/approve")

    assert answer.status_code == 200, answer.json()
    data = answer.json()["data"]
    assert (data["status"], data["published_by"]) == ("approved", "API key ci")
    assert data["publication"]["counts"] == {"added": 2}
    assert sorted(Tool.objects.values_list("operation_id", flat=True)) == ["createOrder", "getOrder"]
    assert Agent.objects.exists()
    again = send(api, "POST", f"{JOBS}/{job.pk}/approve")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "already_published")
    frozen = send(api, "PUT", f"{JOBS}/{job.pk}/classifications/0", {"selected": False})
    assert frozen.status_code == 409
    assert Tool.objects.count() == 2


def test_an_import_that_is_not_complete_cannot_be_approved_or_exported(api: Client) -> None:
    job = submitted()

    answer = send(api, "POST", f"{JOBS}/{job.pk}/approve")

    assert answer.status_code == 400
    expected = "No classifications to approve. Import must complete first."
    assert answer.json()["error"]["message"] == expected
    assert api.get(f"{JOBS}/{job.pk}/export").status_code == 409
    assert (now(job).status, Tool.objects.count()) == (ImportStatus.PENDING, 0)


def test_approving_needs_its_own_scope_and_permission(job: ImportJob) -> None:
    reviewer = Client(headers={"X-API-Key": rows.key("imports:read", "imports:write")})
    staff = Client()
    staff.force_login(rows.staff("sam", "openapi_import.change_importjob", "openapi_import.view_importjob"))

    for client in (reviewer, staff):
        assert client.get(f"{JOBS}/{job.pk}").status_code == 200
        assert send(client, "POST", f"{JOBS}/{job.pk}/approve").status_code == 403
    assert (now(job).status, Tool.objects.count()) == (ImportStatus.DONE, 0)


def test_an_import_is_taken_away_as_a_file(api: Client, job: ImportJob) -> None:
    path = f"{JOBS}/{job.pk}/export"

    python, yaml, mcp = (api.get(path, {"format": one}) for one in ("python", "yaml", "mcp"))

    ast.parse(python.content.decode())
    assert python.headers["Content-Type"].startswith("text/x-python")
    assert python.headers["Content-Disposition"] == 'attachment; filename="shop_of_ada_tools.py"'
    [server] = json.loads(mcp.content)["mcpServers"].values()
    assert server["args"][-1] == "shop_of_ada_tools.py"  # it runs what was saved
    assert YAML(typ="safe", pure=True).load(yaml.content.decode())["agents"]
    unknown = api.get(path, {"format": "xml"})
    assert (unknown.status_code, list(unknown.json()["error"]["fields"])) == (400, ["format"])


def test_what_is_live_is_paused_resumed_rolled_back_and_deleted(api: Client, job: ImportJob) -> None:
    send(api, "POST", f"{JOBS}/{job.pk}/approve")
    source = f"{SOURCES}/shop-of-ada"
    name = Tool.objects.get(operation_id="getOrder").name

    def on() -> int:
        return api.get(source).json()["data"]["tools_on"]

    assert api.get(SOURCES).json()["data"]["sources"][0]["tools"] == 3
    paused = send(api, "POST", f"{source}/pause", {"tools": [name], "reason": "Too slow."})
    assert (paused.status_code, paused.json()["data"]["counts"], on()) == (200, {"paused": 1}, 2)
    wrong = send(api, "POST", f"{source}/pause", {"tools": ["of_another_api"]})
    assert (wrong.status_code, list(wrong.json()["error"]["fields"]), on()) == (422, ["tools"], 2)
    assert (send(api, "POST", f"{source}/resume").status_code, on()) == (200, 3)
    assert send(api, "POST", f"{source}/resume").status_code == 409
    assert (api.delete(f"{source}?tool={name}").json()["data"]["counts"], on()) == ({"deleted": 1}, 2)

    history = api.get(f"{source}/publications").json()["data"]["publications"]
    assert [(one["number"], one["kind"]) for one in history] == [
        (4, "delete"),
        (3, "resume"),
        (2, "pause"),
        (1, "publish"),
    ]
    first = send(api, "POST", f"{PUBLICATIONS}/{history[3]['publication_id']}/roll-back")
    assert (first.status_code, first.json()["error"]["code"]) == (409, "not_the_newest")
    undone = send(api, "POST", f"{PUBLICATIONS}/{history[0]['publication_id']}/roll-back")
    assert (undone.status_code, on()) == (200, 3)
    detail = api.get(f"{PUBLICATIONS}/{history[0]['publication_id']}").json()["data"]
    assert [entry["tool"] for entry in detail["changes"]] == [name]
    assert (detail["by"], detail["source_name"]) == ("API key ci", "shop-of-ada")
    assert (api.delete(source).status_code, on()) == (200, 0)
    assert Publication.objects.count() == 6


def test_a_misspelt_filter_does_not_mean_everything(api: Client, job: ImportJob) -> None:
    send(api, "POST", f"{JOBS}/{job.pk}/approve")
    other = carried_out(content=text(shop("Another")))

    deleted = api.delete(f"{SOURCES}/{job.name}?tools=getOrder")
    edited = send(
        api,
        "PATCH",
        f"{JOBS}/{other.pk}/classifications?access=write",
        {"all": True, "changes": {"selected": False}},
    )

    for answer, name in ((deleted, "tools"), (edited, "access")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid")
        assert list(answer.json()["error"]["fields"]) == [name]
    assert Tool.objects.filter(enabled=True).count() == 3
    assert other.classifications.filter(selected=True).count() == 3


def test_a_source_that_does_not_exist_is_not_found(api: Client) -> None:
    for method, path in (
        ("GET", SOURCES + "/nobody"),
        ("DELETE", SOURCES + "/nobody"),
        ("POST", SOURCES + "/nobody/pause"),
        ("POST", SOURCES + "/nobody/resume"),
        ("GET", SOURCES + "/nobody/publications"),
        ("GET", PUBLICATIONS + "/nobody"),
        ("POST", PUBLICATIONS + "/nobody/roll-back"),
    ):
        assert send(api, method, path).status_code == 404, path


def test_importing_again_shows_what_changed_and_compares_again_on_request(
    api: Client, job: ImportJob
) -> None:
    send(api, "POST", f"{JOBS}/{job.pk}/approve")
    document = shop()
    paths = {**document["paths"], "/refunds": {"post": {"operationId": "refund", "responses": {}}}}
    del paths["/orders"]

    again = carried_out(content=text({**document, "paths": paths}), name="shop-of-ada")

    assert listed(api, again, change="added") == ["refund"]
    assert listed(api, again, change="removed") == ["createOrder"]
    assert listed(api, again, change="same") == ["deleteOrder", "getOrder"]
    assert api.get(f"{JOBS}/{again.pk}").json()["data"]["unchanged"] is False
    compared = send(api, "POST", f"{JOBS}/{again.pk}/compare")
    assert (compared.status_code, compared.json()["data"]["status"]) == (200, "done")
    assert send(api, "POST", f"{JOBS}/{job.pk}/compare").status_code == 409
