"""A customer's tab, as a careful client is written: it remembers what it has seen, comes back when its connection
breaks, and asks for what it missed."""

import asyncio
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.live.chatter import Chatter, Frame
from tests.live.stack import Stack, until

REPEATABLE = {"user_message", "accepted"}
"""The answer to a message that was sent again."""


class Broken(Exception):
    """The connection is gone."""


class Transcript:
    """What one tab knows of one conversation, put together as docs/chat-socket.md says."""

    def __init__(self) -> None:
        self.events: dict[tuple[int, str], Frame] = {}
        self.texts: dict[str, str] = {}
        self.sealed: dict[str, int] = {}
        self.last = 0

    def take(self, frame: Frame) -> None:
        """Fails on a hole, on what is said twice, and on text that is not the text that was shown."""
        if frame["type"] == "token":
            self._lay(frame["turn_id"], frame["offset"], frame["content"])
        elif "seq" in frame and frame["type"] != "resumed":
            self._record(frame)

    def _lay(self, turn_id: str, offset: int, content: str) -> None:
        text = self.texts.get(turn_id, "")
        assert offset <= len(text), f"a hole before {offset}, at {len(text)}"
        known = text[offset : offset + len(content)]
        assert content.startswith(known), (known, content)
        self.texts[turn_id] = text[:offset] + content + text[offset + len(content) :]

    def _record(self, frame: Frame) -> None:
        kind = "user_message" if frame["type"] == "accepted" else frame["type"]
        place = (frame["seq"], kind)
        if place in self.events:
            assert frame["type"] in REPEATABLE, f"twice: {frame}"
            return
        assert frame["seq"] >= self.last, f"late: {frame}"
        self.events[place] = frame
        self.last = frame["seq"]
        if frame["type"] == "agent_response":
            self._seal(frame)
        elif frame["type"] == "message_complete":  # what was not sealed is not part of the conversation
            turn_id = frame["turn_id"]
            self.texts[turn_id] = self.texts.get(turn_id, "")[: self.sealed.get(turn_id, 0)]

    def _seal(self, frame: Frame) -> None:
        turn_id, offset, end = frame["turn_id"], frame["offset"], frame["end"]
        text = self.texts.get(turn_id, "")
        assert offset <= len(text)
        assert len(frame["content"]) == end - offset
        assert frame["content"].startswith(text[offset:end])
        self.texts[turn_id] = text[:offset] + frame["content"] + text[end:]
        self.sealed[turn_id] = end

    def told(self) -> list[tuple[int, str, Any]]:
        """Every event, in order; of the customer's own messages that they are there."""
        return [
            (seq, kind, None if kind == "user_message" else frame)
            for (seq, kind), frame in sorted(self.events.items(), key=lambda item: item[0][0])
        ]

    def has(self, kind: str, times: int = 1) -> bool:
        return sum(known == kind for _, known in self.events) >= times


class Tab:
    """`cut`: after how many frames its connection breaks, once. It waits for `gate` before it comes back."""

    def __init__(self, stack: Stack, thread_id: str, *, cut: int, cookie: str = "") -> None:
        self.stack, self.thread_id, self.cookie = stack, thread_id, cookie
        self.cut, self.read, self.cuts = cut, 0, 0
        self.gate: asyncio.Event | None = None
        self.reached_cut = asyncio.Event()
        self.transcript = Transcript()
        self._chatter: Chatter | None = None
        self._unanswered: dict[str, dict[str, Any]] = {}

    async def open(self) -> None:
        """Connect, and ask for what was missed, as often as it takes."""
        while True:
            try:
                self._chatter = await self._connected()
                if self.transcript.last or not self._unanswered:
                    await self._chatter.send(
                        {"type": "resume", "thread_id": self.thread_id, "after": self.transcript.last}
                    )
                for frame in list(self._unanswered.values()):
                    await self._chatter.send(frame)
                return
            except (ConnectionClosed, Broken):
                continue

    async def _connected(self) -> Chatter:
        chatter = Chatter(self.stack.socket_url, cookie=self.cookie)
        try:
            await chatter.__aenter__()
        except (OSError, InvalidHandshake, ConnectionClosed) as error:
            await asyncio.to_thread(until, lambda: self.stack._answers(f"{self.stack.url}/healthz"))
            raise Broken() from error
        self.cookie = self.cookie or chatter.cookie
        return chatter

    async def say(self, text: str, name: str) -> None:
        await self._ask(
            name, {"type": "message", "thread_id": self.thread_id, "content": text, "client_message_id": name}
        )

    async def decide(self, interrupt_id: str) -> None:
        decision = {"type": "interrupt_response", "thread_id": self.thread_id, "approved": True}
        await self._ask("decision", {**decision, "interrupt_id": interrupt_id})

    async def _ask(self, name: str, frame: dict[str, Any]) -> None:
        """Send, and send again after every break, until it is known to have arrived."""
        self._unanswered[name] = frame
        if self._chatter is None:
            await self.open()
            return
        try:
            await self._chatter.send(frame)
        except ConnectionClosed:
            await self._break()

    async def until(self, condition: Callable[[Transcript], bool]) -> None:
        """Read on, through breaks, until the transcript is so far."""
        while not condition(self.transcript):
            assert self._chatter is not None
            if self.read == self.cut and not self.cuts:
                await self._break()
            try:
                frame = await self._chatter.frame()
            except ConnectionClosed:
                await self._break()
                continue
            self.read += 1
            self._note(frame)

    def _note(self, frame: Frame) -> None:
        if frame["type"] == "error" and "seq" not in frame:
            assert frame["code"] == "already_decided", frame
            return
        self.transcript.take(frame)
        if frame["type"] in REPEATABLE:
            self._unanswered.pop(frame["client_message_id"] or "", None)
        elif frame["type"] == "interrupt_resolved":
            self._unanswered.pop("decision", None)

    async def _break(self) -> None:
        """Cut the connection as a tunnel does: without a word."""
        assert self._chatter is not None
        self.cuts += 1
        self._chatter.socket.transport.abort()
        await self._chatter.socket.wait_closed()
        self.reached_cut.set()
        if self.gate is not None:
            await self.gate.wait()
        await self.open()

    async def close(self) -> None:
        if self._chatter is not None:
            await self._chatter.socket.close()
