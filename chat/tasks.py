"""Background work of the chat, run by Celery."""

import structlog
from celery import current_app, shared_task
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from chat import summaries as summaries  # its task is found here
from chat import webhook_sending

log = structlog.get_logger(__name__)

A_RUN = 20
"""Attempts in one run of the task, so that a queue of them does not keep everything else waiting."""
KICK_SECONDS = 3
SCHEDULED_UP_TO = 60.0


@shared_task(ignore_result=True)
def send_webhooks() -> None:
    """Send what is due. Beat calls it every few seconds; a new delivery and a failed attempt call it on time."""
    for _ in range(A_RUN):
        sent = webhook_sending.send_next()
        if sent is None:
            return
        if sent.again_in is not None and sent.again_in <= SCHEDULED_UP_TO:
            kick_webhooks(after=sent.again_in)
    kick_webhooks()


def kick_webhooks(*, after: float = 0.0) -> None:
    """Ask the jobs to look now, or `after` so many seconds. A broker that is away or silent fails nobody: the sweep
    looks too."""
    options = {"socket_timeout": KICK_SECONDS, "socket_connect_timeout": KICK_SECONDS, "max_retries": 1}
    try:
        with current_app.connection_for_write(
            connect_timeout=KICK_SECONDS, transport_options=options
        ) as broker:
            send_webhooks.apply_async(connection=broker, retry=False, countdown=after or None)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("jobs_not_told", error=str(error))
