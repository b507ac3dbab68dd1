"""The rows of the table: every boundary that an undisturbed run crosses, and the faults beside the kills.

Nothing lists the boundaries of a scenario: they are read from a run of it in which nothing goes wrong. A new event kind
has its rows at once; what the log has and no boundary saw, and a boundary that no run crosses, end everything.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from tests.faults.boundaries import EVENT, WRAPPED
from tests.faults.cells import Outage, Result, Strike
from tests.faults.scenarios import Scenario
from tests.faults.stack import Servers

STREAMED = {"text shown", "live frame sent"}
"""Crossed as often as the text is flushed, which is a matter of milliseconds: struck once, in the middle of a text."""
TOKEN_DELAY_MS = 15
OF_WEB = {"live frame sent"}
ABOUT_DISPATCH = {
    "tool step",
    "dispatch recorded",
    "dispatch sent",
    "response received",
    "settled",
    EVENT + "tool_called",
    EVENT + "tool_returned",
}
"""Where it matters whether a tool is safe to repeat."""
FROZEN = {"read", "write"}
"""The scenarios in which a worker is frozen, too."""
Traces = Mapping[str, Result]


class NotCovered(Exception):
    """A scenario does something that the table would not show."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: in which group, and what it says."""

    group: str
    title: str


@dataclass(frozen=True)
class Planned:
    """A cell's part: one row and one scenario have as many as the boundary is crossed."""

    row: Row
    scenario: Scenario
    strike: Callable[[Servers], Strike]


def check(traces: Traces) -> None:
    """Raises NotCovered where the rows would leave something out."""
    crossed: set[str] = set()
    for name, result in traces.items():
        if result.findings:
            raise NotCovered(f"«{name}» goes wrong with nothing broken: {result.findings[0].what}")
        passed = {passing.boundary for passing in result.passings}
        crossed |= passed
        for kind in result.kinds:
            if EVENT + kind not in passed:
                raise NotCovered(f"«{name}» writes {kind} in a way that no boundary sees. See boundaries.py.")
    for wrapped in WRAPPED:
        for crossing in (wrapped.entry, wrapped.exit):
            if crossing and crossing[0] != EVENT and crossing[0] not in crossed:
                raise NotCovered(f"No scenario crosses «{crossing[0]}» any more ({wrapped.targets}).")


def kills(traces: Traces, scenarios: Mapping[str, Scenario]) -> Iterator[Planned]:
    """The turns worker is killed at every crossing."""
    for row, scenario, strike in _crossings(traces, scenarios, "turns worker killed"):
        if strike.boundary not in OF_WEB and _matters(scenario, strike):
            yield Planned(row, scenario, _given(strike, "turns"))


def _crossings(
    traces: Traces, scenarios: Mapping[str, Scenario], group: str
) -> Iterator[tuple[Row, Scenario, Strike]]:
    for name, result in traces.items():
        for passing in result.passings:
            if passing.boundary in STREAMED and passing.nth > 1:
                continue
            delay = TOKEN_DELAY_MS if passing.boundary in STREAMED else 0
            row = Row(group, f"{passing.side} {passing.boundary}")
            strike = Strike(passing.boundary, passing.side, passing.nth, token_delay_ms=delay)
            yield row, scenarios[name], strike


def _matters(scenario: Scenario, strike: Strike) -> bool:
    return scenario.repeatable or strike.boundary in ABOUT_DISPATCH


def _given(strike: Strike, victim: str) -> Callable[[Servers], Strike]:
    killing = Strike(
        strike.boundary, strike.side, strike.nth, victim=victim, token_delay_ms=strike.token_delay_ms
    )
    return lambda servers: killing


