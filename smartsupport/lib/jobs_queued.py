"""What waits in Valkey for a jobs process to take it. Each job of the schedule has a queue of its own, named as its
entry; `celery` is for all others."""

from django.conf import settings
from redis import Redis

from smartsupport.lib import valkey


def waits(queue: str) -> bool:
    """Whether anything is in this queue. Whoever would add one more of the same need not: what waits has not looked
    yet. Raises RedisError."""
    return bool(valkey.client_now().llen(_key(queue)))


def count(client: "Redis") -> int:
    """How many jobs are in all queues together. Raises RedisError."""
    with client.pipeline(transaction=False) as asked:
        for queue in ("celery", *settings.CELERY_BEAT_SCHEDULE):
            asked.llen(_key(queue))
        return sum(asked.execute())


def _key(queue: str) -> str:
    return f"{settings.CELERY_BROKER_TRANSPORT_OPTIONS['global_keyprefix']}{queue}"
