"""Bad frames get the first rule's exact message, nothing is written, and the socket stays open."""

import json
from typing import Any

import pytest

from tests.chat.sockets import found, nothing_written, refusal
from tests.live.chatter import Chatter
from tests.live.stack import Stack

pytestmark = pytest.mark.xdist_group("live-offline")

OVER = "x" * 32_769


def message(**fields: Any) -> dict[str, Any]:
    return {"type": "message", "thread_id": "thread-of-bad-frames", "content": "hello", **fields}


UNREADABLE = [
    (OVER, "message_too_large", "Message too large"),
    ("é" * 16_384 + "x", "message_too_large", "Message too large"),
    (OVER.encode(), "message_too_large", "Message too large"),
    ("[" * 100_000, "message_too_large", "Message too large"),
    ("", "invalid_json", "Invalid JSON"),
    (b"", "invalid_json", "Invalid JSON"),
    (b'{"type":"ping"}', "invalid_json", "Invalid JSON"),
    (b"\xff\xfe", "invalid_json", "Invalid JSON"),
    ("[" * 32_768, "invalid_json", "Invalid JSON"),
    ("not json", "invalid_json", "Invalid JSON"),
    ('{"type":"ping","n":NaN}', "invalid_json", "Invalid JSON"),
    ('{"type":"ping","n":' + "1" * 20_000 + "}", "invalid_json", "Invalid JSON"),
    ("[]", "invalid_json", "Invalid JSON: expected object"),
    ('[{"type":"ping"}]', "invalid_json", "Invalid JSON: expected object"),
    ("null", "invalid_json", "Invalid JSON: expected object"),
    ('"ping"', "invalid_json", "Invalid JSON: expected object"),
]
UNKNOWN = [({"type": kind, "thread_id": "t"}) for kind in (None, "", "PING", 1, True, ["message"], {"a": 1})]
THREADS = [
    ({}, "missing_thread_id", "Missing thread_id"),
    ({"thread_id": ""}, "missing_thread_id", "Missing thread_id"),
    *(
        ({"thread_id": odd}, "invalid_thread_id", "Invalid thread_id format")
        for odd in ("a" * 129, "thread\n", "١٢٣", "a b", "\x00", "\ud800", 7, 0, False, [], ["t"], {})
    ),
]


@pytest.mark.parametrize(("frame", "code", "text"), UNREADABLE)
async def test_unreadable_frames(offline_stack: Stack, frame: str | bytes, code: str, text: str) -> None:
    with nothing_written(offline_stack):
        async with Chatter(offline_stack.socket_url) as customer:
            assert await refusal(customer, frame) == {"type": "error", "code": code, "message": text}


async def test_unknown_types(offline_stack: Stack) -> None:
    expected = {"type": "error", "code": "unknown_type", "message": "Unknown message type"}
    with nothing_written(offline_stack):
        async with Chatter(offline_stack.socket_url) as customer:
            for frame in [{}, *UNKNOWN]:
                assert await refusal(customer, frame) == expected


@pytest.mark.parametrize("kind", ["message", "interrupt_response", "resume", "stop"])
async def test_thread_ids(offline_stack: Stack, kind: str) -> None:
    with nothing_written(offline_stack):
        async with Chatter(offline_stack.socket_url) as customer:
            for thread, code, text in THREADS:
                answer = await refusal(customer, {"type": kind, "content": "", **thread})
                assert answer == {"type": "error", "code": code, "message": text}, thread


MISSING = ("missing_content", "Missing message content")
CONTENTS = [
    ({"content": odd}, *MISSING)
    for odd in (
        None,
        "",
        "   ",
        "\n\t",
        "\u3000\u2003",
        " " * 10_001,
        7,
        0,
        True,
        ["hi"],
        [],
        {"text": "hi"},
        1.5,
    )
] + [
    ({"content": "a" * 10_001}, "content_too_long", "Message content too long"),
    ({"content": " " * 10_000 + "a"}, "content_too_long", "Message content too long"),
]


async def test_contents(offline_stack: Stack) -> None:
    with nothing_written(offline_stack):
        async with Chatter(offline_stack.socket_url) as customer:
            frame = message()
            del frame["content"]
            assert (await refusal(customer, frame))["message"] == "Missing message content"
            for fields, code, text in CONTENTS:
                answer = await refusal(customer, message(**fields))
                assert answer == {"type": "error", "code": code, "message": text}, fields


