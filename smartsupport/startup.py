"""What every program of ours does first: read the settings, or end with the one sentence that says what is wrong."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured

from smartsupport import environment


def read_settings() -> None:
    """Load Django's settings. Raises SystemExit with a sentence where a variable is missing or impossible."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartsupport.settings")
    from django.conf import settings

    try:
        _ = settings.DEBUG
    except ImproperlyConfigured as error:
        raise SystemExit(str(error)) from None


@contextmanager
def loading() -> Iterator[None]:
    """Around what a program imports before its work: nothing of it is garbage, so it is not searched for any.

    Afterwards what was loaded is left out of all collections. A start takes two thirds of the time, an end half, and
    no request waits while half a million objects are looked at that stay until the end.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def missing_server() -> str:
    """The sentence for whoever runs a program without Postgres or Valkey, or an empty text."""
    from django.conf import settings

    if settings.DATABASE_URL == environment.NOT_RUNNING_DATABASE:
        return "Postgres is not running: start `make run` in another terminal, or set DATABASE_URL."
    if settings.REDIS_URL == environment.NOT_RUNNING_BROKER:
        return "Valkey is not running: start `make run` in another terminal, or set REDIS_URL."
    return ""


def unusable_server() -> str:
    """The sentence for whoever ran a command that Postgres or Valkey did not answer: which of them, and why. An empty
    text where both do now. It asks both, for two seconds each."""
    import psycopg
    import redis
    from django.conf import settings
    from django.db import connection

    from smartsupport.lib.postgres import connection_parameters

    if sentence := missing_server():
        return sentence
    try:
        psycopg.connect(**connection_parameters(connection) | {"connect_timeout": 2}).close()
    except psycopg.OperationalError as error:
        return f"Postgres cannot be used: {_first_line(error)} Look whether it runs, and at DATABASE_URL."
    patience = {"socket_timeout": 2, "socket_connect_timeout": 2}
    try:
        with redis.Redis.from_url(settings.REDIS_URL, **patience) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        return f"Valkey cannot be used: {_first_line(error)} Look whether it runs, and at REDIS_URL."
    return ""


def _first_line(error: Exception) -> str:
    return f"{str(error).strip().splitlines()[0].rstrip('.')}." if str(error).strip() else "no reason given."


def require_servers() -> None:
    """Raises SystemExit with a sentence where Postgres or Valkey is neither set nor running here."""
    if sentence := missing_server():
        raise SystemExit(sentence)


def require_whole_database() -> None:
    """Raises SystemExit where a restore is under way, or has died: what is approved in half of a backup must not be
    carried out. A database that is away is for whoever asks it next."""
    from django.db import Error

    from smartsupport.backups import restoring

    try:
        unfinished = restoring.is_unfinished()
    except Error:
        return
    if unfinished:
        raise SystemExit(restoring.UNFINISHED)
