"""Who makes a change, and why: told to the database, which records the change itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from django.db import connection, transaction

SETTINGS = ("smartsupport.change", "smartsupport.by", "smartsupport.why")
BY_MOST, WHY_MOST = 150, 300


@contextmanager
def recorded_as(by: str, why: str = "") -> Iterator[None]:
    """A transaction whose changes of agents and tools are one change in their history, made by `by`. Inside another
    one it is a change of its own, and what comes after it belongs to the outer one again."""
    inside = connection.in_atomic_block
    with transaction.atomic():
        before = _told() if inside else None
        _tell((uuid4().hex, by[:BY_MOST], why[:WHY_MOST]))
        yield
        if before is not None:
            _tell(before)


def _told() -> tuple[str, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT " + ", ".join("coalesce(current_setting(%s, true), '')" for _ in SETTINGS), SETTINGS
        )
        found: tuple[str, ...] = cursor.fetchone()
    return found


def _tell(values: tuple[str, ...]) -> None:
    """Until the transaction ends, and no longer: the connection is used by others afterwards."""
    wanted = [part for pair in zip(SETTINGS, values, strict=True) for part in pair]
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join("set_config(%s, %s, true)" for _ in SETTINGS), wanted)
