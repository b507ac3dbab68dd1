"""`manage.py migrate` while others use the tables: they go on, and so does it when it can."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse, urlunparse

import psycopg
import pytest

from tests import migrated
from tests.live import warm
from tests.live.stack import until
from tests.servers import DATABASE_URL

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
APPLIED = "SELECT count(*) FROM django_migrations WHERE app = 'chat' AND name = '0012_retention'"
HALF_AN_INDEX = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
END_IT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'CREATE INDEX CONCURRENTLY%'"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server, name = os.environ[DATABASE_URL], f"beside_{secrets.token_hex(4)}"
    migrated.copy(server, name)
    yield urlunparse(urlparse(server)._replace(path=f"/{name}"))
    migrated.drop(server, name)


def migrating(url: str, says: Path, *words: str) -> warm.Forked:
    env = os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "smartsupport.settings"}
    with says.open("wb") as output:
        return warm.start(["manage.py", "migrate", *words], env=env, stdout=output, stderr=output)


def test_a_long_transaction_makes_the_migration_wait_and_nobody_else(url: str, tmp_path: Path) -> None:
    one, other_one = tmp_path / "one", tmp_path / "other"
    # The database lacks a column of a table which everybody uses.
    assert migrating(url, one, "chat", "0011").wait() == 0, one.read_text()

    def said() -> str:
        return one.read_text() + other_one.read_text()

    with (
        psycopg.connect(url, application_name="a report") as report,
        psycopg.connect(url, autocommit=True) as other,
    ):
        report.execute("SELECT count(*) FROM chat_conversation")
        first, second = migrating(url, one), migrating(url, other_one)
        try:
            until(lambda: other.execute(WAITING).fetchone() != (0,))
            other.execute("SET statement_timeout = '60s'")
            # Behind a lock that is waited for, this would be cancelled.
            other.execute("SELECT count(*) FROM chat_conversation")
            until(lambda: "of a report" in said())
            assert other.execute(APPLIED).fetchone() == (0,)
            report.rollback()
            assert [first.wait(), second.wait()] == [0, 0], said()
        finally:
            first.kill()
            second.kill()

        assert "Somebody else is migrating" in said()
        assert other.execute(APPLIED).fetchone() == (1,)


def test_one_that_was_killed_half_way_goes_on_where_it_was(url: str, tmp_path: Path) -> None:
    said = tmp_path / "said"
    assert migrating(url, said, "chat", "0010").wait() == 0, said.read_text()
    with psycopg.connect(url) as report, psycopg.connect(url, autocommit=True) as other:
        report.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        report.execute("SELECT count(*) FROM auth_user")
        # An index that is built concurrently waits for everybody who may still look at what was there before.
        killed = migrating(url, said)
        try:
            until(lambda: other.execute(HALF_AN_INDEX).fetchone() != (0,))
            other.execute(END_IT)
            assert killed.wait() != 0
        finally:
            killed.kill()
        assert other.execute(HALF_AN_INDEX).fetchone() == (1,)
        report.rollback()

        assert migrating(url, said).wait() == 0, said.read_text()
        assert other.execute(HALF_AN_INDEX).fetchone() == (0,)
        assert other.execute(APPLIED).fetchone() == (1,)
