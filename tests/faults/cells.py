"""One cell: a scenario, and what happens at which moment of it."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.agents.graph_script import actions, turns
from tests.faults.audit import Finding, Record, audit
from tests.faults.customer import Customer, history
from tests.faults.orders import Passing
from tests.faults.scenarios import Scenario
from tests.faults.stack import LEASE_SECONDS, FaultStack
from tests.live.stack import until

PATIENCE_SECONDS = 120
REACHED_SECONDS = 60
SETTLED_SECONDS = 60
LOCKED_SECONDS = 2
CHECKPOINT_TABLES = ("checkpoints", "checkpoint_writes", "checkpoint_blobs")

Outage = Callable[[FaultStack], None]


@dataclass(frozen=True)
class Strike:
    """What happens, and when: `victim` ("turns" or "web") is killed at the boundary's nth crossing (`freeze`: it is
    stopped there until another has taken its turn, and then goes on), or whoever crosses it is held while `outage`
    happens. `rules` are the business's own faults. Without a boundary nothing else happens.
    `in_doubt`: nobody can know what came of the writes, though nobody dies; `effects` is how many there are then."""

    boundary: str = ""
    side: str = ""
    nth: int = 1
    victim: str = ""
    freeze: bool = False
    outage: Outage | None = None
    rules: tuple[dict[str, Any], ...] = ()
    in_doubt: bool = False
    effects: int | None = None
    token_delay_ms: int = 0


@dataclass
class Result:
    """What was found. `seconds` from the moment of the fault until the customer saw the end; None without one."""

    findings: list[Finding]
    seconds: float | None
    effects: int
    statuses: list[str]
    retries: int = 0
    passings: list[Passing] = field(default_factory=list)
    record: Record | None = None

    @property
    def kinds(self) -> list[str]:
        """The kinds of the log's events, in order."""
        return [event["kind"] for event in self.record.events] if self.record else []


