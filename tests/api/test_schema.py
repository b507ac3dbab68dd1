"""The published OpenAPI document: valid, whole, and true in its examples."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from django.test import Client
from django.urls import get_resolver
from drf_spectacular.validation import validate_schema
from openapi_spec_validator import OpenAPIV31SpecValidator

from smartsupport.lib.api_view import ApiView
from tests import rows
from tests.api.published import METHODS, Operation, document, faults, operations, text

NAMES = sorted(operations())
CONTRACT = """
/api/v1/health /api/v1/conversations /api/v1/conversations/{thread_id} /api/v1/conversations/{thread_id}/events
/api/v1/conversations/{thread_id}/messages /api/v1/conversations/{thread_id}/takeover
/api/v1/conversations/{thread_id}/handback /api/v1/conversations/{thread_id}/stop
/api/v1/conversations/{thread_id}/resolve /api/v1/interrupts /api/v1/interrupts/{interrupt_id}/decision
/api/v1/replay/{thread_id} /api/v1/analytics /api/v1/openapi/import /api/v1/openapi/jobs
/api/v1/openapi/jobs/{job_id} /api/v1/openapi/jobs/{job_id}/classifications
/api/v1/openapi/jobs/{job_id}/classifications/{index} /api/v1/openapi/jobs/{job_id}/approve
/api/v1/openapi/jobs/{job_id}/export /api/v1/agents /api/v1/agents/{name} /api/v1/agents/import
/api/v1/agents/export /api/v1/usage /api/v1/usage/{customer}
""".split()


FIRST_AT_ONCE = """
import threading
import django
django.setup()
from django.test import Client
from smartsupport import urls

KINDS = ["application/json", "application/vnd.oai.openapi"] * 3
start, told = threading.Barrier(len(KINDS)), set()

def ask(kind):
    start.wait()
    answer = Client(SERVER_NAME="localhost").get("/api/v1/schema/", headers={"Accept": kind})
    told.add((answer.status_code, kind, hash(answer.content)))

threads = [threading.Thread(target=ask, args=[kind]) for kind in KINDS]
for one in threads:
    one.start()
for one in threads:
    one.join()
print(sorted((status, kind) for status, kind, content in told))
"""


def test_the_first_who_ask_at_once_get_the_same(server_environment: dict[str, str]) -> None:
    """It is made in each process when somebody asks, by code that cannot be run twice at a time."""
    command = [sys.executable, "-c", FIRST_AT_ONCE]
    process = subprocess.run(command, env=server_environment, capture_output=True, text=True, timeout=180)

    found = process.stdout.strip().splitlines()[-1:]
    wanted = [(200, "application/json"), (200, "application/vnd.oai.openapi")]
    assert found == [str(wanted)], process.stderr[-2_000:]
    assert "Traceback" not in process.stderr


def test_it_is_valid_and_complete() -> None:
    OpenAPIV31SpecValidator(document()).validate()
    validate_schema(document())
    assert yaml.load(text("openapi"), yaml.CSafeLoader) == document()

    assert document()["openapi"].startswith("3.1")
    assert set(CONTRACT) <= set(document()["paths"])
    assert len(NAMES) == sum(len(set(METHODS) & set(methods)) for methods in document()["paths"].values())


def test_every_route_is_a_view_of_ours() -> None:
    """Or its writes would not be repeatable, and its refusals not described."""
    for pattern in get_resolver().url_patterns:
        if str(pattern.pattern) == "api/v1/":
            for inner in pattern.url_patterns:
                assert issubclass(inner.callback.cls, ApiView), f"{inner.pattern}: derive it from ApiView"


@pytest.mark.parametrize("name", NAMES)
def test_an_operation_says_what_it_does_and_who_may(name: str) -> None:
    operation = operations()[name]

    assert operation["summary"]
    [tag] = operation["tags"]
    assert tag in {known["name"] for known in document()["tags"] if known["description"]}
    if name == "health_get":
        return
    if operation["security"] == [{"customerToken": []}]:
        assert "Needs the customer's own token." in operation["description"]
        return
    assert "Needs the scope" in operation["description"]
    asked = {kind: needed for one in operation["security"] for kind, needed in one.items()}
    assert asked["apiKey"][0] in operation["description"]
    assert asked["staffSession"][0] in operation["description"]


@pytest.mark.parametrize("name", NAMES)
def test_its_examples_are_what_they_say(name: str) -> None:
    """`answers` of the view has the answers' data; `examples` of `extend_schema` the requests."""
    operation = operations()[name]
    shown = list(_examples(operation))

    for where, schema, example in shown:
        assert faults(schema, example) == [], where
    answered = {where.split()[0] for where, _, _ in shown}
    for code, response in operation["responses"].items():
        if "application/json" in response.get("content", {}):
            assert code in answered, f"{code} has no example"
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        assert "request" in answered, "no example of a request"


