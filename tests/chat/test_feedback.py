"""What customers thought: given, changed, asked for. And that it is nothing else: no activity, no turn, no prompt."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from channels.layers import get_channel_layer
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.utils import timezone

from agents.approvals import Decider
from chat import events, feedback, feedback_asking, history, staffing, takeover
from chat.feedback import Answer, InvalidFeedback
from chat.models import Conversation, ConversationStatus, Event, Turn, TurnStatus, WebhookDelivery
from smartsupport.lib.errors import ThreadNotFound
from tests import rows
from tests.at_once import at_once
from tests.factories import on_loop

pytestmark = pytest.mark.django_db(transaction=True)
SAM = Decider(kind="staff", name="sam", id="user:1")


def answered(content: str = "It is on its way.") -> Conversation:
    """A conversation whose customer has an agent's answer."""
    turn = rows.turn(rows.customer())
    rows.finish(turn, content)
    return Conversation.objects.get(pk=turn.conversation_id)


def silent(row: Conversation, minutes: float = 6) -> None:
    """Let nothing have happened in it for so long."""
    then = timezone.now() - timedelta(minutes=minutes)
    Conversation.objects.filter(pk=row.pk).update(last_activity_at=then)


def give(row: Conversation, **said: Any) -> feedback.Given:
    return feedback.give(thread_id=row.thread_id, customer_id=row.customer_id, said=feedback.checked(said))


def kinds(row: Conversation) -> list[str]:
    return list(row.events.order_by("seq").values_list("kind", flat=True))


def everything(row: Conversation) -> dict[str, Any]:
    return Conversation.objects.filter(pk=row.pk).values().get() | {"events": kinds(row)}


# --- what an answer is ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"thread_id": "t", "rating": 5},
        *({"solved": odd} for odd in (None, 1, 0, "true", "", [], {})),
        *({"score": odd} for odd in (None, 0, 6, -1, True, False, 4.0, "5", [5], 10**30)),
        *({"comment": odd} for odd in (None, 5, True, ["x"], "x" * 1_001)),
        {"solved": True, "score": 9},
        {"score": 5, "comment": "🙂" * 1_001},
    ],
)
def test_what_is_no_answer(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidFeedback) as refused:
        feedback.checked(fields)

    assert (refused.value.code, refused.value.message) == ("invalid_feedback", "Invalid feedback")


def test_what_is_one() -> None:
    assert feedback.checked({"type": "feedback", "solved": False}) == {"solved": False}
    assert feedback.checked({"score": 1}) == {"score": 1}
    assert feedback.checked({"comment": " " + "🙂" * 998 + " "}) == {"comment": "🙂" * 998}
    assert feedback.checked({"comment": "a\x00b"})["comment"] != "a\x00b"


# --- giving -----------------------------------------------------------------------------------------


def test_an_answer_is_an_event_and_stands_at_the_conversation() -> None:
    row = answered()

    first = give(row, solved=True)
    second = give(row, score=4, comment="Quick.")

    row.refresh_from_db()
    payloads = list(
        row.events.filter(kind="feedback_given").order_by("seq").values_list("payload", flat=True)
    )
    assert payloads == [
        {"solved": True, "score": None, "comment": ""},
        {"solved": True, "score": 4, "comment": "Quick."},
    ]
    assert (first.repeated, second.repeated, second.answer) == (False, False, Answer(True, 4, "Quick."))
    assert (row.solved, row.score, row.last_seq) == (True, 4, second.seq)


def test_the_same_again_writes_nothing_and_a_change_counts() -> None:
    row = answered()
    given = give(row, solved=True, score=5, comment="Thanks")
    before = everything(row)

    again = [
        give(row, solved=True, score=5, comment="Thanks"),
        give(row, score=5),
        give(row, comment=" Thanks "),
    ]

    assert everything(row) == before
    assert [(one.repeated, one.seq) for one in again] == [(True, given.seq)] * 3
    assert again[0].frames == given.frames
    assert given.frames[0].items() >= {"type": "feedback", "solved": True, "score": 5}.items()
    give(row, solved=False, comment="")
    row.refresh_from_db()
    assert (row.solved, row.score) == (False, 5)
    assert row.events.get(seq=row.last_seq).payload == {"solved": False, "score": 5, "comment": ""}


def test_many_who_send_the_same_at_once_write_it_once() -> None:
    row = answered()

    told = at_once([lambda: give(row, solved=True, score=5)] * 4)

    assert not [one for one in told if isinstance(one, Exception)]
    assert row.events.filter(kind="feedback_given").count() == 1


