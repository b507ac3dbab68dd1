"""The auditor finds every kind of fault that is planted in sound evidence, and nothing in the evidence itself."""

import copy
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.faults.soak_audit import Evidence, Sent, Told, audit, canonical

NOW = datetime(2026, 11, 20, tzinfo=UTC)
COUPON = {"discount_percent": 10, "expiry_days": 31}
KEY = "7b1c"


def sound() -> Evidence:
    """One conversation: a coupon that was approved and issued, then a question that was stopped."""
    kinds: list[tuple[str, str | None, dict[str, Any]]] = [
        ("message_received", "t1", {"content": "A coupon, please", "client_message_id": "m1"}),
        ("routed", "t1", {}),
        ("approval_opened", "t1", {}),
        ("approval_decided", "t1", {}),
        ("tool_called", "t1", {}),
        ("tool_returned", "t1", {}),
        ("replied", "t1", {"content": "Here it is."}),
        ("turn_completed", "t1", {}),
        ("message_received", "t2", {"content": "And my order?", "client_message_id": "m2"}),
        ("turn_stopped", "t2", {}),
        ("taken_over", None, {}),
        ("message_received", None, {"content": "Hello?", "client_message_id": "m3"}),
        ("staff_wrote", None, {"content": "I am here."}),
        ("handed_back", None, {}),
    ]
    events = [
        {"conversation_id": "c", "seq": seq, "kind": kind, "key": "", "turn_id": turn, "payload": payload}
        for seq, (kind, turn, payload) in enumerate(kinds, 1)
    ]
    told = {
        event["seq"]: {event["kind"]: {"type": event["kind"], "seq": event["seq"], **event["payload"]}}
        for event in events
        if event["kind"] not in ("taken_over", "handed_back")
    }
    return Evidence(
        conversations=[{"id": "c", "thread_id": "thread", "status": "open", "last_seq": len(events)}],
        events=events,
        turns=[
            {"id": "t1", "conversation_id": "c", "status": "completed", "sealed_at": NOW},
            {"id": "t2", "conversation_id": "c", "status": "stopped", "sealed_at": NOW},
        ],
        actions=[
            {
                "id": KEY,
                "turn_id": "t1",
                "subject": "cus_1002",
                "tool_name": "generate_coupon",
                "arguments": json.dumps(COUPON),
                "bound_arguments": '{"customer_id": "cus_1002"}',
                "status": "succeeded",
            }
        ],
        journal=[
            {
                "operation": "generate_coupon",
                "path": "/shop/customers/cus_1002/coupons",
                "body": dict(COUPON),
                "idempotency_key": KEY,
            }
        ],
        sent=[
            Sent("thread", "m1", "A coupon, please", "accepted", 1, 1),
            Sent("thread", "m2", "And my order?", "accepted", 9, 1),
            Sent("thread", "m3", "Hello?", "accepted", 12, 1),
            Sent("thread", "m4", "One too many", "refused"),
        ],
        told=[Told("thread", copy.deepcopy(told), told)],
        asked=Counter({("cus_1002", "generate_coupon", canonical(COUPON)): 1}),
        decisions={KEY: {True}},
    )


def test_finds_nothing_in_sound_evidence() -> None:
    assert audit(sound()) == []


def _event(evidence: Evidence, seq: int) -> dict[str, Any]:
    return next(event for event in evidence.events if event["seq"] == seq)


def _lose_an_event(evidence: Evidence) -> None:
    evidence.events.remove(_event(evidence, 2))


def _lose_a_message(evidence: Evidence) -> None:
    _event(evidence, 9)["kind"] = "staff_wrote"


def _double_a_message(evidence: Evidence) -> None:
    twin = {**_event(evidence, 9), "seq": 15}
    evidence.events.append(twin)
    evidence.conversations[0]["last_seq"] = 15


def _change_words(evidence: Evidence) -> None:
    _event(evidence, 9)["payload"] = {"content": "And my oder?", "client_message_id": "m2"}


def _accept_in_secret(evidence: Evidence) -> None:
    evidence.sent[1] = Sent("thread", "m2", "And my order?", "refused")


def _never_answer(evidence: Evidence) -> None:
    evidence.sent[1].state = "sent"


def _make_up_a_message(evidence: Evidence) -> None:
    del evidence.sent[1]


def _reorder(evidence: Evidence) -> None:
    evidence.sent[0], evidence.sent[1] = evidence.sent[1], evidence.sent[0]


def _double_an_effect(evidence: Evidence) -> None:
    evidence.journal.append(dict(evidence.journal[0]))


def _act_without_an_action(evidence: Evidence) -> None:
    evidence.journal[0]["idempotency_key"] = None


def _act_although_declined(evidence: Evidence) -> None:
    evidence.actions[0]["status"] = "rejected"


def _act_unapproved(evidence: Evidence) -> None:
    evidence.decisions[KEY] = {False}


