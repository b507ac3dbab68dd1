"""A jobs process that leaves hears the answer to its last question before it stops listening.

It asks Valkey for the next job and waits a second for it. Celery cancels its consumers while that question is open, so
a job that comes meanwhile (beat goes on sending) is nobody's, of which kombu warns. Here the question ends first, and
what it brought goes back to where it was, for the next worker.
"""

from queue import Empty
from typing import Any

from celery import bootsteps
from celery.worker.consumer.tasks import Tasks


class LastAnswer(bootsteps.StartStopStep):
    """A step of Celery's consumer: begins after the consuming, and so stops before it."""

    requires = (Tasks,)

    def stop(self, consumer: Any) -> None:
        tasks = consumer.task_consumer
        if consumer.connection is None or tasks is None:
            return
        tasks.on_message = _give_back
        if tasks.channel._in_poll:
            try:
                tasks.channel._brpop_read()
            except (Empty, *consumer.connection_errors):
                pass  # nothing came, or nobody is there to take it back


def _give_back(message: Any) -> None:
    message.requeue()
