"""The journal of one running turn: `agents.context.Journal` over the conversation's log and its sockets."""

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from django.db import transaction

from agents.context import StaleTurn
from agents.facts import Fact, replied
from chat import events, history, live
from chat.models import Turn, TurnStatus
from chat.reasoning import Reasoning
from chat.turns import Claim
from smartsupport.lib.text import storable
from smartsupport.lib.threads import in_thread

T = TypeVar("T")
FLUSH_SECONDS = 0.03


class TurnJournal:
    """Records facts under the claim's fence and shows text while it is written.

    Tokens are sent at once when nothing was sent for 30 ms, and together otherwise: a fast model does not turn into
    a message a word. Offsets count code points of all text that the turn has streamed.

    Writes leave one after another, in the order in which they were asked for.
    """

    def __init__(self, claim: Claim, recorded: dict[str, Fact], succeeded: Collection[str] = ()) -> None:
        self._claim = claim
        self._succeeded = set(succeeded)
        self._recorded = recorded
        self._base = max(
            (fact.payload.get("end", 0) for fact in recorded.values() if fact.kind == "replied"), default=0
        )
        self.progressed_at = time.monotonic()
        """When something last came of this turn: text, a fact, a tool's answer. Seconds of a clock that never jumps."""
        self._text = ""
        self._unsent = ""
        self._agent = ""
        self._sent_at = 0.0
        self._sending = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._noted: list[Fact] = []
        self._soon: asyncio.Task[None] | None = None
        self._flusher: asyncio.Task[None] | None = None
        self._reasoning = Reasoning(claim)

    def recorded(self, key: str) -> Fact | None:
        return self._recorded.get(key)

    def succeeded(self) -> Collection[str]:
        return self._succeeded

    def smooth(self) -> bool:
        """Whether no tool call of this turn has failed."""
        returned = (fact for fact in self._recorded.values() if fact.kind == "tool_returned")
        return all(fact.payload["ok"] for fact in returned)

    async def used(self) -> Sequence[str]:
        claim = self._claim
        return await in_thread(lambda: history.used(claim.conversation_id, but=claim.turn_id))

    async def append(self, *facts: Fact) -> None:
        await self._settle_soon()
        await self._append(self.take_noted(), *facts)

    def append_soon(self, *facts: Fact) -> None:
        self._soon = asyncio.ensure_future(self._append(self.take_noted(), *facts))

    def alive(self) -> None:
        self.progressed_at = time.monotonic()

    def note(self, fact: Fact) -> None:
        self._noted.append(fact)

    def take_noted(self) -> list[Fact]:
        """What was noted and nothing has followed on; it is the caller's to record."""
        noted, self._noted = self._noted, []
        return noted

    async def ending(self) -> list[Fact]:
        """What is still to be recorded of a turn that has come to its end: the caller's, together with the end. Text is
        shown to its last piece before."""
        await self._settle_soon()
        await self._reasoning.close()
        await self._flush()
        return self._sealed(self.take_noted())

    def take_left(self) -> list[Fact]:
        """What a turn that ends early leaves to be recorded with its end: noted facts, and the text that was shown and
        that no event holds yet."""
        left = self._sealed(self.take_noted())
        if self._text.strip():
            key = f"reply:cut:{self._claim.retries}"
            left.append(self._sealing(replied(agent=self._agent, content=self._text, key=key, cut=True)))
        return left

    async def _append(self, noted: list[Fact], *facts: Fact) -> None:
        claim = self._claim
        self.progressed_at = time.monotonic()
        with self._writes(noted) as written:
            async with self._writing:
                placed = await self._placed((*noted, *facts))
                if not placed:
                    return

                def work() -> events.Batch:
                    batch = events.insert(
                        claim.conversation_id, placed, turn_id=claim.turn_id, fence=claim.fence
                    )
                    written.set()
                    return batch

                await self._announce(await _to_its_end(work), placed)

    @contextmanager
    def _writes(self, noted: list[Fact]) -> Iterator[threading.Event]:
        """Set the event where it is written. What was noted and came too late, because somebody has just stopped the
        turn, is left for the turn's end: the model's answer is paid for."""
        written = threading.Event()
        try:
            yield written
        except (StaleTurn, asyncio.CancelledError):
            if not written.is_set():
                self._noted = [*noted, *self._noted]
            raise

    async def _settle_soon(self) -> None:
        """Wait for what was to be recorded soon. Raises what it raised."""
        if self._soon is not None:
            soon, self._soon = self._soon, None
            await soon

    async def transact(self, work: Callable[[], tuple[T, list[Fact]]], *, fenced: bool = True) -> T:
        def in_transaction() -> tuple[T, list[Fact], events.Batch | None]:
            with transaction.atomic():
                if fenced:
                    self._hold()
                value, worked = work()
                facts = [*noted, *worked]
                batch = events.insert(claim.conversation_id, facts, turn_id=claim.turn_id) if facts else None
            written.set()
            return value, facts, batch

        claim = self._claim
        self.progressed_at = time.monotonic()
        await self._settle_soon()
        await self._flush()
        async with self._writing:
            noted = self.take_noted()
            with self._writes(noted) as written:
                value, facts, batch = await _to_its_end(in_transaction)
            if batch:
                await self._announce(batch, facts)
        return value

    def _hold(self) -> None:
        """Lock the turn against being claimed by somebody else until the transaction ends."""
        held = Turn.objects.select_for_update(no_key=True).filter(
            pk=self._claim.turn_id, fence=self._claim.fence, status=TurnStatus.RUNNING, stop_requested=False
        )
        if not held.exists():
            raise StaleTurn(f"Turn {self._claim.turn_id} is no longer held with fence {self._claim.fence}.")

    async def reasoning(self, agent: str, text: str) -> None:
        await self._settle_soon()
        self.progressed_at = time.monotonic()
        await self._reasoning.add(agent, storable(text))

    async def token(self, agent: str, text: str) -> None:
        text = storable(text)  # as the event will have it: the same number of code points
        await self._settle_soon()
        self.progressed_at = time.monotonic()
        await self._reasoning.close()
        self._agent = agent
        self._text += text
        self._unsent += text
        if self._pause() <= 0 and not self._sending.locked():
            await self._flush()
        elif self._flusher is None or self._flusher.done():
            self._flusher = asyncio.ensure_future(self._flush_later())

    def _pause(self) -> float:
        """Seconds until text may be sent again."""
        return self._sent_at + FLUSH_SECONDS - asyncio.get_running_loop().time()

    async def _flush_later(self) -> None:
        while self._unsent:
            await asyncio.sleep(max(0.0, self._pause()))
            await self._flush()

    async def _flush(self) -> None:
        claim = self._claim
        async with self._sending:  # pieces leave in order, and before the event that seals them
            if not self._unsent:
                return
            new, self._unsent = self._unsent, ""
            await live.show(
                claim.conversation_id,
                claim.turn_id,
                claim.thread_id,
                self._agent,
                self._base,
                self._text,
                new,
            )
            # Counted from the end: where sending is slow, more is sent at once instead of more often.
            self._sent_at = asyncio.get_running_loop().time()

    async def _placed(self, facts: tuple[Fact, ...]) -> list[Fact]:
        """The facts, with a reply's place in the streamed text: it seals the tokens before its `end`."""
        await self._reasoning.close()
        await self._flush()
        return self._sealed(facts)

    def _sealed(self, facts: Sequence[Fact]) -> list[Fact]:
        return [self._sealing(fact) if fact.kind == "replied" else fact for fact in facts]

    def _sealing(self, reply: Fact) -> Fact:
        end = self._base + len(self._text)
        placed = replace(reply, payload={**reply.payload, "offset": self._base, "end": end})
        self._base, self._text = end, ""
        return placed

    async def _announce(self, batch: events.Batch, facts: list[Fact]) -> None:
        self._recorded.update({fact.key: fact for fact in facts if fact.key})
        self._succeeded.update(
            fact.payload["tool"] for fact in facts if fact.kind == "tool_returned" and fact.payload["ok"]
        )
        await events.publish(batch)

    async def close(self) -> None:
        """Stop showing text. What was not sealed is gone with the turn."""
        if self._flusher is not None:
            self._flusher.cancel()
        self._unsent = ""
        with suppress(StaleTurn):
            await self._settle_soon()
        await self._reasoning.drop()
        await live.clear(self._claim.turn_id)


async def _to_its_end(work: Callable[[], T]) -> T:
    """Do database work in a thread. A turn that is cancelled waits for what it is writing: its thread would go on
    anyway, and what is recorded with the turn's end depends on whether this came before it."""
    writing = asyncio.ensure_future(in_thread(work))
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        while not writing.done():
            with suppress(asyncio.CancelledError):  # once more, which changes nothing
                await asyncio.wait([writing])
        if not writing.cancelled():
            writing.exception()  # looked at, or asyncio logs that nobody has: whoever ends the turn finds out itself
        raise