def _send_other_arguments(evidence: Evidence) -> None:
    evidence.journal[0]["body"]["discount_percent"] = 90


def _send_more_arguments(evidence: Evidence) -> None:
    evidence.journal[0]["body"]["free_shipping"] = True


def _reach_another_customer(evidence: Evidence) -> None:
    evidence.journal[0]["path"] = "/shop/customers/cus_1003/coupons"


def _claim_an_effect(evidence: Evidence) -> None:
    evidence.journal.clear()


def _do_it_for_two_actions(evidence: Evidence) -> None:
    evidence.actions.append({**evidence.actions[0], "id": "other"})
    evidence.journal.append({**evidence.journal[0], "idempotency_key": "other"})
    evidence.decisions["other"] = {True}


def _leave_it_dispatching(evidence: Evidence) -> None:
    evidence.actions[0]["status"] = "dispatching"


def _leave_a_turn_running(evidence: Evidence) -> None:
    evidence.turns[1]["status"] = "running"


def _end_twice(evidence: Evidence) -> None:
    _event(evidence, 7)["kind"] = "turn_completed"


def _end_untruthfully(evidence: Evidence) -> None:
    evidence.turns[1]["status"] = "completed"


def _forget_the_seal(evidence: Evidence) -> None:
    evidence.turns[0]["sealed_at"] = None


def _lose_the_answer(evidence: Evidence) -> None:
    _event(evidence, 7)["kind"] = "staff_wrote"


def _go_on_after_the_end(evidence: Evidence) -> None:
    _event(evidence, 8)["kind"], _event(evidence, 7)["kind"] = "replied", "turn_completed"


def _talk_over_a_person(evidence: Evidence) -> None:
    _event(evidence, 13)["kind"] = "replied"


def _make_no_turn(evidence: Evidence) -> None:
    _event(evidence, 11)["kind"] = "handed_back"


def _miss_a_frame(evidence: Evidence) -> None:
    del evidence.told[0].tab[7]


def _tell_other_words(evidence: Evidence) -> None:
    evidence.told[0].tab[7]["replied"]["content"] = "There it is."


def _replay_other_words(evidence: Evidence) -> None:
    for told in (evidence.told[0].tab, evidence.told[0].replay):
        told[7]["replied"]["content"] = "There it is."


def _keep_from_everybody(evidence: Evidence) -> None:
    del evidence.told[0].tab[7]
    del evidence.told[0].replay[7]


def _show_a_half_call(evidence: Evidence) -> None:
    evidence.refused_histories.append("An assistant message with 'tool_calls' ...")


def _notice(evidence: Evidence) -> None:
    evidence.faults.append("thread: agent_response came twice with seq 7")


PLANTED: dict[Callable[[Evidence], None], str] = {
    _lose_an_event: "the log's numbers are not 1 to 14",
    _lose_a_message: "LOST: message m2 (accepted) is not in the log",
    _double_a_message: "DOUBLED: message m2 (accepted) is in the log 2 times",
    _change_words: "says something else in the log",
    _accept_in_secret: "is in the log though it was refused",
    _never_answer: "was never answered",
    _make_up_a_message: "nobody sent it",
    _reorder: "REORDERED: m1 stands before m2",
    _double_an_effect: "DOUBLED: action 7b1c had 2 effects",
    _act_without_an_action: "an effect without an action",
    _act_although_declined: "is rejected and had an effect",
    _act_unapproved: "nobody approved it",
    _send_other_arguments: "discount_percent was approved as 10",
    _send_more_arguments: "free_shipping was sent and never approved",
    _reach_another_customer: "reached another customer",
    _claim_an_effect: "LOST: action 7b1c succeeded and had no effect",
    _do_it_for_two_actions: "was asked for 1 times and done 2 times",
    _leave_it_dispatching: "was left dispatching",
    _leave_a_turn_running: "turn t2 was left running",
    _end_twice: "turn t1 ended 2 times",
    _end_untruthfully: "turn t2 is completed, and its log ends with ['stopped']",
    _forget_the_seal: "was never sealed",
    _lose_the_answer: "LOST: turn t1 is completed without an answer",
    _go_on_after_the_end: "turn t1 went on after its end",
    _talk_over_a_person: "while a person had the conversation",
    _make_no_turn: "LOST: thread: message 12 made no turn",
    _miss_a_frame: "seq 7 (replied) never came",
    _tell_other_words: "seq 7 came as",
    _replay_other_words: "other words than the log has",
    _keep_from_everybody: "is in the log and not in the replay",
    _show_a_half_call: "impossible history",
    _notice: "came twice with seq 7",
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__.strip("_"))
def test_finds_what_is_planted(plant: Callable[[Evidence], None]) -> None:
    evidence = sound()
    plant(evidence)

    findings = audit(evidence)

    assert any(PLANTED[plant] in finding for finding in findings), findings
