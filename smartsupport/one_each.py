"""Beat adds no job of which one waits already. While no jobs process takes any, however long, the queues hold one of
each; without this Valkey would fill up."""

from typing import Any

from celery.beat import PersistentScheduler, ScheduleEntry
from django.conf import settings
from redis.exceptions import RedisError

from smartsupport.lib import jobs_queued, liveness


class OneEach(PersistentScheduler):
    def apply_async(
        self, entry: ScheduleEntry, producer: Any = None, advance: bool = True, **kwargs: Any
    ) -> Any:
        """As Celery's, or None where one waits: then it counts as sent. A broker that does not answer is told of by
        Celery, which tries to send."""
        if not _waits(entry.name):
            return super().apply_async(entry, producer, advance, **kwargs)
        liveness.say("beat", settings.DATA_DIR)
        if advance:
            self.reserve(entry)
        return None


def _waits(name: str) -> bool:
    try:
        return jobs_queued.waits(name)
    except (RedisError, OSError):
        return False
