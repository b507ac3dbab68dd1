"""Summaries: made once, of what is settled, with what must not be forgotten; and nothing waits for them."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from agents.facts import Fact
from agents.spending.models import ModelCall
from chat import events, history, summaries, turns
from chat.frames import Shown, of_event
from chat.models import Conversation, ConversationStatus, Event, Turn, TurnStatus
from tests.at_once import at_once
from tests.chat import long_conversation as long
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def talk(settings: Any) -> Conversation:
    settings.PROMPT_HISTORY_TOKENS = 1_500
    return long.conversation()


@pytest.fixture
def model(settings: Any, scripted_model: RunningModel) -> RunningModel:
    settings.LLM_PROVIDER, settings.OPENAI_API_KEY = "openai", "none"
    settings.OPENAI_BASE_URL = scripted_model.url
    return scripted_model


def made(talk: Conversation) -> list[Event]:
    return list(Event.objects.filter(conversation=talk, kind="summarised").order_by("seq"))


def log_of(talk: Conversation) -> list[tuple[int, str, Any]]:
    return list(Event.objects.filter(conversation=talk).order_by("seq").values_list("seq", "kind", "payload"))


def test_a_short_conversation_has_none(talk: Conversation) -> None:
    long.grow(talk, 5)
    before = log_of(talk)

    assert summaries.make(talk.pk) is False

    assert log_of(talk) == before


def test_the_older_part_becomes_one_event_that_no_customer_sees(talk: Conversation) -> None:
    long.grow(talk, 30)
    before = log_of(talk)
    before_it = timezone.now() - timedelta(minutes=20)
    Conversation.objects.filter(pk=talk.pk).update(last_activity_at=before_it)

    assert summaries.make(talk.pk) is True
    assert summaries.make(talk.pk) is False

    [event] = made(talk)
    assert log_of(talk)[:-1] == before
    talk.refresh_from_db()
    assert talk.last_seq == event.seq == len(before) + 1
    assert talk.last_activity_at == before_it, "a summary is no activity"
    shown = Shown(talk.thread_id, event.seq, event.kind, None, "", event.payload, event.created_at)
    assert of_event(shown) == []
    assert history.read(talk.pk, 2**40).overdue is False


def test_outcomes_and_ids_survive_many_summaries(talk: Conversation) -> None:
    first = long.message(talk, "My customer number is KD-88123, please cancel order 1042.")
    long.action(talk, first, 1042, ok=False)
    long.end(talk, first)
    for _ in range(3):
        long.grow(talk, 9)
        summaries.summarise_conversation(str(talk.pk))

    last = made(talk)[-1].payload
    told = history.before(talk.pk, 2**40)[0]

    assert len(made(talk)) >= 2
    assert last["outcomes"][0].startswith('cancel_order {"order_id":1042} was sent, but nobody knows')
    assert {"KD-88123", "1042"} <= set(last["ids"])
    assert told.role == "summary"
    for fact in ("KD-88123", '{"order_id":1042} was sent, but nobody knows', "Where is my order"):
        assert fact in told.text


def test_outcomes_for_which_there_is_no_room_are_counted(talk: Conversation) -> None:
    for number in range(40):
        turn = long.message(talk, f"Cancel order {6000 + number}")
        long.action(talk, turn, 6000 + number)
        long.end(talk, turn)
    summaries.summarise_conversation(str(talk.pk))

    last = made(talk)[-1].payload

    covered = Event.objects.filter(
        conversation=talk, kind="tool_returned", seq__lte=last["through_seq"]
    ).count()
    assert len(last["outcomes"]) + last["outcomes_left_out"] == covered
    assert f"({'the newest; '}{last['outcomes_left_out']} older ones left out)" in history.summary_text(last)


@pytest.mark.parametrize("status", ["queued", "running", "waiting"])
def test_nothing_is_summarised_of_an_unfinished_turn_or_after_it(talk: Conversation, status: str) -> None:
    long.grow(talk, 12)
    open_turn = long.message(talk, "Cancel order 1042")
    Turn.objects.filter(pk=open_turn.pk).update(status=status)
    long.said(talk, long.reply("One moment."), open_turn)
    long.grow(talk, 25)

    summaries.summarise_conversation(str(talk.pk))

    assert [event.payload["through_seq"] < open_turn.message_seq for event in made(talk)] in ([True], [])


def test_a_failed_turn_that_can_be_tried_again_is_not_summarised(talk: Conversation) -> None:
    long.grow(talk, 25)
    failed = long.message(talk, "word " * 600)
    long.end(talk, failed, TurnStatus.FAILED, code="model_unavailable", message="", detail="")

    summaries.summarise_conversation(str(talk.pk))
    turns.retry(customer_id=None, thread_id=talk.thread_id)

    assert made(talk)[-1].payload["through_seq"] < failed.message_seq
    assert history.before(talk.pk, failed.message_seq)[0].role == "summary"


def test_many_at_once_make_one(talk: Conversation) -> None:
    long.grow(talk, 30)

    wrote = at_once([lambda: summaries.make(talk.pk)] * 6)

    assert sorted(map(str, wrote)) == ["False"] * 5 + ["True"]
    assert len(made(talk)) == 1


def test_a_summary_of_something_else_meanwhile_loses(talk: Conversation) -> None:
    """Without the lock, as when its connection was lost: the newest summary decides."""
    long.grow(talk, 30)
    summaries.make(talk.pk)
    first = made(talk)[0].payload
    before = log_of(talk)

    assert summaries._record(talk.pk, Fact("summarised", {**first, "text": "other"})) is False
    long.message(talk, "And now?")
    late = {**first, "after_seq": first["through_seq"], "through_seq": 2**40}
    assert summaries._record(talk.pk, Fact("summarised", late)) is False

    assert log_of(talk)[: len(before)] == before
    assert len(made(talk)) == 1


def test_the_model_writes_it_and_is_paid_for(talk: Conversation, model: RunningModel) -> None:
    answer = {"summary": "Ada asks for many orders.", "language": "English"}
    usage = {"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940,
             "prompt_tokens_details": {"cached_tokens": 512}}  # fmt: skip
    model.script({"match": {"structured": True}, "reply": {"json": answer, "usage": usage}})
    long.grow(talk, 30)

    assert summaries.make(talk.pk)

    [event] = made(talk)
    assert (event.payload["text"], event.payload["by"]) == ("Ada asks for many orders.", "model")
    assert (event.tokens_in, event.tokens_out, event.tokens_cached) == (900, 40, 512)
    [call] = ModelCall.objects.filter(purpose="summary")
    assert (call.event_seq, call.conversation_id, call.tokens_in) == (event.seq, talk.pk, 900)
    [asked] = model.requests()
    given = json.loads(asked["body"]["messages"][-1]["content"])
    assert given["notes_so_far"] == ""
    assert given["after_that"][0] == {
        "who": "customer",
        "text": "Where is my order 5000? It should have been here on Monday.",
    }
    told = history.before(talk.pk, 2**40)[0].text
    assert "Ada asks for many orders." in told
    assert "The customer writes in: English" in told
    assert "cancel_order" in told, "what was done does not depend on the model"


@pytest.mark.parametrize(
    "reply",
    [{"text": "no json"}, {"json": {"summary": ""}}, {"json": {"summary": "half", "language": "x"},
                                                      "finish_reason": "length"}],
)  # fmt: skip
def test_an_answer_that_cannot_be_used_is_replaced_by_rules(
    talk: Conversation, model: RunningModel, reply: dict[str, Any]
) -> None:
    model.script({"reply": reply})
    long.grow(talk, 30)

    assert summaries.make(talk.pk)

    [event] = made(talk)
    assert event.payload["by"] == "rules"
    assert "- The customer wrote: Where is my order" in event.payload["text"]


def test_a_model_that_is_out_changes_nothing_and_the_turn_goes_on(
    talk: Conversation, model: RunningModel
) -> None:
    model.script({"reply": {"error": {"status": 401}}})
    long.grow(talk, 30)
    before = log_of(talk)

    assert summaries.make(talk.pk) is False

    assert log_of(talk) == before
    told = history.read(talk.pk, 2**40)
    assert told.overdue
    assert told.said[-1].role == "agent"


def test_a_conversation_that_staff_hold_is_summarised_too(talk: Conversation) -> None:
    Conversation.objects.filter(pk=talk.pk).update(status=ConversationStatus.HELD)
    for number in range(40):
        long.said(talk, Fact("message_received", {"content": f"It is broken, see photo {number}.",
                                                  "client_message_id": None}))  # fmt: skip
        long.said(talk, Fact("staff_wrote", {"content": "Please send another photo, I cannot see it.",
                                             "by_name": "sam"}))  # fmt: skip

    assert summaries.make(talk.pk)

    assert "sam" not in json.dumps(made(talk)[0].payload)
    assert "- A colleague wrote: Please send another photo" in made(talk)[0].payload["text"]


def test_chinese_is_noticed_by_the_rules(talk: Conversation) -> None:
    for number in range(30):
        turn = long.message(talk, f"我的订单 {7000 + number} 在哪里？请帮我查询一下物流状态，谢谢。")
        long.said(talk, long.reply("您的订单正在运送途中，预计星期五送达，请您耐心等待。"), turn)
        long.end(talk, turn)

    assert summaries.make(talk.pk)

    assert made(talk)[0].payload["language"] == "Chinese"
    assert "7000" in made(talk)[0].payload["ids"]


def test_a_summary_is_told_to_the_sockets_so_that_no_number_is_missing(talk: Conversation) -> None:
    long.grow(talk, 30)
    summaries.make(talk.pk)

    frames, last = events.frames_after(talk.pk, talk.thread_id, made(talk)[0].seq - 1)

    assert (frames, last) == ([], made(talk)[0].seq)


def test_a_broker_that_is_away_costs_nothing_but_the_summary(talk: Conversation, settings: Any) -> None:
    from smartsupport.celery import app

    before, app.conf.broker_write_url = app.conf.broker_write_url, "redis://127.0.0.1:1/0"
    try:
        summaries.kick(talk.pk)
    finally:
        app.conf.broker_write_url = before

    assert made(talk) == []
