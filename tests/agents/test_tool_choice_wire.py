"""An agent of 200 tools over the wire: what its requests carry, what its model finds, and what the customer sees."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agents.policy import FIND_TOOLS, HAND_OFF
from agents.prompts import MORE_TOOLS
from agents.tool_choice import CHOSEN
from tests.agents.graph_script import actions, answers, assert_sound, call, kinds, results, routed, texts
from tests.live.chatter import Chatter, types
from tests.live.stack import Stack
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.xdist_group("live-scripted")
AGENT = "everything"
ANIMALS = "zebra yak wolf vole toad swan seal rhino puma otter newt mole lynx koala ibex hare goat fox emu dove".split()
DEEDS = "feed wash weigh count brush groom walk train treat shear".split()


# Each tool looks up the business's health, and is a copy of another one in everything that does not matter here.
COLUMNS = """
SELECT string_agg(column_name, ', ') AS names FROM information_schema.columns
WHERE table_name = 'agents_tool' AND is_generated = 'NEVER' AND column_name NOT IN (
    'id', 'name', 'title', 'description', 'operation_id', 'path', 'parameters', 'input_schema', 'bound'
)
"""
TOOLS = """
INSERT INTO agents_tool (
    id, name, title, description, operation_id, path, parameters, input_schema, bound, {others}
) SELECT gen_random_uuid(), deed || '_' || animal, initcap(deed) || ' the ' || animal, '', deed || '_' || animal,
    '/_health', '[]', '{{"type": "object", "properties": {{}}}}', '{{}}', {others}
FROM agents_tool, unnest(%s::text[]) AS deed, unnest(%s::text[]) AS animal WHERE name = 'get_order_status'
"""
AGENTS = """
INSERT INTO agents_agent (
    id, name, description, permission, tone, greeting, escalation_message, keywords, model, position, enabled,
    created_at, updated_at
) SELECT gen_random_uuid(), name, 'Keeps the zoo.', 'read', '', '', '', '[]', '', 90, true, now(), now()
FROM unnest(%s::text[]) AS name
"""
LINKS = """
INSERT INTO agents_agenttool (agent_id, tool_id, position)
SELECT agent.id, tool.id, 0 FROM agents_agent AS agent JOIN agents_tool AS tool ON tool.path = '/_health'
WHERE agent.name = CASE WHEN tool.name LIKE '%%dodo' THEN 'extinct' ELSE 'everything' END
"""
AWAY = """
WITH zoo AS (SELECT id FROM agents_tool WHERE path = '/_health'),
unlinked AS (DELETE FROM agents_agenttool WHERE tool_id IN (SELECT id FROM zoo))
DELETE FROM agents_agent WHERE name IN ('everything', 'extinct')
"""


@pytest.fixture
def zoo(stack: Stack) -> Iterator[Stack]:
    """The product with an agent of 200 tools, 20 animals times ten deeds; those for the dodo only another agent has."""
    [others] = stack.db(COLUMNS)
    stack.db(TOOLS.format(others=others["names"]), DEEDS, [*ANIMALS, "dodo"])
    stack.db(AGENTS, [AGENT, "extinct"])
    stack.db(LINKS)
    yield stack
    stack.db(AWAY)
    stack.db("DELETE FROM agents_tool WHERE path = '/_health'")


def given(model: RunningModel) -> list[list[dict[str, Any]]]:
    """The tools of each request of an agent, oldest first."""
    return [asked["body"]["tools"] for asked in model.requests() if "tools" in asked["body"]]


def named(tools: list[dict[str, Any]]) -> list[str]:
    return [tool["function"]["name"] for tool in tools]


async def test_a_tool_that_was_not_given_is_found_called_and_kept_and_the_customer_sees_nothing_odd(
    zoo: Stack, model: RunningModel
) -> None:
    model.script(
        routed(AGENT),
        answers(call(FIND_TOOLS, {"query": "shear the ibex"})),
        answers(call("shear_ibex")),
        answers(text="It is shorn."),
        answers(text="You are welcome."),
    )

    async with Chatter(zoo.socket_url) as customer:
        frames = await customer.say("Please wash the otter")
        await customer.say("Thank you, now weigh the yak")

    first, found, called, next_turn = given(model)
    assert named(first)[:2] == [FIND_TOOLS, HAND_OFF]
    assert named(first)[2] == "wash_otter"
    assert "shear_ibex" not in named(first)
    assert len(first) <= 2 + CHOSEN
    assert found[: len(first)] == first
    assert "shear_ibex" in named(found)[len(first) :]
    assert called == found
    assert named(next_turn)[:3] == [FIND_TOOLS, HAND_OFF, "shear_ibex"]
    assert "weigh_yak" in named(next_turn)
    assert "dodo" not in str(given(model))
    prompts = {
        asked["body"]["messages"][0]["content"] for asked in model.requests() if "tools" in asked["body"]
    }
    assert len(prompts) == 1
    assert prompts.pop().endswith(MORE_TOOLS)
    wanted = [
        "accepted",
        "routing",
        "tool_call",
        "tool_result",
        "token",
        "agent_response",
        "message_complete",
    ]
    assert types(frames) == wanted
    assert FIND_TOOLS not in json.dumps(customer.seen)
    assert [one["tool"] for one in results(zoo, customer.thread_id)] == [FIND_TOOLS, "shear_ibex"]
    assert kinds(zoo, customer.thread_id).count("tool_called") == 2
    assert actions(zoo, customer.thread_id) == []
    assert_sound(zoo, customer.thread_id)


async def test_the_routing_prompt_stays_small_and_a_small_agents_request_is_as_it_was(
    zoo: Stack, model: RunningModel
) -> None:
    model.script(routed("order_lookup"), answers(text="Hello."))

    async with Chatter(zoo.socket_url) as customer:
        await customer.say("What is the status of order 1042?")

    routing, asked = [request["body"] for request in model.requests()]
    assert "brush, count, feed, groom" in routing["messages"][0]["content"]
    assert "feed_otter" not in routing["messages"][0]["content"]
    stored = zoo.db(
        "SELECT tool.name FROM agents_tool tool JOIN agents_agenttool link ON link.tool_id = tool.id JOIN agents_agent "
        "agent ON agent.id = link.agent_id WHERE agent.name = 'order_lookup' ORDER BY link.position, link.id"
    )
    assert named(asked["tools"]) == [*(row["name"] for row in stored), HAND_OFF]
    assert FIND_TOOLS not in json.dumps(asked)


async def test_a_tool_is_called_by_its_name_alone_if_it_is_the_agents_own(
    zoo: Stack, model: RunningModel
) -> None:
    model.script(
        routed(AGENT),
        answers(call("groom_koala"), call("feed_dodo"), call("shear_puma", {"depth": 3})),
        answers(text="Done."),
    )

    async with Chatter(zoo.socket_url) as customer:
        frames = await customer.say("Please wash the otter")

    mine, theirs, faulty = sorted(results(zoo, customer.thread_id), key=lambda one: one["call_id"])
    assert "groom_koala" not in named(given(model)[0])
    by_tool = {one["tool"]: one for one in (mine, theirs, faulty)}
    assert by_tool["groom_koala"]["ok"] is True
    assert by_tool["feed_dodo"]["error"]["message"].startswith("There is no tool named feed_dodo for you.")
    assert by_tool["shear_puma"]["error"]["message"] == "Unknown argument: depth."
    assert named(given(model)[1])[-2:] == ["groom_koala", "shear_puma"]  # whose arguments it can read now
    assert texts(frames) == ["Done."]
