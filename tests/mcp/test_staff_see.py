"""What staff see of another system's call: in the inbox, the conversation and the replay it is like any other."""

from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from agents import approvals, facts
from agents.direct.calls import CALL_ID, CALLER
from agents.models import Action
from chat import direct_calls, events
from chat.models import Conversation, Turn
from tests import rows

pytestmark = pytest.mark.django_db
ASKER = direct_calls.Caller("key:7", "API key shop assistant")


@pytest.fixture
def action() -> Action:
    tool, customer = rows.tool(), rows.customer(name="Ada")
    asked = {"order_id": 1042}
    accepted = direct_calls.submit(caller=ASKER, customer_id=customer.pk, tool=tool, arguments=asked)
    with transaction.atomic():
        made, _ = approvals.open_action(
            turn_id=accepted.turn_id,
            customer_id=customer.pk,
            tool=tool,
            tool_call_id=CALL_ID,
            agent=CALLER,
            arguments=asked,
            bound={},
            staff_only=True,
        )
        events.append(accepted.conversation_id, [approvals.opened_fact(made)], turn_id=accepted.turn_id)
    return made


def page(client: Client, name: str, *args: Any) -> str:
    answer = client.get(reverse(f"admin:{name}", args=args))
    assert answer.status_code == 200, name
    return answer.content.decode()


def test_every_page_of_it_tells_who_asked(client: Client, action: Action) -> None:
    client.force_login(rows.staff("root", superuser=True))
    conversation = Conversation.objects.get()

    assert "Cancel order" in page(client, "agents_action_changelist")
    assert "Cancel order" in page(client, "agents_action_change", action.pk)
    assert "API key shop assistant asked for" in page(client, "chat_conversation_change", conversation.pk)
    assert "API key shop assistant" in page(client, "chat_conversation_changelist")
    key = rows.key("conversations:read", "interrupts:read")
    replay = client.get(f"/api/v1/replay/{conversation.thread_id}", headers={"X-API-Key": key}).json()["data"]
    assert [step["type"] for step in replay["steps"]] == ["call_request", "interrupt"]
    assert replay["steps"][0]["params"] == {"order_id": 1042}


def test_a_call_is_one_turn_of_a_conversation_of_its_caller_and_customer(action: Action) -> None:
    turn = Turn.objects.select_related("conversation").get()
    again = direct_calls.submit(
        caller=ASKER,
        customer_id=action.customer_id,
        tool=action.tool,
        arguments={"order_id": 1, "customer_id": "x"},
    )
    other = direct_calls.submit(
        caller=direct_calls.Caller("key:8", "other"),
        customer_id=action.customer_id,
        tool=action.tool,
        arguments={},
    )
    lane = direct_calls.submit(
        caller=ASKER, customer_id=action.customer_id, tool=action.tool, arguments={}, lane="desk-7"
    )

    assert again.conversation_id == turn.conversation_id
    assert len({turn.conversation_id, other.conversation_id, lane.conversation_id}) == 3
    assert turn.asked_by == "key:7"
    with pytest.raises(approvals.NotAllowed, match="You asked for this yourself"):
        approvals.decide(action_id=action.pk, approved=True, by=approvals.Decider("staff", "key", id="key:7"))
    kinds = events.frames_after(turn.conversation_id, turn.conversation.thread_id, 0)[0]
    assert {frame["type"] for frame in kinds} == {"interrupt"}  # the customer is told no keys


def test_the_queue_of_a_conversation_ends(action: Action, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_calls, "QUEUE_LIMIT", 3)

    def ask() -> UUID:
        return direct_calls.submit(
            caller=ASKER, customer_id=action.customer_id, tool=action.tool, arguments={}
        ).turn_id

    ask()
    ask()
    before = Turn.objects.count()
    with pytest.raises(direct_calls.TooManyCalls):
        ask()
    assert Turn.objects.count() == before


def test_what_is_bound_is_not_kept_of_what_was_asked() -> None:
    tool, customer = rows.tool(bound={"customer_id": "customer.id"}), rows.customer()

    accepted = direct_calls.submit(
        caller=ASKER, customer_id=customer.pk, tool=tool, arguments={"order_id": 1, "customer_id": "cus_2"}
    )

    told = Conversation.objects.get(pk=accepted.conversation_id).events.get()
    assert told.kind == facts.call_requested(tool="", title="", args={}, by="", by_name="").kind
    assert told.payload["args"] == {"order_id": 1}
