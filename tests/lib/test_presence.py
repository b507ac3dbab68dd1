"""Who looks at a page: in a real Valkey, and without one."""

import time
from uuid import uuid4

import pytest
import redis
from django.conf import LazySettings

from smartsupport.lib import presence


@pytest.fixture
def broker(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> redis.Redis:
    # A machine that stands still for a while makes nobody go.
    monkeypatch.setattr(presence, "GONE_AFTER_SECONDS", 600)
    return redis.Redis.from_url(settings.REDIS_URL)


def test_each_sees_the_others_and_not_themselves(broker: redis.Redis) -> None:
    page = uuid4()
    assert presence.seen("approval", page, "sam") == []
    assert presence.seen("approval", page, "kim") == ["sam"]
    assert presence.seen("approval", page, "sam") == ["kim"]
    assert presence.seen("approval", uuid4(), "kim") == []
    assert presence.seen("conversation", page, "kim") == []


def test_a_list_asks_once_for_all_its_rows(broker: redis.Redis) -> None:
    watched, alone, nobody = uuid4(), uuid4(), uuid4()
    presence.seen("approval", watched, "sam")
    presence.seen("approval", watched, "kim")
    presence.seen("approval", alone, "kim")
    found = presence.here("approval", [watched, alone, nobody], but="kim")
    assert found == {str(watched): ["sam"]}
    assert presence.here("approval", []) == {}


def test_who_closes_the_page_or_is_silent_is_gone(broker: redis.Redis) -> None:
    page = uuid4()
    presence.seen("approval", page, "sam")
    presence.seen("approval", page, "old")
    key = f"{presence.PREFIX}approval:{page}"
    broker.zadd(key, {"old": time.time() - presence.GONE_AFTER_SECONDS - 1})
    assert presence.here("approval", [page]) == {str(page): ["sam"]}
    assert presence.seen("approval", page, "kim") == ["sam"]
    presence.left("approval", page, "sam")
    assert presence.seen("approval", page, "kim") == []
    assert 0 < broker.ttl(key) <= presence.GONE_AFTER_SECONDS


def test_without_a_broker_nobody_is_seen_and_nothing_waits(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "_not_before", 0.0)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    before = time.monotonic()
    assert presence.seen("approval", uuid4(), "sam") == []
    assert presence._not_before >= before + presence.PAUSE_SECONDS
    assert presence.here("approval", [uuid4()]) == {}
