"""The log: gapless, unique, append-only, and closed to whoever lost the turn."""

from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection

from agents.context import StaleTurn
from agents.facts import Fact
from chat import events, submission
from chat.models import Conversation, Event, Turn
from tests import rows
from tests.at_once import at_once
from tests.factories import claim

pytestmark = pytest.mark.django_db(transaction=True)


def fact(text: str = "hello", key: str = "") -> Fact:
    return Fact("replied", {"content": text}, key=key, agent="bot")


def log(conversation: Conversation) -> list[tuple[int, str]]:
    return list(Event.objects.filter(conversation=conversation).order_by("seq").values_list("seq", "kind"))


def test_writers_at_the_same_time_leave_no_gap_and_share_no_number() -> None:
    turn = rows.turn(rows.customer())

    batches = at_once(
        [
            lambda number=number: events.append(
                turn.conversation_id, [fact()] * (1 + number % 3), turn_id=turn.pk
            )
            for number in range(20)
        ]
    )

    written = sum(1 + number % 3 for number in range(20))
    assert [seq for seq, _ in log(turn.conversation)] == list(range(1, written + 2))
    taken = sorted((batch.first, batch.last) for batch in batches if isinstance(batch, events.Batch))
    assert all(last + 1 == first for (_, last), (first, _) in pairwise(taken))
    assert Conversation.objects.get(pk=turn.conversation_id).last_seq == written + 1


def test_an_old_fence_writes_nothing() -> None:
    turn = rows.turn(rows.customer())
    old = claim("one")
    Turn.objects.filter(pk=turn.pk).update(lease_until="2020-01-01T00:00:00Z")
    new = claim("two")
    before = log(turn.conversation)

    for fence in (old.fence, new.fence + 1):
        with pytest.raises(StaleTurn):
            events.insert(turn.conversation_id, [fact()], turn_id=turn.pk, fence=fence)

    assert log(turn.conversation) == before
    assert Conversation.objects.get(pk=turn.conversation_id).last_seq == len(before)
    assert (
        events.insert(turn.conversation_id, [fact()], turn_id=turn.pk, fence=new.fence).first
        == len(before) + 1
    )


@pytest.mark.parametrize("status", ["queued", "waiting", "completed", "failed", "stopped"])
def test_a_turn_that_does_not_run_writes_nothing(status: str) -> None:
    turn = rows.turn(rows.customer())
    held = claim()
    Turn.objects.filter(pk=turn.pk).update(status=status)
    before = log(turn.conversation)

    with pytest.raises(StaleTurn):
        events.insert(turn.conversation_id, [fact()], turn_id=turn.pk, fence=held.fence)

    assert log(turn.conversation) == before


def test_the_same_thing_is_recorded_once_in_a_turn() -> None:
    turn = rows.turn(rows.customer())
    events.append(turn.conversation_id, [fact(key="reply:1")], turn_id=turn.pk)
    before = log(turn.conversation)

    with pytest.raises(IntegrityError):
        events.append(turn.conversation_id, [fact(), fact(key="reply:1")], turn_id=turn.pk)

    assert log(turn.conversation) == before
    assert Conversation.objects.get(pk=turn.conversation_id).last_seq == len(before)


def test_what_postgres_cannot_hold_is_replaced() -> None:
    turn = rows.turn(rows.customer())
    payload: dict[str, Any] = {"content": "a\x00b\ud800c", "nested": [{"k\x00": "\udfff😀"}]}

    events.append(turn.conversation_id, [Fact("replied", payload, agent="bot")], turn_id=turn.pk)

    stored = Event.objects.get(turn=turn, kind="replied").payload
    assert stored == {"content": "a\ufffdb\ufffdc", "nested": [{"k\ufffd": "\ufffd😀"}]}
    assert Conversation.objects.get(pk=turn.conversation_id).last_line == "a\ufffdb\ufffdc"


def test_an_event_cannot_be_written_over() -> None:
    turn = rows.turn(rows.customer())
    taken = Event.objects.filter(turn=turn).values().get()

    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO chat_event (conversation_id, turn_id, created_at, version, seq, kind, key, agent, payload)"
            " VALUES (%s, %s, now(), 1, %s, 'replied', '', '', '{}')",
            [turn.conversation_id, turn.pk, taken["seq"]],
        )

    assert Event.objects.filter(turn=turn).values().get() == taken


def test_no_code_but_the_log_writes_events() -> None:
    """Append-only by construction: nothing in the product updates, deletes or saves an event."""
    root = Path(events.__file__).parents[1]
    sources = [
        path for app in ("agents", "chat", "replay", "smartsupport") for path in (root / app).rglob("*.py")
    ]
    writing = (
        "UPDATE chat_event",
        "DELETE FROM chat_event",
        "INSERT INTO chat_event",
        "Event.objects.create",
        "Event.objects.bulk_create",
    )
    found = [path.name for path in sources for words in writing if words in path.read_text(encoding="utf-8")]
    assert found == ["events.py"]


def test_a_broker_that_is_away_does_not_stop_the_log(settings: Any) -> None:
    turn = rows.turn(rows.customer())
    layer = {**settings.CHANNEL_LAYERS["default"], "CONFIG": {"hosts": ["redis://127.0.0.1:1/0"]}}
    settings.CHANNEL_LAYERS = {"default": layer}

    batch = events.append(turn.conversation_id, [fact()], turn_id=turn.pk)
    again = submission.submit(
        customer_id=turn.conversation.customer_id,
        thread_id=turn.conversation.thread_id,
        content="And now?",
        client_message_id=None,
    )

    assert [seq for seq, _ in log(turn.conversation)] == [1, batch.first, again.seq]


def test_a_page_of_events_begins_where_the_last_one_ended() -> None:
    turn = rows.turn(rows.customer())
    rows.happened(turn, *[fact(str(number)) for number in range(7)])

    after, seen = 0, []
    while True:
        frames, last = events.frames_after(turn.conversation_id, turn.conversation.thread_id, after, limit=3)
        if last == after:
            break
        seen += [frame["seq"] for frame in frames]
        after = last

    assert seen == list(range(1, 9))


def test_a_conversation_that_does_not_exist_takes_no_event() -> None:
    with pytest.raises(StaleTurn):
        events.insert(uuid4(), [fact()], turn_id=None)

    assert not Event.objects.exists()
