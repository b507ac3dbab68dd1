"""Webhooks: written with what they report, signed, sent in order, again where that may help, and nowhere else."""

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from django.conf import LazySettings
from django.db import transaction
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from agents import facts
from agents.approvals import Decider
from chat import tasks, webhook_claims, webhook_posting, webhook_recording, webhook_signing, webhooks
from chat.models import Conversation, Event, WebhookAttempt, WebhookDelivery
from tests import rows
from tests.at_once import at_once
from tests.chat.hooks import Answer, Receiver, receiving
from tests.chat.webhook_steps import claim, later, record, send_next
from tests.hearing import heard
from tests.live.stack import until

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)

SECRET = "whsec_" + base64.b64encode(b"a key that nobody knows, 32 byte").decode()
SAM = Decider(kind="staff", name="sam", id="user:1")


@pytest.fixture
def receiver(settings: LazySettings) -> Iterator[Receiver]:
    with receiving() as server:
        settings.WEBHOOK_URL = server.url
        settings.WEBHOOK_SECRET = SECRET
        settings.WEBHOOK_ALLOWED_HOSTS = [server.host]
        settings.WEBHOOK_MAX_RETRIES = 3
        settings.WEBHOOK_TIMEOUT_SECONDS = 60
        yield server


def escalate(row: Conversation | None = None, reason: str = "The parcel is damaged.") -> WebhookDelivery:
    """A customer asks for a person, in a new conversation or once more in this one."""
    if row is None:
        asked = rows.turn(rows.customer(name="Ada Stone"), content="Where is it?")
        row = asked.conversation
    else:
        Conversation.objects.filter(pk=row.pk).update(status="open")
        asked = rows.turn(row.customer, row.thread_id, content="I want a person.")
    rows.happened(asked, facts.handoff_requested(reason=reason, by="customer", key="route"))
    rows.finish(asked, "A colleague will answer here.")
    return WebhookDelivery.objects.filter(conversation=row).latest("created_at")


def waits(delivery: WebhookDelivery, seconds: int, begun: datetime) -> bool:
    """Whether its next attempt is so long after the one that was made between `begun` and now."""
    delivery.refresh_from_db()
    assert delivery.next_attempt_at is not None
    pause = timedelta(seconds=seconds)
    return begun + pause <= delivery.next_attempt_at <= timezone.now() + pause


def not_yet() -> None:
    """What is to be tried again is due in an hour, however slow this machine is."""
    in_an_hour = timezone.now() + timedelta(hours=1)
    WebhookDelivery.objects.filter(status="pending", failures__gt=0).update(next_attempt_at=in_an_hour)


def attempts(delivery: WebhookDelivery) -> list[WebhookAttempt]:
    return list(delivery.attempts.order_by("number"))


# --- what is written -------------------------------------------------------------------------------


def test_a_hand_over_is_posted_with_the_four_fields_of_the_contract(receiver: Receiver) -> None:
    delivery = escalate()
    row = delivery.conversation
    assert row is not None

    sent = send_next()

    [post] = receiver.posts
    body = json.loads(post.body)
    assert sent == webhook_recording.Sent(delivery.pk, True, None)
    assert set(body) == {"thread_id", "reason", "conversation_summary", "metadata"}
    assert (body["thread_id"], body["reason"]) == (row.thread_id, "The parcel is damaged.")
    assert body["conversation_summary"] == "Customer: Where is it?"
    metadata = body["metadata"]
    assert metadata["event"] == "conversation.escalated"
    assert metadata["ticket"].startswith("T-")
    assert metadata["available_at"] is None
    assert metadata["customer"] == {"id": row.customer.subject, "name": "Ada Stone", "email": None}
    assert (post.path, post.headers["content-type"]) == ("/hooks?who=us", "application/json")
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts_made, delivery.leased_until) == ("delivered", 1, None)
    [attempt] = attempts(delivery)
    assert (attempt.status, attempt.body_head, attempt.error, attempt.by_name) == (200, "ok", "", "")
    assert attempt.duration_ms is not None


def test_nothing_is_written_where_there_is_nowhere_to_send_to(settings: LazySettings) -> None:
    settings.WEBHOOK_URL = ""
    row = rows.waiting_for_a_person()

    assert row.status == "waiting"
    assert not WebhookDelivery.objects.exists()
    assert send_next() is None


