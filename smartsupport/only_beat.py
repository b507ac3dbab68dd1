"""One beat at a time: another one waits until the first has gone, and takes its place.

What beat sends may be sent twice and does no harm, because every task looks for what there is to do and claims it; this
only spares the work. So a beat that cannot ask Postgres begins all the same, and one whose lock was lost with its
connection goes on.
"""

import time

import psycopg
import structlog
from django.conf import settings
from django.db import connection

from smartsupport.lib import liveness
from smartsupport.lib.postgres import lock_keeper

log = structlog.get_logger(__name__)

LOCK = 2_026_007
LOOK_SECONDS = 2.0
_kept: list["psycopg.Connection[tuple[object, ...]]"] = []
"""The connection that holds the lock, for as long as this process lives."""


def wait_for_turn() -> None:
    """Return when no other beat runs on this database."""
    try:
        lock = lock_keeper(connection)
        waits = False
        while not _taken(lock):
            if not waits:
                log.info("beat_waits")
            waits = True
            liveness.say("beat", settings.DATA_DIR)
            time.sleep(LOOK_SECONDS)
        _kept.append(lock)
    except psycopg.Error as error:
        log.warning("beat_not_alone_for_sure", error=str(error))
    log.info("beat_begins")


def _taken(lock: "psycopg.Connection[tuple[object, ...]]") -> bool:
    row = lock.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
    return bool(row and row[0])
