"""Leases of the requests that this process is carrying out under an `Idempotency-Key`: one thread renews all of them
while there are any. A process that dies renews nothing, so its requests are free for a repeat after the lease."""

import threading
from uuid import UUID

import structlog
from django.db import Error, connection

log = structlog.get_logger(__name__)

LEASE_SECONDS = 30
RENEWED_EVERY = 8.0

_RENEW = """
UPDATE smartsupport_idempotentrequest SET lease_until = clock_timestamp() + make_interval(secs => %s)
WHERE token = ANY(%s) AND status IS NULL
"""
_held: set[UUID] = set()
_change = threading.Condition()
_thread: threading.Thread | None = None


def hold(token: UUID) -> None:
    """Renew the lease with this token from now on."""
    global _thread
    with _change:
        _held.add(token)
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_renew_for_ever, name="idempotency-leases", daemon=True)
            _thread.start()
        _change.notify()


def let_go(token: UUID) -> None:
    with _change:
        _held.discard(token)


def renew() -> None:
    """Renew all that are held. One statement."""
    with _change:
        tokens = list(_held)
    if not tokens:
        return
    with connection.cursor() as cursor:
        cursor.execute(_RENEW, [LEASE_SECONDS, tokens])


def _renew_for_ever() -> None:
    while True:
        with _change:
            _change.wait_for(lambda: bool(_held))
            mine = set(_held)
        # Most requests are done long before: then there is nothing to renew, and no statement.
        threading.Event().wait(RENEWED_EVERY)
        if mine.isdisjoint(_held):
            continue
        try:
            renew()
        except Error as error:
            log.warning("idempotency_lease_not_renewed", error=str(error))
        finally:
            connection.close()
