"""Every connection of ours gives up its locks when its process falls asleep in a transaction."""

import psycopg
import pytest
from django.db import connection

from smartsupport import only_beat
from smartsupport.lib.postgres import connection_parameters

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
