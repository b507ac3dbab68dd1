"""How often one member of staff may try agents out: each trial asks a paid model. Counted in the broker, for all
processes; while that cannot be asked, trials are let in."""

import time

import structlog
from redis.exceptions import RedisError

from smartsupport.lib import valkey

log = structlog.get_logger(__name__)

MOST_A_MINUTE = 10


def admits(username: str) -> bool:
    """Whether this member of staff may begin another trial now; it counts as one."""
    key = f"smartsupport:playground:{username}:{int(time.time()) // 60}"
    try:
        with valkey.client_now().pipeline() as asked:
            asked.incr(key)
            asked.expire(key, 120)
            count, _ = asked.execute()
    except (RedisError, OSError) as error:
        log.warning("limit_not_checked", limit="playground", error=str(error) or type(error).__name__)
        return True
    return int(count) <= MOST_A_MINUTE
