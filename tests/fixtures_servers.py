"""Fixtures around the run's own servers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def valkey() -> Iterator["redis.Redis"]:
    """A client of this worker's Valkey database."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


@pytest.fixture(autouse=True)
def empty_valkey(valkey: "redis.Redis") -> None:
    """Each test begins with nothing in Valkey: no queued work, no limit half used up."""
    valkey.flushdb()


@pytest.fixture
def server_environment(transactional_db: None, tmp_path: Path) -> dict[str, str]:
    """The environment for a process of ours that a test starts: this test's database and Valkey, its own DATA_DIR."""
    wanted = connection.settings_dict
    url = f"postgresql://{wanted['USER']}:{wanted['PASSWORD']}@{wanted['HOST']}:{wanted['PORT']}/{wanted['NAME']}"
    return os.environ | {
        "DATABASE_URL": url,
        "REDIS_URL": settings.REDIS_URL,
        "DATA_DIR": str(tmp_path / "data"),
        "DJANGO_SETTINGS_MODULE": "smartsupport.settings",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
