"""The kill table's own tests: a few of its cells, and that its auditor finds what is planted."""

import asyncio
import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.faults import __main__ as program
from tests.faults import boundaries, report, rows
from tests.faults.audit import Finding, Record, audit
from tests.faults.cells import Cell, Result, Strike
from tests.faults.orders import Desk, Passage, Passing
from tests.faults.report import Part, cell
from tests.faults.rows import NotCovered, Row
from tests.faults.scenarios import SCENARIOS
from tests.faults.stack import FaultStack
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.xdist_group("live-faults")


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, scripted_model_server: RunningModel
) -> Iterator[FaultStack]:
    started = FaultStack("faults", tmp_path_factory.mktemp("faults"), scripted_model_server, lease_seconds=60)
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def undisturbed(stack: FaultStack) -> dict[str, Result]:
    """Each scenario with nothing broken."""
    return {name: asyncio.run(Cell(stack, scenario, Strike()).run()) for name, scenario in SCENARIOS.items()}


NO_SERVERS: Any = None  # killing and freezing need none
KILLED = [
    ("read", "turns", "after", "claim", 1),
    ("read", "turns", "before", "event tool_returned", 1),
    ("write", "turns", "before", "dispatch recorded", 1),
    ("write", "turns", "after", "dispatch sent", 1),
    ("once", "turns", "after", "response received", 1),
    ("two", "turns", "after", "event approval_decided", 2),
    ("rejected", "turns", "after", "parked", 1),
    ("write", "web", "after", "message accepted", 1),
    ("write", "web", "after", "decision", 1),
]


@pytest.mark.parametrize(("scenario", "victim", "side", "boundary", "nth"), KILLED)
async def test_a_process_dies_and_nothing_is_lost_or_done_twice(
    stack: FaultStack, scenario: str, victim: str, side: str, boundary: str, nth: int
) -> None:
    strike = Strike(boundary, side, nth, victim=victim)

    result = await Cell(stack, SCENARIOS[scenario], strike).run()

    assert result.findings == []
    assert result.seconds is not None
    assert result.effects == sum(write.approved for write in SCENARIOS[scenario].writes)
    assert set(result.statuses) <= {"unknown" if scenario == "once" else "succeeded", "rejected"}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_the_moment_at_which_a_worker_dies(
    stack: FaultStack, undisturbed: dict[str, Result], data: st.DataObject
) -> None:
    """Any scenario, any crossing of any boundary that a run in peace goes through."""
    planned = [*rows.kills(undisturbed, SCENARIOS), *rows.freezes(undisturbed, SCENARIOS)]
    chosen = data.draw(st.integers(0, len(planned) - 1))
    part = planned[chosen]
    note(f"{part.scenario.name}: {part.row.group}, {part.row.title}")

    result = asyncio.run(Cell(stack, part.scenario, part.strike(NO_SERVERS)).run())

    assert result.findings == []


async def test_an_effect_behind_the_products_back_is_found(stack: FaultStack) -> None:
    def somebody_else_cancels(stack: FaultStack) -> None:
        order = "/shop/customers/cus_1001/orders/1042"
        stack.business.post(f"{order}/cancellation").raise_for_status()
        stack.desk.release()

    strike = Strike("parked", "after", outage=somebody_else_cancels)

    result = await Cell(stack, SCENARIOS["rejected"], strike).run()

    assert Finding("duplicate", "effects of cancel_order in the business: 1 instead of 0") in result.findings


async def test_a_boundary_that_is_not_reached_is_a_finding(stack: FaultStack) -> None:
    strike = Strike("settled", "before", victim="turns")

    result = await Cell(stack, SCENARIOS["read"], strike, reached_seconds=1).run()

    assert Finding("untrue", "before «settled» was not reached") in result.findings


def test_undisturbed_runs_are_sound_and_cross_every_boundary(undisturbed: dict[str, Result]) -> None:
    rows.check(undisturbed)

    titles = {(part.row.title, part.scenario.name) for part in rows.plan(undisturbed, SCENARIOS)}
    assert ("after event tool_returned", "two") in titles
    assert ("before dispatch sent", "once") in titles
    assert ("before dispatch sent", "rejected") not in titles


def test_an_event_that_no_boundary_sees_ends_the_run(undisturbed: dict[str, Result]) -> None:
    read = undisturbed["read"]
    blind = Result(
        [],
        None,
        0,
        [],
        passings=[passing for passing in read.passings if passing.boundary != "event routed"],
        record=read.record,
    )

    with pytest.raises(NotCovered, match="«read» writes routed in a way that no boundary sees"):
        rows.check({**undisturbed, "read": blind})


def test_a_boundary_that_nothing_crosses_ends_the_run(undisturbed: dict[str, Result]) -> None:
    with pytest.raises(NotCovered, match="No scenario crosses «interrupt opened» any more"):
        rows.check({"read": undisturbed["read"]})


