"""Telling one reader one conversation, over whatever it is connected by: what the log has from a position on, then what
is live. The group's messages are wake-ups; whatever is missing between them is read from the log, in order."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID
from weakref import WeakSet

from channels.layers import get_channel_layer

from chat import events, live
from chat.frames import Frame
from chat.models import Event, Turn, TurnStatus
from smartsupport.lib.threads import in_thread

READ_AT_ONCE = 500
ENDED_KEPT = 10

Send = Callable[[Sequence[Frame]], Awaitable[None]]
"""Sends the frames in order. All frames of one event come in the same call."""


class Following:
    """How far one reader has been told of one conversation, and the telling.

    `sent` is the number of the last event that was told. `order` is held while something of the log is sent: one frame
    after another, whoever has something to send.
    """

    __slots__ = ("_send", "conversation_id", "ended", "order", "sealed", "sent", "shown", "thread_id")

    def __init__(
        self, conversation_id: UUID, thread_id: str, sent: int, *, send: Send, order: asyncio.Lock
    ) -> None:
        self.conversation_id = conversation_id
        self.thread_id = thread_id
        self.sent = sent
        self.order = order
        self._send = send
        self.sealed: dict[str, int] = {}  # how much of the newest turn's streamed text was sent as events
        # How much of the text that is being written was sent, by turn and kind.
        self.shown: dict[tuple[str, str], int] = {}
        self.ended: deque[str] = deque(maxlen=ENDED_KEPT)  # turns of which nothing may be shown any more

    async def know_ended(self) -> None:
        """A worker that was held up may still show text of a turn that ended before this reader came."""
        self.ended.extend(await in_thread(lambda: _ended(self.conversation_id)))

    async def resume(self, after: int, last_seq: int) -> None:
        """Go back (or on) to the position `after`, and tell what is behind it, also text that is being written."""
        async with self.order:
            self.sent = min(after, last_seq)
            seen = partial(events.frames_repeated, self.conversation_id, self.thread_id, self.sent)
            await self._tell(await in_thread(seen))
        await self.catch_up()
        await self.show_written()

    async def catch_up(self) -> None:
        """Send what the log has beyond this reader's position."""
        async with self.order:
            while True:
                after = self.sent
                missed = partial(events.frames_after, self.conversation_id, self.thread_id, after)
                frames, last = await in_thread(partial(missed, limit=READ_AT_ONCE))
                await self._tell(frames)
                self.sent = last
                # Numbers have no gaps; what is newer than this comes over the group.
                if last - after < READ_AT_ONCE:
                    return

    async def send_up_to(self, seq: int) -> None:
        """Send what the log has up to `seq` beyond this position, with `order` held; the numbers have no gaps."""
        while self.sent < seq:
            missed = partial(events.frames_after, self.conversation_id, self.thread_id, self.sent)
            limit = min(READ_AT_ONCE, seq - self.sent)
            frames, last = await in_thread(partial(missed, limit=limit))
            await self._tell(frames)
            self.sent = last

    async def events_came(self, message: dict[str, Any]) -> None:
        """Send a batch of events if it is the next one; read the log if something is missing before it."""
        async with self.order:
            if message["last"] <= self.sent:
                return
            if message["first"] == self.sent + 1:
                await self._tell(message["frames"])
                self.sent = message["last"]
                return
        await self.catch_up()

    async def show_written(self) -> None:
        """Hand the text so far of what is being written to a reader who has just joined."""
        looked_up = self.conversation_id
        ended, written = await in_thread(lambda: (_ended(looked_up), _being_written(looked_up)))
        self.ended.extend(turn_id for turn_id in ended if turn_id not in self.ended)
        for turn_id, sealed in written.items():
            self.sealed = {str(turn_id): sealed}
            for kind in ("reasoning", "token"):
                if preview := await live.partial_frame(turn_id, kind):
                    await self.live_came(preview)

    async def live_came(self, frame: Frame) -> None:
        """Send text that is being written, unless this reader has had the event that seals it, or the turn's end: a
        worker that was held up does not know yet that its turn was stopped or taken over."""
        turn_id, kind = frame["turn_id"], frame["type"]
        if turn_id in self.ended:
            return
        sealed = 0 if kind == "reasoning" else self.sealed.get(turn_id, 0)
        if frame["offset"] > max(sealed, self.shown.get((turn_id, kind), 0)):
            # A piece before it was lost on the way here: the text so far has it.
            whole = await live.partial_frame(UUID(turn_id), kind)
            if whole is None or whole["offset"] > frame["offset"]:
                return
            frame = whole
        if frame["offset"] >= sealed:
            self.shown = {(turn_id, kind): frame["offset"] + len(frame["content"])}
            await self._send([frame])

    async def _tell(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            if frame["type"] == "message_complete" and frame["turn_id"] not in self.ended:
                self.ended.append(frame["turn_id"])
            elif frame["type"] == "retrying" and frame["turn_id"] in self.ended:
                self.ended.remove(frame["turn_id"])
            elif frame["type"] == "agent_response":
                self.sealed = {frame["turn_id"]: frame["end"]}  # one turn at a time is written
        if frames:
            await self._send(frames)


_awake: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


async def stay_awake() -> None:
    """Subscribe this process to something for good. The channel layer looks only ten times a second whether there is a
    first subscription, and the first text of the first customer would be gone by then."""
    loop = asyncio.get_running_loop()
    if loop not in _awake:
        _awake.add(loop)
        await get_channel_layer().new_channel("awake")


def _being_written(conversation_id: UUID) -> dict[UUID, int]:
    """The running turn, if there is one, and how much of its streamed text has been sealed by events."""
    running = Turn.objects.filter(conversation_id=conversation_id, status=TurnStatus.RUNNING)
    sealed = dict.fromkeys(running.values_list("pk", flat=True), 0)
    for turn_id, payload in Event.objects.filter(turn__in=sealed, kind="replied").values_list(
        "turn_id", "payload"
    ):
        sealed[turn_id] = max(sealed[turn_id], payload.get("end", 0))
    return sealed


def _ended(conversation_id: UUID) -> list[str]:
    """The turns that ended last. A member of staff may have ended them while their worker still wrote."""
    sealed = Turn.objects.filter(conversation_id=conversation_id, sealed_at__isnull=False)
    return [
        str(turn_id) for turn_id in sealed.order_by("-sealed_at").values_list("pk", flat=True)[:ENDED_KEPT]
    ]
