"""Agents of many tools: what their model is given, what it finds, what stays, and what it may call all the same."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from langchain_core.messages import AIMessage, AnyMessage

from agents import acting, facts, policy, registry, tool_choice
from agents.context import Said, TurnContext
from agents.models import Action, AgentTool, Tool
from agents.policy import FIND_TOOLS, FIND_TOOLS_TOOL, HAND_OFF
from agents.prompts import MORE_TOOLS, RULES, system_prompt
from agents.registry import AgentSpec
from agents.tool_digest import CARDS_MOST, CHARACTERS_MOST, digest
from chat import history
from chat.journal import TurnJournal
from chat.models import Event
from chat.turns import Claim
from tests import rows
from tests.agents import offline_tools as offline
from tests.agents.tool_rows import WRITING, make_agent, make_tool
from tests.bench import tool_choice as bench
from tests.bench import tool_choice_api
from tests.factories import claim, on_loop

pytestmark = pytest.mark.django_db(transaction=True)
AGENT = "everything"
REFUND = "I want my money back for this"


def large(count: int = 60) -> AgentSpec:
    """An agent with so many tools about nothing in particular, and `createRefund` in the middle."""
    tools = [make_tool(f"zebra{number}Report", title="x", description="x") for number in range(count - 1)]
    tools.insert(count // 2, make_tool("createRefund", title="Refund", **WRITING))
    make_agent(AGENT, *tools)
    return spec()


def spec(name: str = AGENT) -> AgentSpec:
    found = registry.current().agent(name)
    assert found is not None
    return found


def begun(message: str) -> Claim:
    rows.turn(rows.customer(), content=message)
    return claim()


def context(held: Claim, *said: Said) -> TurnContext:
    """What the worker that holds this claim gives the graph, as staff have agents and tools now."""
    return TurnContext(
        turn_id=held.turn_id,
        conversation_id=held.conversation_id,
        customer_id=held.customer_id,
        bindings={},
        message=held.content,
        history=said,
        live_agent="",
        fresh=False,
        registry=registry.current(),
        journal=TurnJournal(held, history.recorded(held.turn_id)),
    )


def offered(
    given: TurnContext, messages: Sequence[AnyMessage] = (), step: int = 1, name: str = AGENT
) -> list[str]:
    agent = given.registry.agent(name)
    assert agent is not None
    return [tool.name for tool in on_loop(tool_choice.offered(given, agent, messages, step))]


def answered(held: Claim, step: int, tools: Sequence[str], *made: dict[str, Any]) -> AIMessage:
    """An answer of the model that the log has, with these tools given to it."""
    fact = facts.model_called(
        step=step,
        agent=AGENT,
        text="",
        tool_calls=list(made),
        model="m",
        usage=facts.Usage(),
        duration_ms=1,
        tools=tools,
    )
    on_loop(TurnJournal(held, {}).append(fact))
    return AIMessage("", tool_calls=[{**one, "type": "tool_call"} for one in made], name=AGENT)


def look_up(held: Claim, query: Any, call_id: str = "call_1") -> Any:
    made = {"id": call_id, "name": FIND_TOOLS, "args": {"query": query}}
    return on_loop(acting.act_on_read(context(held), AGENT, made))


def test_an_agent_of_thirty_tools_gets_them_all_in_its_order_and_nothing_is_asked() -> None:
    few = large(tool_choice.MANY)
    given = context(begun(REFUND))

    with CaptureQueriesContext(connection) as asked:
        assert offered(given) == [tool.name for tool in few.tools]
    assert len(asked) == 0
    assert system_prompt(few).endswith(RULES)


def test_an_agent_of_more_gets_those_that_fit_and_its_prompt_says_so() -> None:
    assert bench.give(AGENT, tool_choice_api.document()) == 1000
    given = context(begun(REFUND))

    names = offered(given)

    assert "createRefund" in names[:10]
    assert len(names) == tool_choice.CHOSEN == len(set(names))
    assert names == offered(given)
    assert system_prompt(spec()).endswith(RULES + "\n" + MORE_TOOLS)


def test_each_of_several_things_that_are_asked_for_finds_its_tool() -> None:
    bench.give(AGENT, tool_choice_api.document())
    message = (
        "I want my money back for the shoes, please move my dinner booking by an hour, reset the password of my "
        "colleague Ann, and where is my parcel?"
    )

    names = offered(context(begun(message)))

    assert {"createRefund", "moveBooking", "resetUserPassword", "trackShipment"} <= set(names)


def test_a_message_that_says_nothing_by_itself_is_understood_from_what_was_said_before() -> None:
    large()
    held = begun("Yes please, 1042")
    before = (Said("customer", REFUND), Said("record", "zebra1 report"), Said("agent", "Which one is it?"))

    assert offered(context(held)) == []
    assert offered(context(held, *before)) == ["createRefund"]


def test_what_was_used_in_the_conversation_stays_in_front_and_what_it_needs_comes_along() -> None:
    large()
    Tool.objects.filter(name="createRefund").update(requires=["zebra7Report"])
    owner = rows.customer()
    earlier = rows.turn(owner, "t-1")
    for number, tool in enumerate(["zebra5Report", FIND_TOOLS, "zebra3Report", "zebra5Report", "gone"]):
        fact = facts.tool_called(agent=AGENT, tool=tool, title="x", args={}, call_id=f"call_{number}")
        rows.happened(earlier, fact)
    rows.finish(earlier)
    rows.turn(owner, "t-1", content=REFUND)
    held = claim()

    names = offered(context(held, Said("agent", "Here you are.")))

    assert names == ["zebra5Report", "zebra3Report", "createRefund", "zebra7Report"]


def test_what_is_found_and_what_is_called_is_added_at_the_end_and_nothing_moves() -> None:
    large()
    make_agent("other", make_tool("zebra_of_others", title="zebra77"))
    held = begun(REFUND)
    first = offered(context(held))
    made = {"id": "call_1", "name": FIND_TOOLS, "args": {"query": "zebra 77 report, zebra9, zebra1"}}
    by_name = {"id": "call_2", "name": "zebra40Report", "args": {}}
    said = answered(held, 1, first, made, by_name)
    found = on_loop(acting.act_on_read(context(held), AGENT, made))

    names = offered(context(held), [said, found], step=2)

    assert names[: len(first)] == first == ["createRefund"]
    assert names[1] == "zebra40Report"
    assert 3 <= len(names) <= 2 + tool_choice.FOUND
    assert "zebra_of_others" not in names


def test_a_turn_that_is_run_again_goes_on_with_the_tools_that_it_had() -> None:
    large()
    held = begun(REFUND)
    before = ["zebra9Report", "createRefund", "zebra1Report"]  # what an earlier version may have chosen
    said = answered(held, 1, before, {"id": "call_1", "name": "zebra9Report", "args": {}})
    Tool.objects.filter(name="zebra1Report").update(enabled=False)

    with CaptureQueriesContext(connection) as asked:
        given = context(held)
        asked_before = len(asked)
        assert offered(given, [said], step=2) == ["zebra9Report", "createRefund"]
    assert len(asked) == asked_before


def test_the_list_has_an_end() -> None:
    large(140)
    held = begun(REFUND)
    made = [{"id": f"c{n}", "name": f"zebra{n}Report", "args": {}} for n in range(138)]

    assert (
        len(offered(context(held), [answered(held, 1, ["createRefund"], *made)], step=2)) == tool_choice.MOST
    )


def test_large_schemas_take_the_room_of_several_and_the_best_are_always_given() -> None:
    long = {"type": "object", "properties": {"a": {"type": "string", "description": "x" * 9_000}}}
    make_agent(
        AGENT, *(make_tool(f"refund{number}Order", title="Refund", input_schema=long) for number in range(40))
    )

    chosen = offered(context(begun(REFUND)))

    assert len(chosen) == tool_choice.LEAST
    turn = begun("refund again")
    grown = answered(
        turn,
        1,
        chosen,
        *({"name": f"refund{number}Order", "args": {}, "id": str(number)} for number in range(40)),
    )
    later = offered(context(turn), [grown], step=2)
    assert later[: len(chosen)] == chosen
    assert len(later) == tool_choice.ROOM_LATER // 9_100


def test_looking_for_tools_is_recorded_once_and_tells_only_of_the_agents_own() -> None:
    large()
    theirs = make_tool("refundEverything", title="Refund all", **WRITING)
    make_agent("other", theirs)
    off = make_tool("refundNothing", title="Refund nothing", enabled=False)
    AgentTool.objects.create(agent=AgentTool.objects.filter(agent__name=AGENT)[0].agent, tool=off)
    held = begun("Hello")

    answer, again = look_up(held, "refund"), look_up(held, "refund")

    assert answer.content == again.content
    assert (
        '"name": "createRefund", "title": "Refund", "description": "What createRefund does."'
        in answer.content
    )
    assert "refundEverything" not in answer.content
    assert "refundNothing" not in answer.content
    events = Event.objects.filter(turn_id=held.turn_id, kind__startswith="tool_").order_by("seq")
    assert [event.kind for event in events] == ["tool_called", "tool_returned"]
    assert events[0].payload["args"] == {"query": "refund"}
    assert [tool["name"] for tool in events[1].payload["result"]["tools"]] == ["createRefund"]
    assert not Action.objects.exists()


@pytest.mark.parametrize("query", ["", "  ", None, 7, ["refund"], {"a": 1}])
def test_a_search_for_nothing_is_refused(query: Any) -> None:
    large()
    held = begun("Hello")

    answer = look_up(held, query)

    assert answer.status == "error"
    assert tool_choice.NO_QUERY in answer.content


def test_a_search_without_an_answer_says_so() -> None:
    large()

    assert tool_choice.NOTHING_FOUND in look_up(begun("Hello"), "walrus").content


def test_a_small_agent_has_no_search_and_one_with_a_tool_of_that_name_keeps_its_own() -> None:
    make_agent("small", make_tool("createRefund", **WRITING))
    own = make_tool(FIND_TOOLS)
    make_agent("workshop", own, *(make_tool(f"hammer{number}") for number in range(40)))
    held = begun("Hello")
    made = {"id": "call_1", "name": FIND_TOOLS, "args": {"query": "refund"}}

    answer = on_loop(acting.act_on_read(context(held), "small", made))

    assert "There is no tool named find_tools" in answer.content
    assert not tool_choice.is_large(spec("workshop"))
    assert len(offered(context(held), name="workshop")) == 41


def test_a_tool_that_was_not_chosen_is_judged_like_every_other_and_one_of_others_is_not_there() -> None:
    large()
    make_agent("other", make_tool("theirs"))
    given = context(begun("Hello"))
    agent = spec()

    def judge(name: str, args: dict[str, Any]) -> str:
        tool = given.registry.tool(AGENT, name)
        return policy.judge(agent, tool, args, {}, name=name).fault

    assert offered(given) == []
    assert judge("zebra3Report", {"order_id": 1}) == ""
    assert judge("zebra3Report", {"nonsense": 1}) == "Unknown argument: nonsense."
    assert "There is no tool named theirs" in judge("theirs", {"order_id": 1})


def test_routing_reads_of_a_thousand_tools_what_they_are_about_in_few_words() -> None:
    bench.give(AGENT, tool_choice_api.document())

    cards = {card.name: card.description.split(", ") for card in digest(spec().tools)}

    assert len(cards) <= CARDS_MOST
    assert sum(len(f"{verb}{', '.join(things)}") for verb, things in cards.items()) <= CHARACTERS_MOST
    assert {"get", "create", "update", "delete", "cancel", "approve"} <= set(cards)
    assert {"order", "subscription"} <= set(cards["cancel"])
    assert {"invoice", "shipment", "ticket", "delivery"} <= set(cards["get"])
    before = digest(spec().tools)
    digest.cache_clear()
    assert digest(spec().tools) == before


def test_the_offline_model_looks_for_a_tool_calls_it_and_tells_its_result() -> None:
    search = offline.function(
        FIND_TOOLS, FIND_TOOLS_TOOL["function"]["description"], {"query": {"type": "string"}}, ["query"]
    )  # type: ignore[index]
    cancel = offline.declared("cancel_order")
    before = [search, offline.HAND_OFF]

    wish = offline.ask(before, "Cancel order 1042")
    assert offline.calls(wish) == [(FIND_TOOLS, {"query": "Cancel order 1042"})]
    found = offline.results(wish, offline.ok({"tools": [{"name": "cancel_order"}]}))
    call = offline.ask([*before, cancel], "Cancel order 1042", after=found)
    assert offline.calls(call) == [("cancel_order", {"order_id": 1042})]
    done = offline.results(call, offline.ok({"order_id": 1042, "status": "cancelled"}))
    answer = offline.ask([*before, cancel], "Cancel order 1042", after=[*found, *done])
    assert answer.tool_calls == []
    assert "1042" in answer.content

    nothing = offline.results(wish, offline.ok({"tools": []}))
    assert offline.ask(before, "Cancel order 1042", after=nothing).tool_calls == []
    assert offline.ask(before, "Hello").tool_calls == []
    assert [name for name, _ in offline.calls(offline.ask(before, "I want to talk to a person"))] == [
        HAND_OFF
    ]