def test_a_function_that_is_gone_is_named() -> None:
    moved = boundaries.Wrapped("chat.nowhere:claim chat.turns:grab", None, None, boundaries.at_call)

    with pytest.raises(boundaries.Gone, match=r"chat\.turns:grab, which is not there"):
        boundaries._found(moved)


def _event(record: Record, kind: str, place: int = 0) -> dict[str, Any]:
    return [event for event in record.events if event["kind"] == kind][place]


def _leave_out(record: Record, kind: str) -> None:
    record.events.remove(_event(record, kind))


def _repeat(record: Record, kind: str) -> None:
    again = copy.deepcopy(_event(record, kind)) | {"seq": record.last_seq + 1}
    record.last_seq += 1
    record.events.insert(-1, again)


def _undo(record: Record) -> None:
    record.journal.pop()


def _settle_as(status: str) -> Callable[[Record], None]:
    return lambda record: record.actions[0].update(status=status)


PLANTED: list[tuple[str, Callable[[Record], Any], Finding]] = [
    (
        "an effect took place twice",
        lambda record: record.journal.append(record.journal[0]),
        Finding("duplicate", "effects of cancel_order in the business: 2 instead of 1"),
    ),
    (
        "an approved effect did not take place",
        _undo,
        Finding("lost", "effects of apply_discount in the business: 0 instead of 1"),
    ),
    (
        "an effect on another order",
        lambda record: record.journal.append(
            {**record.journal[0], "path": "/shop/customers/cus_1001/orders/1/cancellation"}
        ),
        Finding(
            "duplicate",
            "nobody asked for cancel_order /shop/customers/cus_1001/orders/1/cancellation in the business",
        ),
    ),
    (
        "an effect under a key of its own",
        lambda record: record.journal[0].update(idempotency_key="else"),
        Finding("untrue", "an effect of cancel_order has the key of no action"),
    ),
    (
        "an event is missing",
        lambda record: _leave_out(record, "routed"),
        Finding("lost", "event number 2 is missing"),
    ),
    (
        "the newest event is missing",
        lambda record: _leave_out(record, "turn_completed"),
        Finding("lost", "ends of the turn: 0 instead of 1"),
    ),
    (
        "a number is there twice",
        lambda record: record.events.append(record.events[-1]),
        Finding("duplicate", "event number 17 is there 2 times"),
    ),
    (
        "a key is there twice",
        lambda record: _repeat(record, "routed"),
        Finding("duplicate", "the key route is there 2 times in one turn"),
    ),
    (
        "the message is there twice",
        lambda record: _repeat(record, "message_received"),
        Finding("duplicate", "the customer's message: 2 instead of 1"),
    ),
    (
        "a reply is missing",
        lambda record: _leave_out(record, "replied"),
        Finding("lost", "the reply 'Done: cancelling order 1042.': 0 instead of 1"),
    ),
    (
        "a reply was said twice",
        lambda record: _repeat(record, "replied"),
        Finding("duplicate", "the reply 'Done: cancelling order 1042.': 2 instead of 1"),
    ),
    (
        "a call was made twice",
        lambda record: _repeat(record, "tool_called"),
        Finding("duplicate", "calls of cancel_order: 2 instead of 1"),
    ),
    (
        "a decision is missing",
        lambda record: _leave_out(record, "approval_decided"),
        Finding("lost", "approval_decided of cancel_order: 0 instead of 1"),
    ),
    (
        "the log tells of another decision",
        lambda record: _event(record, "approval_decided")["payload"].update(resolution="rejected"),
        Finding("untrue", "the log says otherwise than approved of cancel_order"),
    ),
    (
        "a result says that it failed",
        lambda record: _event(record, "tool_returned")["payload"].update(ok=False),
        Finding("untrue", "cancel_order is succeeded, and its result says otherwise"),
    ),
    (
        "an outcome is unknown though nothing was in doubt",
        _settle_as("unknown"),
        Finding("untrue", "cancel_order is unknown, where only succeeded is true"),
    ),
    (
        "an outcome is known though it was in doubt",
        lambda record: setattr(record, "in_doubt", frozenset({"cancel_order"})),
        Finding("untrue", "cancel_order is succeeded, where only unknown is true"),
    ),
    (
        "an action is missing",
        lambda record: record.actions.pop(0),
        Finding("lost", "actions of cancel_order: 0 instead of 1"),
    ),
    (
        "the turn is still running",
        lambda record: record.turns[0].update(status="running", sealed_at=None),
        Finding("untrue", "the turn is not sealed"),
    ),
    (
        "the turn was made twice",
        lambda record: record.turns.append(record.turns[0]),
        Finding("duplicate", "turns of the message: 2 instead of 1"),
    ),
    (
        "checkpoints are left",
        lambda record: setattr(record, "checkpoints", 3),
        Finding("untrue", "3 rows of checkpoints are left of a sealed turn"),
    ),
    (
        "the socket did not get a frame",
        lambda record: record.seen.pop(),
        Finding("lost", "the customer was never sent frame (17, 'message_complete')"),
    ),
    (
        "the socket got a frame twice",
        lambda record: record.seen.append(record.seen[-1]),
        Finding("duplicate", "the customer was sent frame (17, 'message_complete') 2 times"),
    ),
    (
        "a new page is not shown the message",
        lambda record: record.history.pop(0),
        Finding("lost", "a new page is not shown the customer's message first, once"),
    ),
]


