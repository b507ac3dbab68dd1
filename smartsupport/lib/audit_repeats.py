"""A page that asks every few seconds and is refused each time (its reader has lost a permission, say) is told once a
minute. Counted in the broker, for all processes; while that cannot be asked, each is told."""

import structlog
from redis.exceptions import RedisError

from smartsupport.lib import valkey
from smartsupport.lib.audit import Recording
from smartsupport.lib.ids import digest

log = structlog.get_logger(__name__)

SECONDS = 60


def is_news(of: Recording, status: int) -> bool:
    """Whether this refusal was not told in the last minute: of the same person, page and answer."""
    key = f"smartsupport:audit:refused:{digest([of.actor.kind, of.actor.id, of.place.path, status])}"
    try:
        return bool(valkey.client_now().set(key, 1, nx=True, ex=SECONDS))
    except (RedisError, OSError) as error:
        log.warning("refusal_not_counted", error=str(error) or type(error).__name__)
        return True