def test_somebody_elses_conversation_does_not_exist() -> None:
    row, stranger = answered(), rows.customer()
    before = everything(row)

    for thread_id in (row.thread_id, "t-none"):
        with pytest.raises(ThreadNotFound):
            feedback.give(thread_id=thread_id, customer_id=stranger.pk, said={"solved": True})

    assert everything(row) == before


def test_a_comment_without_a_word_is_no_answer() -> None:
    row = answered()
    before = everything(row)

    with pytest.raises(InvalidFeedback):
        give(row, comment="   ")

    assert everything(row) == before


def test_it_is_no_activity_starts_nothing_and_no_model_or_other_system_is_told() -> None:
    row = answered()
    staffing.resolve(thread_id=row.thread_id, by=SAM)
    silent(row, 600)
    before = everything(row)
    prompt = history.before(row.pk, 10_000)

    give(row, solved=False, score=1, comment="Nobody helped me.")

    after = everything(row)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"solved", "score", "last_seq", "events"}
    assert after["status"] == ConversationStatus.RESOLVED
    assert Turn.objects.count() == 1
    assert history.before(row.pk, 10_000) == prompt
    assert not WebhookDelivery.objects.exists()


# --- asking -----------------------------------------------------------------------------------------


def test_after_some_silence_a_customer_is_asked_once_and_again_after_they_wrote() -> None:
    row = answered()
    assert feedback_asking.ask() == []  # they have only just been answered
    silent(row)
    before = Conversation.objects.get(pk=row.pk)

    assert feedback_asking.ask() == [row.pk]

    row.refresh_from_db()
    event = row.events.get(seq=row.last_seq)
    assert (event.kind, event.payload, event.turn_id) == ("feedback_asked", {}, None)
    assert (row.last_seq, row.last_activity_at) == (before.last_seq + 1, before.last_activity_at)
    assert feedback_asking.ask() == []
    assert feedback_asking.asks_now(row.pk) is False

    rows.finish(rows.turn(row.customer, row.thread_id, "And now?"))
    silent(row)
    assert feedback_asking.ask() == [row.pk]


def test_several_sweeps_at_once_ask_everybody_once() -> None:
    several = [answered() for _ in range(6)]
    for row in several:
        silent(row)

    told = at_once([lambda: feedback_asking.ask(limit=2)] * 5)

    asked = sorted(pk for one in told if isinstance(one, list) for pk in one)
    while more := feedback_asking.ask(limit=2):
        asked = sorted([*asked, *more])
    assert asked == sorted(row.pk for row in several)
    assert Event.objects.filter(kind="feedback_asked").count() == 6


def test_the_job_tells_the_open_sockets() -> None:
    row = answered()
    silent(row)

    async def heard() -> dict[str, Any]:
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(events.group_of(row.pk), channel)
        await asyncio.to_thread(_run_the_job)
        async with asyncio.timeout(30):
            message: dict[str, Any] = await layer.receive(channel)
        return message

    message = on_loop(heard())

    row.refresh_from_db()
    [frame] = message["frames"]
    assert (message["first"], message["last"]) == (row.last_seq, row.last_seq)
    assert (frame["type"], frame["thread_id"], frame["seq"]) == (
        "feedback_request",
        row.thread_id,
        row.last_seq,
    )
    assert events.frames_after(row.pk, row.thread_id, row.last_seq - 1) == ([frame], row.last_seq)


def _run_the_job() -> None:
    try:
        current_app.tasks["chat.ask_for_feedback"].apply(throw=True)
    finally:
        connection.close()


def test_the_job_is_on_the_schedule() -> None:
    scheduled = {entry["task"] for entry in current_app.conf.beat_schedule.values()}
    assert "chat.ask_for_feedback" in scheduled


def _question(row: Conversation) -> None:
    turn = rows.turn(row.customer, row.thread_id, "Cancel it")
    rows.happened(turn, rows.facts.question_asked(message="Which?", usage=rows.QUIET, duration_ms=1))
    Turn.objects.filter(pk=turn.pk).update(status=TurnStatus.COMPLETED)


def _cut(row: Conversation) -> None:
    turn = rows.turn(row.customer, row.thread_id, "Tell me all")
    rows.happened(turn, rows.facts.replied(agent="a", content="It", key="reply", cut=True))
    Turn.objects.filter(pk=turn.pk).update(status=TurnStatus.STOPPED)


def _failed_after_a_piece(row: Conversation) -> None:
    rows.finish(turn := rows.turn(row.customer, row.thread_id, "More"), "One part.")
    Turn.objects.filter(pk=turn.pk).update(status=TurnStatus.FAILED)


def _asked_for_a_person(row: Conversation) -> None:
    staffing.escalate(thread_id=row.thread_id, reason="They are angry.", by=SAM)


