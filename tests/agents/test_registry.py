"""The registry: what is in a snapshot, and that every kind of edit makes a new one."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries

from agents import registry
from agents.models import Agent, AgentTool, Tool
from tests.agents.tool_rows import WRITING, make_agent, make_tool

pytestmark = pytest.mark.django_db


def names() -> dict[str, list[str]]:
    return {agent.name: [tool.name for tool in agent.tools] for agent in registry.current().agents}


def test_agents_and_their_tools_come_in_the_order_that_staff_gave_them() -> None:
    first, second = make_tool("zebra"), make_tool("apple")
    make_agent("later", position=2)
    make_agent("sooner", first, second, position=1)

    assert list(names()) == ["sooner", "later"]
    assert names()["sooner"] == ["zebra", "apple"]


def test_only_enabled_agents_and_tools_are_there() -> None:
    make_agent("open", make_tool("working"), make_tool("broken", enabled=False))
    make_agent("closed", enabled=False)

    assert names() == {"open": ["working"]}


def test_a_reading_agent_never_gets_a_tool_that_has_become_a_writing_one() -> None:
    tool = make_tool("look")
    make_agent("reader", tool, permission="read")
    assert names() == {"reader": ["look"]}

    Tool.objects.filter(pk=tool.pk).update(access="write", approval="staff")

    assert names() == {"reader": []}


def test_a_tool_is_found_only_under_its_own_agent() -> None:
    make_agent("one", make_tool("mine"))
    make_agent("two")
    snapshot = registry.current()

    assert snapshot.tool("one", "mine") is not None
    assert snapshot.tool("two", "mine") is None
    assert snapshot.tool("nobody", "mine") is None
    assert snapshot.agent("nobody") is None


def test_a_snapshot_cannot_be_changed_through_what_it_hands_out() -> None:
    make_agent("one", make_tool("mine", bound={"customer_id": "customer.id"}))
    tool = registry.current().tool("one", "mine")
    assert tool is not None

    tool.input_schema["properties"]["evil"] = {}
    with pytest.raises(TypeError):
        tool.bound["customer_id"] = "somebody else"  # type: ignore[index]
    with pytest.raises(AttributeError):
        tool.name = "evil"  # type: ignore[misc]

    again = registry.current().tool("one", "mine")
    assert again is not None
    assert again.input_schema == {"type": "object", "properties": {"order_id": {"type": "integer"}}}


def test_one_query_while_nothing_changes_and_three_when_something_did(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(5):
        make_agent(f"agent_{number}", *(make_tool(f"tool_{number}_{place}") for place in range(3)))
    with django_assert_num_queries(3):
        before = registry.current()

    with django_assert_num_queries(1):
        assert registry.current() is before


def rename(agent: Agent, tool: Tool) -> None:
    agent.name = "renamed"
    agent.save()


def describe_without_touching_the_time(agent: Agent, tool: Tool) -> None:
    Tool.objects.filter(pk=tool.pk).update(description="Something else.")


def disable_tool(agent: Agent, tool: Tool) -> None:
    tool.enabled = False
    tool.save()


def disable_agent(agent: Agent, tool: Tool) -> None:
    Agent.objects.filter(pk=agent.pk).update(enabled=False)


def exchange_the_tool(agent: Agent, tool: Tool) -> None:
    """As the admin's inline does it: the link stays and points to another tool."""
    AgentTool.objects.filter(agent=agent).update(tool=Tool.objects.get(name="spare"))


def turn_the_order_round(agent: Agent, tool: Tool) -> None:
    first, second = AgentTool.objects.filter(agent__name="pair").order_by("position")
    AgentTool.objects.filter(pk=first.pk).update(position=second.position)
    AgentTool.objects.filter(pk=second.pk).update(position=first.position)


def take_the_tool_away(agent: Agent, tool: Tool) -> None:
    AgentTool.objects.filter(agent=agent).delete()


def remove_agent(agent: Agent, tool: Tool) -> None:
    agent.delete()


def add_agent(agent: Agent, tool: Tool) -> None:
    make_agent("new")


@pytest.mark.parametrize(
    "edit",
    [
        rename,
        describe_without_touching_the_time,
        disable_tool,
        disable_agent,
        exchange_the_tool,
        turn_the_order_round,
        take_the_tool_away,
        remove_agent,
        add_agent,
    ],
)
def test_every_edit_counts_at_the_next_turn(edit: Callable[[Agent, Tool], None]) -> None:
    tool, spare = make_tool("look"), make_tool("spare")
    agent = make_agent("one", tool)
    make_agent("pair", spare, make_tool("another"))
    before = registry.current()

    edit(agent, tool)

    after = registry.current()
    assert after.agents != before.agents
    assert registry.current() is after


def test_an_edit_that_was_rolled_back_does_not_count() -> None:
    agent = make_agent("one")

    with transaction.atomic():
        Agent.objects.filter(pk=agent.pk).update(description="Changed.")
        assert registry.current().agents[0].description == "Changed."
        transaction.set_rollback(True)

    assert registry.current().agents[0].description == "one"


@pytest.mark.django_db(transaction=True)
def test_an_edit_counts_although_it_is_committed_after_a_later_one() -> None:
    """Its time of change is the earlier one, so a newest time would never tell of it."""
    early, late = make_agent("early"), make_agent("late")
    saved, go_on = threading.Event(), threading.Event()

    def edit_slowly() -> None:
        try:
            with transaction.atomic():
                early.description = "Changed early."
                early.save()
                saved.set()
                assert go_on.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=edit_slowly)
    thread.start()
    assert saved.wait(30)
    late.description = "Changed late."
    late.save()
    assert registry.current().agent("early").description == "early"  # type: ignore[union-attr]
    go_on.set()
    thread.join(30)

    assert registry.current().agent("early").description == "Changed early."  # type: ignore[union-attr]


def test_a_writing_tool_says_so() -> None:
    make_agent("one", make_tool("act", **WRITING), make_tool("look"))
    snapshot = registry.current()

    assert [tool.writes for tool in snapshot.agents[0].tools] == [True, False]
