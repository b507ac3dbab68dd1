"""Text while it is written: whoever joins in the middle gets every character, once."""

import pytest

from tests.chat.sockets import events_of, found, nothing_written, text_of
from tests.chat.tabs import Transcript
from tests.live.chatter import Chatter, Frame, types
from tests.live.stack import Stack
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.xdist_group("live-scripted")

PIECES = [f"{word}{number} " for number in range(10) for word in ("订单", "🙂", "café", "👩‍👩‍👧 ")]
TEXT = "".join(PIECES)
QUESTION = "What is the status of order 1042?"
BEGUN = "".join(PIECES[:12])
HALF = {"match": {"stream": True}, "reply": {"chunks": PIECES, "token_delay_ms": 10, "hold": 13}}


async def beginning(customer: Chatter) -> list[Frame]:
    """Ask, and read until all has come that the model says before it is let go."""
    await customer.message(QUESTION)
    frames = [await customer.frame()]
    while text_of(frames, frames[0]["turn_id"]) != BEGUN:
        frames.append(await customer.frame())
    return frames


def told(frames: list[Frame], turn_id: str) -> None:
    """The tokens before the answer are its whole text, by code points, and the answer says where they stand."""
    answer = found(frames, "agent_response")
    before = frames[: frames.index(answer)]
    assert text_of(before, turn_id) == TEXT == answer["content"]
    assert (answer["offset"], answer["end"]) == (0, len(TEXT))
    assert "token" not in types(frames[frames.index(answer) :])


async def test_every_character_is_streamed(
    scripted_stack: Stack, scripted_model_server: RunningModel
) -> None:
    scripted_model_server.script(HALF)
    async with Chatter(scripted_stack.socket_url) as customer:
        frames = await beginning(customer)  # as it is written, not at the end
        scripted_model_server.holds()
        scripted_model_server.release()
        frames += await customer.until("message_complete")

    told(frames, frames[0]["turn_id"])


@pytest.mark.parametrize("leaves", [True, False], ids=["reconnecting", "another tab"])
@pytest.mark.parametrize("knows", ["nothing", "what was told"])
async def test_joining_in_the_middle(
    scripted_stack: Stack, scripted_model_server: RunningModel, leaves: bool, knows: str
) -> None:
    scripted_model_server.script(HALF)
    async with Chatter(scripted_stack.socket_url) as customer:
        begun = await beginning(customer)
        turn_id = begun[0]["turn_id"]
        after = max(frame["seq"] for frame in begun if "seq" in frame) if knows == "what was told" else 0
        if leaves:
            await customer.socket.close()
        async with Chatter(scripted_stack.socket_url, cookie=customer.cookie) as again:
            await again.send({"type": "resume", "thread_id": customer.thread_id, "after": after})
            caught_up = await again.until("resumed")
            scripted_model_server.holds()
            scripted_model_server.release()
            rest = caught_up + await again.until("message_complete")
        others = [] if leaves else begun + await customer.until("message_complete")

    [partial] = [frame for frame in caught_up if frame["type"] == "token"]
    assert partial["offset"] == 0
    assert partial["content"] == BEGUN
    assert ("user_message" in types(caught_up)) == (knows == "nothing")
    told(rest, turn_id)
    if others:
        told(others, turn_id)
        assert events_of(others)[-1] == events_of(rest)[-1]


async def test_text_before_and_after_a_tool(
    scripted_stack: Stack, scripted_model_server: RunningModel
) -> None:
    call = {"name": "get_order_status", "args": {"order_id": 1042}}
    scripted_model_server.script(
        {
            "match": {"stream": True, "has_tool_result": False},
            "reply": {"text": "一 moment 🙂 please.", "tool_calls": [call], "token_delay_ms": 5},
        },
        {
            "match": {"stream": True, "has_tool_result": True},
            "reply": {"chunks": PIECES, "token_delay_ms": 5},
        },
    )
    async with Chatter(scripted_stack.socket_url) as customer:
        frames = await customer.say(QUESTION)

    first, second = [frame for frame in frames if frame["type"] == "agent_response"]
    assert (first["content"], first["offset"], first["end"]) == ("一 moment 🙂 please.", 0, 18)
    assert (second["content"], second["offset"], second["end"]) == (TEXT, 18, 18 + len(TEXT))
    assert text_of(frames, frames[0]["turn_id"]) == first["content"] + second["content"]


