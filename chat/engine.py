"""Claims turns and runs them, one asyncio task per turn.

Who wakes it: a message on the channel `turns`, its own poll, and the end of each turn. A turn's end is recorded once,
under the claim's fence; what a dead worker left is claimed again when its lease has run out.
"""

import asyncio
import os
import socket
from functools import partial
from uuid import UUID

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from agents import executor
from agents.context import StaleTurn, TurnContext
from agents.facts import Fact
from agents.providers import as_outage, chat_model
from agents.registry import current
from agents.runner import Runner
from chat import events, history, turns
from chat.journal import TurnJournal
from chat.models import TurnStatus
from chat.turns import Claim
from smartsupport.lib import heartbeat
from smartsupport.lib.threads import in_thread

log = structlog.get_logger(__name__)

CAPACITY = 64
LAPSES_LIMIT = 4
POLL_SECONDS = 1.0
DISPATCH_GRACE_SECONDS = 1.5
BROKE = "An error occurred processing your message."


class TurnEngine:
    def __init__(self) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}"
        self._runner = Runner()
        self._running: dict[UUID, tuple[Claim, asyncio.Task[None]]] = {}
        self._stopping: set[UUID] = set()
        # Being sealed or parked: cancelling could do nothing any more but lose the last frame.
        self._ending: set[UUID] = set()
        self._noted: dict[Claim, list[Fact]] = {}  # what a turn's journal had not yet written when it ended
        self._claiming = asyncio.Lock()
        self._woken = asyncio.Event()
        self._draining = False
        self._beside: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Claim and run turns until drained. Whoever runs this drains it afterwards, whatever ended it."""
        await self._runner.open()
        chat_model()  # loads the provider's package now, not while the first customer waits
        log.info("turns_worker_started", worker=self.name)
        # They go on while the worker drains: what still runs here must not lose its lease.
        self._beside = [asyncio.ensure_future(self._beat()), asyncio.ensure_future(self._renew())]
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
        async with self._claiming:  # nothing is claimed any more once this was held
            tasks = [task for _, task in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)
        for claim, task in list(self._running.values()):
            if claim.turn_id not in self._ending:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await executor.drain(timeout)
        for task in self._beside:
            task.cancel()
        await heartbeat.stop(self.name)
        await self._runner.close()
        log.info("turns_worker_stopped", worker=self.name)

    def wake(self) -> None:
        self._woken.set()

    def stop(self, turn_id: UUID) -> None:
        """End a turn that runs here. Other workers' turns are none of our business."""
        held = self._running.get(turn_id)
        if held is not None and turn_id not in self._stopping | self._ending:
            self._stopping.add(turn_id)
            held[1].cancel()

    async def forget(self, turn_id: UUID) -> None:
        await self._runner.forget(turn_id)

    async def _forget_sealed(self) -> None:
        """Delete what is left of turns that were sealed while no worker was there to forget them."""
        for turn_id in await in_thread(turns.sealed_with_checkpoints):
            await self._runner.forget(turn_id)

    async def _claim_all(self) -> None:
        while len(self._running) < CAPACITY:
            async with self._claiming:
                if self._draining:
                    return
                try:
                    claim = await in_thread(lambda: turns.claim(self.name))
                except DatabaseError:
                    log.exception("claim_failed")
                    return
                if claim is None:
                    return
                self._start(claim)

    def _start(self, claim: Claim) -> None:
        outlived = self._running.get(claim.turn_id)
        if (
            outlived is not None
        ):  # this process was held up for longer than its lease, and claimed its own turn again
            outlived[1].cancel()
        task = asyncio.create_task(self._turn(claim), name=f"turn-{claim.turn_id}")
        self._running[claim.turn_id] = (claim, task)
        task.add_done_callback(partial(self._ended, claim.turn_id))

    def _ended(self, turn_id: UUID, task: asyncio.Task[None]) -> None:
        self._woken.set()
        if turn_id in self._running and self._running[turn_id][1] is task:
            del self._running[turn_id]
            self._stopping.discard(turn_id)
            self._ending.discard(turn_id)

    async def _turn(self, claim: Claim) -> None:
        structlog.contextvars.bind_contextvars(conversation_id=claim.thread_id, turn_id=str(claim.turn_id))
        log.info("turn_started", fence=claim.fence)
        try:
            if claim.lapses > LAPSES_LIMIT:
                raise RuntimeError(f"{claim.lapses} workers were lost while they ran this turn.")
            context, journal = await in_thread(lambda: _context(claim))
            try:
                outcome = await self._runner.run(context)
                await self._settle(claim, outcome, journal)
            finally:
                self._noted[claim] = journal.take_noted()
                await _quietly(journal.close())
        except asyncio.CancelledError:
            await self._cancelled(claim)
        except StaleTurn:
            await self._stale(claim)
        except Exception as error:
            await self._failed(claim, error)
        finally:
            self._noted.pop(claim, None)

    async def _settle(self, claim: Claim, outcome: str, journal: TurnJournal) -> None:
        await journal.append()  # what was to be recorded soon, or with the next fact, comes before the end
        self._ending.add(claim.turn_id)
        if outcome == "waiting":
            status = await in_thread(lambda: turns.park(claim))
            log.info("turn_parked", status=status)
            if status == TurnStatus.STOPPED:
                await self._seal(claim, TurnStatus.STOPPED, Fact("turn_stopped", {}, key="end"))
            return
        route = journal.recorded("route")
        agents = route.payload.get("agents", []) if route else []
        live = agents[0] if len(agents) == 1 and not journal.recorded("reply:handoff") else ""
        await self._seal(claim, TurnStatus.COMPLETED, Fact("turn_completed", {}, key="end"), live_agent=live)

    async def _seal(
        self, claim: Claim, status: TurnStatus, fact: Fact, *, live_agent: str = "", error: str = ""
    ) -> None:
        self._ending.add(claim.turn_id)
        facts = [*self._noted.pop(claim, []), fact]
        batch = await in_thread(lambda: turns.seal(claim, status, facts, live_agent=live_agent, error=error))
        if batch is None:
            log.warning("turn_lost", fence=claim.fence)
            return
        log.info("turn_sealed", status=status.value)
        await _quietly(events.publish(batch))
        await _quietly(self._runner.forget(claim.turn_id))

    async def _cancelled(self, claim: Claim) -> None:
        """Stopped by somebody, or this worker is leaving: then the turn goes to another one. What was sent just now
        gets a moment to be answered first."""
        await executor.drain(DISPATCH_GRACE_SECONDS)
        if claim.turn_id in self._stopping:
            await self._seal(claim, TurnStatus.STOPPED, Fact("turn_stopped", {}, key="end"))
        else:
            await _quietly(in_thread(lambda: turns.hand_back(claim)))

    async def _stale(self, claim: Claim) -> None:
        held = await in_thread(lambda: turns.renew({claim.turn_id: claim.fence}))
        if claim.turn_id in held and held[claim.turn_id].stop:
            await self._seal(claim, TurnStatus.STOPPED, Fact("turn_stopped", {}, key="end"))
        else:
            log.warning("turn_lost", fence=claim.fence)

    async def _failed(self, claim: Claim, error: Exception) -> None:
        outage = as_outage(error)
        if outage:
            log.warning("model_unavailable", kind=outage.kind, detail=outage.detail)
        else:
            log.exception("turn_broke", exc_info=error)
        payload = {
            "code": outage.code if outage else "turn_failed",
            "message": outage.message if outage else BROKE,
            "detail": outage.detail if outage else f"{type(error).__name__}: {error}"[:2_000],
        }
        fact = Fact("turn_failed", payload, key="end")
        await _quietly(self._seal(claim, TurnStatus.FAILED, fact, error=payload["detail"]))

    async def _beat(self) -> None:
        while True:
            await _quietly(heartbeat.beat(self.name))
            await asyncio.sleep(heartbeat.INTERVAL_SECONDS)

    async def _renew(self) -> None:
        """Keep the leases of what runs here, drop what was taken away, and notice a stop whose message was lost."""
        while True:
            await asyncio.sleep(settings.TURN_LEASE_SECONDS / 3)
            mine = {turn_id: claim.fence for turn_id, (claim, _) in self._running.items()}
            if not mine:
                continue
            try:
                held = await in_thread(partial(turns.renew, mine))
            except DatabaseError:
                log.exception("renew_failed")
                continue
            for turn_id in mine:
                if turn_id in held and held[turn_id].stop:
                    self.stop(turn_id)
                elif turn_id not in held and turn_id in self._running and turn_id not in self._ending:
                    self._running[turn_id][1].cancel()


def _context(claim: Claim) -> tuple[TurnContext, TurnJournal]:
    recorded = {} if claim.fresh else history.recorded(claim.turn_id)
    journal = TurnJournal(claim, recorded)
    context = TurnContext(
        turn_id=claim.turn_id,
        conversation_id=claim.conversation_id,
        customer_id=claim.customer_id,
        bindings={"customer.id": claim.business_id} if claim.business_id else {},
        message=claim.content,
        history=history.before(claim.conversation_id, claim.message_seq),
        live_agent=claim.live_agent,
        fresh=claim.fresh,
        registry=current(),
        journal=journal,
    )
    return context, journal


async def _quietly(work: "asyncio.Future[None] | object") -> None:
    """Do what may fail without harm: the log in the database is the truth, and somebody will look again."""
    try:
        await work  # type: ignore[misc]
    except (DatabaseError, RedisError, OSError):
        log.exception("side_work_failed")
