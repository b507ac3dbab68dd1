"""A soak in miniature: a few customers, a few faults, and an audit that finds nothing. And its parts: the
same seed chooses the same steps, and a tab notices what it should not have been told."""

import asyncio
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from tests.faults import soak, soak_plan, soak_stack
from tests.faults.soak_audit import audit
from tests.faults.soak_end import End, faults
from tests.faults.soak_model import impossible, wanted
from tests.faults.soak_transcript import Transcript, differences

CALL = {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]}
RESULT = {"role": "tool", "tool_call_id": "a", "content": "{}"}


@pytest.mark.xdist_group("soak")
def test_nothing_is_lost_or_doubled_in_a_short_soak(tmp_path: Path) -> None:
    options = soak.Options(
        customers=12, seconds=10, seed="short", pace=2, weather=2, leave=False, messages=40, faults=5
    )
    tmp_path.parent.chmod(0o711)
    tmp_path.chmod(0o711)

    with soak_stack.running(tmp_path / "soak", token_delay_ms=options.token_delay_ms) as stack:
        evidence, counts = asyncio.run(soak.run(stack, options))

    findings = audit(evidence)
    assert findings == [], "\n".join(findings)
    assert len(evidence.sent) >= 40
    assert evidence.journal
    assert faults(counts) >= 5


def test_a_seed_chooses_the_same_steps_again() -> None:
    first, again, other = (
        list(islice(soak_plan.steps(seed, [101, 102], pace=1), 200)) for seed in ("one", "one", "two")
    )

    assert first == again
    assert first != other


def test_every_write_that_a_plan_asks_for_is_asked_for_once_and_understood() -> None:
    planned = list(islice(soak_plan.steps("one", [101, 102], pace=1), 400))

    asks = [ask for step in planned for said in step.messages for ask in said.asks]
    assert len(asks) > 100
    assert len({(ask.tool, str(ask.arguments)) for ask in asks}) == len(asks)
    for step in planned:
        for said in step.messages:
            calls = [
                (tool, arguments) for tool, arguments in wanted(said.content) if tool != "get_order_status"
            ]
            assert calls == [(ask.tool, ask.arguments) for ask in said.asks]


@pytest.mark.parametrize(
    ("messages", "possible"),
    [
        ([CALL, RESULT], True),
        ([{"role": "user"}, {"role": "assistant", "content": "Hello"}], True),
        ([CALL], False),
        ([CALL, {"role": "user"}], False),
        ([RESULT], False),
        ([CALL, RESULT, RESULT], False),
    ],
)
def test_the_model_refuses_histories_that_a_provider_refuses(
    messages: list[dict[str, object]], possible: bool
) -> None:
    assert (impossible(messages) == "") is possible


def _frame(seq: int, kind: str = "agent_response") -> dict[str, object]:
    return {"type": kind, "seq": seq, "turn_id": "t", "content": "x"}


def test_a_tab_notices_what_comes_twice_late_or_after_the_end() -> None:
    tab = Transcript("thread")

    for frame in (_frame(1), _frame(3), _frame(3), _frame(2), _frame(4, "message_complete")):
        tab.take(frame)
    tab.take({"type": "token", "turn_id": "t"})

    assert [fault.split(": ")[1].split(" (")[0] for fault in tab.faults] == [
        "agent_response came twice with seq 3",
        "agent_response with seq 2 came after seq 3",
        "a token of turn t came after its message_complete",
    ]


def test_only_the_second_frame_of_the_last_event_may_come_again_on_a_new_socket() -> None:
    tab = Transcript("thread")
    failed = [_frame(1, "agent_response"), _frame(2, "error"), _frame(2, "message_complete")]

    for frame in failed:
        tab.take(frame)
    tab.new_socket()
    tab.take(failed[2])
    assert tab.faults == []

    tab.take(failed[0])
    assert len(tab.faults) == 1


def test_an_acknowledged_message_is_the_message_of_a_replay() -> None:
    tab, replay = Transcript("thread"), Transcript("thread")
    said = {"seq": 1, "turn_id": "t", "client_message_id": "m"}

    tab.take({"type": "accepted", "position": 0, **said})
    replay.take({"type": "user_message", "content": "Hello", "at": "now", **said})
    replay.take(_frame(2))

    assert differences(tab.whole(), replay.whole()) == ["seq 2 (agent_response) never came"]


def test_a_soak_ends_when_its_time_is_over_and_enough_has_happened() -> None:
    counts: Counter[str] = Counter()
    over, not_yet = End(0, counts, messages=2, faults=2), End(600, counts)

    assert not over.reached
    counts.update({"messages": 2, "fault kill web": 1, "fault kill turns": 1})
    assert over.reached
    assert not not_yet.reached
    over.held = True
    assert not over.reached
