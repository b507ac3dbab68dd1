"""What becomes of tags is in the conversation's log, for staff alone, and what has which tags is in the API."""

import json
from typing import Any

import pytest
from django.test import Client

from agents.approvals import Decider
from chat import events, frames, history, staffing, summaries, tagging, transcript, webhooks
from chat.models import Conversation, Event, WebhookDelivery
from tests import rows

pytestmark = pytest.mark.django_db
SAM = Decider("staff", "sam", id="user:1")
SECRET = "a difficult one"


def told(row: Conversation) -> list[dict[str, Any]]:
    return list(row.events.filter(kind="tagged").order_by("seq").values_list("payload", flat=True))


def change(added: list[str], removed: list[str]) -> dict[str, Any]:
    return {"added": added, "removed": removed, "by_name": "sam"}


def test_each_change_is_told_once_and_no_change_is_not() -> None:
    row = rows.turn(rows.customer()).conversation

    tagging.add(conversation_ids=[row.pk], name="VIP", by=SAM)
    tagging.add(conversation_ids=[row.pk], name="vip", by=SAM)
    tagging.put(thread_id=row.thread_id, names=["refund", "gift", "vip"], by=SAM)
    tagging.put(thread_id=row.thread_id, names=["late"], by=SAM)
    tagging.put(thread_id=row.thread_id, names=["late"], by=SAM)
    assert tagging.remove(conversation_id=row.pk, name="late", by=SAM)
    assert not tagging.remove(conversation_id=row.pk, name="late", by=SAM)

    assert told(row) == [
        change(["vip"], []),
        change(["gift", "refund"], []),
        change(["late"], ["gift", "refund", "vip"]),
        change([], ["late"]),
    ]


def test_many_are_told_in_as_many_statements_as_one(django_assert_max_num_queries: Any) -> None:
    several = [rows.turn(rows.customer(), f"t-{number}").conversation for number in range(9)]
    tagging.add(conversation_ids=[several[0].pk], name="gift", by=SAM)

    with django_assert_max_num_queries(10):  # seven, and their savepoints
        tagging.add(conversation_ids=[row.pk for row in several], name="gift", by=SAM)

    assert [told(row) for row in several] == [[change(["gift"], [])]] * 9
    for row in Conversation.objects.all():
        assert list(row.events.order_by("seq").values_list("seq", flat=True)) == [1, 2]
        assert row.last_seq == 2


def test_what_is_refused_is_not_told() -> None:
    row = rows.turn(rows.customer()).conversation
    tagging.put(thread_id=row.thread_id, names=[f"t{number}" for number in range(10)], by=SAM)
    before = Event.objects.count()

    assert tagging.add(conversation_ids=[row.pk], name="one more", by=SAM) == (0, 1)
    with pytest.raises(tagging.InvalidTag):
        tagging.put(thread_id=row.thread_id, names=["a,b"], by=SAM)

    assert Event.objects.count() == before


def test_tags_reach_no_frame_history_prompt_summary_or_webhook(settings: Any) -> None:
    settings.WEBHOOK_URL = "https://hooks.example.com/x"
    first = rows.turn(rows.customer(name="Ada Stone"), "t-ada", "Where is my parcel?")
    rows.finish(first, "It is on its way.")
    kept = ("status", "held_by", "epoch", "last_line", "last_activity_at", "live_agent", "waiting_since")
    before = Conversation.objects.values(*kept).get()
    row = first.conversation

    tagging.add(conversation_ids=[row.pk], name=SECRET, by=SAM)

    assert Conversation.objects.values(*kept).get() == before
    row.refresh_from_db()
    shown = {
        "the frames that a socket catches up with": events.frames_after(row.pk, row.thread_id, 0)[0],
        "the customer's history": transcript.page(row).answer(),
        "the prompt of the next turn": [one.text for one in history.before(row.pk, row.last_seq + 1)],
        "what is summarised": [line.said.text for line in history.lines_after(row.pk, 0, 2**62, limit=500)],
    }
    staffing.escalate(thread_id=row.thread_id, reason="Please call.", by=SAM)
    shown["a webhook"] = WebhookDelivery.objects.get().payload
    for where, what in shown.items():
        assert what, where
        assert SECRET not in json.dumps(what, default=str), where
    assert "tagged" not in frames._MAKERS
    assert "tagged" not in {*history.SPOKEN, *webhooks.SPEAKERS, *transcript.MESSAGES}
    assert summaries._older(row.pk, 0) == []


def test_tags_are_in_the_apis_conversations_at_one_query_for_all(
    client: Client, django_assert_num_queries: Any
) -> None:
    client.defaults["HTTP_X_API_KEY"] = rows.key("conversations:read")
    for number in range(12):
        row = rows.turn(rows.customer(), f"t-{number}").conversation
        tagging.put(thread_id=row.thread_id, names=["vip", "gift", f"n{number}"], by=SAM)
    rows.turn(rows.customer(), "t-none")

    one = client.get("/api/v1/conversations/t-3").json()["data"]
    with django_assert_num_queries(4):  # the key, the count, the page with its customers, its tags
        listed = client.get("/api/v1/conversations").json()["data"]["conversations"]

    assert one["tags"] == ["gift", "n3", "vip"]
    found = {row["thread_id"]: row["tags"] for row in listed}
    assert found["t-none"] == []
    assert found["t-11"] == ["gift", "n11", "vip"]