def test_what_is_rolled_back_is_not_told(receiver: Receiver) -> None:
    turn = rows.turn(rows.customer())

    with transaction.atomic():
        rows.happened(turn, facts.handoff_requested(reason="x", by="model", key="h"))
        assert WebhookDelivery.objects.count() == 1
        transaction.set_rollback(True)

    assert not WebhookDelivery.objects.exists()
    assert not Event.objects.filter(kind="handoff_requested").exists()


def test_one_wait_is_told_once(receiver: Receiver) -> None:
    delivery = escalate()
    row = Conversation.objects.get()
    since = row.handoff_at
    again = rows.turn(row.customer, row.thread_id, content="A person!")

    rows.happened(again, facts.handoff_requested(reason="Again.", by="customer", key="route"))

    row.refresh_from_db()
    assert (row.status, row.handoff_reason, row.handoff_at) == ("waiting", "The parcel is damaged.", since)
    assert list(WebhookDelivery.objects.all()) == [delivery]


def test_that_staff_took_over_by_themselves_is_not_told(receiver: Receiver) -> None:
    from chat import staffing

    turn = rows.turn(rows.customer())
    staffing.write(thread_id=turn.conversation.thread_id, text="Hello", by=SAM)

    assert not WebhookDelivery.objects.exists()


def test_the_summary_is_the_newest_that_was_said_and_at_most_2000_characters(receiver: Receiver) -> None:
    turn = rows.turn(rows.customer(), content="first " + "x" * 1500)
    rows.happened(turn, facts.replied(agent="a", content="second " + "y" * 1500, key="r"))
    rows.happened(turn, facts.question_asked(message="third?", usage=rows.QUIET, duration_ms=None))

    text = webhooks.summary(turn.conversation_id)

    lines = text.split("\n")
    assert len(text) <= 2000
    assert [line[:13] for line in lines] == ["Customer: fir", "Agent: second", "Agent: third?"]
    assert lines[0].endswith("…")


def test_a_summary_that_there_is_stands_for_what_was_before(receiver: Receiver) -> None:
    """It is made in the background: what was said while it was made is newer than what it tells."""
    turn = rows.turn(rows.customer(), content="long ago")
    rows.happened(turn, facts.replied(agent="a", content="Meanwhile.", key="r1"))
    rows.happened(turn, facts.Fact("summarised", {"text": "They ordered a lamp.", "through_seq": 1}))
    rows.happened(turn, facts.replied(agent="a", content="Hello.", key="r2"))

    text = webhooks.summary(turn.conversation_id)

    assert text == "Before that: They ordered a lamp.\nAgent: Meanwhile.\nAgent: Hello."
    long = {"text": "x" * 5000, "through_seq": 1}
    rows.happened(
        turn, facts.Fact("summarised", long), facts.replied(agent="a", content="y" * 3000, key="r3")
    )
    assert len(webhooks.summary(turn.conversation_id)) <= 2000


# --- the signature ---------------------------------------------------------------------------------


def test_the_signature_is_the_one_of_the_published_example() -> None:
    """The vector of the Standard Webhooks specification and of its libraries' tests."""
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    at = datetime.fromtimestamp(1614265330, tz=UTC)

    made = webhook_signing.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', [key], at)

    assert made["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert made["webhook-timestamp"] == "1614265330"
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("secret", "key"),
    [(SECRET, SECRET), ("plain text with spaces", b"plain text with spaces"), ("abcd", b"abcd")],
)
def test_what_arrives_is_verified_by_the_library_and_nothing_else_is(
    receiver: Receiver, settings: LazySettings, secret: str, key: Any
) -> None:
    settings.WEBHOOK_SECRET = secret
    escalate(reason="Ünïcode, 中文")

    send_next()

    [post] = receiver.posts
    assert Webhook(key).verify(post.body, post.headers)["reason"] == "Ünïcode, 中文"
    with pytest.raises(WebhookVerificationError):
        Webhook(key).verify(post.body + b" ", post.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(b"another key").verify(post.body, post.headers)


def test_the_timestamp_is_right_whatever_the_zone_of_the_clock() -> None:
    at = datetime(2026, 11, 20, 12, tzinfo=ZoneInfo("Asia/Shanghai"))

    here = webhook_signing.headers("m", b"{}", [SECRET], at)

    assert here == webhook_signing.headers("m", b"{}", [SECRET], at.astimezone(UTC))
    assert here["webhook-timestamp"] == str(int(at.timestamp()))


def test_without_a_secret_nothing_is_signed(receiver: Receiver, settings: LazySettings) -> None:
    settings.WEBHOOK_SECRET = ""
    escalate()

    send_next()

    assert "webhook-signature" not in receiver.posts[0].headers
    assert receiver.posts[0].headers["webhook-id"]


# --- again, or not ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_what_may_pass_is_sent_again_under_the_same_id_after_2_4_and_8_seconds(
    receiver: Receiver, status: int
) -> None:
    receiver.will(Answer(status, b"busy"))
    delivery = escalate()

    for pause in (2, 4, 8):
        begun = timezone.now()
        with heard("webhook_attempted") as told:
            sent = send_next()
        assert [(one["delivered"], one["status"]) for one in told] == [(False, status)]
        assert sent is not None
        assert sent.again_in == pause
        assert waits(delivery, pause, begun)
        not_yet()
        assert send_next() is None  # not before its time
        later()
    last = send_next()

    assert last is not None
    assert last.again_in is None
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts_made, delivery.next_attempt_at) == ("failed", 4, None)
    assert [(one.number, one.status, one.body_head) for one in attempts(delivery)] == [
        (number, status, "busy") for number in (1, 2, 3, 4)
    ]
    assert {post.headers["webhook-id"] for post in receiver.posts} == {str(delivery.pk)}
    assert len({post.body for post in receiver.posts}) == 1
    later()
    assert send_next() is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 418, 422, 451])
