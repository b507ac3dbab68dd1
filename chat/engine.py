"""Claims turns and runs them, one asyncio task per turn.

Who wakes it: a wake-up that one worker takes, its own poll, and the end of each turn. A turn's end is recorded once,
under the claim's fence; what a dead worker left is claimed again when its lease has run out.
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError
from redis.exceptions import RedisError

from agents import executor
from agents.context import StaleTurn, TurnContext
from agents.facts import Fact
from agents.providers import as_outage, chat_model
from agents.registry import current
from agents.runner import Runner
from agents.spending import limits
from chat import direct_calls, events, handoff, history, summaries, turns, wakeups
from chat.journal import TurnJournal
from chat.models import TurnStatus
from chat.turns import Claim
from smartsupport.lib import heartbeat, liveness, observing
from smartsupport.lib.threads import in_thread

log = structlog.get_logger(__name__)

LAPSES_LIMIT = 4
POLL_SECONDS = 1.0
HEARD_SECONDS = 0.5
"""So long after it was cancelled, a turn is out of its graph, or was not told."""
WAITED_SECONDS = 2.0
"""A turn that waited for longer is looked at again: what ran meanwhile may have used up the budget."""
DISPATCH_GRACE_SECONDS = 1.5
RELEASE_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each attempt to give a turn back when the database was away."""
BROKE = "An error occurred processing your message."
IDLE = "The answer took too long, so it was ended. Please try again."


@dataclass(eq=False, slots=True)
class _Run:
    """A turn that runs here."""

    claim: Claim
    task: asyncio.Task[None] | None = None
    journal: TurnJournal | None = None
    cancelled: bool = False
    cancelled_at: float = 0.0  # of the monotonic clock
    came_out: bool = False  # of the graph, by whatever way
    cancelled_for: str = ""  # "stop" or "idle"; else the worker leaves or has lost the turn
    ending: bool = False  # being sealed or parked: cancelling could only lose the last frame
    status: str = "handed_over"  # what became of it here, once that is known
    to_summarise: bool = False  # much was told whole of the conversation before it
    left: list[Fact] = field(default_factory=list)  # what its journal had not yet written when it ended

    def cancel(self, why: str = "") -> None:
        """Once: a second time would cut short what the first one began, the turn's way to its end."""
        if self.task is not None and not self.ending and not self.cancelled:
            self.cancelled, self.cancelled_for, self.cancelled_at = True, why, time.monotonic()
            self.task.cancel()

    def insist(self) -> None:
        """Cancel again where the first time was lost on the way, in a library that took it for its own."""
        late = self.cancelled and time.monotonic() - self.cancelled_at > HEARD_SECONDS
        if late and self.task is not None and not self.came_out and not self.ending:
            log.warning("turn_cancelled_again", turn_id=str(self.claim.turn_id))
            self.task.cancel()


