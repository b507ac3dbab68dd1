"""Endpoints: kept apart from each other, signed with secrets of their own, paused, tried out and caught up with. The
other systems are real servers."""

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from asgiref.sync import async_to_sync
from django.conf import LazySettings
from django.db import connection
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from agents.approvals import Decider
from chat import (
    takeover,
    webhook_claims,
    webhook_endpoints,
    webhook_keeping,
    webhook_one_run,
    webhook_posting,
    webhook_sending,
    webhook_signing,
    webhook_trials,
    webhooks,
)
from chat.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from chat.webhook_addresses import InvalidUrl
from chat.webhook_endpoints import EndpointNotFound, InvalidOverlap, NotPaused, TooManyEndpoints
from chat.webhook_events import EVENTS
from chat.webhook_posting import Attempt, Outcome
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.sealing import unseal
from smartsupport.models import AuditEntry
from tests import rows
from tests.at_once import at_once
from tests.chat.hooks import Answer, Receiver, receiving
from tests.chat.webhook_drain import write_backlog
from tests.chat.webhook_steps import claim, later, record, send_next
from tests.live.stack import until

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)
SAM = Decider(kind="staff", name="sam", id="user:1")
PUBLIC = "https://93.184.215.14/hooks"
NO_BROKER = "redis://127.0.0.1:1/0"
"""Where one is, there is one run at a time."""


@pytest.fixture
def others(settings: LazySettings) -> Iterator[list[Receiver]]:
    """Three systems, each listening on this machine."""
    settings.WEBHOOK_URL = ""
    settings.WEBHOOK_TIMEOUT_SECONDS, settings.WEBHOOK_MAX_RETRIES = 60, 3
    with ExitStack() as stack:
        receivers = [stack.enter_context(receiving()) for _ in range(3)]
        settings.WEBHOOK_ALLOWED_HOSTS = [one.host for one in receivers]
        yield receivers


@pytest.fixture
def other(others: list[Receiver]) -> Receiver:
    return others[0]


def added(receiver: Receiver, *events: str) -> tuple[WebhookEndpoint, str]:
    return webhook_endpoints.add(webhook_endpoints.checked(url=receiver.url, events=events or EVENTS), by=SAM)


def kinds(receiver: Receiver) -> list[str]:
    return [json.loads(post.body)["type"] for post in receiver.posts]


def run() -> float | None:
    return async_to_sync(webhook_sending.run)()


def run_apart() -> None:
    """In a thread, which has a connection of its own."""
    run()
    connection.close()


def state(row: WebhookEndpoint | WebhookDelivery) -> dict[str, Any]:
    found: dict[str, Any] = type(row).objects.values().get(pk=row.pk)
    return found


# --- secrets ---------------------------------------------------------------------------------------


