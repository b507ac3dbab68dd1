"""What the tests of the chat socket look at and turn: rows, refusals, streamed text."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.live.chatter import Chatter, Frame
from tests.live.stack import Stack, until

TABLES = ("chat_customer", "chat_conversation", "chat_turn", "chat_event", "agents_action")


def row_counts(stack: Stack) -> dict[str, int]:
    """How many rows each table has, and how many effects the business, once no turn is at work any more."""
    until(lambda: not stack.db("SELECT 1 FROM chat_turn WHERE status IN ('queued', 'running')"))
    counts = {table: stack.db(f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in TABLES}
    return {**counts, "effects": len(stack.journal())}


@contextmanager
def nothing_written(stack: Stack) -> Iterator[None]:
    before = row_counts(stack)
    yield
    assert row_counts(stack) == before


async def refusal(customer: Chatter, frame: Any) -> Frame:
    """The one error frame that answers `frame`; nothing follows it, and the socket stays open."""
    await customer.send(frame)
    answer = await customer.frame()
    await customer.quiet()
    assert answer["type"] == "error", answer
    return answer


def action(stack: Stack, interrupt_id: str) -> dict[str, Any]:
    [row] = stack.db("SELECT * FROM agents_action WHERE id = %s", interrupt_id)
    return row


def effects(stack: Stack, order_id: int) -> list[dict[str, Any]]:
    """What was done to an order in the business."""
    return [entry for entry in stack.journal() if f"/orders/{order_id}/" in entry["path"] + "/"]


def age_messages(stack: Stack, thread_id: str, seconds: float) -> None:
    """Let so much time have passed since the customer's messages."""
    stack.db(
        "UPDATE chat_customer "
        "SET accepted_at = ARRAY(SELECT t - make_interval(secs => %s) FROM unnest(accepted_at) t) "
        "WHERE id = (SELECT customer_id FROM chat_conversation WHERE thread_id = %s)",
        seconds,
        thread_id,
    )


def sent_ago(stack: Stack, thread_id: str, *seconds: float) -> None:
    """Let the customer's messages that count have been accepted so many seconds ago, the oldest first. Less than zero
    keeps them among the newest, however slow this machine is."""
    changed = stack.db(
        "UPDATE chat_customer "
        "SET accepted_at = ARRAY(SELECT now() - make_interval(secs => ago) FROM unnest(%s::float[]) ago) "
        "WHERE id = (SELECT customer_id FROM chat_conversation WHERE thread_id = %s) "
        "AND cardinality(accepted_at) = %s RETURNING id",
        list(seconds),
        thread_id,
        len(seconds),
    )
    assert len(changed) == 1


def found(frames: list[Frame], kind: str) -> Frame:
    """The one frame of this type."""
    [frame] = [frame for frame in frames if frame["type"] == kind]
    return frame


def events_of(frames: list[Frame]) -> list[Frame]:
    """The frames that report events, without `accepted`, which is an answer to the sender alone."""
    return [frame for frame in frames if "seq" in frame and frame["type"] not in ("accepted", "resumed")]


def text_of(frames: list[Frame], turn_id: str) -> str:
    """The text that a client puts together from a turn's token frames, by their offsets in code points."""
    text = ""
    for frame in frames:
        if frame["type"] == "token" and frame["turn_id"] == turn_id:
            assert frame["offset"] <= len(text), f"a hole before {frame['offset']}, at {len(text)}"
            text = (
                text[: frame["offset"]] + frame["content"] + text[frame["offset"] + len(frame["content"]) :]
            )
    return text
