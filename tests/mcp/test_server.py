"""Another agent at `/mcp`, with the SDK's own client: reads answer, writes wait for a person and happen once."""

import asyncio

import pytest
from mcp.shared.exceptions import MCPError

from tests.chat.engine_stack import die, worker
from tests.live.stack import API_KEY, Stack, until
from tests.mcp.client import connected, status_of, told
from tests.mcp.keys import key_of

pytestmark = pytest.mark.xdist_group("live-mortal")
BOTH = ("tools:call", "interrupts:read")
ORDER = {"order_id": 1042}


def decide(
    stack: Stack, interrupt_id: str, *, approved: bool = True, key: str = API_KEY, **body: object
) -> int:
    """Decide over REST; the HTTP status."""
    path, sent = f"/interrupts/{interrupt_id}/decision", {"approved": approved, **body}
    return stack.api.post(path, json=sent, headers={"X-API-Key": key}).status_code


def turns(stack: Stack) -> int:
    return int(stack.db("SELECT count(*) AS n FROM chat_turn")[0]["n"])


@pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])
async def test_a_read_answers_at_once_in_every_revision(mortal: Stack, mode: str) -> None:
    key = key_of(mortal, *BOTH)

    async with connected(mortal, key, mode=mode) as client:
        listed = await client.list_tools()
        result = await client.call_tool("get_order_status", ORDER)

    tools = {tool.name: tool for tool in listed.tools}
    assert {"get_action_status", "get_order_status", "cancel_order"} <= tools.keys()
    assert "customer_id" not in str(tools["get_order_status"].input_schema)
    read, cancel = tools["get_order_status"].annotations, tools["cancel_order"].annotations
    assert (read.read_only_hint, read.destructive_hint) == (True, False)
    assert (cancel.read_only_hint, cancel.destructive_hint) == (False, True)
    assert not result.is_error
    assert told(result)["status"] == "succeeded"
    assert told(result)["result"]["order_id"] == 1042
    assert '"order_id": 1042' in result.content[0].text


async def test_an_approved_write_happens_exactly_once_though_nobody_waits_and_its_worker_died(
    mortal: Stack,
) -> None:
    key = key_of(mortal, *BOTH, name="shop assistant")
    meta = {"idempotencyKey": "cancel-1042"}

    async with connected(mortal, key) as client:
        asked = told(await client.call_tool("cancel_order", ORDER, meta=meta))
        again = told(await client.call_tool("cancel_order", ORDER, meta=meta))
        waiting = await status_of(client, asked["interrupt_id"], wait=0)
    assert asked == again == waiting
    # The customer agrees to this in the chat; here it is staff's, as nobody asks the customer.
    assert (asked["status"], asked["approver"], asked["question"]) == (
        "awaiting",
        "staff",
        "Cancel order 1042",
    )
    assert mortal.journal() == []

    die(mortal)
    assert decide(mortal, asked["interrupt_id"]) == 200
    async with connected(mortal, key) as client:
        approved = await status_of(client, asked["interrupt_id"], wait=0)
        assert approved["status"] == "approved"
        assert mortal.journal() == []
        worker(mortal)
        done = await status_of(client, asked["interrupt_id"])
        repeated = told(await client.call_tool("cancel_order", ORDER, meta=meta))
        other = await client.call_tool("cancel_order", {"order_id": 1043}, meta=meta)
    assert told(other)["error"]["code"] == "idempotency_key_reused"
    assert done["status"] == "succeeded"
    assert done["result"]["order"]["status"] == "cancelled"
    assert repeated == done
    [effect] = mortal.journal()
    assert effect["idempotency_key"] == asked["interrupt_id"]

    action = mortal.db("SELECT turn_id, decided_by FROM agents_action WHERE id = %s", asked["interrupt_id"])[
        0
    ]
    kinds = mortal.db("SELECT kind FROM chat_event WHERE turn_id = %s ORDER BY seq", action["turn_id"])
    assert [row["kind"] for row in kinds] == [
        "call_requested",
        "approval_opened",
        "approval_decided",
        "tool_called",
        "tool_returned",
        "turn_completed",
    ]
    audit = mortal.db(
        "SELECT outcome FROM smartsupport_auditentry WHERE verb = 'call' AND actor_name = 'shop assistant' ORDER BY id"
    )
    assert [row["outcome"] for row in audit] == ["begun", "done"] * 3 + ["begun", "refused"]


