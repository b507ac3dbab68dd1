"""A customer and their supporter at the other side: they say one thing, decide what they are asked, and come back
after every broken connection as the chat page does. A turn that failed they try again once, with the page's button."""

import asyncio
import time
import uuid
from collections.abc import Callable

import httpx
from websockets.exceptions import InvalidStatus, WebSocketException

from tests.faults.scenarios import Scenario
from tests.faults.stack import FaultStack
from tests.live.chatter import Chatter, Frame
from tests.live.stack import until

LIVE = ("token", "accepted", "resumed", "pong")


class Unavailable(Exception):
    """The product has said that it cannot do this now."""


class Customer:
    """`seen` are the frames of events in the order in which they came, `done_at` is when the turn's end was seen."""

    def __init__(self, stack: FaultStack, scenario: Scenario, may_decide: Callable[[], bool]) -> None:
        self._stack = stack
        self._scenario = scenario
        self._may_decide = may_decide
        self.cookie = ""
        self._message_id = uuid.uuid4().hex
        self._pending: dict[str, Frame] = {}
        self.thread_id = uuid.uuid4().hex
        self.accepted: list[Frame] = []
        self.refused: list[Frame] = []
        self.seen: list[Frame] = []
        self.last = 0
        self.done_at = 0.0
        self.retries = 0
        self._to_retry = False
        self._resumed = 0

    async def run(self) -> None:
        """Until the turn has ended. Reconnects for as long as whoever called it waits."""
        while not self.done_at:
            try:
                await self._visit()
            except Unavailable:
                await asyncio.to_thread(self._stack.wait_ready)
            except (WebSocketException, OSError, TimeoutError, httpx.HTTPError):
                await asyncio.to_thread(until, self._stack.is_there)

    async def _visit(self) -> None:
        """One connection: pick up what was missed, say what was not accepted, follow."""
        async with Chatter(self._stack.socket_url, cookie=self.cookie) as chat:
            chat.thread_id, self.cookie = self.thread_id, chat.cookie
            if self.accepted:
                self._resumed = self.last
                await chat.send({"type": "resume", "thread_id": self.thread_id, "after": self.last})
            else:
                await chat.message(self._scenario.message, client_message_id=self._message_id)
            while not self.done_at:
                await self._take(chat, await chat.frame())

    async def _take(self, chat: Chatter, frame: Frame) -> None:
        kind = frame["type"]
        if kind == "accepted":
            self.accepted.append(frame)
            self.last = max(self.last, frame["seq"])
        elif _refuses(frame):
            self.refused.append(frame)
            if frame["code"] == "unavailable":
                raise Unavailable  # as the page does: come back, and try again
        elif kind not in LIVE and self._is_repeated(frame):
            return
        elif kind not in LIVE:
            self.seen.append(frame)
            self.last = max(self.last, frame["seq"])
        if kind == "interrupt":
            self._pending[frame["interrupt_id"]] = frame
        elif kind == "interrupt_resolved":
            self._pending.pop(frame["interrupt_id"], None)
        elif kind == "retrying":
            self._to_retry = False
        elif kind == "message_complete":
            await self._end(chat, frame["status"])
        if kind in ("interrupt", "resumed"):
            for waiting in list(self._pending.values()):
                await self._decide(chat, waiting)
        if kind == "resumed" and self._to_retry:
            await chat.send({"type": "retry", "thread_id": self.thread_id})

    def _is_repeated(self, frame: Frame) -> bool:
        """An event may have two frames, and a socket may break between them: on `resume`, those of the last event that
        was seen come again."""
        place = (frame["seq"], frame["type"])
        return frame["seq"] == self._resumed and place in {(seen["seq"], seen["type"]) for seen in self.seen}

    async def _end(self, chat: Chatter, status: str) -> None:
        if status != "failed" or self.retries:
            self.done_at = time.monotonic()
            return
        self.retries, self._to_retry = 1, True
        self._pending.clear()
        await chat.send({"type": "retry", "thread_id": self.thread_id})

    async def _decide(self, chat: Chatter, interrupt: Frame) -> None:
        write = next(write for write in self._scenario.writes if write.tool == interrupt["action"])
        await asyncio.to_thread(until, self._may_decide)
        if write.approver == "customer":
            await chat.decide(write.approved, interrupt_id=interrupt["interrupt_id"])
            return
        path = f"interrupts/{interrupt['interrupt_id']}/decision"
        answer = await asyncio.to_thread(self._stack.api.post, path, json={"approved": write.approved})
        if answer.status_code != 409:  # somebody was first: an earlier try of ours, whose answer was lost
            answer.raise_for_status()


async def history(stack: FaultStack, customer: Customer) -> list[Frame]:
    """What the customer's next page shows: the conversation from its beginning. It asks again where it is told to, and
    comes again where no socket is to be had yet."""
    try:
        return await _told(stack, customer)
    except InvalidStatus as refused:
        if refused.response.status_code != 503:
            raise
    await asyncio.to_thread(stack.wait_ready)
    return await _told(stack, customer)


async def _told(stack: FaultStack, customer: Customer) -> list[Frame]:
    async with Chatter(stack.socket_url, cookie=customer.cookie) as chat:
        frames: list[Frame] = [{"type": "error"}]
        while _refuses(frames[-1]):
            await chat.send({"type": "resume", "thread_id": customer.thread_id, "after": 0})
            frames = [await chat.frame()]
            while frames[-1]["type"] != "resumed" and not _refuses(frames[-1]):
                frames.append(await chat.frame())
        return [frame for frame in frames if frame["type"] not in LIVE]


def _refuses(frame: Frame) -> bool:
    return frame["type"] == "error" and "seq" not in frame