WEB = {
    ("message accepted", "before"): "before it takes a message",
    (EVENT + "message_received", "before"): "before the message is committed",
    ("message accepted", "after"): "after that, before `accepted` is sent",
    ("live frame sent", "after"): "while tokens stream",
    ("decision", "before"): "before it takes a decision",
    (EVENT + "approval_decided", "before"): "before the decision is committed",
    ("decision", "after"): "after that, before its frame is sent",
}
POSTGRES = {
    (EVENT + "message_received", "before"): "before a message is committed",
    ("model asked", "before"): "while the model is asked",
    ("text shown", "after"): "while tokens stream",
    ("parked", "after"): "while an approval waits",
    (EVENT + "approval_decided", "before"): "before a decision is committed",
    ("dispatch sent", "after"): "while a request is out",
    ("settled", "before"): "before its outcome is recorded",
    ("sealed", "before"): "before the turn is sealed",
}
VALKEY = {
    ("message accepted", "after"): "after a message is committed",
    ("model asked", "before"): "while the model is asked",
    ("text shown", "after"): "while tokens stream",
    ("parked", "after"): "while an approval waits",
    ("decision", "after"): "after a decision is committed",
    ("dispatch sent", "after"): "while a request is out",
    ("sealed", "after"): "after the turn is sealed",
}


def freezes(traces: Traces, scenarios: Mapping[str, Scenario]) -> Iterator[Planned]:
    """The turns worker is stopped at a crossing, as by a suspended machine, and wakes up when its turn is another's."""
    for row, scenario, strike in _crossings(traces, scenarios, "turns worker frozen past its lease"):
        if scenario.name in FROZEN and strike.boundary not in OF_WEB | {"message accepted", "decision"}:
            yield Planned(row, scenario, partial(_always, replace(strike, victim="turns", freeze=True)))


def beside(traces: Traces, scenarios: Mapping[str, Scenario]) -> Iterator[Planned]:
    """Web killed, servers restarted."""
    for row, scenario, strike in _crossings(traces, scenarios, ""):
        place = (strike.boundary, strike.side)
        if not scenario.repeatable:
            continue
        if place in WEB:
            yield Planned(Row("web killed", WEB[place]), scenario, _given(strike, "web"))
        if strike.nth > 1:
            continue
        if place in POSTGRES:
            row = Row("Postgres restarted", POSTGRES[place])
            yield Planned(row, scenario, partial(_during, strike, restart_postgres))
        if place in VALKEY:
            row = Row("Valkey restarted", VALKEY[place])
            yield Planned(row, scenario, partial(_during, strike, restart_valkey))
            row = Row("Valkey flushed and restarted", VALKEY[place])
            yield Planned(row, scenario, partial(_during, strike, flush_valkey))


def _during(strike: Strike, outage: Callable[[Servers], Outage], servers: Servers) -> Strike:
    return Strike(
        strike.boundary,
        strike.side,
        strike.nth,
        outage=outage(servers),
        token_delay_ms=strike.token_delay_ms,
    )


def restart_postgres(servers: Servers) -> Outage:
    """Whoever is held at the boundary goes on while it is away."""
    return lambda stack: servers.restart_database(stack.desk.release)


def restart_valkey(servers: Servers) -> Outage:
    return lambda stack: servers.restart_broker(stack.desk.release, flush=False)


def flush_valkey(servers: Servers) -> Outage:
    return lambda stack: servers.restart_broker(stack.desk.release, flush=True)


def cuts(scenarios: Mapping[str, Scenario]) -> Iterator[Planned]:
    """The business hangs up, once or each time, before or after it acted."""
    for scenario in scenarios.values():
        operations = [write.tool for write in scenario.writes if write.approved]
        if not scenario.writes:
            operations = ["get_order_status"]
        for when in ("before", "after"):
            for times, title in ((1, "once"), (None, "every time")):
                if not operations or (times is None and not scenario.writes):
                    continue
                rules = tuple({"operation": name, "drop": when, "times": times} for name in operations)
                doubt = times is None or not scenario.repeatable
                strike = Strike(
                    rules=rules,
                    in_doubt=doubt and bool(scenario.writes),
                    effects=len(operations) * (when == "after") if doubt else None,
                )
                row = Row("business API cut", f"{title}, {when} it acted")
                yield Planned(row, scenario, partial(_always, strike))


def _always(strike: Strike, servers: Servers) -> Strike:
    return strike


def plan(traces: Traces, scenarios: Mapping[str, Scenario]) -> list[Planned]:
    """Every cell's parts, kills first."""
    return [
        *kills(traces, scenarios),
        *freezes(traces, scenarios),
        *beside(traces, scenarios),
        *cuts(scenarios),
    ]
