"""Webhook endpoints over the API: whoever may keeps them; secrets and addresses are shown to nobody else."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone
from standardwebhooks import Webhook

from chat.models import WebhookDelivery, WebhookEndpoint
from smartsupport.models import AuditEntry
from tests import rows
from tests.chat.hooks import Answer, Receiver, receiving

pytestmark = pytest.mark.django_db
URL = "/api/v1/webhooks"
SENT = "/api/v1/webhook-deliveries"


@pytest.fixture
def other(settings: LazySettings) -> Iterator[Receiver]:
    settings.WEBHOOK_URL = "https://hooks.example.org/a-path-that-is-secret"
    settings.WEBHOOK_TIMEOUT_SECONDS = 5
    with receiving() as receiver:
        settings.WEBHOOK_ALLOWED_HOSTS = [receiver.host]
        yield receiver


class Caller:
    """An integrator: `caller("GET", path, body)` is (status, data or error)."""

    def __init__(self, *scopes: str) -> None:
        self.key = rows.key(*scopes)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        answer = Client().generic(
            method,
            path,
            "" if body is None else json.dumps(body),
            content_type="application/json",
            headers={"X-API-Key": self.key, **headers},
        )
        said = answer.json()
        assert said["success"] is (answer.status_code < 400)
        return answer.status_code, said["data"] if said["success"] else said["error"]


def count() -> tuple[int, int]:
    return WebhookEndpoint.objects.count(), WebhookDelivery.objects.count()


def test_an_endpoint_from_its_first_to_its_last_day(other: Receiver) -> None:
    api = Caller("webhooks:write", "webhooks:read")
    wanted = {"url": other.url, "events": ["import.done", "conversation.started"], "description": "Tickets"}

    status, made = api("POST", URL, wanted)
    assert status == 201
    secret, address = made.pop("secret"), f"{URL}/{made['id']}"
    assert (made["url"], made["host"], made["state"]) == (other.url, other.host, "live")
    assert made["events"] == ["conversation.started", "import.done"]
    assert made["created_by"] == "API key billing"
    assert api("GET", address) == (200, made)
    listed = {"host": "hooks.example.org", "events": ["conversation.escalated", "budget.alert"]}
    assert api("GET", URL) == (200, {"webhooks": [made], "environment": listed})

    other.will(Answer(202, b"taken"))
    status, trial = api("POST", f"{address}/test")
    assert (status, trial["delivered"], trial["status"], trial["body_head"]) == (200, True, 202, "taken")
    assert Webhook(secret).verify(other.posts[0].body, other.posts[0].headers)["type"] == "test.ping"

    status, rotated = api("POST", f"{address}/rotate", {"overlap_hours": 1})
    api("POST", f"{address}/test")
    for one in (secret, rotated["secret"]):
        assert Webhook(one).verify(other.posts[1].body, other.posts[1].headers)

    assert api("POST", f"{address}/pause", {"reason": "We move."})[1]["pause_reason"] == "We move."
    assert api("POST", f"{address}/pause")[1]["code"] == "already_paused"
    rows.turn(rows.customer())
    assert api("POST", f"{address}/resume", {"skip": True}) == (200, {"waited": 1})
    assert api("POST", f"{address}/resume")[1]["code"] == "not_paused"

    status, changed = api("PATCH", address, {"description": "Tickets, new"})
    assert (status, changed["description"], changed["events"]) == (200, "Tickets, new", made["events"])
    assert api("DELETE", address)[0] == 200
    for method in ("GET", "DELETE"):
        assert api(method, address)[1]["code"] == "not_found"
    assert api("GET", f"{SENT}?endpoint={made['id']}")[1]["code"] == "not_found"

    audited = json.dumps([[row.before, row.after, row.detail] for row in AuditEntry.objects.all()])
    for never in (secret, rotated["secret"], "/hooks?who"):
        assert never not in audited
    assert "Tickets, new" in audited


def test_what_is_wrong_is_refused_with_its_field_and_nothing_is_written(other: Receiver) -> None:
    api = Caller("webhooks:write")
    fine = {"url": other.url, "events": ["import.done"]}
    before = count()

    for change, field in (
        ({"url": 5}, "url"),
        ({"url": "x" * 2001}, "url"),
        ({"events": []}, "events"),
        ({"events": ["*"]}, "events"),
        ({"events": "import.done"}, "events"),
        ({"description": "x" * 201}, "description"),
        ({"secret": "whsec_mine"}, "secret"),
    ):
        status, error = api("POST", URL, {**fine, **change})
        assert (status, field in error["fields"]) == (400, True), change
    for url in ("http://127.0.0.1/x", "ftp://example.com", "https://hooks.invalid/"):
        status, error = api("POST", URL, {**fine, "url": url})
        assert (status, error["code"]) == (400, "invalid_url")

    assert count() == before


def test_a_key_that_only_reads_changes_nothing_and_does_not_see_addresses(other: Receiver) -> None:
    row = rows.webhook_endpoint()
    api = Caller("webhooks:read")
    before = WebhookEndpoint.objects.values().get()

    status, found = api("GET", f"{URL}/{row.pk}")
    assert (status, found["url"], found["host"]) == (200, None, "hooks.example.com")
    assert "a-path-that-is-secret" not in json.dumps(api("GET", URL)[1])
    for method, path in (
        ("POST", URL),
        ("PATCH", f"{URL}/{row.pk}"),
        ("DELETE", f"{URL}/{row.pk}"),
        *(("POST", f"{URL}/{row.pk}/{deed}") for deed in ("test", "rotate", "pause", "resume", "redeliver")),
    ):
        status, error = api(method, path, {})
        assert status == 403, (method, path, error)

    assert WebhookEndpoint.objects.values().get() == before
    assert WebhookDelivery.objects.count() == 0


def test_a_change_of_what_somebody_else_has_changed_is_refused(other: Receiver) -> None:
    row = rows.webhook_endpoint("import.done")
    api = Caller("webhooks:write", "webhooks:read")
    answer = Client().get(f"{URL}/{row.pk}", headers={"X-API-Key": api.key})
    tag = answer.headers["ETag"]
    assert api("PATCH", f"{URL}/{row.pk}", {"description": "one"}, **{"If-Match": tag})[0] == 200

    status, error = api("PATCH", f"{URL}/{row.pk}", {"description": "two"}, **{"If-Match": tag})

    assert (status, error["code"]) == (412, "precondition_failed")
    assert WebhookEndpoint.objects.get().description == "one"


def test_a_repeat_under_its_idempotency_key_adds_one_endpoint_and_tells_its_secret_again(
    other: Receiver,
) -> None:
    api = Caller("webhooks:write")
    wanted = {"url": other.url, "events": ["import.done"]}

    first = api("POST", URL, wanted, **{"Idempotency-Key": "add-1"})
    again = api("POST", URL, wanted, **{"Idempotency-Key": "add-1"})

    assert first == again
    assert WebhookEndpoint.objects.count() == 1


def test_deliveries_are_listed_filtered_shown_and_sent_again(other: Receiver) -> None:
    api = Caller("webhooks:write", "webhooks:read")
    row = rows.webhook_endpoint("conversation.started")
    builtin = rows.webhook_given_up()
    mine = WebhookDelivery.objects.get(endpoint=row)

    def found(query: str) -> list[str]:
        return [one["id"] for one in api("GET", f"{SENT}?{query}")[1]["deliveries"]]

    waits = str(WebhookDelivery.objects.get(endpoint=None, status="pending").pk)
    assert set(found("")) == {str(mine.pk), str(builtin.pk), waits}
    assert found(f"endpoint={row.pk}") == found("state=waiting&event=conversation.started") == [str(mine.pk)]
    assert found("endpoint=environment&state=failed") == [str(builtin.pk)]
    assert len(found("cursor=&per_page=2")) == 2
    status, one = api("GET", f"{SENT}/{builtin.pk}")
    assert (status, one["event"], one["state"], one["endpoint"]) == (
        200, "conversation.escalated", "failed", None,
    )  # fmt: skip
    assert [(made["number"], made["status"]) for made in one["made"]] == [(1, 400)]
    assert one["body"]["reason"] == "x"

    status, again = api("POST", f"{SENT}/{builtin.pk}/redeliver")
    assert (status, again["state"]) == (202, "waiting")
    assert api("POST", f"{SENT}/{builtin.pk}/redeliver")[1]["code"] == "still_pending"
    for unknown in (str(uuid4()), "x", "0" * 36):
        assert api("GET", f"{SENT}/{unknown}")[1]["code"] == "not_found"
        assert api("POST", f"{SENT}/{unknown}/redeliver")[1]["code"] == "not_found"
        assert api("POST", f"{URL}/{unknown}/test")[1]["code"] == "not_found"

    WebhookDelivery.objects.filter(pk=mine.pk).update(status="failed")
    since = (timezone.now() + timedelta(hours=1)).isoformat()
    again_at = f"{URL}/{row.pk}/redeliver"
    assert api("POST", again_at, {"since": since}) == (202, {"count": 0, "more": False})
    assert api("POST", again_at) == (202, {"count": 1, "more": False})
    assert found("state=failed") == []


def test_staff_need_the_permissions(client: Client, other: Receiver) -> None:
    row = rows.webhook_endpoint()
    client.force_login(rows.staff("nina", "chat.view_webhookendpoint"))

    assert client.get(f"{URL}/{row.pk}").json()["data"]["url"] is None
    for path in (f"{URL}/{row.pk}/test", f"{URL}/{row.pk}/pause"):
        assert client.post(path, {}, content_type="application/json").status_code == 403
    assert client.get(SENT).status_code == 403
    assert other.posts == []
    assert WebhookEndpoint.objects.get().paused_at is None
