"""Asking the jobs to look at once. The sweep looks too, so a message that is lost costs seconds and nothing else."""

from uuid import UUID

import structlog
from celery import current_app
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

KICK_SECONDS = 3
FORGOTTEN_AFTER = 60
"""Seconds after which a message is worth nothing any more: the sweep has sent another one."""


def kick(job_id: UUID) -> None:
    """Ask the jobs to carry it out now. A broker that is away or silent fails nobody."""
    _send("openapi_import.tasks.run_import", str(job_id))


def kick_waiting() -> None:
    """A place has become free: ask the jobs to look who waits."""
    _send("openapi_import.tasks.sweep_imports")


def _send(task: str, *arguments: str) -> None:
    options = {"socket_timeout": KICK_SECONDS, "socket_connect_timeout": KICK_SECONDS, "max_retries": 1}
    try:
        with current_app.connection_for_write(
            connect_timeout=KICK_SECONDS, transport_options=options
        ) as broker:
            current_app.send_task(task, arguments, connection=broker, retry=False, expires=FORGOTTEN_AFTER)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("jobs_not_told", error=str(error))
