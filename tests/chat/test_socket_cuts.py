"""The connection is cut after every frame of a conversation, in two tabs, and web is restarted in between: each tab
ends with the identical transcript, without a gap and without anything twice."""

import asyncio
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agents.graph_script import Rule, routed
from tests.chat.tabs import Tab, Transcript
from tests.live.chatter import Chatter, Frame
from tests.live.stack import Stack, until
from tests.scripted_model.fixture import RunningModel

live = pytest.mark.xdist_group("live-scripted")
AT_ONCE = 8
PIECES = [f"{word}{number} " for number in range(3) for word in ("订单", "🙂", "café", "👩‍👩‍👧 ")]
READ = {"name": "get_order_status", "args": {"order_id": 1042}}


def answer(agent: str, *, after_tool: bool, **reply: object) -> Rule:
    match = {"structured": False, "has_tool_result": after_tool, "system_contains": f"You are {agent},"}
    return {"match": match, "reply": {"token_delay_ms": 15, **reply}}


SCRIPT = (
    {
        "match": {"structured": True, "last_user_contains": "cancel"},
        "reply": routed("order_actions")["reply"],
    },
    routed("order_lookup"),
    answer("order_lookup", after_tool=False, text="One moment 🙂 please. ", tool_calls=[READ]),
    answer("order_lookup", after_tool=True, chunks=PIECES),
    answer("order_actions", after_tool=True, chunks=PIECES),
)


@pytest.fixture
def stack(scripted_stack: Stack, scripted_model_server: RunningModel) -> Stack:
    scripted_stack.business.post("/_reset")
    scripted_model_server.script(*SCRIPT)
    return scripted_stack


class Conversation:
    """Of two tabs: one asks and cancels an order, the other one looks on."""

    def __init__(self, stack: Stack, number: int, *, cuts: tuple[int, int]) -> None:
        thread_id = uuid4().hex
        self.stack, self.order = stack, 1042 + number % 28
        self.writer = Tab(stack, thread_id, cut=cuts[0])
        self.watcher = Tab(stack, thread_id, cut=cuts[1])
        self._opened = asyncio.Event()

    async def take_place(self) -> None:
        await asyncio.gather(self._write(), self._watch())
        await self.writer.close()
        await self.watcher.close()

    async def _write(self) -> None:
        tab = self.writer
        await tab.say(f"What is the status of order {self.order}?", "m-1")
        await tab.until(lambda known: known.has("user_message"))
        self._opened.set()
        await tab.until(lambda known: known.has("message_complete"))
        await tab.say(f"Please cancel order {self.order}", "m-2")
        await tab.until(lambda known: known.has("interrupt"))
        [asked] = [frame for (_, kind), frame in tab.transcript.events.items() if kind == "interrupt"]
        await tab.decide(asked["interrupt_id"])
        await tab.until(lambda known: known.has("message_complete", times=2))
        tab.reached_cut.set()  # if it ever does

    async def _watch(self) -> None:
        await self._opened.wait()
        self.watcher.cookie = self.writer.cookie
        await self.watcher.open()
        await self.watcher.until(lambda known: known.has("message_complete", times=2))

    async def check(self) -> None:
        """Both tabs know what the log has, and nothing else; the order was cancelled once."""
        async with Chatter(self.stack.socket_url, cookie=self.writer.cookie) as later:
            await later.send({"type": "resume", "thread_id": self.writer.thread_id, "after": 0})
            whole = Transcript()
            for frame in await later.until("resumed"):
                whole.take(frame)
        assert self.writer.transcript.told() == whole.told()
        assert self.watcher.transcript.told() == whole.told()
        assert self.writer.transcript.texts == self.watcher.transcript.texts == whole.texts
        text = "".join(PIECES)
        assert list(whole.texts.values()) == [f"One moment 🙂 please. {text}", text]
        log = self.stack.events(self.writer.thread_id)
        assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
        assert [event["kind"] for event in log].count("message_received") == 2
        assert [event["kind"] for event in log].count("approval_decided") == 1


