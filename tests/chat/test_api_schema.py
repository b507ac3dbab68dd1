"""The published OpenAPI document."""

import io
import warnings

import pytest
from django.core.management import call_command
from openapi_spec_validator import OpenAPIV31SpecValidator
from ruamel.yaml import YAML

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> dict:
    out = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call_command("spectacular", validate=True, fail_on_warn=True, stdout=out)
    return YAML(typ="safe", pure=True).load(out.getvalue())


def test_it_is_valid_and_complete(document: dict) -> None:
    OpenAPIV31SpecValidator(document).validate()

    assert document["openapi"].startswith("3.1")
    assert {
        "/api/v1/conversations",
        "/api/v1/conversations/{thread_id}",
        "/api/v1/conversations/{thread_id}/events",
        "/api/v1/conversations/{thread_id}/messages",
        "/api/v1/conversations/{thread_id}/stop",
        "/api/v1/conversations/{thread_id}/retry",
        "/api/v1/conversations/{thread_id}/takeover",
        "/api/v1/conversations/{thread_id}/handback",
        "/api/v1/conversations/{thread_id}/staff-messages",
        "/api/v1/conversations/{thread_id}/resolve",
        "/api/v1/conversations/{thread_id}/feedback",
        "/api/v1/interrupts",
        "/api/v1/interrupts/{interrupt_id}/decision",
        "/api/v1/replay/{thread_id}",
        "/api/v1/agents",
        "/api/v1/agents/import",
        "/api/v1/agents/export",
    } <= set(document["paths"])


def operations(document: dict) -> dict[str, dict]:
    return {
        operation["operationId"]: operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def test_every_operation_has_a_name_a_summary_and_an_error(document: dict) -> None:
    named = operations(document)

    assert len(named) == sum(len(METHODS & set(methods)) for methods in document["paths"].values())
    for name, operation in named.items():
        assert "default" in operation["responses"], name
        if name.split("_")[0] in ("conversations", "interrupts", "agents", "replay"):
            assert operation.get("summary"), name
            assert operation["security"] == [{"apiKey": []}, {"staffSession": []}], name


def test_answers_are_described_in_their_envelope(document: dict) -> None:
    listed = operations(document)["conversations_list"]["responses"]["200"]["content"]["application/json"][
        "schema"
    ]

    assert listed["required"] == ["success", "data", "error"]
    assert listed["properties"]["data"]["$ref"].endswith("/ConversationPage")


def test_only_a_boolean_is_described_as_a_decision(document: dict) -> None:
    request = document["components"]["schemas"]["DecisionRequest"]

    assert request["properties"]["approved"]["type"] == "boolean"
    assert request["required"] == ["approved"]
