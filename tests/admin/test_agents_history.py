"""What agents and tools were, on a page, and the way back."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from agents import approvals
from agents.history.recording import recorded_as
from agents.models import Agent, AgentTool, Revision, Tool
from agents.retired import DELETED, TAKEN_BACK, retired
from tests import rows

pytestmark = pytest.mark.django_db
CHANGES = ("agents.view_agent", "agents.change_agent")


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(rows.staff("root", superuser=True))
    return client


def newest(row: Agent | Tool) -> Revision:
    return Revision.objects.filter(subject_id=row.pk).latest("id")


def url(revision: Revision) -> str:
    page = reverse(f"admin:agents_{revision.subject}_restore", args=[revision.subject_id])
    return f"{page}?change={revision.pk}"


def put_back(client: Client, revision: Revision, **fields: Any) -> Any:
    seen = client.get(url(revision)).context["plan"].seen
    return client.post(url(revision), {"seen": seen, **fields})


def change(tool: Tool, by: str = "kim", why: str = "", **fields: Any) -> Revision:
    with recorded_as(by, why):
        for name, value in fields.items():
            setattr(tool, name, value)
        tool.save()
    return newest(tool)


def test_saving_a_page_is_a_change_with_who_and_why(root: Client) -> None:
    tool = rows.tool()
    form = {name: getattr(tool, name) for name in ("title", "description", "approval", "confirmation")}
    form |= {"approvals_needed": "1", "enabled": "on", "title": "Stop an order", "why": "Nobody said cancel."}

    answer = root.post(reverse("admin:agents_tool_change", args=[tool.pk]), form)

    assert answer.status_code == 302, answer.context["errors"]
    told = newest(tool)
    assert (told.by_name, told.why, told.fields) == (
        "root",
        "Nobody said cancel.",
        {"title": ["Cancel order", "Stop an order"]},
    )
    page = root.get(reverse("admin:agents_tool_history", args=[tool.pk])).content.decode()
    assert all(
        words in page for words in ("Nobody said cancel.", "In plain words", "Stop an order", "Put back")
    )


def test_a_version_is_shown_and_put_back_and_that_is_a_change_too(root: Client) -> None:
    tool = rows.tool()
    first = change(tool, title="Worse", approval="staff", approvals_needed=2)
    change(tool, by="lee", title="Worst", projection=["id"])

    shown = root.get(url(first))
    assert shown.context["rows"] == [
        ("Who approves", "Staff", "The customer"),
        ("How many have to agree", "2", "1"),
        ("In plain words", "Worst", "Cancel order"),
        ("What the agent is shown of an answer", "id", ""),
    ]
    assert Tool.objects.get().title == "Worst"

    answer = put_back(root, first, why="It was better.")

    assert answer.status_code == 302
    tool.refresh_from_db()
    assert (tool.title, tool.approval, tool.approvals_needed, tool.projection) == (
        "Cancel order",
        "customer",
        1,
        [],
    )
    assert (newest(tool).by_name, newest(tool).why) == ("root", "It was better.")

    put_back(root, newest(tool))
    tool.refresh_from_db()
    assert (tool.title, tool.approvals_needed) == ("Worst", 2)


def test_what_was_approved_of_a_tool_that_is_put_back_comes_back_to_staff(root: Client) -> None:
    action = rows.waiting_for_staff()
    tool = action.tool
    before = change(tool, approvals_needed=2)
    assert [one["field"] for one in approvals.drift(action)] == ["approvals_needed"]

    put_back(root, before)

    action.refresh_from_db()
    assert approvals.drift(action) == []
    assert Tool.objects.get(pk=tool.pk).fingerprint() == action.tool_fingerprint


def test_who_has_not_seen_what_becomes_different_puts_nothing_back(root: Client) -> None:
    tool = rows.tool()
    first = change(tool, title="Worse")
    seen = root.get(url(first)).context["plan"].seen
    change(tool, description="Somebody was faster.")

    answer = root.post(url(first), {"seen": seen})

    assert answer.status_code == 409
    assert "since you looked" in answer.content.decode()
    assert Tool.objects.get().title == "Worse"


def test_what_names_something_that_is_gone_is_refused(root: Client) -> None:
    check = rows.reading_tool("verify_identity")
    tool = rows.tool(requires=["verify_identity"])
    first = change(tool, requires=[])
    Tool.objects.filter(pk=check.pk).update(enabled=False, paused_because=DELETED)

    answer = put_back(root, first)

    assert answer.status_code == 409
    assert "There is no tool named verify_identity." in answer.content.decode()
    assert Tool.objects.get(pk=tool.pk).requires == []


def test_an_agent_whose_tool_is_gone_is_not_put_back(root: Client) -> None:
    status, track = rows.reading_tool(), rows.reading_tool("track")
    agent = rows.agent("orders", status, track)
    with recorded_as("kim"):
        AgentTool.objects.filter(tool=track).delete()
    Tool.objects.filter(pk=track.pk).update(enabled=False, paused_because=DELETED)

    answer = put_back(root, newest(agent))

    assert "It had tools that are gone: track." in answer.content.decode()
    assert AgentTool.objects.get().tool == status


def test_an_agent_that_was_deleted_is_there_again_with_its_tools_in_order(root: Client) -> None:
    status, track = rows.reading_tool(), rows.reading_tool("track")
    with recorded_as("kim"):
        agent = rows.agent("orders", track, status, tone="Warm", keywords=["order"])
    agent_id = agent.pk
    with recorded_as("kim", "By mistake."):
        agent.delete()
    gone = Revision.objects.get(subject_id=agent_id, kind="deleted")
    assert "By mistake." in root.get(reverse("admin:agents_agent_changes")).content.decode()
    assert (
        "It was deleted." in root.get(reverse("admin:agents_agent_history", args=[agent_id])).content.decode()
    )

    put_back(root, gone)

    back = Agent.objects.get()
    assert (back.pk, back.tone, back.keywords) == (agent_id, "Warm", ["order"])
    assert [link.tool for link in back.tool_links.all()] == [track, status]


def test_nobody_switches_a_tool_on_by_the_way_that_was_switched_off_for_a_reason(root: Client) -> None:
    tool = rows.tool()
    first = change(tool, title="Worse")
    change(tool, enabled=False, paused_because="It means something else now.")

    answer = put_back(root, first)

    assert answer.status_code == 302
    tool.refresh_from_db()
    assert (tool.title, tool.enabled) == ("Cancel order", False)


def test_what_came_from_the_document_is_not_put_back_here(root: Client) -> None:
    tool = rows.tool()
    change(tool, path="/somewhere/else")

    shown = root.get(url(newest(tool)))

    assert "roll the publication back" in shown.content.decode()
    assert shown.context["plan"].empty
    assert put_back(root, newest(tool)).status_code == 409


def test_a_change_that_made_it_has_nothing_before_it(root: Client) -> None:
    tool = rows.tool()

    assert root.get(url(newest(tool))).status_code == 404
    other = reverse("admin:agents_tool_restore", args=[rows.reading_tool().pk])
    assert root.get(f"{other}?change={change(tool, title='Worse').pk}").status_code == 404


def test_long_histories_come_in_pages(root: Client, django_assert_max_num_queries: Any) -> None:
    tool = rows.tool()
    for number in range(25):
        change(tool, title=f"Title {number}")
    page = reverse("admin:agents_tool_history", args=[tool.pk])

    with django_assert_max_num_queries(14):
        first = root.get(page)

    assert len(first.context["told"]) == 20
    second = root.get(f"{page}?before={first.context['next']}")
    assert len(second.context["told"]) == 6  # with the one that made it
    assert "Nothing" not in second.context["told"][-1].revision.kind


def test_who_may_only_look_sees_the_history_and_no_way_back(client: Client) -> None:
    tool = rows.tool()
    first = change(tool, title="Worse")
    client.force_login(rows.staff("vera", "agents.view_tool"))

    page = client.get(reverse("admin:agents_tool_history", args=[tool.pk]))
    assert (page.status_code, "Put back" in page.content.decode()) == (200, False)
    assert client.get(url(first)).status_code == 403
    assert client.post(url(first), {"seen": "x"}).status_code == 403
    assert Tool.objects.get().title == "Worse"

    client.force_login(rows.staff("nina"))
    assert client.get(reverse("admin:agents_tool_history", args=[tool.pk])).status_code == 403
    assert client.get(reverse("admin:agents_agent_changes")).status_code == 403


def test_bringing_back_what_was_deleted_needs_the_permission_to_add_by_any_change(client: Client) -> None:
    with recorded_as("kim"):
        agent = rows.agent("orders", rows.reading_tool(), tone="Cold")
    with recorded_as("kim"):
        agent.tone = "Warm"
        agent.save()
    warmer = newest(agent)
    agent.delete()
    client.force_login(rows.staff("mia", *CHANGES))

    assert put_back(client, warmer).status_code == 403

    assert not Agent.objects.exists()
    client.force_login(rows.staff("max", *CHANGES, "agents.add_agent"))
    assert put_back(client, warmer).status_code == 302
    assert Agent.objects.get().tone == "Cold"


def test_a_tool_that_was_taken_back_stays_so_whatever_is_put_back(root: Client) -> None:
    tool = rows.tool(enabled=False)
    first = change(tool, title="Worse")
    change(tool, paused_because=TAKEN_BACK)

    put_back(root, first)

    tool.refresh_from_db()
    assert (tool.title, tool.enabled, tool.paused_because) == ("Cancel order", False, TAKEN_BACK)


def test_a_tool_that_is_there_again_is_not_taken_away_by_the_way(root: Client) -> None:
    tool = rows.tool(enabled=False, paused_because=TAKEN_BACK)
    first = change(tool, enabled=True, paused_because="", title="Worse")
    rows.agent("orders", tool, permission="write")

    put_back(root, first)

    tool.refresh_from_db()
    assert (tool.title, tool.enabled, retired(tool)) == ("Cancel order", True, False)


def test_a_question_that_names_what_the_tool_has_no_more_is_not_put_back(root: Client) -> None:
    tool = rows.tool(confirmation="Cancel {order_id}, {percent} off?")
    first = change(tool, confirmation="Cancel {order_id}?")
    schema = {**tool.input_schema, "properties": {"order_id": {"type": "string"}}}
    change(tool, input_schema=schema)

    answer = put_back(root, first)

    assert answer.status_code == 409
    assert "The tool has no argument percent" in answer.content.decode()
    assert Tool.objects.get().confirmation == "Cancel {order_id}?"