def test_what_will_not_change_is_not_sent_again(receiver: Receiver, status: int) -> None:
    receiver.will(Answer(status, b"no"))
    delivery = escalate()

    send_next()

    later()
    assert send_next() is None
    delivery.refresh_from_db()
    assert (delivery.status, len(receiver.posts)) == ("failed", 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.will(Answer(status, b"", {"Location": f"http://{receiver.host}/elsewhere"}))
    delivery = escalate()

    send_next()

    delivery.refresh_from_db()
    assert (delivery.status, [post.path for post in receiver.posts]) == ("failed", ["/hooks?who=us"])
    assert attempts(delivery)[0].error == "It answered with a redirect, which is not followed."


def test_a_connection_that_breaks_is_tried_again(receiver: Receiver) -> None:
    receiver.will(Answer(silent=True), Answer())
    delivery = escalate()

    sent = send_next()
    assert sent is not None
    assert sent.again_in == 2
    later()
    send_next()

    first, second = attempts(delivery)
    assert (first.status, second.status) == (None, 200)
    assert first.error
    assert WebhookDelivery.objects.get().status == "delivered"


def test_nobody_there_is_tried_again(receiver: Receiver, settings: LazySettings) -> None:
    settings.WEBHOOK_URL = "http://127.0.0.1:9/"
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1:9"]
    escalate()

    sent = send_next()

    assert sent is not None
    assert sent.again_in == 2


def test_an_answer_that_does_not_come_in_time_is_tried_again(
    receiver: Receiver, settings: LazySettings
) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS = 1
    gone = threading.Event()
    receiver.will(Answer(meanwhile=lambda: gone.wait(60), silent=True))
    delivery = escalate()

    sent = send_next()
    gone.set()

    assert sent is not None
    assert sent.again_in == 2
    [attempt] = attempts(delivery)
    assert attempt.status is None
    assert attempt.duration_ms is not None
    assert attempt.duration_ms >= 900


def test_an_address_that_is_not_allowed_is_never_asked(receiver: Receiver, settings: LazySettings) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = []
    delivery = escalate()

    send_next()

    delivery.refresh_from_db()
    assert (delivery.status, receiver.posts) == ("failed", [])
    assert "127.0.0.1" not in attempts(delivery)[0].error


def test_with_no_retries_one_attempt_is_made(receiver: Receiver, settings: LazySettings) -> None:
    settings.WEBHOOK_MAX_RETRIES = 0
    receiver.will(Answer(503))
    delivery = escalate()

    send_next()

    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts_made) == ("failed", 1)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("30", 30), ("0", 2), ("1", 2), ("99999999999999", 3600), ("soon", 2), ("-5", 2), ("²", 2), ("", 2)],
)
def test_retry_after_is_waited_for_at_most_an_hour(receiver: Receiver, header: str, seconds: int) -> None:
    receiver.will(Answer(429, b"", {"Retry-After": header.encode().decode("latin-1")}))
    delivery, begun = escalate(), timezone.now()

    send_next()

    assert waits(delivery, seconds, begun)


