"""Finding an agent's tools by words: what is searched, what counts for more, and whose tools are found."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents import tool_index, tool_words
from agents.models import Agent, Tool
from tests.agents.tool_rows import make_agent, make_tool
from tests.bench import tool_choice, tool_choice_api

pytestmark = pytest.mark.django_db


def found(text: str, agent: str = "helper", limit: int = 10) -> list[str]:
    [names] = tool_index.search(agent, [text], limit=limit)
    return names


def texts(**fields: Any) -> dict[str, Any]:
    """The fields of a tool in which nothing says anything, but for these."""
    schema = {"type": "object", "properties": {}}
    return {"title": "X", "description": "X", "path": "/x", "input_schema": schema, **fields}


SAID = [
    ("sendInvoicePDF", {}, "invoice"),
    ("x_archive_mailbox", {}, "archiving mailboxes"),
    ("t1", {"title": "Replace a pump"}, "pumps"),
    ("t2", {"path": "/fleet/{boat_id}/engine-parts"}, "part of the engine"),
    ("t3", {"path": "/fleet/{boatName}"}, "boat"),
    ("t4", {"description": "Tells the tide."}, "tides"),
    (
        "t5",
        {"input_schema": {"type": "object", "properties": {"anchorDepth": {"type": "number"}}}},
        "anchor",
    ),
    (
        "t6",
        {"input_schema": {"type": "object", "properties": {"q": {"description": "How far to the buoy."}}}},
        "buoys",
    ),
    ("refund_order", {}, "I want my money back"),
    ("list_invoices", {}, "show me my bills"),
    ("track_shipment", {}, "where is my parcel?"),
    ("reset_password", {}, "I forgot my password"),
    ("create_webhook", {}, "add a web hook"),
    ("list_organizations", {}, "organisations"),
    ("send_reminder", {}, "has it been sent, the reminder?"),
    ("cancel_order", {}, "取消订单"),
]


@pytest.mark.parametrize(("name", "fields", "said"), SAID, ids=[said for *_, said in SAID])
def test_a_tool_is_found_by_what_it_says_and_by_what_is_said_instead(
    name: str, fields: dict[str, Any], said: str
) -> None:
    other = make_tool("unrelated_zebra", **texts(description="Zebras."))
    make_agent("helper", make_tool(name, **texts(**fields)), other)

    assert found(said) == [name]


def test_the_name_says_more_than_the_description_and_a_rare_word_more_than_a_common_one() -> None:
    tools = [
        make_tool("get_anchor", **texts()),
        make_tool("get_rope", **texts(description="Also tells of its anchor.")),
        *(make_tool(f"boat_number_{number}", **texts()) for number in range(5)),
    ]
    make_agent("helper", *tools)

    assert found("anchor") == ["get_anchor", "get_rope"]
    assert found("a boat or an anchor")[:1] == ["get_anchor"]


def test_only_the_agents_own_enabled_tools_are_found() -> None:
    shared, mine, theirs = (make_tool(f"cancel_{name}", **texts()) for name in ("shared", "mine", "theirs"))
    off = make_tool("cancel_off", enabled=False, **texts())
    make_tool("cancel_nobodys", **texts())
    make_agent("helper", shared, mine, off)
    make_agent("other", shared, theirs)

    assert sorted(found("cancel")) == ["cancel_mine", "cancel_shared"]
    assert sorted(found("cancel", agent="other")) == ["cancel_shared", "cancel_theirs"]
    assert found("cancel", agent="nobody") == []
    assert found("cancel", agent="helper' OR '1'='1") == []


def test_whoever_writes_a_tool_it_is_found_as_it_is_now() -> None:
    make_agent("helper", make_tool("one", **texts()), make_tool("two", **texts()))

    assert found("pump") == []
    Tool.objects.filter(name="one").update(title="Replace a pump")
    assert found("pump") == ["one"]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE agents_tool SET title = 'X' WHERE name = 'one'")
    assert found("pump") == []
    Tool.objects.bulk_update([*Tool.objects.filter(name="two")], ["title"])
    Tool.objects.filter(name="two").update(description="Pumps.")
    assert found("pump") == ["two"]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        [],
        "text",
        {"properties": []},
        {"properties": {"a": None, "b": "c", "d": {"description": {"not": "text"}}}},
        {"properties": {"x" * 3000: {"description": "y" * 300_000}}},
        {"properties": {f"p{number}": {"description": "word " * 50} for number in range(500)}},
    ],
    ids=lambda schema: str(schema)[:30],
)
def test_no_schema_keeps_a_tool_from_being_stored_and_found(schema: Any) -> None:
    make_agent("helper", make_tool("odd_pump", **texts(input_schema=schema)))

    assert found("pump") == ["odd_pump"]


@pytest.mark.parametrize(
    "said",
    [
        "pump:* & !tide | <->",
        "pump' ); DROP TABLE agents_tool; --",
        "pump \\ % %s %(words)s {} \x00 \ud800",
        "the pump " * 20_000,
        "pump " + "x" * 100_000,
        " ".join(["pump", *(f"word{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(300))]),
    ],
    ids=["operators", "quotes", "odd characters", "long", "one long word", "many words"],
)
def test_a_request_is_words_whatever_stands_in_it(said: str) -> None:
    make_agent("helper", make_tool("replace_pump", **texts()))

    assert found(said) == ["replace_pump"]


def test_one_statement_answers_several_texts_and_none_is_asked_where_nothing_can_be_searched_for() -> None:
    make_agent("helper", make_tool("replace_pump", **texts()), make_tool("tell_tide", **texts()))

    with CaptureQueriesContext(
        connection,
    ) as asked:
        answers = tool_index.search("helper", ["the pump", "please", "the tide", "1042"], limit=5)
    assert answers == [["replace_pump"], [], ["tell_tide"], []]
    assert len(asked) == 1
    with CaptureQueriesContext(connection) as asked:
        assert tool_index.search("helper", ["", "please help me", "#1042 😀"], limit=5) == [[], [], []]
    assert len(asked) == 0


def test_equal_tools_stand_in_the_order_of_their_names_and_no_more_than_asked_for() -> None:
    make_agent("helper", *(make_tool(f"pump_{letter}", **texts()) for letter in "cabed"))

    assert found("pump", limit=3) == ["pump_a", "pump_b", "pump_c"]
    assert [found("pump") for _ in range(3)] == [[f"pump_{letter}" for letter in "abcde"]] * 3


def test_the_index_serves_the_search() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'agents_tool_search'")
        assert "USING gin (search)" in cursor.fetchone()[0]


def test_the_words_of_the_file_are_ones_that_can_be_looked_up() -> None:
    known = tool_words.families()

    assert len(known.others) > 500
    for family in (*known.others.values(), *known.forms.values()):
        for word in family:
            assert tool_words.spoken(word), f"{word!r} is never looked up"
            assert len(word.split()) <= tool_words.PHRASE_MOST, word


def test_of_a_thousand_operations_the_right_one_is_found_in_other_words() -> None:
    assert tool_choice.give("helper", tool_choice_api.document()) == 1000
    asked = tool_choice.questions()
    assert len(asked) >= 100
    assert {name for question in asked for name in question.wanted} <= set(
        Agent.objects.get(name="helper").tools.values_list("name", flat=True)
    )

    answers = tool_choice.ask("helper", asked)

    assert tool_choice.recall(answers, 10) >= 0.9
    assert tool_choice.recall(answers[1::2], 10) >= 0.9
    assert tool_choice.recall(tool_choice.ask("helper", tool_choice.questions(tool_choice.UNSEEN)), 28) >= 0.8
