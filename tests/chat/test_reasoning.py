"""What a model thinks is shown while it thinks, where that is on, and is kept nowhere."""

import json

import pytest

from tests.live.chatter import Chatter, types
from tests.live.stack import Stack
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.xdist_group("live-impatient")

THOUGHTS = ["The customer ", "wants order ", "1042 🙂."]
PIECES = [
    *({"reasoning_content": thought, "content": None} for thought in THOUGHTS),
    "It is ",
    "on its way.",
]


async def test_reasoning_comes_before_the_text_and_is_kept_nowhere(
    impatient: Stack, scripted_model_server: RunningModel
) -> None:
    model = scripted_model_server
    model.script({"match": {"stream": True}, "reply": {"chunks": PIECES, "token_delay_ms": 30}})
    async with Chatter(impatient.socket_url) as customer:
        frames = await customer.say("What is the status of order 1042?")
        await customer.say("What is the status of order 1042?")

    kinds = types(frames)
    shown = [frame for frame in frames if frame["type"] == "reasoning"]
    assert "".join(frame["content"] for frame in shown) == "".join(THOUGHTS)
    assert set(shown[0]) == {"type", "thread_id", "turn_id", "agent", "content", "offset"}
    assert [frame["offset"] for frame in shown] == [
        len("".join(frame["content"] for frame in shown[:place])) for place in range(len(shown))
    ]
    assert max(place for place, kind in enumerate(kinds) if kind == "reasoning") < kinds.index("token")
    assert next(frame for frame in frames if frame["type"] == "token")["offset"] == 0
    assert "wants order" not in json.dumps(impatient.events(customer.thread_id), default=str)
    assert "wants order" not in json.dumps([one["body"] for one in model.requests()])


async def test_a_model_that_fails_while_it_thinks_ends_the_turn_after_it(
    impatient: Stack, scripted_model_server: RunningModel
) -> None:
    broken = {"chunks": PIECES[:3], "end_after": 4, "token_delay_ms": 30}
    scripted_model_server.script({"match": {"stream": True}, "reply": broken})
    async with Chatter(impatient.socket_url) as customer:
        await customer.message("What is the status of order 1042?")
        frames = await customer.until("message_complete")
        await customer.quiet()

    assert "reasoning" in types(frames)
    assert types(frames)[-2:] == ["error", "message_complete"]
