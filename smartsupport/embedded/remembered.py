"""What the embedded servers of a data folder told about themselves: their URLs, kept in `servers.json`, mode 600.

The file stays when the servers stop: the next start tries the same ports, and `manage.py` typed by hand finds the
servers of a `make run` in another terminal.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "servers.json"


@dataclass(frozen=True)
class Servers:
    """URLs of the two servers; an empty one was given from outside and is not ours to remember."""

    database_url: str = ""
    redis_url: str = ""


def read(directory: Path) -> Servers:
    """What was remembered in `directory`; nothing where the file is missing or damaged."""
    try:
        content = json.loads((directory / FILE).read_text())
        return Servers(str(content["database_url"]), str(content["redis_url"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Servers()


def write(directory: Path, servers: Servers) -> None:
    fresh = directory / f"{FILE}.{os.getpid()}.new"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(asdict(servers), out, indent=2)
    fresh.replace(directory / FILE)
