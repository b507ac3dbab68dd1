"""Connections beside Django's, and statements that are planned once."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from smartsupport import environment, only_beat
from smartsupport.lib.postgres import connection_parameters, prepared

SHOW = "SHOW idle_in_transaction_session_timeout"


@pytest.mark.django_db
def test_django_and_the_checkpoints_leave_no_transaction_open_for_long() -> None:
    with connection.cursor() as cursor:
        cursor.execute(SHOW)
        assert cursor.fetchone() == ("30s",)
    with psycopg.connect(**connection_parameters(connection)) as beside:
        assert beside.execute(SHOW).fetchone() == ("30s",)


@pytest.mark.django_db
def test_the_lock_of_a_beat_whose_machine_is_gone_is_free_within_half_a_minute() -> None:
    """Nothing tells Postgres that it is gone; by itself it asks after two hours, and no other beat begins before."""
    only_beat.wait_for_turn()

    with only_beat._kept.pop() as keeper:
        rows = keeper.execute("SELECT name, setting FROM pg_settings WHERE name LIKE 'tcp_keepalives_%'")
        seconds = {name: int(str(setting)) for name, setting in rows.fetchall()}

    assert 0 < seconds["tcp_keepalives_idle"]
    asked_for = seconds["tcp_keepalives_interval"] * seconds["tcp_keepalives_count"]
    assert seconds["tcp_keepalives_idle"] + asked_for <= 30


@pytest.mark.django_db
def test_nobody_waits_longer_than_half_a_minute_for_a_server_whose_machine_is_gone() -> None:
    """Nothing tells whoever waits for an answer: by itself the network asks after two hours, and for so long a job, a
    turn and a request hang after the machine has come back."""
    connection.ensure_connection()
    with psycopg.connect(**connection_parameters(connection)) as beside:
        both = [one.info.get_parameters() for one in (connection.connection, beside)]

    for of in both:
        asked_for = int(of["keepalives_interval"]) * int(of["keepalives_count"])
        assert 0 < int(of["keepalives_idle"]) + asked_for <= 30
        assert 0 < int(of["tcp_user_timeout"]) <= 30_000


def test_what_the_address_of_the_database_says_of_the_network_stands() -> None:
    options = environment.database("postgresql://shop@db.example:5432/shop?keepalives_idle=3")["OPTIONS"]

    assert (options["keepalives_idle"], options["keepalives_count"]) == (3, 4)


@pytest.fixture
def beside(transactional_db: None) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
    """Another program's connection, and a table of two columns that it changes."""
    with psycopg.connect(**connection_parameters(connection), autocommit=True) as other:
        other.execute("CREATE TABLE changing (id integer, name varchar(3))")
        other.execute("INSERT INTO changing VALUES (1, 'Ada')")
        try:
            yield other
        finally:
            other.execute("DROP TABLE changing")


def read() -> list[tuple[Any, ...]]:
    with prepared() as cursor:
        cursor.execute("SELECT id, name FROM changing WHERE id = %(id)s", {"id": 1})
        return cursor.fetchall()


def test_a_migration_that_widens_a_column_disturbs_nobody_who_reads_it(
    beside: "psycopg.Connection[tuple[Any, ...]]",
) -> None:
    """Processes of the version before serve on during an upgrade, with statements that were planned for what was."""
    for _ in range(3):
        assert read() == [(1, "Ada")]

    beside.execute("ALTER TABLE changing ALTER name TYPE varchar(200)")

    assert [read() for _ in range(3)] == [[(1, "Ada")]] * 3


def test_a_transaction_that_meets_a_widened_column_can_be_tried_again(
    beside: "psycopg.Connection[tuple[Any, ...]]",
) -> None:
    for _ in range(3):
        read()

    beside.execute("ALTER TABLE changing ALTER name TYPE varchar(200)")
    with pytest.raises(OperationalError), transaction.atomic():
        read()

    with transaction.atomic():
        assert read() == [(1, "Ada")]
