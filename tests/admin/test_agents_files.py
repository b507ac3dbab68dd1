"""Agents from a template or a YAML file: shown first, and nothing happens before a yes."""

import html
import re
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from agents.models import Agent, AgentTool, Revision
from tests import rows
from tests.agents.tool_rows import every_template_tool

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(rows.staff("root", superuser=True))
    return client


def look(client: Client, **fields: Any) -> Any:
    return client.post(reverse("admin:agents_agent_file"), fields)


def agree(client: Client, shown: Any) -> Any:
    """Say yes to what the page shows, as a browser does: without a first line's end in the text, and with CRLF."""
    written = re.search(r"<textarea [^>]*>(.*?)</textarea>", shown.content.decode(), re.DOTALL)
    assert written is not None
    text = html.unescape(written[1]).removeprefix("\n")
    lines = re.sub(r"\r\n|\r|\n", "\r\n", text)
    return look(client, yaml=lines, seen=shown.context["plan"].seen)


def told(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def test_a_template_is_shown_and_then_replaces_the_agents(root: Client) -> None:
    every_template_tool()
    rows.agent("something_else")

    shown = look(root, template="ecommerce")

    assert shown.context["counts"] == "4 added, 1 removed"
    assert Agent.objects.get().name == "something_else"

    answer = agree(root, shown)
    assert "There are 4 agents now." in told(answer)
    assert set(Agent.objects.values_list("name", flat=True)) == {
        "order_lookup",
        "order_actions",
        "discount",
        "fallback",
    }
    made = Revision.objects.get(kind="made", name="fallback")
    assert made.by_name == "root"


def test_a_template_whose_tools_are_missing_is_refused_line_by_line(root: Client) -> None:
    rows.agent("something_else")

    shown = look(root, template="ecommerce")

    assert shown.status_code == 422
    assert "Unknown tool" in shown.content.decode()
    assert Agent.objects.get().name == "something_else"


def test_a_fault_is_shown_with_its_line_and_a_file_goes_back_and_forth(root: Client) -> None:
    rows.agent("order_lookup", rows.reading_tool())
    exported = root.get(reverse("admin:agents_agent_download")).content.decode()

    refused = look(root, yaml=exported.replace("get_order_status", "nothing"))
    page = refused.content.decode()
    number = next(place for place, line in enumerate(exported.splitlines(), 1) if "get_order_status" in line)
    assert f"<strong>Line {number}</strong>: Unknown tool" in page
    assert "<code>- nothing</code>" in page
    assert AgentTool.objects.get().tool.name == "get_order_status"

    same = look(root, file=SimpleUploadedFile("agents.yaml", exported.encode()))
    assert (same.context["counts"], "Nothing would change" in same.content.decode()) == (
        "1 as they are",
        True,
    )

    shown = look(root, yaml=exported.replace("Looks after", "Cares for"))
    assert "Cares for order_lookup." in shown.content.decode()
    agree(root, shown)
    assert Agent.objects.get().description.startswith("Cares for")


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_file_is_what_was_shown_whatever_its_lines_end_with(root: Client, ends: str) -> None:
    rows.agent("order_lookup", rows.reading_tool())
    exported = root.get(reverse("admin:agents_agent_download")).content.decode()
    file = f"\n\n{exported.replace('Looks after', 'Cares for')}".replace("\n", ends)

    agree(root, look(root, file=SimpleUploadedFile("agents.yaml", file.encode())))

    assert Agent.objects.get().description.startswith("Cares for")


def test_what_was_changed_meanwhile_is_shown_again_before_anything_happens(root: Client) -> None:
    agent = rows.agent("order_lookup", rows.reading_tool())
    exported = root.get(reverse("admin:agents_agent_download")).content.decode()
    shown = look(root, yaml=exported.replace("Looks after", "Cares for"))
    Agent.objects.filter(pk=agent.pk).update(tone="Warm")

    again = agree(root, shown)

    assert "changed since you looked" in told(again)
    assert again.context["plan"].seen != shown.context["plan"].seen
    assert Agent.objects.get().description.startswith("Looks after")

    agree(root, again)
    assert Agent.objects.get().description.startswith("Cares for")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Choose a template or a file, or paste the text of one."),
        ({"template": "ecommerce", "yaml": "agents: []"}, "It was not clear which."),
        ({"file": SimpleUploadedFile("a", b"\xff\xfe\x00")}, "This is no text in UTF-8."),
        ({"yaml": "agents: ["}, "Line 1"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(root: Client, fields: Any, words: str) -> None:
    answer = look(root, **fields)

    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_it_needs_all_three_permissions_and_the_download_one(client: Client) -> None:
    client.force_login(rows.staff("nina", "agents.view_agent", "agents.change_agent", "agents.add_agent"))
    assert client.get(reverse("admin:agents_agent_file")).status_code == 403
    assert look(client, yaml="agents: []").status_code == 403
    assert "From a template" not in client.get(reverse("admin:agents_agent_changelist")).content.decode()

    client.force_login(rows.staff("olga"))
    assert client.get(reverse("admin:agents_agent_download")).status_code == 403