async def test_who_asked_does_not_decide_and_what_is_declined_or_expires_never_happens(mortal: Stack) -> None:
    key = key_of(mortal, *BOTH, "interrupts:decide")

    async with connected(mortal, key) as client:
        declined = told(await client.call_tool("cancel_order", {"order_id": 1044}))["interrupt_id"]
        late = told(await client.call_tool("cancel_order", {"order_id": 1045}))["interrupt_id"]
        assert decide(mortal, declined, key=key) == 403
        assert (await status_of(client, declined, wait=0))["status"] == "awaiting"
        assert decide(mortal, declined, approved=False, reason="Too late.") == 200
        told_no = await status_of(client, declined)
        mortal.db("UPDATE agents_action SET expires_at = now() - interval '1 minute' WHERE id = %s", late)
        assert decide(mortal, late) == 410
        told_late = await status_of(client, late)

    assert (told_no["status"], told_no["reason"]) == ("rejected", "Too late.")
    assert told_late["status"] == "expired"
    assert mortal.journal() == []


async def test_staff_change_the_arguments_and_the_caller_is_told(mortal: Stack) -> None:
    async with connected(mortal, key_of(mortal, *BOTH)) as client:
        asked = told(await client.call_tool("apply_discount", {"order_id": 1046, "percent": 20}))
        args = {"order_id": 1046, "percent": 5}
        assert decide(mortal, asked["interrupt_id"], args=args) == 200
        done = await status_of(client, asked["interrupt_id"])

    assert (done["status"], done["arguments_used"]) == ("succeeded", args)
    assert [entry["operation"] for entry in mortal.journal()] == ["apply_discount"]


async def test_nothing_of_other_customers_and_other_callers(mortal: Stack) -> None:
    key, other = key_of(mortal, *BOTH), key_of(mortal, *BOTH)
    async with connected(mortal, key) as client:
        mine = told(await client.call_tool("cancel_order", {"order_id": 1047}))["interrupt_id"]
        own = told(await client.call_tool("get_order_status", ORDER))["result"]
        forged = told(await client.call_tool("get_order_status", ORDER | {"customer_id": "cus_2002"}))
    assert forged["result"] == own
    async with connected(mortal, key, "cus_9999") as client:
        foreign_order = await client.call_tool("get_order_status", ORDER)
        for_another_customer = await status_of(client, mine, wait=0)
    async with connected(mortal, other) as client:
        of_another_key = await status_of(client, mine, wait=0)
    before = turns(mortal)
    async with connected(mortal, key, None) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        with pytest.raises(MCPError, match="no tool named"):
            await client.call_tool("get_order_status", ORDER)
        for_nobody = await status_of(client, mine, wait=0)
    async with connected(mortal, key_of(mortal, "tools:call")) as client:
        may_not_poll = await client.call_tool("get_action_status", {"interrupt_id": mine})
        assert "get_action_status" not in {tool.name for tool in (await client.list_tools()).tools}

    assert foreign_order.is_error
    assert told(foreign_order)["error"]["code"] == "validation"
    assert "cus_1001" not in str(foreign_order)
    for refused in (for_another_customer, of_another_key, for_nobody):
        assert refused == {
            "status": "refused",
            "error": {"code": "not_found", "message": "There is no such action of yours."},
        }
    assert told(may_not_poll)["error"]["code"] == "scope_missing"
    assert "get_order_status" not in names
    assert names == {"get_action_status", "fallback_respond"}
    assert turns(mortal) == before


