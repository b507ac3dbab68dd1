"""Both servers together: what `make run`, the tests and `python -m smartsupport.embedded` start."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from smartsupport.embedded import postgres, remembered, valkey
from smartsupport.embedded.remembered import Servers


@contextmanager
def running(
    directory: Path, *, database: bool = True, broker: bool = True, throwaway: bool = False
) -> Iterator[Servers]:
    """Start what is asked for with its data under `directory`, remember the URLs there, stop it at the end."""
    directory.mkdir(parents=True, exist_ok=True)
    before = remembered.read(directory)
    database_url = redis_url = ""
    with ExitStack() as started:
        if broker:
            broker_server = valkey.start(directory, port=_port(before.redis_url), throwaway=throwaway)
            started.callback(broker_server.stop)
            redis_url = broker_server.url
        if database:
            database_server = postgres.start(directory, port=_port(before.database_url), throwaway=throwaway)
            started.callback(database_server.stop)
            database_url = database_server.url
        servers = Servers(database_url, redis_url)
        remembered.write(directory, servers)
        yield servers


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None