async def test_ten_thousand_wide_characters_and_one_more(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        over = json.dumps(message(content="单" * 10_001, thread_id=customer.thread_id), ensure_ascii=False)
        assert len(over.encode()) < 32_768
        with nothing_written(offline_stack):
            assert (await refusal(customer, over))["message"] == "Message content too long"
        fine = json.dumps(message(content="单" * 10_000, thread_id=customer.thread_id), ensure_ascii=False)

        await customer.send(fine)

        assert (await customer.frame())["type"] == "accepted"
        await customer.until("message_complete")
    assert offline_stack.events(customer.thread_id)[0]["payload"]["content"] == "单" * 10_000


@pytest.mark.parametrize("letter", ["a", "🙂"])
async def test_a_message_frame_of_exactly_the_limit(offline_stack: Stack, letter: str) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        content = (letter * 10_000)[: 8_000 if letter == "🙂" else 10_000]
        frame = message(thread_id=customer.thread_id, content=content, pad="")
        room = 32_768 - len(json.dumps(frame, ensure_ascii=False).encode())
        over = json.dumps({**frame, "pad": "p" * (room + 1)}, ensure_ascii=False)
        fine = json.dumps({**frame, "pad": "p" * room}, ensure_ascii=False)
        assert len(fine.encode()) == 32_768

        with nothing_written(offline_stack):
            assert (await refusal(customer, over))["message"] == "Message too large"
        await customer.send(fine)

        frames = await customer.until("message_complete")
    assert frames[0]["type"] == "accepted"


@pytest.mark.parametrize(
    ("content", "stored"),
    [
        ("status\x00?", "status\ufffd?"),
        ("status \ud800?", "status \ufffd?"),
        ("\x00", "\ufffd"),
        ("  hi  ", "  hi  "),
    ],
)
async def test_characters_that_cannot_be_stored(offline_stack: Stack, content: str, stored: str) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        assert (await customer.say(content))[-1]["type"] == "message_complete"

        await customer.send({"type": "resume", "thread_id": customer.thread_id, "after": 0})
        assert found(await customer.until("resumed"), "user_message")["content"] == stored


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("m-1", "m-1"),
        (7, 7),
        ("\ud800", "\ufffd"),
        ("x" * 300, "x" * 300),
        (None, None),
        (["m"], None),
        ({"m": 1}, None),
        (True, None),
    ],
)
async def test_client_message_ids_of_every_form(offline_stack: Stack, given: Any, told: Any) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        frames = await customer.say("hello", client_message_id=given)

        assert frames[0]["client_message_id"] == told
        assert frames[-1]["status"] == "completed"


async def test_a_number_too_big_for_json_elsewhere_is_not_sent_back(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        thread = customer.thread_id
        await customer.send(
            f'{{"type":"message","thread_id":"{thread}","content":"hello","client_message_id":1e999}}'
        )

        assert (await customer.until("message_complete"))[0]["client_message_id"] is None


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        ('{"type":"?"' + " " * 32_768, "Message too large"),
        ("[" + '{"type":"?"', "Invalid JSON"),
        ('[{"type":"?"}]', "Invalid JSON: expected object"),
        ('{"type":"?","thread_id":""}', "Unknown message type"),
        ('{"type":"message","thread_id":"","content":""}', "Missing thread_id"),
        ('{"type":"message","thread_id":"?","content":""}', "Invalid thread_id format"),
        ('{"type":"interrupt_response","thread_id":"?","approved":"true"}', "Invalid thread_id format"),
        ('{"type":"interrupt_response","thread_id":"nobodys","approved":"true"}', "Thread not found"),
        ('{"type":"resume","thread_id":"nobodys","after":-1}', "Thread not found"),
    ],
)
async def test_the_first_rule_wins(offline_stack: Stack, frame: str, text: str) -> None:
    with nothing_written(offline_stack):
        async with Chatter(offline_stack.socket_url) as customer:
            assert (await refusal(customer, frame))["message"] == text


async def test_pings(offline_stack: Stack) -> None:
    with nothing_written(offline_stack):
        async with Chatter(offline_stack.socket_url) as customer:
            for frame in ({"type": "ping"}, {"type": "ping", "thread_id": []}, '{"type":"ping","n":1e999}'):
                await customer.send(frame)
                assert await customer.frame() == {"type": "pong"}