async def test_text_that_is_sealed_is_not_sent_as_being_written(
    scripted_stack: Stack, scripted_model_server: RunningModel
) -> None:
    call = {"name": "get_order_status", "args": {"order_id": 1042}}
    scripted_model_server.script(
        {
            "match": {"stream": True, "has_tool_result": False},
            "reply": {"text": "One moment please.", "tool_calls": [call]},
        }
    )
    scripted_stack.business.post("/_faults", json={"operation": "get_order_status", "hold": True})
    async with Chatter(scripted_stack.socket_url) as customer:
        await customer.message(QUESTION)
        begun = await customer.until("tool_call")
        for after in (0, begun[-1]["seq"]):
            async with Chatter(scripted_stack.socket_url, cookie=customer.cookie) as again:
                await again.send({"type": "resume", "thread_id": customer.thread_id, "after": after})
                caught_up = await again.until("resumed")

            assert "tool_result" not in types(caught_up)  # it is still at work
            assert "token" not in types(caught_up)
        scripted_stack.business.delete("/_faults")
        await customer.until("message_complete")


async def test_resuming_again_and_again_loses_nothing(
    scripted_stack: Stack, scripted_model_server: RunningModel
) -> None:
    """Whoever asks again when the answer is recorded gets the answer, and not the rest of its pieces; and once more
    what was on its way already."""
    scripted_model_server.script(HALF)
    async with Chatter(scripted_stack.socket_url) as customer:
        frames = await beginning(customer)
        for _ in range(3):
            again = await resumed(customer, frames)
            assert types(again) == ["token", "resumed"]
            frames += again
        scripted_model_server.holds()
        scripted_model_server.release()
        while "message_complete" not in types(frames):
            frames += await resumed(customer, frames)
            if "message_complete" not in types(frames):
                frames.append(await customer.frame())
        await customer.quiet()

    transcript = Transcript()
    told_before: list[Frame] = []
    for frame in frames:
        if frame not in told_before or frame["type"] == "token":
            transcript.take(frame)
        told_before.append(frame)
    assert transcript.texts == {frames[0]["turn_id"]: TEXT}


async def resumed(customer: Chatter, frames: list[Frame]) -> list[Frame]:
    last = max(frame["seq"] for frame in frames if "seq" in frame)
    await customer.send({"type": "resume", "thread_id": customer.thread_id, "after": last})
    return await customer.until("resumed")


async def test_a_turn_that_broke_says_so_without_details(
    scripted_stack: Stack, scripted_model_server: RunningModel
) -> None:
    scripted_model_server.script({"match": {"stream": True}, "reply": {"chunks": [{"content": {"a": 5}}]}})
    async with Chatter(scripted_stack.socket_url) as customer:
        await customer.message(QUESTION)
        frames = await customer.until("message_complete")
        error = found(frames, "error")
        assert (error["code"], error["message"]) == (
            "turn_failed",
            "An error occurred processing your message.",
        )
        assert set(error) == {"type", "code", "message", "retriable", "thread_id", "seq", "turn_id", "at"}
        assert frames[-1]["status"] == "failed"
        assert frames[-1]["seq"] == error["seq"]
        detail = scripted_stack.events(customer.thread_id)[-1]["payload"]["detail"]
        assert detail
        scripted_model_server.clear()

        assert (await customer.say(QUESTION))[-1]["status"] == "completed"  # and the next message runs


async def test_an_outage_of_the_model_is_told_as_one(
    scripted_stack: Stack, scripted_model_server: RunningModel
) -> None:
    scripted_model_server.script(
        {"match": {}, "reply": {"error": {"status": 401, "message": "Bad key sk-123"}}}
    )
    async with Chatter(scripted_stack.socket_url) as customer:
        await customer.message(QUESTION)
        frames = await customer.until("message_complete")
        async with Chatter(scripted_stack.socket_url, cookie=customer.cookie) as again:
            await again.send({"type": "resume", "thread_id": customer.thread_id, "after": 0})
            later = await again.until("resumed")

    assert found(frames, "error")["code"] == "model_unavailable"
    assert "sk-123" not in str(frames)
    assert events_of(later)[1:] == events_of(frames)


async def test_reading_writes_nothing(scripted_stack: Stack, scripted_model_server: RunningModel) -> None:
    async with Chatter(scripted_stack.socket_url) as customer:
        await customer.say(QUESTION)
        with nothing_written(scripted_stack):
            for _ in range(3):
                await customer.send({"type": "resume", "thread_id": customer.thread_id, "after": 0})
                await customer.until("resumed")
