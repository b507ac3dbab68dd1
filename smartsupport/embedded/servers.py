"""Both servers together: what `make run`, the tests and `python -m smartsupport.embedded` start."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from smartsupport.embedded import postgres, remembered, valkey


@dataclass
class RunningServers:
    """URLs of what was started (empty for what was not), and its processes by name."""

    database_url: str = ""
    redis_url: str = ""
    processes: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)


@contextmanager
def running(
    directory: Path, *, database: bool = True, broker: bool = True, throwaway: bool = False
) -> Iterator[RunningServers]:
    """Start what is asked for with its data under `directory`, remember the URLs there, stop it at the end.
    Raises EmbeddedServerFailed with one sentence."""
    directory.mkdir(parents=True, exist_ok=True)
    before = remembered.read(directory)
    found = RunningServers()
    with ExitStack() as started:
        if broker:
            broker_server = valkey.start(directory, port=_port(before.redis_url), throwaway=throwaway)
            started.callback(broker_server.stop)
            found.redis_url = broker_server.url
            found.processes["valkey"] = broker_server.process
        if database:
            database_server = postgres.start(directory, port=_port(before.database_url), throwaway=throwaway)
            started.callback(database_server.stop)
            found.database_url = database_server.url
            found.processes["postgres"] = database_server.process
        remembered.write(directory, remembered.Servers(found.database_url, found.redis_url))
        yield found


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None
