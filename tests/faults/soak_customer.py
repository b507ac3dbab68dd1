"""One customer of the soak: sockets that break, messages that are sent until somebody answers, decisions."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import jwt
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.faults.soak_end import End
from tests.faults.soak_plan import APPROVE, LEAVE, Said, Step, verdict
from tests.faults.soak_stack import JWT_SECRET
from tests.faults.soak_transcript import Frame, Transcript

REFUSALS = {"rate_limited", "queue_full", "session_expired", "busy"}
BROKEN = (OSError, WebSocketException, TimeoutError, asyncio.IncompleteReadError)
SETTLE_SECONDS = 8
CONNECT_SECONDS = 60
ANSWER_SECONDS = 60


@dataclass
class Message:
    """`state`: sent (nobody knows), accepted (then `seq`), or refused (then `code`)."""

    client_message_id: str
    thread_id: str
    said: Said
    strategy: str = ""
    state: str = "sent"
    seq: int = 0
    code: str = ""
    sent_on: list[int] = field(default_factory=list)  # the numbers of the sockets that it was sent on


class Customer:
    def __init__(
        self, subject: str, sockets: list[str], *, seed: str, leave: bool, counts: Counter[str]
    ) -> None:
        self.subject = subject
        self.addresses = sockets
        self.seed = seed
        self.leave = leave
        self.counts = counts
        self.messages: dict[str, Message] = {}
        self.transcripts: dict[str, Transcript] = {}
        self.decisions: dict[str, set[bool]] = {}
        self.faults: list[str] = []
        self.failed_turn: tuple[str, str] | None = None
        self.strategies = False  # whether this product knows multitask_strategy and retry
        self._socket: ClientConnection | None = None
        self._socket_number = 0
        self._reader: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._outstanding: list[str] = []
        self._resumed: set[str] = set()
        self._pongs = 0
        self._busy: set[str] = set()  # turns that were accepted and neither ended nor wait for somebody
        self._decisions: set[asyncio.Task[None]] = set()
        self._web = 0
        self._new_thread()

    def _new_thread(self) -> None:
        self.thread_id = f"soak-{self.subject}-{len(self.transcripts) + 1}"
        self.transcripts[self.thread_id] = Transcript(self.thread_id)

    # Doing what the plan says

    async def live(self, plan: Any, end: End) -> None:
        for step in plan:
            pause_ends = time.monotonic() + step.pause
            while (left := pause_ends - time.monotonic()) > 0 and not end.reached:
                await asyncio.sleep(min(left, 0.5))
                await self.stay()
            if end.reached:
                return
            self.counts[f"step {step.kind}"] += 1
            self._web = step.web
            with suppress(*BROKEN):
                await self._do(step)

    async def _do(self, step: Step) -> None:
        await self._connected()
        if step.kind == "new_thread" and self.transcripts[self.thread_id].last:
            self._new_thread()
        sent = []
        for said in step.messages:
            sent.append(await self._say(said, step.strategy if step.kind == "while_running" else ""))
            if step.kind == "while_running":
                await asyncio.sleep(step.delay)
        if step.kind == "reconnect":
            await asyncio.sleep(step.delay)
            await self._drop()
            await self._connected()
        elif step.kind == "repeat":
            await asyncio.sleep(step.delay)
            await self._transmit(sent[0])
        elif step.kind == "stop":
            await asyncio.sleep(step.delay)
            await self._send({"type": "stop", "thread_id": self.thread_id})
        elif step.kind == "second_tab":
            await self._look_from_a_second_tab(step)
        elif step.kind == "retry" and self.strategies and self.failed_turn:
            thread_id, turn_id = self.failed_turn
            await self._send({"type": "retry", "thread_id": thread_id, "turn_id": turn_id})
            self.failed_turn = None
        await self._settled(SETTLE_SECONDS)

    async def _look_from_a_second_tab(self, step: Step) -> None:
        """A late joiner gets all that the first tab has, in order and once."""
        known = dict(self.transcripts[self.thread_id].whole())
        if not known:
            return
        try:
            seen = await self.replay(self.thread_id, self.addresses[1 - step.web])
        except BROKEN:
            return
        self.counts["late tabs"] += 1
        missing = [seq for seq in known if seq not in seen.whole()]
        if missing:
            self.faults.append(f"{self.thread_id}: a late tab was not told of seq {missing}")
        self.faults += seen.faults

    # Messages

    async def _say(self, said: Said, strategy: str) -> Message:
        number = len(self.messages) + 1
        message = Message(f"{self.subject}-{number}", self.thread_id, said, strategy)
        self.messages[message.client_message_id] = message
        self.counts["messages"] += 1
        await self._transmit(message)
        return message

    async def _transmit(self, message: Message) -> None:
        if message.sent_on:
            self.counts["messages sent again"] += 1
        message.sent_on.append(self._socket_number)
        frame = {
            "type": "message",
            "thread_id": message.thread_id,
            "content": message.said.content,
            "client_message_id": message.client_message_id,
        }
        if self.strategies and message.strategy:
            frame["multitask_strategy"] = message.strategy
        self._outstanding.append(message.client_message_id)
        await self._send(frame)

    def unsettled(self) -> list[Message]:
        return [message for message in self.messages.values() if message.state == "sent"]

    async def stay(self) -> None:
        """Come back if the socket has broken, as the page does."""
        if self._socket is None and any(item.last for item in self.transcripts.values()):
            with suppress(*BROKEN):
                await self._connected()

    async def settle(self, deadline: float) -> None:
        """Be there, and send what nobody has answered until somebody does."""
        await self.stay()
        while self.unsettled() and time.monotonic() < deadline:
            with suppress(*BROKEN):
                await self._connected()
                await self._wait(lambda: not self.unsettled(), 5)
                if self.unsettled():
                    await self._drop()

    # Sockets

    async def _connected(self) -> None:
        """An open socket on which every conversation was resumed, and on which what is open was sent again."""
        deadline = time.monotonic() + CONNECT_SECONDS
        while self._socket is None:
            try:
                await self._connect()
                return
            except BROKEN as error:
                await self._drop()
                self.counts[f"failed connection: {type(error).__name__}"] += 1
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.3)
                self._web = 1 - self._web

    async def _connect(self) -> None:
        socket = await connect(
            self._address(self.addresses[self._web]), proxy=None, max_size=None, open_timeout=ANSWER_SECONDS
        )
        self._socket, self._socket_number = socket, self._socket_number + 1
        self._outstanding, self._resumed = [], set()
        self.counts["sockets"] += 1
        self._reader = asyncio.create_task(self._read(socket))
        for transcript in self.transcripts.values():
            transcript.new_socket()
        known = [item for item in self.transcripts.values() if item.last or item.acknowledged]
        for transcript in known:
            await self._send({"type": "resume", "thread_id": transcript.thread_id, "after": transcript.last})
        if not await self._wait(lambda: {item.thread_id for item in known} <= self._resumed, ANSWER_SECONDS):
            raise TimeoutError
        self.counts["resumes"] += len(known)
        for message in self.unsettled():
            await self._transmit(message)

    def _address(self, url: str) -> str:
        claims = {"sub": self.subject, "exp": int(time.time()) + 3600, "name": self.subject}
        return f"{url}?token={jwt.encode(claims, JWT_SECRET, algorithm='HS256')}"

    async def _drop(self) -> None:
        """Leave without a word, as a phone in a tunnel does."""
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.transport.abort()
        if self._reader is not None:
            with suppress(asyncio.CancelledError, *BROKEN):
                await self._reader
            self._reader = None

    async def _send(self, frame: Frame) -> None:
        if self._socket is None:
            raise ConnectionError
        await self._socket.send(json.dumps(frame))

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                self._take(json.loads(text))
                self._news.set()
        except BROKEN:
            pass
        finally:
            if self._socket is socket:
                self._socket = None
            self._news.set()

    # Frames

    def _take(self, frame: Frame) -> None:
        kind = frame["type"]
        self.counts[f"frame {kind}"] += 1
        if kind == "resumed":
            self._resumed.add(frame["thread_id"])
        elif kind == "pong":
            self._pongs += 1
        elif kind == "error" and "seq" not in frame:
            self._refused(frame)
        elif kind == "accepted":
            self._accepted(frame)
        elif kind == "interrupt_expired" and "seq" not in frame:
            self.counts["late answers"] += 1
        elif frame.get("thread_id") in self.transcripts:
            self._reported(frame)

    def _accepted(self, frame: Frame) -> None:
        message = self.messages[frame["client_message_id"]]
        if message.client_message_id in self._outstanding:
            self._outstanding.remove(message.client_message_id)
        if message.state == "accepted" and message.seq != frame["seq"]:
            self.faults.append(
                f"{message.client_message_id} was accepted as {message.seq} and as {frame['seq']}"
            )
        if message.state == "refused":
            self.faults.append(f"{message.client_message_id} was refused and then accepted")
        if message.state == "sent" and frame["turn_id"]:
            self._busy.add(frame["turn_id"])
        message.state, message.seq = "accepted", frame["seq"]
        self.transcripts[message.thread_id].take(frame)

    def _refused(self, frame: Frame) -> None:
        self.counts[f"refused {frame['code']}"] += 1
        if frame["code"] in REFUSALS and self._outstanding:
            message = self.messages[self._outstanding.pop(0)]
            if message.state == "sent":
                message.state, message.code = "refused", frame["code"]
        elif frame["code"] == "unavailable" and self._socket is not None:
            self._socket.transport.abort()  # nobody can tell what it was about: ask again on a new socket

    def _reported(self, frame: Frame) -> None:
        kind, turn_id = frame["type"], frame.get("turn_id")
        self.transcripts[frame["thread_id"]].take(frame)
        if kind == "message_complete":
            self._busy.discard(turn_id or "")
            if frame["status"] == "failed":
                self.failed_turn = (frame["thread_id"], turn_id or "")
        elif kind == "interrupt":
            self._busy.discard(turn_id or "")
            if frame["approver"] == "customer":
                task = asyncio.create_task(self._decide(frame))
                self._decisions.add(task)
                task.add_done_callback(self._decisions.discard)

    async def _decide(self, frame: Frame) -> None:
        chosen = verdict(self.seed, frame["interrupt_id"], leave=self.leave)
        if chosen == LEAVE:
            self.counts["approvals left alone"] += 1
            return
        await asyncio.sleep(len(self.messages) % 4 * 0.4)
        answer = {"type": "interrupt_response", "thread_id": frame["thread_id"]}
        answer |= {"interrupt_id": frame["interrupt_id"], "approved": chosen == APPROVE}
        self.decisions.setdefault(frame["interrupt_id"], set()).add(chosen == APPROVE)
        for _ in range(20):  # until it is resolved: the first answer may be lost with its socket
            with suppress(*BROKEN):
                await self._send(answer)
            if await self._wait(lambda: self._is_resolved(frame), 5):
                return

    def _is_resolved(self, frame: Frame) -> bool:
        told = self.transcripts[frame["thread_id"]].frames
        ends = ("interrupt_resolved", "interrupt_expired")
        return any(
            kinds[kind].get("interrupt_id") == frame["interrupt_id"]
            for kinds in told.values()
            for kind in ends
            if kind in kinds
        ) or any(
            kinds["message_complete"]["turn_id"] == frame["turn_id"]
            for kinds in told.values()
            if "message_complete" in kinds
        )

    # Waiting

    async def _settled(self, seconds: float) -> None:
        """Wait until nothing of this customer runs, but not for ever: people write on."""
        await self._wait(lambda: not self._busy and not self.unsettled(), seconds)
        self._busy.clear()

    async def _wait(self, condition: Any, seconds: float) -> bool:
        """Until a condition holds, looked at after each frame. False when time is up, or the socket is gone."""
        deadline = time.monotonic() + seconds
        while not condition():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return False
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(remaining, 1.0)):
                    await self._news.wait()
        return True

    # The end

    async def caught_up(self, thread_id: str, seq: int, seconds: float) -> bool:
        """Whether the live socket tells of event `seq` without being asked again."""
        return await self._wait(lambda: self.transcripts[thread_id].last >= seq, seconds)

    async def whereabouts(self, thread_id: str) -> str:
        """How the open socket is, for whoever looks why it was not told something."""
        self._pongs = 0
        with suppress(*BROKEN):
            await self._send({"type": "ping"})
        answered = await self._wait(lambda: self._pongs, 5)
        state = "gone" if self._socket is None else "answers a ping" if answered else "answers no ping"
        newest = ", ".join(self.transcripts[thread_id].trail)
        return f"socket {self._socket_number} to {self.addresses[self._web]} {state}; newest frames: {newest}"

    async def leave_for_good(self) -> None:
        for task in list(self._decisions):
            task.cancel()
        await self._drop()

    async def replay(self, thread_id: str, address: str) -> Transcript:
        """What a new tab is told when it asks for everything."""
        seen = Transcript(thread_id)
        async with self._tab(address) as socket:
            await socket.send(json.dumps({"type": "resume", "thread_id": thread_id, "after": 0}))
            async with asyncio.timeout(ANSWER_SECONDS):
                async for text in socket:
                    frame = json.loads(text)
                    if frame["type"] == "resumed":
                        break
                    if frame["type"] == "error" and "seq" not in frame:
                        raise ConnectionError(frame["code"])
                    seen.take(frame)
        return seen

    @asynccontextmanager
    async def _tab(self, address: str) -> AsyncIterator[ClientConnection]:
        async with connect(
            self._address(address), proxy=None, max_size=None, open_timeout=ANSWER_SECONDS
        ) as socket:
            yield socket
