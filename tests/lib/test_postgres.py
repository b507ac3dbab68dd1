"""Every connection of ours gives up its locks when its process falls asleep in a transaction."""

import psycopg
import pytest
from django.db import connection

from smartsupport.lib.postgres import connection_parameters

SHOW = "SHOW idle_in_transaction_session_timeout"


@pytest.mark.django_db
def test_django_and_the_checkpoints_leave_no_transaction_open_for_long() -> None:
    with connection.cursor() as cursor:
        cursor.execute(SHOW)
        assert cursor.fetchone() == ("30s",)
    with psycopg.connect(**connection_parameters(connection)) as beside:
        assert beside.execute(SHOW).fetchone() == ("30s",)