async def test_what_cannot_be_called_writes_nothing(mortal: Stack) -> None:
    key = key_of(mortal, *BOTH)
    bad = [{}, {"order_id": "one"}, {"order_id": 1042, "more": 1}, {"order_id": None}]
    async with connected(mortal, key) as client:
        before = turns(mortal)
        refused = [await client.call_tool("cancel_order", arguments) for arguments in bad]
        too_much = await client.call_tool("apply_discount", {"order_id": 1042, "percent": 101})
        for name in ("hand_off_to_person", "find_tools", "no_such_tool", "x" * 300):
            with pytest.raises(MCPError, match="no tool named"):
                await client.call_tool(name, {})
        with pytest.raises(MCPError, match="idempotency key"):
            await client.call_tool("cancel_order", ORDER, meta={"idempotencyKey": "x" * 201})
        for interrupt_id in ("x", "", "00000000-0000-4000-8000-000000000000"):
            assert (await status_of(client, interrupt_id, wait=0))["status"] == "refused"

    assert all(result.is_error and told(result)["error"]["code"] == "validation" for result in refused)
    assert told(too_much)["error"]["message"] == "Invalid discount: 101%. Must be between 1 and 100."
    assert turns(mortal) == before
    assert mortal.journal() == []


async def test_calls_at_once_of_one_conversation_all_answer_and_one_that_was_given_up_goes_on(
    mortal: Stack,
) -> None:
    key = key_of(mortal, *BOTH)
    held = {"operation": "get_order_status", "hold": True}
    async with connected(mortal, key) as client:
        calls = [client.call_tool("get_order_status", {"order_id": order}) for order in range(1042, 1050)]
        answered = [told(result)["result"]["order_id"] for result in await asyncio.gather(*calls)]
        once = {"idempotencyKey": "once"}
        same = [
            client.call_tool("apply_discount", {"order_id": 1050, "percent": 5}, meta=once) for _ in range(5)
        ]
        approvals = {told(result)["interrupt_id"] for result in await asyncio.gather(*same)}
        mortal.business.post("/_faults", json=held).raise_for_status()
        given_up = asyncio.ensure_future(
            client.call_tool("get_order_status", ORDER, meta={"idempotencyKey": "given up"})
        )
        await asyncio.to_thread(until, lambda: mortal.business.get("/_faults").json()[0]["fired"] == 1)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        mortal.business.delete("/_faults")
        result = await client.call_tool("get_order_status", ORDER, meta={"idempotencyKey": "given up"})

    assert answered == list(range(1042, 1050))
    assert len(approvals) == 1
    assert told(result)["result"]["order_id"] == 1042
    calls_made = mortal.db(
        "SELECT count(*) AS n FROM agents_directcall WHERE submission IS NOT NULL AND arguments LIKE '%%1042%%' "
        "AND tool_name = 'get_order_status'"
    )
    assert calls_made[0]["n"] == 1


async def test_what_staff_have_taken_over_or_filtered_away_is_not_called(mortal: Stack) -> None:
    key = key_of(mortal, *BOTH)
    async with connected(mortal, key, path="/mcp?agent=order_lookup") as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        with pytest.raises(MCPError, match="no tool named"):
            await client.call_tool("cancel_order", ORDER)
    async with connected(mortal, key, path="/mcp?access=read&q=order+track") as client:
        tracked = [tool.name for tool in (await client.list_tools()).tools]
    lane = {"X-Conversation-Id": "desk-7"}
    async with connected(mortal, key, **lane) as client:
        await client.call_tool("get_order_status", ORDER)
        [row] = mortal.db(
            "SELECT thread_id FROM chat_conversation WHERE thread_id LIKE 'mcp-%%' ORDER BY created_at DESC LIMIT 1"
        )
        assert mortal.api.post(f"/conversations/{row['thread_id']}/takeover").status_code == 200
        before = turns(mortal)
        held = told(await client.call_tool("get_order_status", ORDER))
    async with connected(mortal, key) as client:
        elsewhere = told(await client.call_tool("get_order_status", ORDER))

    assert names == ["get_action_status", "get_order_status", "get_tracking_info"]
    assert tracked == ["get_action_status", "get_tracking_info"]
    assert held["error"]["code"] == "conversation_held"
    assert elsewhere["status"] == "succeeded"
    assert turns(mortal) == before + 1
    assert until(lambda: mortal.log("web").count('"mcp_call"')) >= 2
    assert key not in mortal.log("web")
