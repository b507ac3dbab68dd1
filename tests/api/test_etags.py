"""`ETag` on reads, `If-None-Match`, and `If-Match` where two writers could overwrite each other."""

import threading
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from agents import agents_yaml
from agents.models import Agent
from chat.models import Conversation
from openapi_import.models import Classification
from smartsupport.lib.etags import etag_of
from tests import rows
from tests.openapi_import.import_jobs import carried_out

pytestmark = pytest.mark.django_db
JSON = "application/json"
AGENTS = """\
agents:
  - name: helper
    description: Helps.
    permission: read
    personality: {tone: kind, greeting: Hello., escalation_message: A colleague will help.}
    tools: [get_order_status]
"""


@pytest.fixture
def client(db: None) -> Client:
    return Client(headers={"X-API-Key": rows.key("admin")})


def test_reads_carry_a_tag_that_holds_as_long_as_they_say_the_same(client: Client) -> None:
    turn = rows.turn(rows.customer(), "t-1")
    first = client.get("/api/v1/conversations/t-1")
    tag = first.headers["ETag"]

    same = client.get("/api/v1/conversations/t-1", headers={"If-None-Match": tag})
    head = client.head("/api/v1/conversations/t-1")
    rows.finish(turn)
    changed = client.get("/api/v1/conversations/t-1", headers={"If-None-Match": f'"other", {tag}'})

    assert tag == etag_of(first.content)
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag)
    assert head.headers["ETag"] == tag
    assert (changed.status_code, changed.headers["ETag"] != tag) == (200, True)


@pytest.mark.parametrize(
    "path",
    [
        "conversations",
        "interrupts",
        "agents",
        "agents/export",
        "openapi/jobs",
        "openapi/sources",
        "usage",
        "analytics",
        "analytics/export",
        "audit?object=none",
        "schema/",
    ],
)
def test_every_list_and_file_has_one(client: Client, path: str) -> None:
    tag = client.get(f"/api/v1/{path}").headers["ETag"]

    assert client.get(f"/api/v1/{path}", headers={"If-None-Match": f"W/{tag}"}).status_code == 304


def test_not_changed_counts_and_says_how_the_key_stands(client: Client) -> None:
    first = client.get("/api/v1/agents")
    same = client.get("/api/v1/agents", headers={"If-None-Match": first.headers["ETag"]})
    another = client.get("/api/v1/agents", headers={"If-Match": '"another"'})

    told = [one.headers.get("RateLimit", "").split(";")[1:2] for one in (first, same, another)]
    left = [int(one[0].removeprefix("r=")) for one in told]
    assert [one.status_code for one in (first, same, another)] == [200, 304, 412]
    assert left == [left[0], left[0] - 1, left[0] - 2]


def test_refusals_and_pages_have_none(client: Client) -> None:
    assert "ETag" not in client.get("/api/v1/conversations/none").headers
    assert "ETag" not in client.get("/").headers
    assert client.get("/api/v1/health").headers.get("ETag") is None


def test_tags_are_put_only_over_those_that_were_read(client: Client) -> None:
    rows.turn(rows.customer(), "t-1")
    url = "/api/v1/conversations/t-1/tags"
    tag = client.get(url).headers["ETag"]

    def put(tags: list[str], **headers: str) -> Any:
        return client.put(url, {"tags": tags}, content_type=JSON, headers=headers)

    assert put(["vip"], **{"If-Match": tag}).status_code == 200
    late = put(["refund"], **{"If-Match": tag})
    assert (late.status_code, late.json()["error"]["code"]) == (412, "precondition_failed")
    assert client.get(url).json()["data"] == {"thread_id": "t-1", "tags": ["vip"]}
    assert late.json()["error"]["etag"] == client.get(url).headers["ETag"]
    assert put(["refund"], **{"If-Match": f"W/{late.json()['error']['etag']}"}).status_code == 200
    assert put(["a"], **{"If-Match": "*"}).status_code == 200
    assert put(["b"]).status_code == 200


def test_an_operation_is_changed_only_as_it_was_read(client: Client) -> None:
    job = carried_out()
    url = f"/api/v1/openapi/jobs/{job.pk}/classifications/0"
    tag = client.get(url).headers["ETag"]

    def put(selected: bool, **headers: str) -> Any:
        return client.put(url, {"selected": selected}, content_type=JSON, headers=headers)

    first = put(False, **{"If-Match": tag})
    late = put(True, **{"If-Match": tag})

    assert (first.status_code, late.status_code) == (200, 412)
    assert Classification.objects.get(job=job, index=0).selected is False
    assert first.headers.get("ETag") is None
    assert put(True, **{"If-Match": client.get(url).headers["ETag"]}).status_code == 200


@pytest.mark.parametrize("read", ["agents", "agents/export"])
def test_agents_are_replaced_only_as_they_were_read(client: Client, read: str) -> None:
    rows.reading_tool()
    agents_yaml.import_agents(AGENTS)
    tag = client.get(f"/api/v1/{read}").headers["ETag"]

    def send(name: str, **headers: str) -> Any:
        text = AGENTS.replace("helper", name)
        return client.post("/api/v1/agents/import", text, content_type="application/yaml", headers=headers)

    assert send("second", **{"If-Match": tag}).status_code == 200
    assert send("third", **{"If-Match": tag}).status_code == 412
    assert [one.name for one in Agent.objects.all()] == ["second"]


@pytest.mark.django_db(transaction=True)
def test_of_two_who_read_the_same_one_writes(transactional_db: None) -> None:
    rows.turn(rows.customer(), "t-1")
    client = Client(headers={"X-API-Key": rows.key("admin")})
    url = "/api/v1/conversations/t-1/tags"
    tag = client.get(url).headers["ETag"]
    found: list[int] = []

    def put(name: str) -> None:
        try:
            answer = client.put(url, {"tags": [name]}, content_type=JSON, headers={"If-Match": tag})
            found.append(answer.status_code)
        finally:
            connection.close()

    with transaction.atomic():  # both have asked before one of them goes on
        Conversation.objects.select_for_update().get(thread_id="t-1")
        threads = [threading.Thread(target=put, args=(name,)) for name in ("one", "two")]
        for one in threads:
            one.start()
        _until_waiting(2)
    for one in threads:
        one.join(60)

    assert sorted(found) == [200, 412]


WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def _until_waiting(count: int) -> None:
    """Until so many sessions wait for a lock."""
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # within a transaction it is kept
            cursor.execute(WAITING)
            if cursor.fetchone()[0] >= count:
                return
        threading.Event().wait(0.01)
