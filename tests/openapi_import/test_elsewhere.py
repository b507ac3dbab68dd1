"""Credentials that are stored for an API go to the servers that somebody has looked at, whatever a document says."""

from typing import Any

import pytest

from agents.models import Tool
from agents.registry import current
from openapi_import import publications, review, tool_state
from openapi_import.models import ImportJob, SpecSource
from openapi_import.publish import publish
from openapi_import.roll_back import roll_back
from tests.agents.calling import KEY_IN_HEADER, stored
from tests.openapi_import.review_rows import KIM, LOOK, SAM, changed, operation, ready, row_of

pytestmark = pytest.mark.django_db

SIGNED = {"security": [{"main": KEY_IN_HEADER}]}
SAFE = changed(LOOK, tool=SIGNED)


def asking_for(server: str, **tool: Any) -> dict[str, Any]:
    return operation("list_orders", tool={**SIGNED, "server_url": server, **tool})


def offered() -> list[str]:
    return sorted(tool.name for agent in current().agents for tool in agent.tools)


def imported(*operations: dict[str, Any], looked: bool = False) -> ImportJob:
    job = ready(*operations)
    if looked:
        review.look(job.pk, None, KIM)
    publish(job.pk, SAM)
    return job


@pytest.mark.parametrize("looked", [False, True])
@pytest.mark.parametrize(
    "server", ["https://evil.example", "http://shop.example", "https://shop.example:8443"]
)
def test_a_new_operation_gets_stored_credentials_to_another_server_only_after_a_look(
    server: str, looked: bool
) -> None:
    imported(SAFE)
    stored("api_key")

    job = ready(SAFE, asking_for(server))
    row = row_of(job, "list_orders")
    assert (row.uncertain, row.change) == (True, "added")
    told = {"field": "server_url", "was": "https://shop.example", "now": server, "meaning": True}
    assert row.difference == [told]
    if looked:
        review.look(job.pk, [row.index], KIM)
    publish(job.pk, SAM)

    tool = Tool.objects.get(name="list_orders")
    assert (tool.enabled, tool.paused_because) == (looked, "" if looked else tool_state.ELSEWHERE)
    assert offered() == (["list_orders", "look_order"] if looked else ["look_order"])
    # Another import is no look either, also where it brings one more for that server; one is.
    more = changed(asking_for(server), operation_id="count_orders", name="count_orders")
    again = ready(SAFE, asking_for(server), more)
    assert [row_of(again, name).uncertain for name in ("list_orders", "count_orders")] == [not looked] * 2
    publish(again.pk, SAM)
    assert Tool.objects.filter(enabled=True).count() == (3 if looked else 1)
    imported(SAFE, asking_for(server), more, looked=True)
    assert offered() == ["count_orders", "list_orders", "look_order"]


@pytest.mark.parametrize(
    ("have", "new"),
    [
        (False, asking_for("https://other.example")),
        (True, asking_for("https://other.example", security=[])),
        (True, asking_for("https://other.example", security=[{}])),
        (True, asking_for("https://SHOP.example:443/v2")),
    ],
)
def test_where_no_credentials_would_go_elsewhere_nothing_waits(have: bool, new: dict[str, Any]) -> None:
    imported(SAFE)
    if have:
        stored("api_key")

    job = ready(SAFE, new)
    assert not row_of(job, "list_orders").uncertain
    publish(job.pk, SAM)

    assert offered() == ["list_orders", "look_order"]


def test_credentials_that_are_stored_while_an_import_is_reviewed_count() -> None:
    imported(SAFE)
    job = ready(SAFE, asking_for("https://evil.example"))
    stored("api_key")

    publish(job.pk, SAM)

    assert Tool.objects.get(name="list_orders").paused_because == tool_state.ELSEWHERE


def test_a_document_that_takes_the_name_of_an_api_that_was_rolled_back_does_not_get_its_credentials() -> None:
    first = imported(SAFE)
    stored("api_key")
    roll_back(first.publications.get().pk, SAM)

    imported(asking_for("https://evil.example"))

    assert offered() == []


@pytest.mark.parametrize("looked", [False, True])
def test_resuming_is_no_look_at_what_a_paused_tool_has_become(looked: bool) -> None:
    imported(SAFE)
    stored("api_key")
    source = SpecSource.objects.get()
    publications.pause(source.pk, KIM, reason="The shop is down")
    moved = changed(SAFE, tool={"server_url": "https://evil.example"})
    imported(moved, looked=looked)
    tool = Tool.objects.get()
    assert tool.paused_because.startswith("Paused by kim: The shop is down")
    assert (tool.enabled, tool_state.waits_for_a_look(tool)) == (False, not looked)

    publications.resume(source.pk, SAM)

    tool.refresh_from_db()
    assert (tool.enabled, tool.paused_because) == (looked, "" if looked else tool_state.CHANGED)
    imported(moved, looked=True)
    assert offered() == ["look_order"]


def test_a_tool_that_was_looked_at_while_it_was_paused_stays_paused() -> None:
    imported(SAFE)
    source = SpecSource.objects.get()
    publications.pause(source.pk, KIM, reason="The shop is down")
    moved = changed(SAFE, tool={"server_url": "https://moved.example"})
    imported(moved)
    imported(moved)
    assert tool_state.waits_for_a_look(Tool.objects.get())

    imported(moved, looked=True)

    tool = Tool.objects.get()
    assert (tool.enabled, tool.paused_because) == (False, "Paused by kim: The shop is down")
    publications.resume(source.pk, SAM)
    assert offered() == ["look_order"]
