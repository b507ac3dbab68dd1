"""Many at once: idle sockets and what they weigh, and many turns that begin at the same moment."""

import asyncio
import json
import resource
from typing import Any

from tests.bench.customer import Turn
from tests.bench.measures import ORDERS, QUESTION, Numbers, percentile
from tests.bench.spent import resident_bytes
from tests.bench.stack import Stack
from tests.scripted_model.thumb import ANSWER

OPENING_AT_ONCE = 50
TOKEN_DELAY_MS = 50
SPARE_FILES = 512


def allow_sockets(count: int) -> None:
    """Let this process, and those that it starts, have so many open at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + SPARE_FILES
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard < 0 else min(wanted, hard), hard))


async def idle_sockets(stack: Stack, *, sockets: int, talk: bool = True) -> Numbers:
    """What a web process holds for sockets that say nothing: just open, then (`talk`) each with a conversation, then
    closed."""
    web = stack.webs[0]
    before = resident_bytes(web.process.pid)
    customers = await _in_groups([stack.arrive() for _ in range(sockets)])
    await _in_groups([customer.settle() for customer in customers])
    opened = resident_bytes(web.process.pid)
    if talk:
        await _in_groups([customer.say(QUESTION.format(ORDERS[0])) for customer in customers])
    followed = resident_bytes(web.process.pid)
    await _in_groups([customer.leave() for customer in customers])
    await asyncio.sleep(1)
    return {
        "sockets": sockets,
        "web_before_bytes": before,
        "web_open_bytes": opened,
        "web_with_conversations_bytes": followed,
        "web_after_bytes": resident_bytes(web.process.pid),
        "bytes_per_socket": (opened - before) / sockets,
        "bytes_per_socket_with_conversation": (followed - before) / sockets,
    }


async def _in_groups(waiting: list[Any]) -> list[Any]:
    """The results of coroutines, so many at a time."""
    done: list[Any] = []
    for place in range(0, len(waiting), OPENING_AT_ONCE):
        done += await asyncio.gather(*waiting[place : place + OPENING_AT_ONCE])
    return done


async def at_once(stack: Stack, *, turns: int, rounds: int) -> Numbers:
    """`turns` customers ask at the same moment; the model streams a token each 50 ms."""
    answer = {"text": ANSWER, "token_delay_ms": TOKEN_DELAY_MS}
    stack.model.script({"match": {"structured": False, "has_tool_result": True}, "reply": answer})
    overheads: list[float] = []
    frames = seconds = 0.0
    try:
        for number in range(rounds):
            customers = await _in_groups([stack.arrive() for _ in range(turns)])
            stack.model.forget()
            marks = [f"reference r{number}x{place}r" for place in range(turns)]
            said = await asyncio.gather(
                *(
                    customer.say(f"{QUESTION.format(ORDERS[place % len(ORDERS)])} My {marks[place]}.")
                    for place, customer in enumerate(customers)
                )
            )
            requests = stack.model.requests()
            overheads += [_overhead(turn, requests, mark) for turn, mark in zip(said, marks, strict=True)]
            frames += sum(turn.frames.count("token") for turn in said)
            first = min(turn.first_text for turn in said if turn.first_text is not None)
            seconds += max(turn.finished for turn in said) - first
            await _in_groups([customer.leave() for customer in customers])
    finally:
        stack.model.clear()
    return {
        "turns_at_once": turns,
        "rounds": rounds,
        "overhead_p50_ms": percentile(overheads, 50),
        "overhead_p95_ms": percentile(overheads, 95),
        "token_frames": frames,
        "token_frames_per_second": frames / seconds,
    }


def _overhead(turn: Turn, requests: list[Numbers], mark: str) -> float:
    """Milliseconds to the first token of a turn, without the model's part in it."""
    assert turn.first_text is not None, f"no text arrived: {turn.frames}"
    mine = [item for item in requests if mark in json.dumps(item["body"]) and item["first_piece"]]
    before = [item for item in mine if item["first_piece"] <= turn.first_text]
    assert before, "the model was not asked before the first token"
    model = sum((item["finished"] or turn.first_text) - item["received"] for item in before[:-1])
    model += before[-1]["first_piece"] - before[-1]["received"]
    return (turn.first_text - turn.sent - model) * 1000
