"""A jobs process that leaves gives back what it had asked for and cannot begin any more, and says nothing of it."""

import logging
from types import SimpleNamespace

import pytest
import redis
from celery import current_app
from celery.worker.consumer.tasks import Tasks

from smartsupport.last_answer import LastAnswer
from tests.live.stack import until

QUEUE = "forget-webhooks"
KEY = f"smartsupport:celery:{QUEUE}"


def test_what_comes_for_a_worker_that_leaves_stays_in_the_queue(
    valkey: "redis.Redis", caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    begun: list[object] = []
    with current_app.connection_for_read() as connection:
        consumer = current_app.amqp.TaskConsumer(connection)
        consumer.on_message = begun.append
        consumer.consume()
        connection.transport.cycle.on_poll_start()
        assert consumer.channel._in_poll, "the question is open"

        current_app.send_task("chat.tasks.forget_webhooks", queue=QUEUE)
        until(lambda: valkey.llen(KEY) == 0)
        leaving = SimpleNamespace(
            connection=connection,
            task_consumer=consumer,
            connection_errors=connection.connection_errors,
        )
        LastAnswer(leaving).stop(leaving)
        Tasks(leaving).stop(leaving)

    assert valkey.llen(KEY) == 1
    assert valkey.hlen("smartsupport:celery:unacked") == 0
    assert begun == []
    assert caplog.text == ""


def test_celery_ends_the_question_before_it_stops_listening() -> None:
    assert LastAnswer in current_app.steps["consumer"]
    assert LastAnswer.requires == (Tasks,)