def test_retry_after_may_be_a_date(receiver: Receiver) -> None:
    wanted = timezone.now() + timedelta(minutes=5)
    receiver.will(Answer(503, b"", {"Retry-After": format_datetime(wanted, usegmt=True)}))
    delivery = escalate()

    begun = timezone.now()
    send_next()

    took = timezone.now() - begun
    delivery.refresh_from_db()
    assert delivery.next_attempt_at is not None
    # The header has no fractions of a second.
    assert wanted - timedelta(seconds=1) <= delivery.next_attempt_at <= wanted + took
    assert webhook_posting.seconds_asked("Wed, 21 Oct 2015 07:28:00 GMT") == 0


def test_two_thousand_characters_of_the_answer_are_kept(receiver: Receiver) -> None:
    receiver.will(Answer(400, ("é" * 5000).encode() + b"\x00"))
    delivery = escalate()

    send_next()

    assert attempts(delivery)[0].body_head == "é" * 2000


# --- once each, in order ---------------------------------------------------------------------------


@committed
def test_of_many_jobs_at_once_one_sends(receiver: Receiver) -> None:
    delivery = escalate()

    told = at_once([send_next] * 8)

    assert sum(one is not None for one in told) == 1
    assert not [one for one in told if isinstance(one, Exception)]
    assert (len(receiver.posts), attempts(delivery)[0].number) == (1, 1)


@committed
def test_many_deliveries_and_many_jobs_send_each_once(receiver: Receiver) -> None:
    wanted = {escalate().pk for _ in range(6)}

    at_once([lambda: [send_next() for _ in range(6)]] * 4)

    assert sorted(UUID(post.headers["webhook-id"]) for post in receiver.posts) == sorted(wanted)


def test_what_a_dead_job_left_is_sent_again_under_the_same_id(receiver: Receiver) -> None:
    delivery = escalate()
    lost = claim()
    assert lost is not None
    assert send_next() is None  # its lease protects it

    WebhookDelivery.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    send_next()

    first, second = attempts(delivery)
    assert first.error == webhook_claims.NOBODY_SAW
    assert (first.status, second.status) == (None, 200)
    assert receiver.posts[0].headers["webhook-id"] == str(delivery.pk)


def test_a_job_that_wakes_up_late_takes_nothing_back(receiver: Receiver) -> None:
    """It is sent twice then, under one id; the late one's failure does not undo what has arrived or is under way."""
    delivery = escalate()
    slow = claim()
    assert slow is not None
    WebhookDelivery.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    newer = claim()
    assert newer is not None

    failed = webhook_posting.Outcome(False, again=True, status=503)
    assert record(slow, failed).again_in is None
    delivery.refresh_from_db()
    assert (delivery.status, delivery.failures) == ("pending", 0)
    assert delivery.leased_until > timezone.now()

    record(newer, webhook_posting.Outcome(True, again=False, status=200))
    record(slow, failed)
    delivery.refresh_from_db()
    assert delivery.status == "delivered"


def test_what_arrives_after_it_was_given_up_has_arrived(receiver: Receiver) -> None:
    delivery = escalate()
    slow = claim()
    assert slow is not None
    WebhookDelivery.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    newer = claim()
    assert newer is not None
    record(newer, webhook_posting.Outcome(False, again=False, status=400))
    delivery.refresh_from_db()
    assert delivery.status == "failed"

    record(slow, webhook_posting.Outcome(True, again=False, status=200))

    delivery.refresh_from_db()
    assert (delivery.status, delivery.delivered_at is not None) == ("delivered", True)


def test_the_next_of_a_conversation_waits_for_the_one_before(receiver: Receiver) -> None:
    receiver.will(Answer(503, headers={"Retry-After": "600"}), Answer())
    first = escalate(reason="one")
    row = Conversation.objects.get()
    second = escalate(row, reason="two")
    other = escalate(reason="three")

    assert _reasons(receiver, 3) == ["one", "three"]  # "one" failed and waits; "two" waits for it
    later()
    assert _reasons(receiver, 3) == ["one", "three", "one", "two"]
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"delivered"}
    assert len({first.pk, second.pk, other.pk}) == 3