@pytest.mark.parametrize(
    ("plant", "finding"), [case[1:] for case in PLANTED], ids=[case[0] for case in PLANTED]
)
def test_the_auditor_finds(
    undisturbed: dict[str, Result], plant: Callable[[Record], Any], finding: Finding
) -> None:
    record = copy.deepcopy(undisturbed["two"].record)
    assert record is not None
    assert audit(record, SCENARIOS["two"]) == []

    plant(record)

    assert finding in audit(record, SCENARIOS["two"])


def part(seconds: float, status: str = "succeeded", *findings: Finding) -> Part:
    """One run of the row "after claim"."""
    row = Row("turns worker killed", "after claim")
    return Part(row, "write", "claim", "after", 1, list(findings), seconds, 1, [status])


def test_a_cell_says_what_is_worst_in_it() -> None:
    assert cell([]) == "–"
    assert cell([part(1.26)]) == "ok, 1.3 s"
    assert cell([part(1.2), part(2.5)]) == "ok ×2, 2.5 s"
    assert cell([part(1.2, "unknown")]) == "unknown, 1.2 s"
    assert cell([part(1.2), part(2.5, "succeeded", Finding("lost", "it"))]) == "**WRONG** 1 of 2, 2.5 s"


@pytest.mark.parametrize(
    ("findings", "status"), [([], 0), ([Finding("lost", "event number 2 is missing")], 1)]
)
def test_the_exit_status_tells_whether_a_cell_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], findings: list[Finding], status: int
) -> None:
    parts = [part(1.2), part(2.5, "succeeded", *findings)]

    assert program._tell(parts, tmp_path, seconds=9.0, control=None, docs=False) == status

    [numbers] = tmp_path.glob("*.json")
    found = json.loads(numbers.read_text())
    assert found["totals"] == {"duplicate": 0, "lost": status, "untrue": 0}
    assert len(found["parts"]) == 2
    told = capsys.readouterr().out
    assert f"2 faults in 1 cells, {status} wrong" in told
    assert ("event number 2 is missing" in told) is bool(status)


def test_no_cell_is_not_a_success(tmp_path: Path) -> None:
    assert program._tell([], tmp_path, seconds=0.0, control=None, docs=False) == 1


def test_the_table_replaces_what_a_page_has_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"Before\n{report.BEGIN}\nold\n{report.END}\nAfter\n")

    report.put_into(page, "new")

    assert page.read_text() == f"Before\n{report.BEGIN}\nnew\n{report.END}\nAfter\n"
    page.write_text("No place")
    with pytest.raises(ValueError, match="has no place for the table"):
        report.put_into(page, "new")
    assert page.read_text() == "No place"


def test_an_order_is_carried_out_once_at_its_crossing(tmp_path: Path) -> None:
    desk, first, second = Desk(tmp_path), Passage(tmp_path), Passage(tmp_path)
    assert not first.crossed("claim", "after")  # there is no order
    desk.give("claim", "after", 2)

    assert not first.crossed("claim", "after")
    assert not first.crossed("claim", "before")
    assert desk.fired_at() is None
    assert first.crossed("claim", "after")

    assert desk.fired_at() is not None
    assert not first.crossed("claim", "after")
    assert not second.crossed("claim", "after")
    assert desk.passings() == [
        Passing("claim", "after", 1),
        Passing("claim", "before", 1),
        Passing("claim", "after", 2),
    ]
    desk.give("claim", "after", 1)  # counted anew from each order
    assert first.crossed("claim", "after")


def test_the_passings_of_a_run_are_in_order(undisturbed: dict[str, Result]) -> None:
    passings = undisturbed["write"].passings

    def place(side: str, boundary: str) -> int:
        return passings.index(Passing(boundary, side, 1))

    assert place("after", "dispatch recorded") < place("before", "dispatch sent")
    assert place("before", "dispatch sent") < place("after", "dispatch sent")
    assert place("after", "dispatch sent") < place("before", "response received")
    assert place("before", "response received") < place("before", "settled")
