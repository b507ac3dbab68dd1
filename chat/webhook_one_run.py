"""One run of the webhooks at a time, in all processes together: an endpoint that hangs holds one place of the jobs, and
the others are for everything else.

It only spares places. That nothing is sent twice is looked after where deliveries are taken, so two runs at once do no
harm, and a broker that does not answer stops nobody.
"""

import time
from uuid import uuid4

import structlog
from redis.exceptions import RedisError

from smartsupport.lib import valkey

log = structlog.get_logger(__name__)

KEY = "smartsupport:webhooks:run"
LEASE_SECONDS = 10
"""How long a run that died, or is frozen, keeps others from beginning."""
RENEWED_EVERY = 1.0
_HOLD = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""
_LET_GO = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class OneRun:
    """This run's claim to be the one. Synchronous; call it from one thread at a time."""

    def __init__(self) -> None:
        self._name = uuid4().hex
        self._asked_at = float("-inf")
        self._held = False

    def held(self) -> bool:
        """Whether this run is the one, claimed or renewed now unless that was a moment ago."""
        if self._held and time.monotonic() - self._asked_at < RENEWED_EVERY:
            return True
        try:
            self._held = bool(valkey.client_now().eval(_HOLD, 1, KEY, self._name, LEASE_SECONDS))
        except (RedisError, OSError) as error:
            log.warning("webhook_run_not_alone_for_sure", error=str(error) or type(error).__name__)
            self._held = True
        self._asked_at = time.monotonic()
        return self._held

    def let_go(self) -> None:
        try:
            valkey.client_now().eval(_LET_GO, 1, KEY, self._name)
        except (RedisError, OSError):
            pass  # it runs out