def _handed_back(row: Conversation) -> None:
    staffing.write(thread_id=row.thread_id, text="I looked at it.", by=SAM)
    takeover.hand_back(thread_id=row.thread_id, by=SAM)


UNFIT: dict[str, Any] = {
    "a message that nobody answered": lambda row: rows.turn(row.customer, row.thread_id, "Hello?"),
    "a message that is being answered": lambda row: rows.turn(
        row.customer, row.thread_id, "Hello?", status=TurnStatus.RUNNING
    ),
    "an approval": lambda row: rows.action(rows.turn(row.customer, row.thread_id, "Cancel"), rows.tool()),
    "a question of ours": _question,
    "a piece of an answer": _cut,
    "an answer whose turn failed": _failed_after_a_piece,
    "somebody who waits for a person": _asked_for_a_person,
    "a person": lambda row: takeover.take_over(thread_id=row.thread_id, by=SAM),
    "the words of a person": _handed_back,
    "an answer that was judged already": lambda row: give(row, solved=True),
}


@pytest.mark.parametrize("what", UNFIT)
def test_nobody_is_asked_where_the_last_thing_is(what: str) -> None:
    row, other = answered(), answered()
    UNFIT[what](row)
    for one in (row, other):
        silent(one)
    before = everything(row)

    assert feedback_asking.ask() == [other.pk]

    assert everything(row) == before


def test_an_action_that_is_being_carried_out_is_waited_for() -> None:
    action = rows.outcome_unknown()
    row = action.turn.conversation
    Conversation.objects.filter(pk=row.pk).update(status="open")
    type(action).objects.filter(pk=action.pk).update(status="dispatching")
    silent(row)
    assert feedback_asking.ask() == []

    type(action).objects.filter(pk=action.pk).update(status="succeeded")
    assert feedback_asking.ask() == [row.pk]


def test_zero_asks_nobody_and_who_left_long_ago_is_left_alone(settings: LazySettings) -> None:
    row = answered()
    silent(row, 66)
    assert feedback_asking.ask() == []
    silent(row, 64)
    settings.FEEDBACK_AFTER_MINUTES = 0
    assert feedback_asking.ask() == []

    settings.FEEDBACK_AFTER_MINUTES = 5
    assert feedback_asking.ask() == [row.pk]


def test_the_sweep_reads_an_index_that_has_only_whom_to_ask() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        now = timezone.now()
        words = {"words": [], "after": now, "until": now, "limit": 1}
        cursor.execute("EXPLAIN " + feedback_asking._SILENT, words)
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")

    assert "conversation_to_ask" in plan, plan


def test_resolving_asks_at_once_unless_the_customer_was_asked_already() -> None:
    row, known = answered(), answered()
    silent(known)
    assert feedback_asking.ask() == [known.pk]

    for one in (row, known):
        staffing.resolve(thread_id=one.thread_id, by=SAM)

    assert kinds(row)[-2:] == ["conversation_resolved", "feedback_asked"]
    assert kinds(known)[-2:] == ["feedback_asked", "conversation_resolved"]


# --- the API ----------------------------------------------------------------------------------------


def post(client: Client, row: Conversation, body: Any, scope: str = "conversations:write") -> Any:
    url = f"/api/v1/conversations/{row.thread_id}/feedback"
    return client.post(url, body, content_type="application/json", headers={"X-API-Key": rows.key(scope)})


def test_over_the_api(client: Client) -> None:
    row = answered()

    first = post(client, row, {"solved": True, "score": 5, "comment": "Good"})
    again = post(client, row, {"score": 5})

    assert first.json()["data"] == {
        "thread_id": row.thread_id, "seq": row.last_seq + 1, "solved": True, "score": 5, "comment": "Good",
    }  # fmt: skip
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["data"] == first.json()["data"]


def test_what_the_api_refuses_is_not_written(client: Client, settings: LazySettings) -> None:
    row = answered()
    before = everything(row)

    for body in ({}, [], {"score": "5"}, {"solved": None}):
        refused = post(client, row, body)
        assert (refused.status_code, refused.json()["error"]["message"]) == (400, "Invalid feedback")
    assert post(client, row, {"solved": True}, "conversations:read").status_code == 403
    assert post(client, Conversation(thread_id="t-none"), {"solved": True}).status_code == 404
    assert everything(row) == before

    settings.FEEDBACK_PER_MINUTE = 1
    assert post(client, row, {"score": 1}).status_code == 201
    before = everything(row)
    limited = post(client, row, {"score": 2})
    assert (limited.status_code, limited.json()["error"]["code"]) == (429, "rate_limited")
    assert everything(row) == before
