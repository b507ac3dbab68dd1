"""Approvals in LangChain's shapes, checked against LangChain's own types."""

import json
import warnings
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from langchain.agents.middleware.human_in_the_loop import (
    ApproveDecision,
    EditDecision,
    HITLRequest,
    HITLResponse,
    RejectDecision,
)
from langgraph.prebuilt import interrupt as inbox
from pydantic import TypeAdapter

from agents import approvals, inbox_shapes
from agents.inbox_shapes import of_human_response
from agents.models import Action, Tool
from chat.models import ApiKey, Turn
from tests import rows

pytestmark = pytest.mark.django_db

SCHEMA = {
    "type": "object",
    "required": ["order_id"],
    "properties": {
        "order_id": {"type": "string"},
        "percent": {"type": "integer"},
        "gift": {"type": "boolean"},
        "lines": {"type": "array", "items": {"type": "integer"}},
        "until": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "note": {"type": "string"},
    },
}
ARGUMENTS = {"order_id": "0042", "percent": 10, "gift": True, "lines": [1, 2], "note": "7"}


def checked(kind: Any, value: Any) -> Any:
    """The value as LangChain's own type takes it, without anything guessed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they have moved, and say so
        adapter = TypeAdapter(kind)
    return adapter.validate_json(json.dumps(value), strict=True)


@pytest.fixture
def action() -> Action:
    opened = rows.waiting_for_staff()
    Tool.objects.filter(pk=opened.tool_id).update(input_schema=SCHEMA)
    opened = rows.action(rows.turn(rows.customer()), Tool.objects.get(pk=opened.tool_id), **ARGUMENTS)
    return Action.objects.select_related("tool", "turn").get(pk=opened.pk)


@pytest.fixture
def api() -> Client:
    return Client(headers={"X-API-Key": rows.key("approve", name="Inbox")})


def inbox_url(action: Action) -> str:
    return f"/api/v1/interrupts/{action.pk}/agent-inbox"


def hitl_url(action: Action) -> str:
    return f"/api/v1/interrupts/{action.pk}/hitl"


def answer(api: Client, action: Action, kind: str, args: Any = None, **more: Any) -> Any:
    body = {"responses": [{"type": kind, "args": args}], **more}
    for response in body["responses"]:
        checked(inbox.HumanResponse, response)
    return api.post(inbox_url(action), body, content_type="application/json")


def decide(api: Client, action: Action, response: HITLResponse, **more: Any) -> Any:
    checked(HITLResponse, response)
    return api.post(hitl_url(action), {**response, **more}, content_type="application/json")


def edited(action: Action, **changes: Any) -> dict[str, Any]:
    """As Agent Inbox hands edits back: every value as the text of its field."""
    shown = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in action.args.items()
    }
    return {"action": action.tool_name, "args": shown | changes}


def untouched(action: Action) -> bool:
    before = action.arguments
    action.refresh_from_db()
    return (action.status, action.arguments, action.edited_by) == ("awaiting", before, "")


# What is shown


def test_what_is_shown_is_what_langchain_reads(api: Client, action: Action) -> None:
    shown = api.get(inbox_url(action)).json()["data"]
    asked = api.get(hitl_url(action)).json()["data"]

    [one] = shown["interrupts"]
    assert checked(inbox.HumanInterrupt, one) == one
    assert checked(HITLRequest, asked["request"]) == asked["request"]
    assert one["action_request"] == {"action": "apply_discount", "args": ARGUMENTS}
    assert set(one["config"].values()) == {True}
    [request], [config] = asked["request"]["action_requests"], asked["request"]["review_configs"]
    assert (request["name"], request["args"]) == ("apply_discount", ARGUMENTS)
    assert config["allowed_decisions"] == ["approve", "edit", "reject"]
    assert config["args_schema"] == SCHEMA
    assert shown["arguments_hash"] == asked["arguments_hash"] == action.arguments_hash


def test_only_what_the_caller_may_answer_is_offered(api: Client, action: Action) -> None:
    def offered() -> tuple[list[bool], list[str]]:
        config = api.get(inbox_url(action)).json()["data"]["interrupts"][0]["config"]
        named = ("allow_accept", "allow_edit", "allow_respond", "allow_ignore")
        review = api.get(hitl_url(action)).json()["data"]["request"]["review_configs"][0]
        return [config[name] for name in named], review["allowed_decisions"]

    only_decline = ([False, False, True, True], ["reject"])
    Action.objects.filter(pk=action.pk).update(approvals_needed=2)
    assert offered() == only_decline
    Action.objects.filter(pk=action.pk).update(approvals_needed=1)
    key = ApiKey.objects.get()
    Turn.objects.filter(pk=action.turn_id).update(asked_by=f"key:{key.pk}")
    assert offered() == only_decline
    Turn.objects.filter(pk=action.turn_id).update(asked_by="")
    Tool.objects.update(enabled=False)
    assert offered() == only_decline
    Tool.objects.update(enabled=True)
    assert offered() == ([True] * 4, ["approve", "edit", "reject"])
    Action.objects.filter(pk=action.pk).update(expires_at=timezone.now())
    assert offered() == ([False] * 4, [])
    Action.objects.filter(pk=action.pk).update(expires_at=action.expires_at, status="rejected")
    assert offered() == ([False] * 4, [])


def test_the_description_says_what_has_changed_and_who_agreed(api: Client, action: Action) -> None:
    def told() -> str:
        described = api.get(inbox_url(action)).json()["data"]["interrupts"][0]["description"]
        [asked] = api.get(hitl_url(action)).json()["data"]["request"]["action_requests"]
        assert asked["description"] == described
        return str(described)

    first = told()
    Tool.objects.update(path="/orders/{order_id}/rebates", approvals_needed=2)
    assert answer(api, action, "accept").json()["error"]["code"] == "tool_changed"
    changed = told()
    nina = approvals.Decider("staff", "nina_k", id="user:1")
    seen = Action.objects.get(pk=action.pk).arguments_hash
    approvals.decide(action_id=action.pk, approved=True, by=nina, seen=seen)
    voted = told()

    assert "changed" not in first
    assert r"Address: /orders/{order\_id}/apply\_discount → /orders/{order\_id}/rebates" in changed
    assert "How many have to agree: 1 → 2" in changed
    assert r"Approved by nina\_k; a second person has to agree." not in changed
    assert r"Approved by nina\_k; a second person has to agree." in voted


def test_a_description_is_text_whatever_stands_in_it(api: Client, action: Action) -> None:
    Action.objects.filter(pk=action.pk).update(message="![x](http://evil.example/?q) <img src=x> `a`")

    told = api.get(inbox_url(action)).json()["data"]["interrupts"][0]["description"]

    assert told.startswith(r"\!\[x\](http://evil.example/?q) \<img src=x\> \`a\`")


# Agent Inbox


@pytest.mark.parametrize(
    "echo",
    [
        lambda action: None,
        lambda action: {"action": action.tool_name, "args": action.args},
        edited,
    ],
)
def test_accepting_approves_what_waits(api: Client, action: Action, echo: Any) -> None:
    assert answer(api, action, "accept", echo(action)).status_code == 200

    action.refresh_from_db()
    assert (action.status, action.args, action.decided_by_name) == ("approved", ARGUMENTS, "API key Inbox")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"percent": "11"}, 409),
        ({"percent": True}, 409),
        ({"gift": 1}, 409),
        ({"order_id": 42}, 409),
        ({"more": "x"}, 409),
    ],
)
def test_accepting_something_else_approves_nothing(
    api: Client, action: Action, changes: Any, status: int
) -> None:
    assert answer(api, action, "accept", edited(action, **changes)).status_code == status
    assert untouched(action)


def test_edited_values_come_back_as_text_and_are_typed(api: Client, action: Action) -> None:
    changes = {"percent": "5", "gift": "false", "lines": "[3]", "until": "1.5", "note": "8"}

    assert answer(api, action, "edit", edited(action, **changes)).status_code == 200

    action.refresh_from_db()
    assert action.status == "approved"
    assert action.args == {
        "order_id": "0042",
        "percent": 5,
        "gift": False,
        "lines": [3],
        "until": 1.5,
        "note": "8",
    }
    assert json.loads(action.proposed_arguments) == ARGUMENTS


def test_what_nobody_touched_stays_what_it_was(action: Action) -> None:
    said = of_human_response(action, {"type": "edit", "args": edited(action, note="x")})

    assert said.arguments == {**ARGUMENTS, "note": "x"}
    assert json.dumps(said.arguments, sort_keys=True) == json.dumps(
        {**ARGUMENTS, "note": "x"}, sort_keys=True
    )


@pytest.mark.parametrize(
    "args",
    [
        None,
        "5%",
        {"action": "apply_discount"},
        {"action": "cancel_order", "args": ARGUMENTS},
        {"action": "apply_discount", "args": {**ARGUMENTS, "percent": "five"}},
        {"action": "apply_discount", "args": {**ARGUMENTS, "percent": "NaN"}},
        {"action": "apply_discount", "args": {**ARGUMENTS, "percent": "5.5"}},
        {"action": "apply_discount", "args": {**ARGUMENTS, "gift": "yes"}},
        {"action": "apply_discount", "args": {**ARGUMENTS, "lines": "[" * 5000}},
        {"action": "apply_discount", "args": {**ARGUMENTS, "customer_id": "cus_9", "unknown": "x"}},
        {"action": "apply_discount", "args": {"percent": "5"}},
        {"action": "apply_discount", "args": [], "more": 1},
    ],
)
def test_an_edit_that_cannot_be_changes_nothing(api: Client, action: Action, args: Any) -> None:
    body = {"responses": [{"type": "edit", "args": args}]}

    refused = api.post(inbox_url(action), body, content_type="application/json")

    assert refused.status_code == 400
    assert untouched(action)


def test_a_response_declines_with_its_words_and_ignoring_declines(api: Client, action: Action) -> None:
    assert answer(api, action, "response", "  ").status_code == 400
    assert answer(api, action, "ignore", "x").status_code == 400
    assert untouched(action)
    other = rows.waiting_for_staff()

    assert answer(api, action, "response", "Ask for the receipt first.").status_code == 200
    assert answer(api, other, "ignore").status_code == 200

    action.refresh_from_db()
    other.refresh_from_db()
    assert (action.status, action.reason) == ("rejected", "Ask for the receipt first.")
    assert (other.status, other.reason) == ("rejected", inbox_shapes.SKIPPED)


# LangChain's middleware


def test_the_middlewares_decisions(api: Client, action: Action) -> None:
    another, third = rows.waiting_for_staff(), rows.waiting_for_staff()
    arguments = {**ARGUMENTS, "percent": 5}
    edit: EditDecision = {
        "type": "edit",
        "edited_action": {"name": "apply_discount", "args": arguments},
    }
    reject: RejectDecision = {"type": "reject", "message": "Not covered."}
    approve: ApproveDecision = {"type": "approve"}

    answers = [
        decide(api, one, {"decisions": [said]})
        for one, said in ((action, edit), (another, reject), (third, approve))
    ]

    assert [one.status_code for one in answers] == [200, 200, 200]
    for one in (action, another, third):
        one.refresh_from_db()
    assert (action.status, action.args) == ("approved", arguments)
    assert (another.status, another.reason) == ("rejected", "Not covered.")
    assert (third.status, third.edited_by) == ("approved", "")


@pytest.mark.parametrize(
    "decision",
    [
        {"type": "respond", "message": "It is done."},
        {"type": "edit"},
        {"type": "edit", "edited_action": {"name": "cancel_order", "args": ARGUMENTS}},
        {"type": "edit", "edited_action": {"name": "apply_discount", "args": {**ARGUMENTS, "percent": "5"}}},
        {"type": "approve", "edited_action": {"name": "apply_discount", "args": {**ARGUMENTS, "percent": 5}}},
        {"type": "approve", "message": "Only half of it."},
        {"type": "approve", "args": None, "message": "Only half of it."},
        {"type": "approve", "arguments": {"percent": 5}},
        {"type": "edit", "args": {"action": "cancel_order", "args": ARGUMENTS}},
        {"type": "edit", "args": {"name": "apply_discount", "args": ARGUMENTS}},
        {"type": "reject", "args": ""},
        {"type": "ignore", "args": "x"},
        {"type": "accept"},
        {"type": True},
        {},
    ],
)
def test_what_the_middleware_could_not_have_meant_changes_nothing(
    api: Client, action: Action, decision: Any
) -> None:
    refused = api.post(hitl_url(action), {"decisions": [decision]}, content_type="application/json")

    assert refused.status_code == 400
    assert untouched(action)


def test_agent_inbox_answers_a_request_of_the_middleware(api: Client, action: Action) -> None:
    """It then sends `decisions`, each with its own `args` and the middleware's word for `type`."""

    def sent(one: Action, kind: str, args: Any) -> int:
        body = {"decisions": [{"type": kind, "args": args}]}
        return api.post(hitl_url(one), body, content_type="application/json").status_code

    changed, declined, skipped = (rows.waiting_for_staff() for _ in range(3))

    assert sent(action, "approve", edited(action, percent="11")) == 409
    assert untouched(action)
    assert sent(action, "approve", edited(action)) == 200
    assert sent(changed, "edit", edited(changed, percent="5")) == 200
    assert sent(declined, "reject", "Ask for the receipt first.") == 200
    assert sent(skipped, "ignore", None) == 200

    for one in (action, changed, declined, skipped):
        one.refresh_from_db()
    assert (action.status, action.args, action.edited_by) == ("approved", ARGUMENTS, "")
    assert (changed.status, changed.args["percent"]) == ("approved", 5)
    assert (declined.status, declined.reason) == ("rejected", "Ask for the receipt first.")
    assert (skipped.status, skipped.reason) == ("rejected", inbox_shapes.SKIPPED)


