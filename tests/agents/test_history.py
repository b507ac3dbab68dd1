"""What the database writes down of every change of an agent or a tool, whoever makes it."""

from importlib import import_module
from typing import Any

import pytest
from django.db import connection

from agents import agents_yaml
from agents.history.recording import recorded_as
from agents.models import Agent, AgentTool, Revision, Tool
from openapi_import import tool_state
from tests import rows

pytestmark = pytest.mark.django_db

FILE = """
agents:
  - name: orders
    description: Looks after orders.
    permission: write
    personality: {tone: "%s", greeting: "", escalation_message: ""}
    tools: [get_order_status, cancel_order]
"""


class Refused(Exception):
    pass


def change_and_fail(agent: Agent) -> None:
    with recorded_as("inner"):
        Agent.objects.filter(pk=agent.pk).update(tone="Lost")
        raise Refused


def newest(subject: Any) -> Revision:
    return Revision.objects.filter(subject_id=subject.pk).latest("id")


def test_every_column_of_agents_and_tools_is_recorded() -> None:
    migration = import_module("agents.migrations.0008_history")
    for model, recorded in ((Agent, migration.AGENT), (Tool, migration.TOOL)):
        columns = {field.column for field in model._meta.concrete_fields}
        assert columns - set(recorded) == {"id", "created_at", "updated_at"}
        assert set(recorded) <= columns


def test_a_save_an_update_and_sql_are_recorded_with_who_and_why() -> None:
    with recorded_as("sam", "The old words were wrong."):
        agent = rows.agent("orders", tone="Cold")
    with recorded_as("kim", "Warmer."):
        agent.tone = "Warm"
        agent.save()
    Agent.objects.filter(pk=agent.pk).update(model="gpt-5.4-mini")
    with recorded_as("root"), connection.cursor() as cursor:
        cursor.execute("UPDATE agents_agent SET enabled = false WHERE id = %s", [agent.pk])

    told = Revision.objects.filter(subject_id=agent.pk).order_by("id")
    assert [(one.kind, one.by_name, one.why, one.fields) for one in told] == [
        ("made", "sam", "The old words were wrong.", {}),
        ("changed", "kim", "Warmer.", {"tone": ["Cold", "Warm"]}),
        ("changed", "", "", {"model": ["", "gpt-5.4-mini"]}),
        ("changed", "root", "", {"enabled": [True, False]}),
    ]


def test_what_comes_out_as_it_was_is_no_change_and_several_statements_are_one() -> None:
    with recorded_as("sam"):
        agent = rows.agent("orders", tone="Cold")
    with recorded_as("kim"):
        agent.save()
        Agent.objects.filter(pk=agent.pk).update(tone="Warm")
        Agent.objects.filter(pk=agent.pk).update(tone="Cold")
    assert newest(agent).by_name == "sam"

    with recorded_as("kim"):
        Agent.objects.filter(pk=agent.pk).update(tone="Warm")
        Agent.objects.filter(pk=agent.pk).update(tone="Hot", model="large")
    assert newest(agent).fields == {"tone": ["Cold", "Hot"], "model": ["", "large"]}


def test_a_file_that_takes_all_links_away_and_gives_them_back_changes_none() -> None:
    rows.reading_tool()
    rows.tool()
    agents_yaml.import_agents(FILE % "Cold", by="sam", why="First")
    agent = Agent.objects.get()

    agents_yaml.import_agents(FILE % "Warm", by="kim", why="Again")

    told = newest(agent)
    assert (told.by_name, told.why, told.fields, told.links) == (
        "kim",
        "Again",
        {"tone": ["Cold", "Warm"]},
        {},
    )


def test_tools_given_moved_and_taken_are_one_change_of_their_agent() -> None:
    status, cancel = rows.reading_tool(), rows.tool()
    with recorded_as("sam"):
        agent = rows.agent("orders", status, permission="write")

    with recorded_as("kim"):
        AgentTool.objects.create(agent=agent, tool=cancel, position=0)
        AgentTool.objects.filter(tool=status).update(position=1)
    assert newest(agent).links == {str(cancel.pk): [None, 0], str(status.pk): [0, 1]}

    with recorded_as("kim"):
        AgentTool.objects.filter(tool=cancel).delete()
    assert newest(agent).links == {str(cancel.pk): [0, None]}


def test_a_publications_copy_and_its_bulk_update_are_recorded_tool_by_tool() -> None:
    cancel, status = rows.tool(), rows.reading_tool()
    new = Tool(
        source=rows.source(),
        name="refund",
        title="Refund",
        operation_id="refund",
        method="POST",
        server_url="http://127.0.0.1",
        path="/refund",
        access="write",
        approval="staff",
    )
    with recorded_as("sam", "Published."):
        Tool.objects.bulk_create([new])
        for tool in (cancel, status):
            tool.enabled, tool.paused_because = False, "Paused by sam."
        tool_state.store_fields([cancel, status], ["enabled", "paused_because"])

    told = {one.name: one for one in Revision.objects.filter(by_name="sam")}
    assert (told["refund"].kind, told["refund"].fields) == ("made", {})
    off = {"enabled": [True, False], "paused_because": ["", "Paused by sam."]}
    assert (told["cancel_order"].fields, told["get_order_status"].fields) == (off, off)
    assert len({one.change for one in told.values()}) == 1


def test_what_is_deleted_is_kept_whole_and_what_was_made_and_deleted_leaves_nothing() -> None:
    status = rows.reading_tool()
    with recorded_as("sam"):
        agent = rows.agent("orders", status, keywords=["order"])
    with recorded_as("kim"):
        agent_id = agent.pk
        agent.delete()
        rows.agent("brief", status).delete()

    told = Revision.objects.get(subject_id=agent_id, kind="deleted")
    assert told.fields["keywords"] == [["order"], None]
    assert told.links == {str(status.pk): [0, None]}
    assert not Revision.objects.filter(name="brief").exists()


def test_a_change_that_fails_leaves_no_trace_and_ends_what_was_said_about_it() -> None:
    agent = rows.agent("orders")
    with recorded_as("outer", "Outside"):
        with pytest.raises(Refused):
            change_and_fail(agent)
        Agent.objects.filter(pk=agent.pk).update(tone="Kept")

    assert (newest(agent).by_name, newest(agent).why, newest(agent).fields) == (
        "outer",
        "Outside",
        {"tone": ["", "Kept"]},
    )