def test_the_next_of_a_conversation_goes_when_the_one_before_is_given_up(receiver: Receiver) -> None:
    receiver.will(Answer(400), Answer())
    escalate(reason="one")
    escalate(Conversation.objects.get(), reason="two")

    assert _reasons(receiver, 3) == ["one", "two"]
    assert list(WebhookDelivery.objects.order_by("created_at").values_list("status", flat=True)) == [
        "failed",
        "delivered",
    ]


def _reasons(receiver: Receiver, times: int) -> list[str]:
    for _ in range(times):
        send_next()
    return [json.loads(post.body)["reason"] for post in receiver.posts]


# --- by hand ---------------------------------------------------------------------------------------


def test_it_is_sent_again_by_hand_with_the_same_id_and_who_wanted_it(receiver: Receiver) -> None:
    receiver.will(Answer(400), Answer(503), Answer())
    delivery = escalate()
    send_next()

    webhooks.resend(delivery_id=delivery.pk, by=SAM)
    send_next()
    later()
    send_next()

    assert [(one.status, one.by_name) for one in attempts(delivery)] == [
        (400, ""),
        (503, "sam"),
        (200, "sam"),
    ]
    assert {post.headers["webhook-id"] for post in receiver.posts} == {str(delivery.pk)}
    assert WebhookDelivery.objects.get().status == "delivered"
    webhooks.resend(delivery_id=delivery.pk, by=SAM)  # what has arrived, too
    send_next()
    assert len(receiver.posts) == 4


def test_what_cannot_be_sent_again_is_not(receiver: Receiver, settings: LazySettings) -> None:
    delivery = escalate()
    before = WebhookDelivery.objects.values().get()

    with pytest.raises(webhooks.StillPending):
        webhooks.resend(delivery_id=delivery.pk, by=SAM)
    with pytest.raises(webhooks.DeliveryNotFound):
        webhooks.resend(delivery_id=uuid4(), by=SAM)
    settings.WEBHOOK_URL = ""
    with pytest.raises(webhooks.NowhereToSend):
        webhooks.resend(delivery_id=delivery.pk, by=SAM)

    assert WebhookDelivery.objects.values().get() == before
    assert receiver.posts == []


# --- the jobs --------------------------------------------------------------------------------------


@committed
def test_the_task_sends_all_that_is_due(receiver: Receiver) -> None:
    for _ in range(3):
        escalate()

    tasks.send_webhooks()

    assert len(receiver.posts) == 3
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"delivered"}


@committed
def test_a_broker_that_is_away_costs_nobody_the_hand_over(
    receiver: Receiver, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    from celery import current_app

    known = current_app.conf.broker_write_url
    current_app.conf.broker_write_url = "redis://127.0.0.1:9/0"
    try:
        delivery = escalate()
    finally:
        current_app.conf.broker_write_url = known

    assert delivery.status == "pending"
    assert "jobs_not_told" in caplog.text


def test_no_secret_is_logged(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    receiver.will(Answer(503), Answer(silent=True), Answer())
    escalate()

    for _ in range(3):
        send_next()
        later()

    assert len(receiver.posts) == 3
    assert SECRET.removeprefix("whsec_") not in caplog.text
    for post in receiver.posts:
        assert post.headers["webhook-signature"] not in caplog.text


@committed
def test_the_jobs_send_it_at_once_and_again_on_time(
    receiver: Receiver, server_environment: dict[str, str], tmp_path: Path
) -> None:
    """A worker as it runs, without beat: the first attempt is asked for by the hand-over, the second by the first."""
    receiver.will(Answer(503), Answer())
    env = server_environment | {
        "WEBHOOK_URL": receiver.url,
        "WEBHOOK_SECRET": SECRET,
        "WEBHOOK_ALLOWED_HOSTS": receiver.host,
    }
    command = [sys.executable, "-m", "celery", "-q", "-A", "smartsupport", "worker", "--concurrency", "1"]
    with (tmp_path / "jobs.log").open("wb") as log:
        jobs = subprocess.Popen(
            [*command, "--without-gossip", "--without-mingle"], env=env, stdout=log, stderr=log
        )
    try:
        delivery = escalate()
        until(lambda: delivery.attempts.filter(status=200).exists() or jobs.poll() is not None, seconds=180)
    finally:
        jobs.terminate()
        jobs.wait(60)

    assert [one.status for one in attempts(delivery)] == [503, 200], (tmp_path / "jobs.log").read_text()
    assert SECRET not in (tmp_path / "jobs.log").read_text()
