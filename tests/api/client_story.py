"""`python client_story.py URL KEY`: a smoke suite for the client that is generated from the published document. It runs
in a process of its own, with the generated package on its path, and says in the end what it has done."""

import sys
import time
from typing import Any

from smart_support_api_client import AuthenticatedClient
from smart_support_api_client.api.agents import agents_export, agents_list
from smart_support_api_client.api.analytics import analytics_get
from smart_support_api_client.api.approvals import interrupts_decide, interrupts_list
from smart_support_api_client.api.conversations import (
    conversations_events,
    conversations_get,
    conversations_list,
    conversations_send_message,
    conversations_take_over,
)
from smart_support_api_client.api.health import health_get
from smart_support_api_client.api.imports import openapi_import, openapi_jobs_get
from smart_support_api_client.models import (
    DecisionRequest,
    ErrorEnvelope,
    HeldMessage,
    InterruptsListStatus,
    MessageRequest,
    NewCustomerRequest,
    SubmissionRequest,
    TurnStatus,
)

DOCUMENT = """
openapi: 3.1.0
info: {title: A small shop, version: "1"}
paths:
  /orders: {get: {operationId: listOrders, responses: {"200": {description: They}}}}
"""


def main(url: str, key: str) -> None:
    run = f"{int(time.time() * 1000):x}"
    with AuthenticatedClient(
        base_url=url,
        token=key,
        prefix="",
        auth_header_name="X-API-Key",
        timeout=70.0,
        httpx_args={"trust_env": False},
    ) as client:
        health(client)
        thread = a_message_that_is_answered(client, run)
        an_approval(client, run)
        a_message_to_a_person(client, thread)
        lists(client)
        errors(client, thread)
        imports(client)
        files_and_numbers(client)
    print("The client works.")


def health(client: AuthenticatedClient) -> None:
    answer = health_get.sync(client=client)
    assert answer is not None
    assert answer.data.status == "ok"


def a_message_that_is_answered(client: AuthenticatedClient, run: str) -> str:
    thread = f"client-{run}"
    ask: dict[str, Any] = {
        "body": MessageRequest(
            content="What is the status of order 1065?", customer=NewCustomerRequest(subject="cus_1001")
        ),
        "wait": 60,
        "idempotency_key": f"ask-{run}",
    }
    first = conversations_send_message.sync_detailed(thread, client=client, **ask)
    assert first.status_code == 200, first
    assert first.parsed is not None
    assert not isinstance(first.parsed, ErrorEnvelope)
    turn = first.parsed.data
    assert turn.status is TurnStatus.COMPLETED
    assert "1065" in turn.replies[0].content
    assert [(call.tool, call.ok) for call in turn.tools] == [("get_order_status", True)]

    again = conversations_send_message.sync_detailed(thread, client=client, **ask)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.content == first.content

    events = conversations_events.sync(thread, client=client, limit=2)
    assert events is not None
    assert not isinstance(events, ErrorEnvelope)
    assert [event.seq for event in events.data.events] == [1, 2]
    assert events.data.events[0].kind == "message_received"
    assert events.data.next_ == 2
    return thread


def an_approval(client: AuthenticatedClient, run: str) -> None:
    thread = f"client-discount-{run}"
    body = MessageRequest(
        content="Please give me a 10% discount on order 1064", customer=NewCustomerRequest(subject="cus_1001")
    )
    asked = conversations_send_message.sync(thread, client=client, body=body, wait=60)
    assert asked is not None
    assert not isinstance(asked, ErrorEnvelope)
    assert asked.data.status is TurnStatus.WAITING
    waiting = interrupts_list.sync(client=client, status=InterruptsListStatus.AWAITING, conversation=thread)
    assert waiting is not None
    assert not isinstance(waiting, ErrorEnvelope)
    [one] = waiting.data.interrupts
    assert one.params["percent"] == 10

    decision = DecisionRequest(approved=False, reason="Not covered.", arguments_hash=one.arguments_hash)
    decided = interrupts_decide.sync(str(one.interrupt_id), client=client, body=decision)
    assert decided is not None
    assert not isinstance(decided, ErrorEnvelope)
    assert decided.data.status == "rejected"
    second = interrupts_decide.sync_detailed(str(one.interrupt_id), client=client, body=decision)
    assert second.status_code == 409
    assert isinstance(second.parsed, ErrorEnvelope)
    assert second.parsed.error.code == "already_decided"
    assert second.parsed.error["resolution"] == "rejected"


def a_message_to_a_person(client: AuthenticatedClient, thread: str) -> None:
    taken = conversations_take_over.sync(thread, client=client)
    assert taken is not None
    assert not isinstance(taken, ErrorEnvelope)
    written = conversations_send_message.sync(thread, client=client, body=MessageRequest(content="Hello?"))
    assert written is not None
    assert not isinstance(written, ErrorEnvelope)
    assert isinstance(written.data, HeldMessage)
    assert written.data.held_by == taken.data.held_by


def lists(client: AuthenticatedClient) -> None:
    everything = conversations_list.sync(client=client, per_page=100)
    assert everything is not None
    assert not isinstance(everything, ErrorEnvelope)
    assert everything.data.total is not None
    assert everything.data.total >= 2
    found, cursor = [], ""
    while len(found) < everything.data.total:
        page = conversations_list.sync(client=client, per_page=1, cursor=cursor)
        assert page is not None
        assert not isinstance(page, ErrorEnvelope)
        assert page.data.total is None
        found += [row.thread_id for row in page.data.conversations]
        if page.data.next_ is None:
            break
        cursor = page.data.next_
    assert found == [row.thread_id for row in everything.data.conversations]


def errors(client: AuthenticatedClient, thread: str) -> None:
    missing = conversations_get.sync("nobody-has-this", client=client)
    assert isinstance(missing, ErrorEnvelope)
    assert missing.error.code == "thread_not_found"
    wrong = conversations_list.sync(client=client, cursor="x")
    assert isinstance(wrong, ErrorEnvelope)
    assert wrong.error.code == "invalid_cursor"
    there = conversations_get.sync_detailed(thread, client=client)
    same = conversations_get.sync_detailed(thread, client=client, if_none_match=there.headers["ETag"])
    assert (same.status_code, same.content) == (304, b"")


def imports(client: AuthenticatedClient) -> None:
    sent = openapi_import.sync(client=client, body=SubmissionRequest(text=DOCUMENT))
    assert sent is not None
    assert not isinstance(sent, ErrorEnvelope)
    job = openapi_jobs_get.sync(str(sent.data.job_id), client=client)
    assert job is not None
    assert not isinstance(job, ErrorEnvelope)
    assert job.data.job_id == sent.data.job_id
    refused = openapi_import.sync_detailed(client=client, body=SubmissionRequest(url="ftp://x.example.com/a"))
    assert refused.status_code == 422
    assert isinstance(refused.parsed, ErrorEnvelope)


def files_and_numbers(client: AuthenticatedClient) -> None:
    agents = agents_list.sync(client=client)
    assert agents is not None
    assert not isinstance(agents, ErrorEnvelope)
    assert "order_lookup" in [agent.name for agent in agents.data.agents]
    exported = agents_export.sync(client=client)
    assert b"- name: order_lookup" in exported
    numbers = analytics_get.sync(client=client, range_="7d")
    assert numbers is not None
    assert not isinstance(numbers, ErrorEnvelope)
    assert numbers.data.total_conversations >= 2


if __name__ == "__main__":
    main(*sys.argv[1:])
