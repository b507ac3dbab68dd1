"""Background work of the chat, run by Celery."""

import structlog
from asgiref.sync import async_to_sync
from celery import current_app, shared_task
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from chat import summaries as summaries  # its task is found here
from chat import webhook_keeping, webhook_sending
from smartsupport.lib import jobs_queued

log = structlog.get_logger(__name__)

KICK_SECONDS = 3
WEBHOOKS_QUEUE = "send-webhooks"
"""The one of what beat sends."""
SCHEDULED_UP_TO = 60.0


@shared_task(ignore_result=True)
def send_webhooks() -> None:
    """Send what is due. Beat calls it every few seconds; a hand-over and a failed attempt call it on time."""
    again_in = async_to_sync(webhook_sending.run)()
    if again_in is not None and again_in <= SCHEDULED_UP_TO:
        kick_webhooks(after=again_in)


@shared_task(ignore_result=True)
def forget_webhooks() -> None:
    """Delete what was sent long ago. Beat calls it every hour."""
    webhook_keeping.forget()


def kick_webhooks(*, after: float = 0.0) -> None:
    """Ask the jobs to look now, unless they were asked and have not begun, or `after` so many seconds. A broker that is
    away or silent fails nobody: the sweep looks too."""
    options = {"socket_timeout": KICK_SECONDS, "socket_connect_timeout": KICK_SECONDS, "max_retries": 1}
    try:
        if not after and jobs_queued.waits(WEBHOOKS_QUEUE):
            return
        with current_app.connection_for_write(
            connect_timeout=KICK_SECONDS, transport_options=options
        ) as broker:
            # A later one stays out of the queue of those for now, where it would stand for one of them.
            queue = {} if after else {"queue": WEBHOOKS_QUEUE}
            send_webhooks.apply_async(connection=broker, retry=False, countdown=after or None, **queue)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("jobs_not_told", error=str(error))