def test_the_secret_is_sealed_and_signs_what_the_library_verifies(other: Receiver) -> None:
    row, secret = added(other)
    rows.waiting_for_a_person()

    run()

    assert secret not in json.dumps(state(row), default=str)
    assert unseal(row.secret) == secret
    assert kinds(other) == ["conversation.started", "conversation.escalated"]
    for post in other.posts:
        assert Webhook(secret).verify(post.body, post.headers)["data"]["thread_id"]
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(post.body + b" ", post.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(webhook_signing.new_secret()).verify(post.body, post.headers)


def test_each_secret_is_another_and_as_long_as_the_specification_wants() -> None:
    made = {webhook_signing.new_secret() for _ in range(50)}

    assert len(made) == 50
    assert {len(base64.b64decode(one.removeprefix("whsec_"), validate=True)) for one in made} == {32}


def test_while_secrets_overlap_both_sign_and_afterwards_the_new_one(other: Receiver) -> None:
    row, old = added(other)
    new = webhook_endpoints.rotate(row.pk, by=SAM, overlap_hours=2)

    webhook_trials.test(row.pk, by=SAM)
    signatures = other.posts[0].headers["webhook-signature"].split(" ")
    assert [one.split(",")[0] for one in signatures] == ["v1", "v1"]
    for secret in (old, new):
        assert Webhook(secret).verify(other.posts[0].body, other.posts[0].headers)

    WebhookEndpoint.objects.update(old_secret_until=timezone.now() - timedelta(seconds=1))
    webhook_trials.test(row.pk, by=SAM)
    assert Webhook(new).verify(other.posts[1].body, other.posts[1].headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(other.posts[1].body, other.posts[1].headers)


def test_without_an_overlap_the_old_secret_ends_at_once(other: Receiver) -> None:
    row, _ = added(other)
    webhook_endpoints.rotate(row.pk, by=SAM, overlap_hours=24)

    new = webhook_endpoints.rotate(row.pk, by=SAM, overlap_hours=0)

    webhook_trials.test(row.pk, by=SAM)
    assert " " not in other.posts[0].headers["webhook-signature"]
    assert Webhook(new).verify(other.posts[0].body, other.posts[0].headers)
    row.refresh_from_db()
    assert (row.old_secret, row.old_secret_until) == ("", None)


@pytest.mark.parametrize("hours", [-1, 169, 10**9, True, "24", None, 1.5])
def test_an_overlap_that_makes_no_sense_changes_nothing(other: Receiver, hours: object) -> None:
    row, _ = added(other)
    before = state(row)

    with pytest.raises(InvalidOverlap):
        webhook_endpoints.rotate(row.pk, by=SAM, overlap_hours=hours)

    assert state(row) == before


def test_a_secret_that_cannot_be_opened_sends_nothing_unsigned(
    other: Receiver, settings: LazySettings
) -> None:
    added(other)
    rows.turn(rows.customer())
    settings.SECRET_KEY = "another deployment's key, which opens nothing of this one"

    sent = send_next()

    assert sent is not None
    assert (sent.delivered, other.posts) == (False, [])
    assert "rotate it" in WebhookAttempt.objects.get().error


def test_a_new_secret_signs_at_once_where_the_old_one_cannot_be_opened(
    other: Receiver, settings: LazySettings
) -> None:
    row, _ = added(other)
    settings.SECRET_KEY = "another deployment's key, which opens nothing of this one"

    new = webhook_endpoints.rotate(row.pk, by=SAM, overlap_hours=24)

    assert webhook_trials.test(row.pk, by=SAM).delivered
    assert " " not in other.posts[0].headers["webhook-signature"]
    assert Webhook(new).verify(other.posts[0].body, other.posts[0].headers)
    after = webhook_endpoints.find(row.pk)
    assert (after.old_secret, after.old_secret_until) == ("", None)


def test_an_old_secret_that_cannot_be_opened_any_more_keeps_the_new_one_from_nothing(other: Receiver) -> None:
    row, _ = added(other)
    new = webhook_endpoints.rotate(row.pk, by=SAM, overlap_hours=24)
    WebhookEndpoint.objects.update(old_secret="sealed by a key that is gone")

    assert webhook_trials.test(row.pk, by=SAM).delivered

    assert " " not in other.posts[0].headers["webhook-signature"]
    assert Webhook(new).verify(other.posts[0].body, other.posts[0].headers)


# --- addresses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:1/x", "port"),
        ("http://127.0.0.1/x", "WEBHOOK_ALLOWED_HOSTS"),
        ("http://[::1]/x", "WEBHOOK_ALLOWED_HOSTS"),
        ("http://169.254.169.254/latest", "WEBHOOK_ALLOWED_HOSTS"),
        ("http://localhost/x", "WEBHOOK_ALLOWED_HOSTS"),
        ("https://hooks.invalid/x", "not be found"),
        ("https://ada:secret@93.184.215.14/x", "user name"),
        ("ftp://93.184.215.14/x", "http"),
        ("hooks.example.com", "http"),
        ("", "http"),
        ("https://93.184.215.14/" + "x" * 2000, "characters"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_in_words(url: str, why: str) -> None:
    with pytest.raises(InvalidUrl) as refusal:
        webhook_endpoints.checked(url=url, events=EVENTS)

    assert why in refusal.value.message
    assert not WebhookEndpoint.objects.exists()


def test_an_address_that_became_private_is_not_asked(other: Receiver, settings: LazySettings) -> None:
    added(other)
    rows.turn(rows.customer())
    settings.WEBHOOK_ALLOWED_HOSTS = []

    send_next()

    assert other.posts == []
    assert WebhookDelivery.objects.get().status == "failed"


def test_there_are_at_most_twenty() -> None:
    for _ in range(20):
        WebhookEndpoint.objects.create(url=PUBLIC, events=["import.done"], secret="x")

    with pytest.raises(TooManyEndpoints):
        webhook_endpoints.add(webhook_endpoints.checked(url=PUBLIC, events=EVENTS), by=SAM)

    assert WebhookEndpoint.objects.count() == 20


# --- apart from each other -------------------------------------------------------------------------


@committed
def test_one_that_hangs_delays_neither_the_others_nor_the_run(
    others: list[Receiver], settings: LazySettings
) -> None:
    """Many wait for the one that hangs, and were written before the others': these arrive while it hangs."""
    settings.WEBHOOK_TIMEOUT_SECONDS = 180
    hanging, fast, also_fast = others
    let_go, arrived = threading.Event(), threading.Barrier(3, timeout=60)
    hanging.will(Answer(meanwhile=lambda: let_go.wait(120)))
    added(hanging, "conversation.started")
    for _ in range(12):
        rows.turn(rows.customer())
    for receiver in (fast, also_fast):
        receiver.will(Answer(meanwhile=arrived.wait), Answer())
        added(receiver, "conversation.started")
    rows.turn(rows.customer())
    work = threading.Thread(target=run_apart)
    work.start()

    arrived.wait()  # both have been asked, and the first one answers nobody
    asked = len(hanging.posts)
    let_go.set()
    work.join(60)

    assert not work.is_alive()
    assert 1 <= asked <= webhook_claims.EACH
    assert [len(one.posts) for one in others] == [13, 1, 1]


@committed
def test_while_one_hangs_one_place_of_the_jobs_is_held_and_others_are_served(
    others: list[Receiver], settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS = 180
    monkeypatch.setattr(webhook_sending, "LOOK_SECONDS", 180.0)  # the first run does not come to what is new
    hanging, also_hanging, _ = others
    let_go, asked = threading.Event(), threading.Event()
    for receiver in (hanging, also_hanging):
        receiver.will(Answer(meanwhile=lambda: (asked.set(), let_go.wait(120))))
        added(receiver, "conversation.started")
    WebhookEndpoint.objects.filter(url=also_hanging.url).update(
        held_until=timezone.now() + timedelta(hours=1)
    )
    rows.turn(rows.customer())
    first, second = (threading.Thread(target=run_apart) for _ in range(2))
    try:
        first.start()
        assert asked.wait(60)
        WebhookEndpoint.objects.update(held_until=None)
        second.start()
        second.join(60)

        assert first.is_alive()
        assert not second.is_alive(), "it holds a second place"
        assert [len(one.posts) for one in (hanging, also_hanging)] == [1, 0]
    finally:
        let_go.set()
        first.join(60)
        second.join(60)
    assert [len(one.posts) for one in (hanging, also_hanging)] == [1, 1]
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"delivered"}
    assert run() is None, "the next one may begin"


@committed
def test_a_run_that_one_keeps_from_ending_goes_on_serving_the_others(
    others: list[Receiver], settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else would: there is one run at a time."""
    settings.WEBHOOK_TIMEOUT_SECONDS = 180
    hanging, fast, _ = others
    let_go, asked, served = threading.Event(), threading.Event(), threading.Event()
    hanging.will(Answer(meanwhile=lambda: (asked.set(), let_go.wait(120))))
    fast.will(Answer(meanwhile=served.set))
    added(hanging, "conversation.started")
    rows.turn(rows.customer())
    work = threading.Thread(target=run_apart)
    try:
        work.start()
        assert asked.wait(60)
        monkeypatch.setattr(webhook_sending, "RUN_SECONDS", 0.0)  # its time is up
        added(fast, "conversation.started")
        rows.turn(rows.customer())

        assert served.wait(60)
        assert not let_go.is_set()
    finally:
        let_go.set()
        work.join(60)
    assert not work.is_alive()


@committed
def test_a_run_that_died_keeps_the_next_from_beginning_for_seconds(
    other: Receiver, valkey: "redis.Redis"
) -> None:
    assert webhook_one_run.OneRun().held()
    added(other, "conversation.started")
    rows.turn(rows.customer())

    assert run() is None
    assert other.posts == []
    assert 0 < valkey.ttl(webhook_one_run.KEY) <= webhook_one_run.LEASE_SECONDS
    valkey.delete(webhook_one_run.KEY)  # as if they had passed
    run()
    assert len(other.posts) == 1
    assert not valkey.exists(webhook_one_run.KEY)


def test_a_broker_that_is_away_keeps_nobody_from_sending(settings: LazySettings) -> None:
    settings.REDIS_URL = NO_BROKER
    one, other_one = webhook_one_run.OneRun(), webhook_one_run.OneRun()

    assert one.held()
    assert other_one.held()
    one.let_go()


def test_each_has_an_order_of_its_own_in_a_conversation(others: list[Receiver]) -> None:
    failing, well, _ = others
    failing.will(Answer(503, headers={"Retry-After": "600"}))
    added(failing)
    added(well)
    row = rows.waiting_for_a_person()
    takeover.take_over(thread_id=row.thread_id, by=SAM)
    takeover.hand_back(thread_id=row.thread_id, by=SAM)
    elsewhere = rows.turn(rows.customer())

    run()

    in_order = ["conversation.started", "conversation.escalated", "conversation.handed_back"]
    mine = [json.loads(one.body) for one in well.posts]
    assert [one["type"] for one in mine if one["data"]["thread_id"] == row.thread_id] == in_order
    assert [one["type"] for one in mine if one["data"]["thread_id"] != row.thread_id] == in_order[:1]
    assert set(kinds(failing)) == {"conversation.started"}
    failing.will(Answer())
    for _ in range(4):
        later()
        WebhookEndpoint.objects.update(held_until=None)
        run()
    told = [json.loads(one.body) for one in failing.posts]
    threads = [one["type"] for one in told if one["data"]["thread_id"] == row.thread_id]
    assert list(dict.fromkeys(threads)) == in_order
    assert elsewhere.conversation.thread_id in {one["data"]["thread_id"] for one in told}


def test_one_that_fails_is_asked_one_at_a_time_and_then_left_alone_for_a_while(
    others: list[Receiver],
) -> None:
    """What waits is kept for when it is back; it is not used up on a wall."""
    row, _ = added(others[0], "conversation.started")
    for _ in range(20):
        rows.turn(rows.customer())
    others[0].will(Answer(500))
    assert len(webhook_claims.take(32)) == webhook_claims.EACH
    WebhookDelivery.objects.update(leased_until=None)

    for _ in range(5):
        later()
        WebhookEndpoint.objects.update(held_until=None)
        taken = webhook_claims.take(32)
        WebhookDelivery.objects.update(leased_until=None)
        begun = timezone.now()
        send_next()
        ended = timezone.now()
    later()

    assert len(taken) == 1
    row.refresh_from_db()
    assert (row.failures, row.failing_since is not None) == (5, True)
    assert row.held_until is not None
    assert begun + timedelta(seconds=16) <= row.held_until <= ended + timedelta(seconds=16)
    WebhookEndpoint.objects.update(held_until=ended + timedelta(hours=1))
    assert webhook_claims.take(32) == []
    WebhookEndpoint.objects.update(held_until=None)
    others[0].will(Answer())
    send_next()
    row.refresh_from_db()
    assert (row.failures, row.failing_since, row.held_until) == (0, None, None)
    assert row.last_delivered_at is not None


def test_what_fails_together_is_one_failure(others: list[Receiver]) -> None:
    """An endpoint that is started anew is not left alone for a minute because many were under way."""
    row, _ = added(others[0], "conversation.started")
    for _ in range(webhook_claims.EACH):
        rows.turn(rows.customer())
    others[0].will(
        Answer(503, headers={"Retry-After": "600"})
    )  # so none comes again while others are under way

    assert run() is not None

    row.refresh_from_db()
    assert (len(others[0].posts), row.failures, row.held_until) == (webhook_claims.EACH, 1, None)
    assert set(row.deliveries.values_list("failures", flat=True)) == {1}


@committed
def test_many_runs_at_once_send_each_once(others: list[Receiver], settings: LazySettings) -> None:
    for receiver in others[:2]:
        added(receiver, "conversation.started")
    for _ in range(12):
        rows.turn(rows.customer())

    settings.REDIS_URL = NO_BROKER
    outcomes = at_once([run] * 4)

    assert not [one for one in outcomes if isinstance(one, Exception)]
    while WebhookDelivery.objects.exclude(status="delivered").exists():
        run()
    for receiver in others[:2]:
        assert len({post.headers["webhook-id"] for post in receiver.posts}) == len(receiver.posts) == 12


SENDER = """
import django
django.setup()
from chat.tasks import send_webhooks
send_webhooks()
"""


@committed
def test_a_job_that_is_killed_between_sending_and_recording_sends_it_again_under_its_id(
    other: Receiver, server_environment: dict[str, str], valkey: "redis.Redis"
) -> None:
    row, secret = added(other, "conversation.started")
    rows.turn(rows.customer())
    arrived, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        let_go.wait(180)

    other.will(Answer(meanwhile=hold), Answer())
    env = server_environment | {
        "WEBHOOK_ALLOWED_HOSTS": other.host,
        "DJANGO_SETTINGS_MODULE": "smartsupport.settings",
    }
    job = subprocess.Popen([sys.executable, "-c", SENDER], env=env)
    try:
        assert arrived.wait(180)
    finally:
        job.kill()
        job.wait(30)
        let_go.set()

    valkey.delete(webhook_one_run.KEY)  # the seconds that a dead run keeps others from beginning have passed
    assert run() is None  # its lease protects it
    assert len(other.posts) == 1
    WebhookDelivery.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    run()

    first, second = other.posts
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert Webhook(secret).verify(second.body, second.headers)
    assert [(one.number, one.status) for one in WebhookAttempt.objects.order_by("number")] == [
        (1, None),
        (2, 200),
    ]
    assert WebhookAttempt.objects.get(number=1).error == webhook_claims.NOBODY_SAW
    row.refresh_from_db()
    assert row.failures == 0


@committed
def test_the_order_of_each_conversation_stays_with_two_jobs_of_which_one_is_killed(
    other: Receiver, server_environment: dict[str, str]
) -> None:
    """Conversations go at once, and what the killed one had under way arrives again, before what comes after it."""
    env = server_environment | {
        "WEBHOOK_ALLOWED_HOSTS": other.host,
        "DJANGO_SETTINGS_MODULE": "smartsupport.settings",
        "REDIS_URL": NO_BROKER,
        "WEBHOOK_TIMEOUT_SECONDS": "60",  # however slow this machine is, none is given up by who sends it
    }
    write_backlog(200, 40, other.host)
    other.will(Answer(meanwhile=lambda: until(lambda: len(other.posts) >= 4)))  # as many are under way
    jobs = [subprocess.Popen([sys.executable, "-c", SENDER], env=env) for _ in range(2)]
    try:
        until(lambda: len(other.posts) > 60 or all(one.poll() is not None for one in jobs), seconds=180)
    finally:
        jobs[0].kill()
    assert all(one.wait(60) is not None for one in jobs)
    WebhookDelivery.objects.filter(status="queued").update(leased_until=timezone.now() - timedelta(seconds=1))
    while WebhookDelivery.objects.filter(status="queued").exists():
        run()

    told = [json.loads(post.body)["data"] for post in other.posts]
    first = list(dict.fromkeys((one["thread_id"], int(one["action_id"])) for one in told))
    by_thread: dict[str, list[int]] = {}
    for thread, number in first:
        by_thread.setdefault(thread, []).append(number)
    assert len(first) == 200
    assert all(numbers == sorted(numbers) for numbers in by_thread.values())
    assert len(told) - 200 <= webhook_claims.EACH  # only what was under way came twice


def test_one_that_cannot_be_put_together_is_given_up_and_holds_up_nobody(other: Receiver) -> None:
    row, _ = added(other, "conversation.started", "conversation.escalated")
    odd = rows.waiting_for_a_person()
    WebhookDelivery.objects.filter(kind="conversation.escalated").update(
        kind="action.awaiting", note={"seq": 0}
    )
    rows.turn(rows.customer())

    run()

    assert kinds(other) == ["conversation.started"] * 2
    broken = row.deliveries.get(kind="action.awaiting")
    assert (broken.status, broken.conversation_id, broken.attempts_made) == ("failed", odd.pk, 1)
    assert broken.attempts.get().error == webhook_claims.NO_BODY


async def test_what_goes_wrong_on_our_side_is_an_outcome_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Otherwise it would be sent for ever: what is not recorded is due again when its lease is over."""
    attempt = Attempt(uuid4(), 1, b"\xff", PUBLIC, ("whsec_c2VjcmV0",), timezone.now())

    async with webhook_posting.client(at_once=1) as through:
        finished = await webhook_posting.make(attempt, through)

    assert finished.outcome == Outcome(False, again=True, error=webhook_posting.OUR_FAULT)
    assert "webhook_not_made" in caplog.text


# --- answers ---------------------------------------------------------------------------------------


def test_a_huge_and_a_strange_answer_are_cut(other: Receiver) -> None:
    added(other)
    rows.turn(rows.customer())
    other.will(Answer(400, b"\x00\xff<script>" * 1_000_000))

    send_next()

    [attempt] = WebhookAttempt.objects.all()
    assert attempt.status == 400
    assert 0 < len(attempt.body_head) <= 2_000
    assert "\x00" not in attempt.body_head


def test_an_answer_that_trickles_is_cut_off(other: Receiver, settings: LazySettings) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS = 1
    let_go = threading.Event()
    other.will(Answer(200, headers={"X-Slow": "1"}, meanwhile=lambda: let_go.wait(60)))
    added(other)
    rows.turn(rows.customer())

    sent = send_next()
    let_go.set()

    assert sent is not None
    assert (sent.delivered, sent.again_in) == (False, 2)


def test_retry_after_is_waited_for_and_a_redirect_is_final(others: list[Receiver]) -> None:
    others[0].will(Answer(429, headers={"Retry-After": "90"}))
    others[1].will(Answer(307, headers={"Location": others[2].url}))
    slow, _ = added(others[0], "conversation.started")
    moved, _ = added(others[1], "conversation.started")
    rows.turn(rows.customer())

    begun = timezone.now()
    assert run() is not None
    ended = timezone.now()

    due = slow.deliveries.get().next_attempt_at
    assert due is not None
    assert begun + timedelta(seconds=90) <= due <= ended + timedelta(seconds=90)
    assert moved.deliveries.get().status == "failed"
    assert others[2].posts == []


# --- paused ----------------------------------------------------------------------------------------


def test_what_happens_while_it_is_paused_waits_and_is_sent_or_skipped(other: Receiver) -> None:
    row, _ = added(other, "conversation.started")
    webhook_endpoints.pause(row.pk, by=SAM, reason="We move house.")
    rows.turn(rows.customer())
    rows.turn(rows.customer())
    assert run() is None
    assert other.posts == []

    assert webhook_endpoints.resume(row.pk, by=SAM) == (2, False)
    run()
    assert len(other.posts) == 2

    webhook_endpoints.pause(row.pk, by=SAM)
    rows.turn(rows.customer())
    assert webhook_endpoints.resume(row.pk, by=SAM, skip=True) == (1, True)
    rows.turn(rows.customer())
    run()
    assert len(other.posts) == 3
    assert sorted(row.deliveries.values_list("status", flat=True)) == ["delivered"] * 3 + ["skipped"]


def test_pausing_and_resuming_twice_is_said_and_changes_nothing(other: Receiver) -> None:
    row, _ = added(other)
    with pytest.raises(NotPaused):
        webhook_endpoints.resume(row.pk, by=SAM)
    webhook_endpoints.pause(row.pk, by=SAM, reason="one")
    before = state(row)

    with pytest.raises(webhook_endpoints.AlreadyPaused):
        webhook_endpoints.pause(row.pk, by=SAM, reason="two")

    assert state(row) == before


def test_410_pauses_it_at_once_with_a_line_in_the_audit(other: Receiver) -> None:
    row, _ = added(other, "conversation.started")
    for _ in range(3):
        rows.turn(rows.customer())
    other.will(Answer(410, b"gone"))

    send_next()

    row.refresh_from_db()
    assert (row.paused_at is not None, row.paused_by) == (True, "")
    assert "410" in row.pause_reason
    entry = AuditEntry.objects.get(object_type="chat.webhookendpoint", object_id=str(row.pk))
    assert entry.actor_kind == "system"
    assert "410" in entry.after["reason"]
    later()
    assert run() is None
    assert sorted(row.deliveries.values_list("status", flat=True)) == ["failed", "queued", "queued"]


def test_three_days_of_nothing_but_failures_pause_it_and_fewer_do_not(
    other: Receiver, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    row, _ = added(other, "conversation.started")
    other.will(Answer(503))
    for _ in range(3):
        rows.turn(rows.customer())
    since = timezone.now() - timedelta(hours=settings.WEBHOOK_PAUSE_AFTER_HOURS, seconds=1)
    WebhookEndpoint.objects.update(failing_since=since, failures=8)

    send_next()
    row.refresh_from_db()
    assert (row.failures, row.paused_at) == (9, None)
    later()
    WebhookEndpoint.objects.update(held_until=None, failing_since=timezone.now() - timedelta(hours=71))
    send_next()
    row.refresh_from_db()
    assert (row.failures, row.paused_at) == (10, None)
    later()
    WebhookEndpoint.objects.update(held_until=None, failing_since=since)
    send_next()

    row.refresh_from_db()
    assert row.paused_at is not None
    assert "72 hours" in row.pause_reason
    assert "webhook_endpoint_paused" in caplog.text
    assert row.url not in caplog.text


# --- tried out -------------------------------------------------------------------------------------


def test_a_test_says_what_came_back_and_counts_for_nothing(other: Receiver) -> None:
    row, secret = added(other, "import.done")
    webhook_endpoints.pause(row.pk, by=SAM)
    WebhookEndpoint.objects.update(failures=3, failing_since=timezone.now())
    before = state(row)
    other.will(Answer(200, b"thank you"), Answer(418, b"<b>teapot</b>"), Answer(silent=True))

    trials = [webhook_trials.test(row.pk, by=SAM) for _ in range(3)]

    assert [(one.delivered, one.status, one.body_head) for one in trials] == [
        (True, 200, "thank you"),
        (False, 418, "<b>teapot</b>"),
        (False, None, ""),
    ]
    assert trials[2].error
    assert Webhook(secret).verify(other.posts[0].body, other.posts[0].headers)["type"] == "test.ping"
    assert state(row) == before
    assert list(row.deliveries.order_by("created_at").values_list("status", flat=True)) == [
        "delivered",
        "failed",
        "failed",
    ]
    later()
    assert run() is None
    assert len(other.posts) == 3


# --- sent again ------------------------------------------------------------------------------------


def test_what_was_given_up_is_sent_again_one_or_all_of_a_time(other: Receiver) -> None:
    row, _ = added(other, "conversation.started")
    other.will(Answer(400))
    for _ in range(3):
        rows.turn(rows.customer())
    run()
    old, *newer = row.deliveries.order_by("place")
    WebhookDelivery.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=2))
    other.will(Answer())

    webhooks.resend(delivery_id=newer[0].pk, by=SAM)
    run()
    since = timezone.now() - timedelta(days=1)
    assert webhook_endpoints.send_failed_again(row.pk, by=SAM, since=since) == (1, False)
    run()
    old.refresh_from_db()
    assert old.status == "failed"
    assert webhook_endpoints.send_failed_again(row.pk, by=SAM, until=since) == (1, False)
    run()

    assert set(row.deliveries.values_list("status", flat=True)) == {"delivered"}
    ids = [UUID(post.headers["webhook-id"]) for post in other.posts]
    assert ids[3:] == [newer[0].pk, newer[1].pk, old.pk]
    assert webhook_endpoints.send_failed_again(row.pk, by=SAM) == (0, False)


def test_so_many_are_sent_again_at_once_and_no_more(other: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_endpoints, "MOST_AGAIN", 2)
    row, _ = added(other, "conversation.started")
    for _ in range(3):
        rows.turn(rows.customer())
    WebhookDelivery.objects.update(status="failed")

    assert webhook_endpoints.send_failed_again(row.pk, by=SAM) == (2, True)
    assert webhook_endpoints.send_failed_again(row.pk, by=SAM) == (1, False)


# --- changed and deleted ---------------------------------------------------------------------------


def test_what_waits_goes_to_the_new_address(others: list[Receiver]) -> None:
    row, secret = added(others[0], "conversation.started")
    rows.turn(rows.customer())

    wanted = {"url": others[1].url, "events": ["import.done"], "description": "  a   b "}
    webhook_endpoints.change(row, webhook_endpoints.checked(row, **wanted), by=SAM)
    run()

    assert (len(others[0].posts), len(others[1].posts)) == (0, 1)
    assert Webhook(secret).verify(others[1].posts[0].body, others[1].posts[0].headers)
    row.refresh_from_db()
    assert (row.events, row.description) == (["import.done"], "a b")
    rows.turn(rows.customer())
    assert row.deliveries.count() == 1


def connections() -> int:
    """How many there are to this database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


@committed
def test_tests_that_wait_are_few_and_hold_no_connection(other: Receiver) -> None:
    row, _ = added(other, "import.done")
    all_wait, go, release = threading.Barrier(webhook_trials.AT_ONCE), threading.Event(), threading.Event()
    seen: list[int] = []
    before = connections()

    def look() -> None:
        if all_wait.wait(60) == 0:
            until(lambda: connections() - before <= 1)  # Postgres takes a moment to end one
            seen.append(connections() - before)
            connection.close()

    def refused() -> None:
        go.wait(60)
        with pytest.raises(webhook_trials.TooManyTests):
            webhook_trials.test(row.pk, by=SAM)
        release.set()

    def meanwhile() -> None:
        look()
        go.set()
        release.wait(60)

    other.will(Answer(meanwhile=meanwhile))
    tests: list[Callable[[], object]] = [lambda: webhook_trials.test(row.pk, by=SAM).delivered]
    outcomes = at_once([*tests * webhook_trials.AT_ONCE, refused])

    assert outcomes == [True] * webhook_trials.AT_ONCE + [None]
    assert seen in ([0], [1])  # that of who looks
    assert len(other.posts) == row.deliveries.count() == webhook_trials.AT_ONCE


def test_a_deleted_one_is_told_of_nothing_more_and_the_jobs_clear_up(other: Receiver) -> None:
    row, _ = added(other)
    rows.waiting_for_a_person()

    webhook_endpoints.delete(row.pk, by=SAM)

    rows.turn(rows.customer())
    assert run() is None
    assert other.posts == []
    row.refresh_from_db()
    assert (row.secret, row.old_secret, row.deliveries.count()) == ("", "", 2)
    for service in (
        webhook_endpoints.delete,
        webhook_endpoints.pause,
        webhook_endpoints.rotate,
        webhook_trials.test,
    ):
        with pytest.raises(EndpointNotFound):
            service(row.pk, by=SAM)
    delivery = row.deliveries.first()
    assert delivery is not None
    WebhookDelivery.objects.filter(pk=delivery.pk).update(status="failed")
    with pytest.raises(ServiceError, match="deleted"):
        webhooks.resend(delivery_id=delivery.pk, by=SAM)
    assert webhook_keeping.forget() == 2
    assert not WebhookEndpoint.objects.exists()
    with pytest.raises(EndpointNotFound):
        webhook_endpoints.find(uuid4())


def test_what_was_sent_is_kept_for_a_while_and_what_waits_for_as_long_as_it_may(
    others: list[Receiver], settings: LazySettings
) -> None:
    settings.WEBHOOK_KEEP_DAYS = 30
    live, _ = added(others[0], "conversation.started")
    paused, _ = added(others[1], "conversation.started")
    webhook_endpoints.pause(paused.pk, by=SAM)
    for _ in range(2):
        rows.turn(rows.customer())
    run()
    rows.turn(rows.customer())
    builtin = rows.webhook_given_up()
    old = timezone.now() - timedelta(days=30, minutes=1)
    for mine in (live, paused):
        oldest = mine.deliveries.order_by("place").values("pk")[:1]
        WebhookDelivery.objects.filter(pk__in=oldest).update(created_at=old)
    waits = live.deliveries.filter(status="queued").first()
    assert waits is not None
    WebhookDelivery.objects.filter(pk__in=[builtin.pk, waits.pk]).update(created_at=old)

    assert webhook_keeping.forget() == 3

    left = WebhookDelivery.objects
    assert left.filter(pk=waits.pk).exists()
    assert not left.filter(pk=builtin.pk).exists()
    assert not WebhookAttempt.objects.filter(delivery=None).exists()
    assert webhook_keeping.forget() == 0


def test_what_waits_for_a_webhook_url_that_is_not_set_any_more_is_not_kept_for_ever(
    others: list[Receiver], settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.WEBHOOK_URL = others[0].url
    rows.waiting_for_a_person()
    rows.waiting_for_a_person()
    old, young = WebhookDelivery.objects.filter(endpoint=None)
    long_ago = timezone.now() - timedelta(days=settings.WEBHOOK_KEEP_DAYS, minutes=1)
    WebhookDelivery.objects.filter(pk=old.pk).update(created_at=long_ago)

    assert webhook_keeping.forget() == 0  # it may be down, and is still asked
    settings.WEBHOOK_URL = ""
    assert webhook_keeping.forget() == 1

    assert WebhookDelivery.objects.get(endpoint=None).pk == young.pk
    assert "webhooks_never_sent" in caplog.text


def test_no_secret_and_no_path_is_logged(other: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    row, secret = added(other)
    new = webhook_endpoints.rotate(row.pk, by=SAM)
    other.will(Answer(503), Answer(silent=True), Answer())
    rows.waiting_for_a_person()

    for _ in range(4):
        send_next()
        later()

    assert "webhook_failed" in caplog.text
    for one in (secret, new):
        assert one.removeprefix("whsec_") not in caplog.text
    assert "who=us" not in caplog.text


def test_who_wakes_up_late_undoes_nothing(other: Receiver) -> None:
    row, _ = added(other, "conversation.started")
    rows.turn(rows.customer())
    slow = claim()
    assert slow is not None
    WebhookDelivery.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    sent = send_next()
    assert sent is not None
    assert sent.delivered

    late = record(slow, Outcome(False, again=True, status=503))

    assert late.again_in is None
    assert row.deliveries.get().status == "delivered"