async def recorded(stack: Stack) -> tuple[int, int]:
    """How many frames the conversation has when nothing is cut, and how many of them it has however few pieces its text
    comes in: those of its events, at least."""
    conversation = Conversation(stack, 0, cuts=(-1, -1))
    await conversation.take_place()
    await conversation.check()
    return conversation.writer.read, len(conversation.writer.transcript.events)


@live
async def test_cut_after_every_frame_in_two_tabs(stack: Stack) -> None:
    frames, surely = await recorded(stack)
    assert frames > surely > 12
    all_of_them = [
        Conversation(stack, number, cuts=(number, (number * 7 + 3) % frames)) for number in range(frames + 1)
    ]
    for first in range(0, len(all_of_them), AT_ONCE):
        await asyncio.gather(*(one.take_place() for one in all_of_them[first : first + AT_ONCE]))

    for conversation in all_of_them:
        await conversation.check()
    tabs = [tab for one in all_of_them for tab in (one.writer, one.watcher)]
    assert max(tab.cuts for tab in tabs) == 1
    # Where text came in fewer pieces, there were no later frames.
    assert all(tab.cuts == 1 for tab in tabs if tab.cut < surely)


@live
async def test_web_is_killed_and_started_again_in_between(stack: Stack) -> None:
    _, frames = await recorded(stack)
    places = range(0, frames, max(1, frames // 9))
    conversations = [
        Conversation(stack, number, cuts=(place, (place + 9) % frames)) for number, place in enumerate(places)
    ]
    back = asyncio.Event()
    for conversation in conversations:
        conversation.writer.gate = conversation.watcher.gate = back
    at_work = asyncio.gather(*(one.take_place() for one in conversations))

    await asyncio.gather(*(one.writer.reached_cut.wait() for one in conversations))
    await asyncio.to_thread(restart_web, stack)
    back.set()
    await at_work

    for conversation in conversations:
        await conversation.check()
    assert all(one.writer.cuts for one in conversations)


def restart_web(stack: Stack) -> None:
    stack.kill("web")
    words = ("-b", "127.0.0.1", "-p", str(stack.port), "smartsupport.asgi:application")
    stack.run("web", "-m", "daphne", *words)
    until(lambda: stack._answers(f"{stack.url}/healthz"))


# However text is cut into pieces


TEXTS = st.lists(st.text(st.sampled_from("ab 单🙂é"), min_size=1, max_size=30), min_size=1, max_size=4)


@st.composite
def told(draw: st.DrawFn) -> tuple[list[str], list[Frame]]:
    """A turn's answers, and the frames of a tab that saw them streamed, lost its connection anywhere, and got the text
    so far again, or the sealed answers alone."""
    answers, frames, base, seq = draw(TEXTS), [], 0, 1
    for text in answers:
        at = 0
        while at < len(text):
            size = draw(st.integers(1, len(text) - at))
            frames.append(_token(base + at, text[at : at + size]))
            at += size
            match draw(st.sampled_from(["on", "again", "lost"])):
                case "again":  # it comes back while the answer is being written
                    frames.append(_token(base, text[:at]))
                case "lost":  # it comes back when the answer is there
                    break
        seq += 1
        end = base + len(text)
        frames.append(
            {
                "type": "agent_response",
                "seq": seq,
                "turn_id": "t",
                "content": text,
                "offset": base,
                "end": end,
            }
        )
        base = end
    left = draw(st.text(max_size=5))
    return answers, [
        *frames,
        _token(base, left),
        {"type": "message_complete", "seq": seq + 1, "turn_id": "t"},
    ]


def _token(offset: int, content: str) -> Frame:
    return {"type": "token", "turn_id": "t", "offset": offset, "content": content}


@given(told())
def test_text_is_whole_however_it_was_cut(what: tuple[list[str], list[Frame]]) -> None:
    answers, frames = what
    transcript = Transcript()

    for frame in frames:
        transcript.take(frame)

    assert transcript.texts["t"] == "".join(answers)
