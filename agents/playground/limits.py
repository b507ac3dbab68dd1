"""How often one member of staff may try agents out: each trial asks a paid model. Counted in the broker, for all
processes; while that cannot be asked, trials are let in."""

import time

import redis
import structlog
from django.conf import settings
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

MOST_A_MINUTE = 10
PATIENCE_SECONDS = 1.0


def admits(username: str) -> bool:
    """Whether this member of staff may begin another trial now; it counts as one."""
    key = f"smartsupport:playground:{username}:{int(time.time()) // 60}"
    patience = {"socket_timeout": PATIENCE_SECONDS, "socket_connect_timeout": PATIENCE_SECONDS}
    try:
        with redis.Redis.from_url(settings.REDIS_URL, **patience) as client:
            count, _ = client.pipeline().incr(key).expire(key, 120).execute()
    except (RedisError, OSError) as error:
        log.warning("limit_not_checked", limit="playground", error=str(error) or type(error).__name__)
        return True
    return int(count) <= MOST_A_MINUTE
