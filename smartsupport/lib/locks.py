"""Work that only one process may do at a time, guarded by the database itself."""

from django.db import connection


def one_at_a_time(what: str) -> None:
    """Wait for every other transaction that called this with the same `what`; later ones wait for ours.

    Only inside a transaction (`transaction.atomic`): its end gives the lock back.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [what])