class Cell:
    def __init__(
        self,
        stack: FaultStack,
        scenario: Scenario,
        strike: Strike,
        *,
        reached_seconds: float = REACHED_SECONDS,
    ) -> None:
        """`reached_seconds` after the end the boundary counts as not reached."""
        self._stack = stack
        self._scenario = scenario
        self._strike = strike
        self._reached_seconds = reached_seconds
        self._in_doubt: frozenset[str] = frozenset()
        self._struck_at: float | None = None
        self._frozen = 0
        self._customer = Customer(stack, scenario, self._may_decide)

    async def run(self) -> Result:
        """Play it from a business and a model as on the first day. Whatever is wrong is in the result."""
        stack, strike = self._stack, self._strike
        await asyncio.to_thread(self._prepare)
        striking = asyncio.create_task(asyncio.to_thread(self._carry_out)) if strike.boundary else None
        faults: list[Finding] = []
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._customer.run()
        except TimeoutError:
            faults.append(Finding("lost", f"no end within {PATIENCE_SECONDS} seconds"))
        if striking:
            try:
                await striking
            except AssertionError as fault:
                faults.append(Finding("untrue", str(fault)))
        if self._frozen:
            await asyncio.to_thread(until, self._is_sealed, seconds=SETTLED_SECONDS)
            await asyncio.to_thread(self._leave_one_worker)
        await asyncio.to_thread(self._wait_until_settled)
        passings = stack.desk.passings()
        stack.desk.withdraw()
        record = await self._record()
        stack.db("UPDATE agents_tool SET repeat_safe = true WHERE NOT repeat_safe")
        if strike.effects not in (None, len(record.journal)):
            faults.append(Finding("untrue", f"{len(record.journal)} effects instead of {strike.effects}"))
        return Result(
            findings=[*faults, *audit(record, self._scenario)],
            seconds=self._seconds(),
            effects=len(record.journal),
            statuses=[action["status"] for action in record.actions],
            retries=self._customer.retries,
            passings=passings,
            record=record,
        )

    def _prepare(self) -> None:
        stack = self._stack
        stack.revive()
        stack.business.post("/_reset").raise_for_status()
        for rule in self._strike.rules:
            stack.business.post("/_faults", json=rule).raise_for_status()
        stack.model.script(*self._scenario.rules(token_delay_ms=self._strike.token_delay_ms))
        if not self._scenario.repeatable:
            stack.db("UPDATE agents_tool SET repeat_safe = false")
        strike = self._strike
        sign = signal.SIGSTOP if strike.freeze else signal.SIGKILL
        victim = stack.victims.get(strike.victim, 0)
        stack.desk.give(strike.boundary, strike.side, strike.nth, victim, sign)

    def _carry_out(self) -> None:
        """Wait until the blow has fallen, look what was in flight, and start another process."""
        stack, strike = self._stack, self._strike
        customer = self._customer

        def fallen() -> bool:
            over = customer.done_at and time.monotonic() > customer.done_at + self._reached_seconds
            assert not over, f"{strike.side} «{strike.boundary}» was not reached"
            return stack.desk.fired_at() is not None

        until(fallen, seconds=PATIENCE_SECONDS)
        self._struck_at = stack.desk.fired_at()
        if strike.outage:
            strike.outage(stack)
            return
        if strike.freeze:
            self._thaw_late(stack.victims[strike.victim])
            return
        stack.wait_dead(strike.victim)
        if strike.victim == "turns":
            self._in_doubt = self._in_flight()
            if not stack.lapses_by_itself:
                stack.end_leases(customer.thread_id)
        stack.begin(strike.victim)

    def _thaw_late(self, frozen: int) -> None:
        """Let another worker take the turn, and then the first one wake up, who does not know that it has lost it."""
        stack, customer = self._stack, self._customer
        self._frozen = frozen
        stack.begin("turns")
        another = f"-{stack.victims['turns']}"

        def taken() -> bool:
            found = turns(stack, customer.thread_id)
            return customer.done_at > 0 or any(turn["worker"].endswith(another) for turn in found)

        # Frozen inside a transaction, it keeps others from the turn as long as it sleeps.
        if stack.lapses_by_itself:
            with suppress(AssertionError):
                until(taken, seconds=LEASE_SECONDS + LOCKED_SECONDS)
            os.kill(frozen, signal.SIGCONT)
            return
        stack.end_leases(customer.thread_id)
        until(lambda: taken() or stack.is_locked(customer.thread_id), seconds=PATIENCE_SECONDS)
        os.kill(frozen, signal.SIGCONT)
        if not taken():
            stack.end_leases(customer.thread_id, wait=True)

    def _leave_one_worker(self) -> None:
        """What a late writer leaves of a sealed turn's checkpoints, the next worker deletes when it starts."""
        os.kill(self._frozen, signal.SIGKILL)
        os.kill(self._stack.victims["turns"], signal.SIGKILL)
        self._stack.wait_dead("turns")
        self._stack.begin("turns")

    def _in_flight(self) -> frozenset[str]:
        """The tools whose dispatch is recorded and whose answer is not: of these nobody knows now, and where they are
        not safe to repeat, nobody ever will."""
        if self._scenario.repeatable:
            return frozenset()
        found = actions(self._stack, self._customer.thread_id)
        return frozenset(row["tool_name"] for row in found if row["status"] == "dispatching")

    def _may_decide(self) -> bool:
        """People take longer than a turn takes to be parked, unless nobody is left to park it."""
        if self._struck_at is not None:
            return True
        with suppress(psycopg.Error):
            return any(turn["status"] == "waiting" for turn in turns(self._stack, self._customer.thread_id))
        return False

    def _wait_until_settled(self) -> None:
        with suppress(AssertionError):  # what is not settled is found by the audit
            until(self._settled, seconds=SETTLED_SECONDS)

    def _settled(self) -> bool:
        return self._is_sealed() and self._checkpoints() == 0

    def _is_sealed(self) -> bool:
        return all(turn["sealed_at"] for turn in turns(self._stack, self._customer.thread_id))

    def _checkpoints(self) -> int:
        ids = [str(turn["id"]) for turn in turns(self._stack, self._customer.thread_id)]
        counts = [
            self._stack.db(f"SELECT count(*) AS n FROM {table} WHERE thread_id = ANY(%s)", ids)[0]["n"]
            for table in CHECKPOINT_TABLES
        ]
        return sum(counts)

    async def _record(self) -> Record:
        stack, thread_id = self._stack, self._customer.thread_id
        found = stack.db("SELECT last_seq FROM chat_conversation WHERE thread_id = %s", thread_id)
        shown = await history(stack, self._customer) if found else []
        doubt = self._in_doubt
        if self._strike.in_doubt:
            doubt |= {write.tool for write in self._scenario.writes}
        return Record(
            events=stack.events(thread_id),
            turns=turns(stack, thread_id),
            actions=actions(stack, thread_id),
            journal=stack.journal(),
            last_seq=found[0]["last_seq"] if found else 0,
            checkpoints=self._checkpoints(),
            seen=self._customer.seen,
            history=shown,
            in_doubt=doubt,
        )

    def _seconds(self) -> float | None:
        if self._struck_at is None:
            return None
        return max(0.0, self._customer.done_at - self._struck_at)
