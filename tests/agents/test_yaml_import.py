"""Importing and exporting agents: what comes in goes out again, and the file is the whole set."""

import threading
from textwrap import dedent

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from agents import registry
from agents.agents_yaml import (
    AgentEntry,
    AgentsYamlInvalid,
    entries_of,
    export_agents,
    import_agents,
    stored_entries,
)
from agents.models import Agent, AgentTool, Tool
from agents.retired import DELETED
from tests.agents.tool_rows import WRITING, every_template_tool, make_agent, make_tool

pytestmark = pytest.mark.django_db

FILE = dedent("""\
    agents:
      - name: order_lookup
        description: |
          Looks up orders.
            Indented: "quoted" — and 订单.
        permission: read
        personality:
          tone: 'yes'
          greeting: ''
          escalation_message: "A tab\\tand a trailing space "
        tools: [get_order_status]
        keywords: [查询订单, no, "1042", 'emoji 🚚']
        model: gpt-5-mini
      - name: order-actions
        description: Cancels.
        permission: write
        personality: {tone: Calm, greeting: Hello!, escalation_message: Sorry.}
        tools: [cancel_order, get_order_status]
    """)
ENTRIES = [
    AgentEntry(
        name="order_lookup",
        description='Looks up orders.\n  Indented: "quoted" — and 订单.\n',
        permission="read",
        tone="yes",
        greeting="",
        escalation_message="A tab\tand a trailing space ",
        tools=("get_order_status",),
        keywords=("查询订单", "no", "1042", "emoji 🚚"),
        model="gpt-5-mini",
    ),
    AgentEntry(
        name="order-actions",
        description="Cancels.",
        permission="write",
        tone="Calm",
        greeting="Hello!",
        escalation_message="Sorry.",
        tools=("cancel_order", "get_order_status"),
    ),
]


@pytest.fixture
def tools() -> None:
    make_tool("get_order_status")
    make_tool("cancel_order", **WRITING)


@pytest.mark.usefixtures("tools")
def test_what_is_imported_is_stored_and_comes_out_again() -> None:
    agents = import_agents(FILE)

    assert [agent.name for agent in agents] == ["order_lookup", "order-actions"]
    assert stored_entries() == ENTRIES
    exported = export_agents()
    assert entries_of(exported) == ENTRIES
    assert "查询订单" in exported
    assert "model:" not in exported.partition("order-actions")[2]
    assert "keywords:" not in exported.partition("order-actions")[2]


@pytest.mark.usefixtures("tools")
def test_importing_an_export_changes_nothing() -> None:
    import_agents(FILE)
    ids = dict(Agent.objects.values_list("name", "id"))
    first = export_agents()

    import_agents(first)

    assert export_agents() == first
    assert dict(Agent.objects.values_list("name", "id")) == ids


@pytest.mark.parametrize("name", ["ecommerce", "saas", "fintech"])
def test_a_template_comes_out_as_it_went_in(name: str) -> None:
    every_template_tool()

    registry.load_template(name)

    assert entries_of(export_agents()) == entries_of(registry.template_text(name))


@pytest.mark.usefixtures("tools")
def test_agents_that_are_not_in_the_file_are_removed() -> None:
    make_agent("old")

    import_agents(FILE)

    assert [entry.name for entry in stored_entries()] == ["order_lookup", "order-actions"]


@pytest.mark.usefixtures("tools")
def test_without_replacing_the_others_stay_behind_those_of_the_file() -> None:
    make_agent("old", position=0)

    import_agents(FILE, replace=False)

    assert [entry.name for entry in stored_entries()] == ["order_lookup", "order-actions", "old"]


@pytest.mark.usefixtures("tools")
def test_an_agent_that_staff_switched_off_stays_off() -> None:
    make_agent("order_lookup", enabled=False)

    import_agents(FILE)

    assert Agent.objects.get(name="order_lookup").enabled is False
    assert [agent.name for agent in registry.current().agents] == ["order-actions"]


@pytest.mark.usefixtures("tools")
def test_the_next_turn_sees_the_import() -> None:
    import_agents(FILE)
    before = registry.current()

    import_agents(FILE.replace("Cancels.", "Cancels orders."))

    after = registry.current().agent("order-actions")
    assert before.agent("order-actions") != after
    assert after is not None
    assert after.description == "Cancels orders."


@pytest.mark.usefixtures("tools")
def test_an_agent_without_tools_is_possible() -> None:
    import_agents(FILE.replace("[cancel_order, get_order_status]", "[]"))

    assert stored_entries()[1].tools == ()
    assert entries_of(export_agents()) == stored_entries()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("tools")
def test_two_imports_at_once_leave_the_set_of_one_of_them() -> None:
    faults: list[BaseException] = []
    together = threading.Barrier(2)
    other = FILE.replace("order_lookup", "order_search")

    def bring_in(text: str) -> None:
        try:
            together.wait(30)
            import_agents(text)
        except BaseException as error:
            faults.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=bring_in, args=[text]) for text in (FILE, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert faults == []
    assert sorted(entry.name for entry in stored_entries()) in (
        ["order-actions", "order_lookup"],
        ["order-actions", "order_search"],
    )
    assert AgentTool.objects.count() == 3


PRINTABLE = st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"], include_characters="\n\t")
TEXTS = st.text(PRINTABLE, max_size=60)
FILLED = TEXTS.filter(lambda text: bool(text.strip()))


class AnyText(TestCase):
    """Texts that YAML could take for something else, or fold, come back character by character."""

    @settings(max_examples=60, deadline=None)
    @given(description=FILLED, tone=TEXTS, keywords=st.lists(FILLED, unique=True, max_size=3), model=FILLED)
    def test_any_text_survives(self, description: str, tone: str, keywords: list[str], model: str) -> None:
        make_agent("any", description=description, tone=tone, keywords=keywords, model=model)
        before = stored_entries()

        import_agents(export_agents())

        assert stored_entries() == before


def test_a_file_cannot_give_an_agent_a_tool_that_was_deleted() -> None:
    tool = make_tool("get_order_status")
    make_agent("order_lookup", tool)
    make_agent("order-actions", make_tool("cancel_order", **WRITING), tool, permission="write")
    Tool.objects.filter(pk=tool.pk).update(enabled=False, paused_because=DELETED)
    before = stored_entries()

    with pytest.raises(AgentsYamlInvalid, match="get_order_status"):
        import_agents(FILE)

    assert stored_entries() == before
    assert [entry.tools for entry in before] == [("cancel_order",), ()]
    # What is exported can be imported again, although a link to the deleted tool was there.
    import_agents(export_agents())
    assert stored_entries() == before
