"""Fixtures around the run's own servers."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from tests import migrated
from tests.servers import DATABASE_URL

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """This process's database, a copy of the one that is migrated once for the whole run. In pytest-django's place,
    which would migrate one for each process."""
    server, name = os.environ[DATABASE_URL], f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    with django_db_blocker.unblock():
        migrated.provide(server, migrate=_migrate_here)
        migrated.copy(server, name)
        migrated.without_helpers(server, name)
        _connect_to(name)
    yield
    with django_db_blocker.unblock():
        _leave()
    migrated.drop(server, name)


def _migrate_here(name: str) -> None:
    """In this process, which has loaded everything: a process for it takes twice as long."""
    _connect_to(name)
    call_command("migrate", verbosity=0)
    _leave()


def _connect_to(name: str) -> None:
    _leave()
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name


def _leave() -> None:
    connection.close()
    connection.close_pool()  # otherwise it stays connected, and connects others to the database that it was made for


@pytest.fixture(scope="session")
def valkey() -> Iterator["redis.Redis"]:
    """A client of this worker's Valkey database."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


@pytest.fixture(autouse=True)
def empty_valkey(valkey: "redis.Redis", unhurried: list[Any]) -> None:
    """Each test begins with nothing in Valkey, no queued work, no limit half used up, and with nobody who thinks that
    it is away because it was in the test before."""
    valkey.flushdb()
    for module in unhurried:
        module._not_before = 0.0


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
        "TMPDIR": str(tmp_path),  # whoever is killed leaves folders
    }
