"""REST: agents in and out."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from agents.models import Agent
from tests import rows

pytestmark = pytest.mark.django_db

URL = "/api/v1/agents"
YAML = """\
agents:
  - name: order_lookup
    description: Looks up orders.
    permission: read
    personality: {tone: friendly, greeting: Hello!, escalation_message: One moment.}
    tools: [get_order_status]
    keywords: [order]
"""
FAULTY = YAML.replace("[get_order_status]", "[get_order_status, no_such_tool]").replace("read", "sometimes")


@pytest.fixture
def api(client: Client) -> Client:
    client.defaults["HTTP_X_API_KEY"] = rows.key("agents:read", "agents:write")
    rows.agent("order_lookup", rows.reading_tool())
    return client


def names() -> list[str]:
    return list(Agent.objects.values_list("name", flat=True))


def test_agents_are_listed_with_their_tools(api: Client, django_assert_num_queries: object) -> None:
    rows.agent("order_actions", rows.tool("cancel_order"), rows.tool("ship_order"), permission="write")
    api.get(URL)

    with django_assert_num_queries(4):  # the key, the agents, their links, the tools
        agents = api.get(URL).json()["data"]["agents"]

    by_name = {agent["name"]: agent for agent in agents}
    assert [tool["name"] for tool in by_name["order_actions"]["tools"]] == ["cancel_order", "ship_order"]
    assert by_name["order_actions"]["permission"] == "write"
    assert by_name["order_lookup"]["tools"][0]["access"] == "read"


def test_one_agent(api: Client) -> None:
    assert api.get(f"{URL}/order_lookup").json()["data"]["name"] == "order_lookup"
    assert api.get(f"{URL}/nobody").status_code == 404
    assert api.get(f"{URL}/a%00b").status_code == 404


@pytest.mark.parametrize("missing", ["add", "change", "delete"])
def test_whoever_may_not_make_change_and_remove_agents_does_not_replace_them(
    client: Client, missing: str
) -> None:
    rows.agent("mine", rows.reading_tool())
    allowed = [f"agents.{verb}_agent" for verb in ("add", "change", "delete") if verb != missing]
    client.force_login(rows.staff("sam", *allowed))

    answer = client.post(f"{URL}/import", YAML, content_type="application/yaml")

    assert answer.status_code == 403
    assert f"agents.{missing}_agent" in answer.json()["error"]["message"]
    assert names() == ["mine"]


@pytest.mark.parametrize(
    "kind", ["application/yaml", "text/yaml", "text/plain; charset=utf-8", "application/x-yaml"]
)
def test_yaml_is_taken_as_a_body(api: Client, kind: str) -> None:
    answer = api.post(f"{URL}/import", YAML, content_type=kind)

    assert answer.status_code == 200, answer.content
    agent = answer.json()["data"]["agents"][0]
    assert agent["personality"] == {
        "tone": "friendly", "greeting": "Hello!", "escalation_message": "One moment.",
    }  # fmt: skip
    assert agent["keywords"] == ["order"]


def test_yaml_is_taken_as_json_and_as_a_file(api: Client) -> None:
    as_json = api.post(f"{URL}/import", {"yaml": YAML}, content_type="application/json")
    as_file = api.post(f"{URL}/import", {"file": SimpleUploadedFile("agents.yaml", YAML.encode())})

    assert (as_json.status_code, as_file.status_code) == (200, 200)
    assert Agent.objects.get().greeting == "Hello!"


def test_a_faulty_document_is_refused_whole_with_every_fault(api: Client) -> None:
    answer = api.post(f"{URL}/import", FAULTY, content_type="application/yaml")

    error = answer.json()["error"]
    assert answer.status_code == 422
    assert {fault["line"] for fault in error["faults"]} >= {4, 6}
    assert Agent.objects.get().greeting == ""


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "application/yaml", 400),
        (b"\xff\xfe", "application/yaml", 400),
        (b"#" * 1_000_001, "application/yaml", 400),
        (b"{}", "application/json", 400),
        (b'{"yaml": 5}', "application/json", 400),
        (b"agents: []", "application/x-www-form-urlencoded", 415),
        (b"agents: []", "image/png", 415),
    ],
)
def test_what_is_no_yaml_changes_nothing(api: Client, body: Any, kind: str, status: int) -> None:
    answer = api.generic("POST", f"{URL}/import", body, content_type=kind)

    assert (answer.status_code, names()) == (status, ["order_lookup"])


def test_a_form_without_a_file_changes_nothing(api: Client) -> None:
    assert api.post(f"{URL}/import", {"other": "x"}).status_code == 400
    assert names() == ["order_lookup"]


@pytest.mark.parametrize("accept", ["*/*", "application/yaml", "application/json", "text/html"])
def test_an_export_can_be_imported_again(api: Client, accept: str) -> None:
    api.post(f"{URL}/import", YAML, content_type="application/yaml")

    exported = api.get(f"{URL}/export", headers={"Accept": accept})
    Agent.objects.all().delete()
    again = api.post(f"{URL}/import", exported.content, content_type="application/yaml")

    assert exported["Content-Type"] == "application/yaml; charset=utf-8"
    assert "agents.yaml" in exported["Content-Disposition"]
    assert again.status_code == 200
    assert Agent.objects.get().greeting == "Hello!"


def test_a_refused_export_is_an_envelope_whatever_was_asked_for(client: Client) -> None:
    answer = client.get(f"{URL}/export", headers={"Accept": "application/yaml"})

    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "Missing X-API-Key header")
