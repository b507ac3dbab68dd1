"""Where webhooks may go: hosts of the company's own network only where WEBHOOK_ALLOWED_HOSTS names them, when an
address is entered and again at each connection."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from chat import webhook_posting
from chat.models import WebhookDelivery, WebhookEndpoint
from chat.webhook_addresses import InvalidUrl, checked_url
from chat.webhook_posting import Attempt, Finished
from smartsupport.lib.safe_http import SafeClient
from tests import rows
from tests.chat.hooks import receiving
from tests.lib.outbound_cases import of_urls
from tests.lib.wire import Internet, Names, Wire, always, response

PUBLIC, PRIVATE = ["93.184.216.34"], ["10.0.0.5"]
REFUSED = [case for case in of_urls() if case["expect"] == "refused"]


async def sent(url: str, through: SafeClient) -> Finished:
    attempt = Attempt(uuid4(), 1, b"{}", url, (), timezone.now())
    return await webhook_posting.make(attempt, through)


def test_no_spelling_of_an_inner_address_can_be_entered() -> None:
    cases = [case for case in REFUSED if not {"redirect", "answers_in_turn"} & case.keys()]
    cases = [case for case in cases if case["url"] == case["url"].strip()]  # people paste spaces

    assert [case["why"] for case in cases if can_be_entered(case)] == []
    assert len(cases) > 80


def can_be_entered(case: dict[str, Any]) -> bool:
    try:
        return bool(checked_url(case["url"], Names(case.get("answers", {}))))
    except InvalidUrl:
        return False


def test_a_public_address_can_be_entered_in_its_one_spelling() -> None:
    names = Names({"hooks.example.com": PUBLIC})

    assert checked_url(" HTTPS://Hooks.Example.com:443/a b".replace(" b", "%20b"), names) == (
        "https://hooks.example.com/a%20b"
    )


async def test_what_is_refused_when_it_is_sent_dials_nothing_and_is_given_up() -> None:
    """As if it had been entered by a version that knew less."""
    async with Wire() as server:
        for case in REFUSED:
            if {"redirect", "answers_in_turn"} & case.keys():
                continue
            internet = Internet(server)
            names = Names(case.get("answers", {}))
            async with SafeClient(resolver=names, dialer=internet) as through:
                finished = await sent(case["url"], through)

            assert (finished.outcome.delivered, internet.dialled) == (False, []), case["why"]
            assert "10.0.0.5" not in finished.outcome.error
        assert server.connections == 0


async def test_a_redirect_inwards_is_not_followed() -> None:
    for case in REFUSED:
        if "redirect" in case:
            async with Wire(always(response("302 Found", b"", location=case["redirect"]))) as server:
                internet = Internet(server)
                async with SafeClient(resolver=Names(case["answers"]), dialer=internet) as through:
                    finished = await sent(case["url"], through)

                assert (finished.outcome.status, finished.outcome.again) == (302, False)
                assert (len(server.received), len(internet.dialled)) == (1, 1)


async def test_connections_are_kept_and_each_new_one_is_checked() -> None:
    """The name moves inwards after the first connection: what goes over that one is where it was checked to be."""
    names = Names({}, {"moves.example": [PUBLIC, PRIVATE]})
    async with Wire() as server:
        internet = Internet(server)
        async with SafeClient(resolver=names, dialer=internet) as through:
            kept = [await sent("http://moves.example/hooks", through) for _ in range(3)]
            await server.hang_up()
            moved = await sent("http://moves.example/hooks", through)

    assert [one.outcome.status for one in kept] == [200] * 3
    assert (server.connections, names.asked) == (1, ["moves.example"] * 2)
    assert (moved.outcome.delivered, moved.outcome.again, moved.outcome.status) == (False, False, None)
    assert "WEBHOOK_ALLOWED_HOSTS" in moved.outcome.error
    assert internet.dialled == [("93.184.216.34", 80)]


async def test_what_is_lost_with_a_kept_connection_is_sent_once_more_under_its_id() -> None:
    async with Wire() as server:
        internet = Internet(server)
        async with SafeClient(resolver=Names({"hooks.example": PUBLIC}), dialer=internet) as through:
            await sent("http://hooks.example/", through)

            async def hang_up(_: Any, writer: Any) -> None:
                server.answer = always(response())
                writer.close()

            server.answer = hang_up
            again = await sent("http://hooks.example/", through)

    assert again.outcome.status == 200
    ids = [one.headers["webhook-id"] for one in server.received]
    assert (len(ids), ids[1]) == (3, ids[2])


@pytest.mark.django_db
def test_what_tools_may_reach_is_not_reached_by_a_key_that_may_add_endpoints(settings: LazySettings) -> None:
    """A test would tell what answers there, and a delivery write to it."""
    client = Client(headers={"X-API-Key": rows.key("webhooks:write", "webhooks:read")})
    with receiving() as inner:
        settings.SAFE_HTTP_ALLOWED_HOSTS, settings.WEBHOOK_ALLOWED_HOSTS = [inner.host], []
        wanted = {"url": inner.url, "events": ["import.done"]}

        def post(path: str, body: Any = None) -> Any:
            answer = client.post(f"/api/v1/webhooks{path}", json.dumps(body), content_type="application/json")
            return answer.json()["error"] or answer.json()["data"]

        refused = post("", wanted)
        assert refused["code"] == "invalid_url"
        assert not WebhookEndpoint.objects.exists()

        row = rows.webhook_endpoint("import.done", url=inner.url)
        tried = post(f"/{row.pk}/test")
        assert (tried["delivered"], tried["status"]) == (False, None)
        assert "WEBHOOK_ALLOWED_HOSTS" in tried["error"]
        assert inner.posts == []

        settings.WEBHOOK_ALLOWED_HOSTS = [inner.host]
        assert post(f"/{row.pk}/test")["delivered"] is True
        assert post("", wanted)["host"] == inner.host
        assert len(inner.posts) == 1
    assert WebhookDelivery.objects.filter(status="delivered").count() == 1
