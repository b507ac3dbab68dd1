"""However long no jobs process takes anything, Valkey holds one of each job that beat sends."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from celery import current_app
from django.conf import settings

from chat.tasks import WEBHOOKS_QUEUE, kick_webhooks
from smartsupport.lib import jobs_queued, liveness
from smartsupport.one_each import OneEach

ALL = len(settings.CELERY_BEAT_SCHEDULE)


@pytest.fixture
def beat(tmp_path: Path) -> Iterator[OneEach]:
    """Beat's scheduler as beat makes it, which sends when it is told."""
    current_app.loader.import_default_modules()
    scheduler = current_app.Beat(scheduler=settings.CELERY_BEAT_SCHEDULER).Service(
        app=current_app,
        scheduler_cls=settings.CELERY_BEAT_SCHEDULER,
        schedule_filename=str(tmp_path / "schedule"),
    )
    made = scheduler.get_scheduler()
    yield made
    made.close()


def send_all(beat: OneEach) -> None:
    for entry in list(beat.schedule.values()):
        beat.apply_entry(entry, producer=beat.producer)


def test_of_each_job_one_waits_and_the_next_is_sent_when_it_was_taken(
    beat: OneEach, valkey: "redis.Redis", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    for _ in range(3):
        send_all(beat)
    assert {name: jobs_queued.waits(name) for name in beat.schedule} == dict.fromkeys(beat.schedule, True)
    assert jobs_queued.count(valkey) == len(beat.schedule) == ALL
    assert liveness.age("beat", tmp_path) is not None, "beat lives while nobody takes what it sends"

    valkey.lpop("smartsupport:celery:sweep-turns")
    assert not jobs_queued.waits("sweep-turns")
    send_all(beat)

    assert jobs_queued.count(valkey) == ALL


def test_who_wants_webhooks_sent_at_once_adds_nothing_to_what_waits(valkey: "redis.Redis") -> None:
    for _ in range(3):
        kick_webhooks()

    assert WEBHOOKS_QUEUE in settings.CELERY_BEAT_SCHEDULE
    assert valkey.llen(f"smartsupport:celery:{WEBHOOKS_QUEUE}") == 1


def test_a_worker_takes_from_every_queue() -> None:
    assert set(current_app.amqp.queues.consume_from) == {"celery", *settings.CELERY_BEAT_SCHEDULE}