@pytest.mark.parametrize("name", NAMES)
def test_every_refusal_names_its_codes(name: str) -> None:
    operation = operations()[name]
    refused = {code: one for code, one in operation["responses"].items() if code[0] in "45"}

    codes = [one for response in refused.values() for one in response["x-problem-codes"]]
    assert sorted(set(codes)) == operation.get("x-problem-codes", [])
    for response in refused.values():
        examples = response["content"]["application/json"]["examples"]
        assert {one["value"]["error"]["code"] for one in examples.values()} == set(
            response["x-problem-codes"]
        )
        assert all(one["value"]["error"]["message"] for one in examples.values()), response["x-problem-codes"]
    if name != "health_get":
        assert {"401", "403", "429", "500"} <= set(refused)


def _examples(operation: Operation) -> Iterator[tuple[str, dict[str, Any], Any]]:
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        for name, example in content.get("examples", {}).items():
            yield f"request {kind} {name}", content["schema"], example["value"]
    for code, response in operation["responses"].items():
        for kind, content in response.get("content", {}).items():
            for name, example in content.get("examples", {}).items():
                yield f"{code} {kind} {name}", content["schema"], example["value"]


@pytest.mark.parametrize("name", NAMES)
def test_writes_take_a_key_and_reads_a_tag(name: str) -> None:
    operation = operations()[name]
    named = {
        parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "header"
    }

    streams = any("text/event-stream" in one.get("content", {}) for one in operation["responses"].values())
    assert ("Idempotency-Key" in named) == (operation["method"] != "get")
    assert ("If-None-Match" in named) == (
        operation["method"] == "get" and name != "health_get" and not streams
    )
    assert ("304" in operation["responses"]) == ("If-None-Match" in named)


def test_answers_are_described_in_their_envelope() -> None:
    listed = operations()["conversations_list"]["responses"]["200"]["content"]["application/json"]["schema"]

    assert listed["required"] == ["success", "data", "error"]
    assert listed["properties"]["data"]["$ref"].endswith("/ConversationPage")


def test_what_needs_a_field_needs_a_body() -> None:
    for name in ("conversations_send_message", "conversations_write_as_staff", "interrupts_decide"):
        assert operations()[name]["requestBody"]["required"] is True


def test_only_a_boolean_is_described_as_a_decision() -> None:
    request = document()["components"]["schemas"]["DecisionRequest"]

    assert request["properties"]["approved"]["type"] == "boolean"
    assert request["required"] == ["approved"]


@pytest.mark.django_db
def test_it_is_served_to_everybody_as_json_and_yaml(client: Client) -> None:
    as_json = client.get("/api/v1/schema/", headers={"Accept": "application/json"})

    assert set(as_json.json()["paths"]) == set(document()["paths"])
    assert client.get("/api/v1/schema/?format=yaml").content.startswith(b"openapi: 3.1")


@pytest.mark.django_db
def test_lists_answer_what_is_described(client: Client) -> None:
    """Empty rows are right by chance: here are some."""
    rows.waiting_for_staff()
    rows.agent("order_lookup", rows.reading_tool())
    client.defaults["HTTP_X_API_KEY"] = rows.key("admin")

    for name in (
        "conversations_list",
        "interrupts_list",
        "agents_list",
        "openapi_sources_list",
        "audit",
        "health_get",
    ):
        operation = operations()[name]
        answer = client.get(operation["path"])
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert faults(schema, answer.json()) == [], name
