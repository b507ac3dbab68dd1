"""Who looks at a page right now: a courtesy among staff, kept in Valkey for a few seconds and nowhere else.

Each thing looked at has one sorted set, `smartsupport:here:<kind>:<id>`: the names of who looks, by when they were last
seen. While the broker is away nobody is seen, and no page waits or fails for that.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Any

import redis
import structlog
from django.conf import settings
from redis.client import Pipeline
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

PREFIX = "smartsupport:here:"
GONE_AFTER_SECONDS = 15
"""Whoever has not been seen for so long has left. Open pages say so every few seconds."""
PATIENCE_SECONDS = 0.3
PAUSE_SECONDS = 5.0

_lock = Lock()
_clients: dict[str, redis.Redis] = {}
_not_before = 0.0


def seen(kind: str, thing: object, name: str) -> list[str]:
    """Say that `name` looks at a thing (a conversation, an approval: `kind` and its id), and who else does, by name.

    Both in one round trip. [] also where the broker is away. Synchronous.
    """
    key, now = _key(kind, thing), time.time()

    def work(pipe: Pipeline) -> None:
        pipe.zadd(key, {name: now})
        pipe.zremrangebyscore(key, "-inf", now - GONE_AFTER_SECONDS)
        pipe.expire(key, GONE_AFTER_SECONDS)
        pipe.zrange(key, 0, 49)

    answers = _ask(work)
    return sorted(other for other in _names(answers[3]) if other != name) if answers else []


def left(kind: str, thing: object, name: str) -> None:
    """Say that `name` has closed the page. Losing it is harmless: they are forgotten soon."""
    _ask(lambda pipe: pipe.zrem(_key(kind, thing), name))


def here(kind: str, things: Iterable[object], *, but: str = "") -> Mapping[str, list[str]]:
    """Who looks at each of several things, by its id as text; those that nobody looks at are left out. `but` does not
    count: it is who asks. One round trip, however many."""
    ids = [str(thing) for thing in things]
    if not ids:
        return {}
    since = time.time() - GONE_AFTER_SECONDS

    def work(pipe: Pipeline) -> None:
        for one in ids:
            pipe.zrangebyscore(_key(kind, one), since, "+inf", start=0, num=50)

    answers = _ask(work)
    found = ((one, sorted(set(_names(names)) - {but})) for one, names in zip(ids, answers, strict=False))
    return {one: names for one, names in found if names}


def _key(kind: str, thing: object) -> str:
    return f"{PREFIX}{kind}:{thing}"


def _names(raw: list[bytes]) -> list[str]:
    return [name.decode() for name in raw]


def _ask(work: Callable[[Pipeline], object]) -> list[Any]:
    """The answers of what `work` puts into a pipeline; [] where the broker is away."""
    global _not_before
    if time.monotonic() < _not_before:
        return []
    try:
        with _client().pipeline(transaction=False) as pipe:
            work(pipe)
            return list(pipe.execute())
    except (RedisError, OSError) as error:
        _not_before = time.monotonic() + PAUSE_SECONDS
        log.warning("presence_not_known", error=str(error) or type(error).__name__)
        return []


def _client() -> redis.Redis:
    """One client of the process: its pool is safe for threads."""
    with _lock:
        url = settings.REDIS_URL
        if url not in _clients:
            _clients[url] = redis.Redis.from_url(
                url, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS
            )
        return _clients[url]
