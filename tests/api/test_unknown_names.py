"""A name in a query string or a body that a route does not know is refused: what a typing error asks for is not what
would be answered."""

from typing import Any

import pytest
from django.test import Client

from chat.models import ApiKey, Event, Turn
from openapi_import.models import ImportJob
from tests import rows
from tests.api.published import document, operations

pytestmark = pytest.mark.django_db
API = "/api/v1"
JSON = "application/json"


@pytest.fixture
def client(db: None) -> Client:
    return Client(headers={"X-API-Key": rows.key("admin")})


def fields(answer: Any) -> dict[str, list[str]]:
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "invalid"), error
    found: dict[str, list[str]] = error["fields"]
    return found


def test_a_misspelt_filter_is_refused_and_the_known_ones_are_named(client: Client) -> None:
    rows.waiting_for_staff()

    [(name, [told])] = fields(client.get(f"{API}/interrupts?statu=open&per_page=5")).items()

    assert name == "statu"
    assert told.startswith(
        "This query parameter is not known here. Known are: approver, conversation, cursor,"
    )
    assert client.head(f"{API}/interrupts?statu=open").status_code == 400
    assert client.options(f"{API}/interrupts?statu=open").status_code == 200
    for known in ("status=awaiting", "cursor=&per_page=5", "format=json", ""):
        assert client.get(f"{API}/interrupts?{known}").status_code == 200


def test_a_route_without_a_query_says_so_and_a_stranger_is_told_nothing(client: Client) -> None:
    thread = f"{API}/conversations/{rows.turn(rows.customer(), 't-1').conversation.thread_id}"

    assert fields(client.get(f"{thread}?x=1")) == {
        "x": ["This query parameter is not known here. None are known here."]
    }
    written = client.post(f"{thread}/notes?x=1", {"content": "Called."}, content_type=JSON)
    assert list(fields(written)) == ["x"]
    assert not Event.objects.filter(kind="note_written").exists()
    for credential, status in (({}, 401), ({"X-API-Key": rows.key("tools:call", name="narrow")}, 403)):
        assert Client(headers=credential).get(f"{thread}?x=1").status_code == status


@pytest.mark.parametrize(
    ("path", "body", "misspelt"),
    [
        ("conversations/t-1/messages", {"contnet": "Hi", "client_message_id": "1"}, "contnet"),
        ("conversations/t-1/messages", {"content": "Hi", "multitask": "reject"}, "multitask"),
        ("conversations/t-1/notes", {"content": "Hi", "by": "Ada"}, "by"),
        ("conversations/t-1/feedback", {"solved": True, "coment": "Great"}, "coment"),
        ("keys", {"name": "one shop's", "scopes": ["chat"], "custmer": "cus_1"}, "custmer"),
        ("openapi/import", {"text": "openapi: 3.1.0", "stict": True}, "stict"),
        ("webhooks", {"url": "https://example.com", "events": ["handoff"], "name": "x"}, "name"),
        ("budgets/resets", {"deployment": True, "period": "day", "reason": "x", "dry_run": True}, "dry_run"),
    ],
)
def test_a_misspelt_field_writes_nothing(
    client: Client, path: str, body: dict[str, Any], misspelt: str
) -> None:
    rows.turn(rows.customer(), "t-1")
    before = [model.objects.count() for model in (Event, Turn, ApiKey, ImportJob)]

    answer = client.post(f"{API}/{path}", body, content_type=JSON)

    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["fields"][misspelt][0].startswith(
        "This field is not known here. Known are: "
    )
    assert [model.objects.count() for model in (Event, Turn, ApiKey, ImportJob)] == before


def test_what_is_wrong_beside_it_is_told_as_well(client: Client) -> None:
    answer = client.post(f"{API}/keys", {"nam": "x", "scopes": ["chat"]}, content_type=JSON)

    assert set(fields(answer)) == {"nam", "name"}


def test_every_body_is_published_as_one_without_other_fields() -> None:
    bodies = [
        content["schema"]
        for operation in operations().values()
        for kind, content in operation.get("requestBody", {}).get("content", {}).items()
        if kind == JSON
    ]

    shapes = [document()["components"]["schemas"][body["$ref"].rpartition("/")[2]] for body in bodies]
    assert len(shapes) > 20
    assert [shape for shape in shapes if shape.get("additionalProperties") is not False] == []