# Never guessed


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"approved": True},
        {"responses": []},
        {"responses": [{"type": "accept"}, {"type": "accept"}]},
        {"responses": {"type": "accept"}},
        {"responses": [{"type": "accept"}], "approved": True},
        {"responses": [{"type": "accept", "arguments": {"percent": 5}}]},
        {"decisions": [{"type": "approve"}]},
        [{"type": "accept", "args": None}],
        "accept",
    ],
)
def test_no_body_is_taken_for_another(api: Client, action: Action, body: Any) -> None:
    for url in (inbox_url(action), hitl_url(action), f"/api/v1/interrupts/{action.pk}/decision"):
        if url.endswith("/hitl") and "decisions" in body:
            continue
        if url.endswith("/decision") and body == {"approved": True}:
            continue
        refused = api.post(url, json.dumps(body), content_type="application/json")
        assert refused.status_code == 400, (url, body)
    assert untouched(action)


def test_the_rules_are_those_of_every_decision(api: Client, action: Action) -> None:
    assert answer(api, action, "accept", arguments_hash="0" * 64).status_code == 409
    assert untouched(action)
    assert answer(api, action, "accept", arguments_hash=action.arguments_hash).status_code == 200
    late = answer(api, action, "ignore")
    assert (late.status_code, late.json()["error"]["code"]) == (409, "already_decided")
    theirs = rows.action(rows.turn(rows.customer()), rows.tool())
    assert answer(api, theirs, "accept").status_code == 403
    reader = Client(headers={"X-API-Key": rows.key("interrupts:read")})
    other = rows.waiting_for_staff()
    assert reader.get(inbox_url(other)).status_code == 200
    assert answer(reader, other, "accept").status_code == 403
    other.refresh_from_db()
    assert other.status == "awaiting"


def test_what_came_back_changed_has_to_be_looked_at(api: Client, action: Action) -> None:
    Action.objects.filter(pk=action.pk).update(reopened=1)

    assert answer(api, action, "accept").status_code == 409
    assert answer(api, action, "accept", arguments_hash=action.arguments_hash).status_code == 200
    assert approvals.AlreadyDecided.code == answer(api, action, "accept").json()["error"]["code"]