class TurnEngine:
    def __init__(self) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}"
        self._runner = Runner()
        self._running: dict[UUID, _Run] = {}
        self._claiming = asyncio.Lock()
        self._woken = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._others_wait = (
            True  # something may be queued that could not be claimed when somebody last looked
        )
        self._ends = 0  # turns that have ended here
        self._draining = False
        self._beside: list[asyncio.Task[None]] = []
        self._listening: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Claim and run turns until drained. Whoever runs this drains it afterwards, whatever ended it."""
        await self._runner.open()
        chat_model()  # loads the provider's package now, not while the first customer waits
        log.info("turns_worker_started", worker=self.name)
        # They go on while the worker drains: what still runs here must not lose its lease.
        beside = (self._beat, self._renew, self._look_for_stops, self._end_the_idle)
        self._beside = [asyncio.ensure_future(_for_good(work)) for work in beside]
        self._listening = asyncio.ensure_future(_for_good(self._listen))
        await _quietly(self._forget_sealed())
        while not self._draining:
            await self._claim_all()
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()

    async def drain(self, timeout: float) -> None:
        """Claim nothing more, let running turns finish for `timeout` seconds, then hand the rest to other workers."""
        self._draining = True
        self._woken.set()
        if self._listening is not None:
            self._listening.cancel()  # what is announced from now on is for others
        async with self._claiming:  # nothing is claimed any more once this was held
            tasks = [run.task for run in self._running.values() if run.task is not None]
        log.info("turns_worker_leaves", worker=self.name, turns=len(tasks))
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)
        for run in list(self._running.values()):
            run.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await executor.drain(timeout)
        for task in self._beside:
            task.cancel()
        liveness.silent("turns", settings.DATA_DIR)
        await _quietly(heartbeat.stop(self.name))
        await self._runner.close()
        log.info("turns_worker_stopped", worker=self.name)

    def wake(self) -> None:
        self._woken.set()

    def stop(self, turn_id: UUID) -> None:
        """End a turn that runs here. Other workers' turns are none of our business."""
        if run := self._running.get(turn_id):
            run.cancel("stop")

    async def forget(self, turn_id: UUID) -> None:
        """Delete what is left of a turn that was ended elsewhere. Whoever starts next deletes what could not be."""
        await _quietly(self._runner.forget(turn_id))

    async def _forget_sealed(self) -> None:
        """Delete what is left of turns that were sealed while no worker was there to forget them."""
        for turn_id in await in_thread(turns.sealed_with_checkpoints):
            await self._runner.forget(turn_id)

    async def _claim_all(self) -> None:
        while len(self._running) < settings.TURNS_AT_ONCE:
            async with self._claiming:
                if self._draining:
                    return
                ends = self._ends
                try:
                    claim = await in_thread(lambda: turns.claim(self.name))
                except DatabaseError:
                    log.exception("claim_failed")
                    self._others_wait = True
                    return
                self._others_wait = claim is None or claim.others_wait
                if claim is not None:
                    self._start(claim)
                # A turn that ended during the look may have been what the others waited for.
                if not self._others_wait or (claim is None and ends == self._ends):
                    return

    def _start(self, claim: Claim) -> None:
        if outlived := self._running.get(claim.turn_id):
            # This process was held up for longer than its lease, and claimed its own turn again.
            outlived.cancel()
        run = self._running[claim.turn_id] = _Run(claim)
        if len(self._running) >= settings.TURNS_AT_ONCE:
            self._has_room.clear()
        began = {"conversation_id": claim.conversation_id, "waited": claim.waited}
        observing.tell("turn_started", turn_id=claim.turn_id, fence=claim.fence, **began)
        run.task = asyncio.create_task(self._turn(run), name=f"turn-{claim.turn_id}")
        run.task.add_done_callback(partial(self._ended, run))

    def _ended(self, run: _Run, task: asyncio.Task[None]) -> None:
        self._ends += 1
        error = None if task.cancelled() else task.exception()
        if error is not None:  # its lease runs out, and somebody claims it again
            log.error("turn_left_unended", turn_id=str(run.claim.turn_id), exc_info=error)
        observing.tell("turn_left", turn_id=run.claim.turn_id, fence=run.claim.fence, status=run.status)
        if self._others_wait or len(self._running) >= settings.TURNS_AT_ONCE:
            self._woken.set()
        if self._running.get(run.claim.turn_id) is run:
            del self._running[run.claim.turn_id]
        if len(self._running) < settings.TURNS_AT_ONCE:
            self._has_room.set()

    async def _turn(self, run: _Run) -> None:
        claim = run.claim
        structlog.contextvars.bind_contextvars(conversation_id=claim.thread_id, turn_id=str(claim.turn_id))
        log.info("turn_started", fence=claim.fence)
        try:
            if claim.stop_requested:  # its worker was gone when somebody stopped it
                await self._seal_stopped(run)
                return
            if claim.lapses > LAPSES_LIMIT:
                raise RuntimeError(f"{claim.lapses} workers were lost while they ran this turn.")
            context, journal, run.to_summarise = await in_thread(lambda: _context(claim))
            run.journal = journal
            try:
                outcome = await self._runner.run(context)
                await self._settle(run, outcome, journal)
            finally:
                run.came_out = True
                run.left += journal.take_left()
                await _quietly(journal.close())
        except asyncio.CancelledError:
            await self._cancelled(run)
        except StaleTurn:
            await self._stale(run)
        except (OperationalError, InterfaceError, psycopg.OperationalError):
            await self._again(run)
        except limits.UsageLimitReached as refusal:
            log.info("turn_refused_by_budget", waited=round(claim.waited, 1))
            detail = f"The budget was used up while it waited for {claim.waited:.0f} seconds."
            await self._seal_failed(
                run, code=refusal.code, message=refusal.message, detail=detail, **refusal.extra
            )
        except Exception as error:
            await self._failed(run, error)

    async def _settle(self, run: _Run, outcome: str, journal: TurnJournal) -> None:
        if outcome == "waiting":
            await journal.append()  # what was to be recorded soon, or with the next fact
            run.ending = True
            status = await in_thread(lambda: turns.park(run.claim))
            log.info("turn_parked", status=status)
            run.status = str(status)
            if status == TurnStatus.STOPPED:
                await self._seal_stopped(run)
            return
        run.left = await journal.ending()  # before the end, in one write with it
        run.ending = True
        route = journal.recorded("route")
        agents = route.payload.get("agents", []) if route else []
        live = agents[0] if len(agents) == 1 and not journal.recorded("reply:handoff") else ""
        done = Fact("turn_completed", {}, key=run.claim.end_key)
        await self._seal(run, TurnStatus.COMPLETED, done, live_agent=live, smooth=journal.smooth())

    async def _seal_stopped(self, run: _Run) -> None:
        await self._seal(run, TurnStatus.STOPPED, Fact("turn_stopped", {}, key=run.claim.end_key))

    async def _seal(
        self,
        run: _Run,
        status: TurnStatus,
        fact: Fact,
        *,
        live_agent: str = "",
        error: str = "",
        smooth: bool = False,
    ) -> None:
        run.ending, claim = True, run.claim
        facts = [*run.left, fact]
        end = partial(turns.seal, claim, status, facts, live_agent=live_agent, error=error, smooth=smooth)
        batch = await in_thread(end)
        run.left = []
        if batch is None:
            await self._lost(run)
            return
        log.info("turn_sealed", status=status.value)
        run.status = status.value
        await _quietly(events.publish(batch))
        if not (claim.fresh and status == TurnStatus.COMPLETED):  # which has kept nothing
            await _quietly(self._runner.forget(claim.turn_id))
        if run.to_summarise:
            await _quietly(in_thread(lambda: summaries.kick(claim.conversation_id)))

    async def _cancelled(self, run: _Run) -> None:
        """Stopped by somebody, or stuck; or this worker is leaving: then the turn goes to another one. What was sent
        just now gets a moment to be answered first."""
        if run.journal is not None:
            await executor.drain(DISPATCH_GRACE_SECONDS, run.journal)
        if run.cancelled_for == "stop":
            await self._seal_stopped(run)
        elif run.cancelled_for == "idle":
            log.error("turn_idle", seconds=settings.TURN_IDLE_SECONDS)
            detail = f"Nothing came of it for {settings.TURN_IDLE_SECONDS} seconds."
            await self._seal_failed(run, code="turn_idle", message=IDLE, detail=detail)
        else:
            await _quietly(self._release(run))

    async def _release(self, run: _Run) -> None:
        if not await in_thread(lambda: turns.release(run.claim)):
            await self._lost(run)

    async def _stale(self, run: _Run) -> None:
        run.ending, claim = True, run.claim
        held = await in_thread(lambda: turns.renew({claim.turn_id: claim.fence}))
        if claim.turn_id in held and held[claim.turn_id].stop:
            await self._seal_stopped(run)
        else:
            await self._lost(run)

    async def _lost(self, run: _Run) -> None:
        """Somebody else has the turn. Where they have ended it already, nobody else deletes what this run kept of it on
        its way out."""
        turn_id = run.claim.turn_id
        log.warning("turn_lost", fence=run.claim.fence)
        if await in_thread(lambda: turns.has_ended(turn_id)):
            await _quietly(self._runner.forget(turn_id))

    async def _again(self, run: _Run) -> None:
        """The database was away. Nothing is wrong with the turn: it is run again from its log, by whoever claims it
        first; at the latest when its lease has run out. It counts as lost, so that it is not tried for ever."""
        log.warning("turn_interrupted_by_database", exc_info=True)
        run.ending = True
        if run.journal is not None:
            await executor.drain(DISPATCH_GRACE_SECONDS, run.journal)
        for pause in RELEASE_PAUSES:
            await asyncio.sleep(pause)
            try:
                await in_thread(lambda: turns.release(run.claim, lapsed=True))
                return
            except DatabaseError:
                log.warning("turn_not_released_yet", seconds=pause)

    async def _failed(self, run: _Run, error: Exception) -> None:
        outage = as_outage(error)
        if outage:
            log.warning("model_unavailable", kind=outage.kind, detail=outage.detail)
            await self._seal_failed(run, code=outage.code, message=outage.message, detail=outage.detail)
        else:
            log.exception("turn_broke", exc_info=error)
            detail = f"{type(error).__name__}: {error}"[:2_000]
            await self._seal_failed(run, code="turn_failed", message=BROKE, detail=detail)

    async def _seal_failed(self, run: _Run, *, code: str, message: str, detail: str, **more: Any) -> None:
        payload = {"code": code, "message": message, "detail": detail, **more}
        fact = Fact("turn_failed", payload, key=run.claim.end_key)
        await _quietly(self._seal(run, TurnStatus.FAILED, fact, error=detail))

    async def _listen(self) -> None:
        """Take wake-ups while there is room for what they announce: others may have some."""
        while True:
            await self._has_room.wait()
            try:
                if await wakeups.woken():
                    await self._woken_up()
            except (RedisError, OSError) as error:
                log.warning("broker_away", error=str(error))
                await asyncio.sleep(POLL_SECONDS)

    async def _woken_up(self) -> None:
        if self._has_room.is_set():
            self._woken.set()
        else:  # it filled up while it waited
            await wakeups.wake()

    async def _beat(self) -> None:
        while True:
            liveness.say("turns", settings.DATA_DIR)
            await _quietly(heartbeat.beat(self.name))
            await asyncio.sleep(heartbeat.INTERVAL_SECONDS)

    async def _renew(self) -> None:
        """Keep the leases of what runs here, and drop what was taken away."""
        while True:
            await asyncio.sleep(settings.TURN_LEASE_SECONDS / 3)
            mine = {turn_id: run.claim.fence for turn_id, run in self._running.items()}
            if not mine:
                continue
            try:
                held = await in_thread(partial(turns.renew, mine))
            except DatabaseError:
                log.exception("renew_failed")
                continue
            for turn_id, fence in mine.items():
                run = self._running.get(turn_id)
                if run is None or run.claim.fence != fence:  # it has ended, or was claimed here once more
                    continue
                if turn_id not in held:
                    run.cancel()

    async def _look_for_stops(self) -> None:
        """Find out that a turn is to stop where no message has told it."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            for run in list(self._running.values()):
                run.insist()
            if mine := list(self._running):
                try:
                    to_stop = await in_thread(partial(turns.to_stop, mine))
                except DatabaseError:
                    log.exception("look_failed")
                else:
                    for turn_id in to_stop:
                        self.stop(turn_id)

    async def _end_the_idle(self) -> None:
        """End turns of which nothing comes any more: a provider that holds its connection open, a lock, a loop."""
        while True:
            await asyncio.sleep(min(5.0, settings.TURN_IDLE_SECONDS / 4))
            for run in list(self._running.values()):
                since = run.journal.progressed_at if run.journal else None
                if since is not None and time.monotonic() - since > settings.TURN_IDLE_SECONDS:
                    run.cancel("idle")


def _context(claim: Claim) -> tuple[TurnContext, TurnJournal, bool]:
    """What the turn is given, and whether its conversation should be summarised. Raises UsageLimitReached."""
    if claim.direct:
        return *direct_calls.context(claim, *claim.direct), False
    if claim.fresh and claim.waited > WAITED_SECONDS:
        limits.check(claim.customer_id)
    told = history.read(claim.conversation_id, claim.message_seq)
    recorded = {} if claim.fresh else history.recorded(claim.turn_id)
    registry = current()
    required = {name for agent in registry.agents for tool in agent.tools for name in tool.requires}
    journal = TurnJournal(claim, recorded, succeeded=history.succeeded(claim.conversation_id, required))
    context = TurnContext(
        turn_id=claim.turn_id,
        conversation_id=claim.conversation_id,
        customer_id=claim.customer_id,
        bindings={"customer.id": claim.business_id} if claim.business_id else {},
        message=claim.content,
        history=told.said,
        live_agent=claim.live_agent,
        fresh=claim.fresh,
        registry=registry,
        journal=journal,
        desk=handoff.desk(claim.conversation_id, claim.conversation_status),
    )
    return context, journal, told.overdue


async def _for_good(work: Callable[[], Awaitable[None]]) -> None:
    """Do what has to go on for as long as the worker runs: begun again where it breaks. Were the leases renewed no
    more, for one, others would take over every turn that runs here."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("worker_duty_broke", duty=work.__name__)
        await asyncio.sleep(POLL_SECONDS)


async def _quietly(work: "asyncio.Future[None] | object") -> None:
    """Do what may fail without harm: the log in the database is the truth, and somebody will look again."""
    try:
        await work  # type: ignore[misc]
    except (DatabaseError, psycopg.Error, RedisError, OSError):
        log.exception("side_work_failed")
