"""The servers from PyPI: who runs them, who may reach them, and that they never widen what others closed."""

import os
import secrets
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from smartsupport.embedded import account, ports, remembered, servers, valkey

ROOT = Path(__file__).resolve().parents[2]
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs Postgres as somebody else")


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder that nobody but its owner may pass through, and what was made for it elsewhere, removed."""
    outer = Path(tempfile.mkdtemp(prefix="smartsupport-closed-"))
    yield outer / "inner folder"
    pointer = outer / "inner folder" / account.POINTER
    if pointer.exists():
        shutil.rmtree(pointer.read_text().strip())
    shutil.rmtree(outer)


def test_in_a_closed_folder_the_servers_run_and_nothing_is_opened(closed_folder: Path) -> None:
    with servers.running(closed_folder, throwaway=True) as running:
        with psycopg.connect(running.database_url) as database:
            version = database.execute("SHOW server_version_num").fetchone()
            running_as = database.execute("SELECT current_setting('data_directory')").fetchone()
        with redis.Redis.from_url(running.redis_url) as client:
            assert client.ping()

    assert version is not None
    assert int(version[0]) >= 180000
    assert stat.S_IMODE(closed_folder.parent.stat().st_mode) == 0o700
    assert running_as is not None
    if os.geteuid() == 0:
        assert running_as[0].startswith("/var/lib/smartsupport-")


def test_both_servers_refuse_whoever_has_no_password(closed_folder: Path) -> None:
    with servers.running(closed_folder, throwaway=True) as running:
        secretless = running.database_url.replace(
            running.database_url.split("@")[0], "postgresql://postgres:guess"
        )
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(secretless)
        port = running.redis_url.rpartition(":")[2]
        with (
            redis.Redis.from_url(f"redis://127.0.0.1:{port}") as client,
            pytest.raises(redis.AuthenticationError),
        ):
            client.ping()


def test_secrets_are_for_their_owner_only(closed_folder: Path) -> None:
    with servers.running(closed_folder, throwaway=True):
        for name in ("servers.json", "postgres-password.txt", "valkey/valkey.conf"):
            assert stat.S_IMODE((closed_folder / name).stat().st_mode) == 0o600, name


def test_a_second_start_keeps_data_and_ports(closed_folder: Path) -> None:
    with servers.running(closed_folder) as first, psycopg.connect(first.database_url) as database:
        database.execute("CREATE TABLE kept AS SELECT 7 AS number")
    with servers.running(closed_folder) as second, psycopg.connect(second.database_url) as database:
        found = database.execute("SELECT number FROM kept").fetchone()

    assert found == (7,)
    assert second.database_url == first.database_url


def test_a_remembered_port_that_somebody_took_is_replaced(closed_folder: Path) -> None:
    with valkey_in(closed_folder) as first:
        pass
    with valkey_in(closed_folder, port=first.port) as second:
        # The first one's port is in use now, by the second.
        with valkey_in(closed_folder.parent / "another", port=second.port) as third:
            assert third.port != second.port


class valkey_in:
    """`valkey.start` with its stop."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.server = valkey.start(folder, port=port, throwaway=True)

    def __enter__(self) -> valkey.Valkey:
        return self.server

    def __exit__(self, *_: object) -> None:
        self.server.stop()


@ROOT_ONLY
def test_an_interrupted_first_start_does_not_spoil_the_next(closed_folder: Path) -> None:
    home = account.home(closed_folder, account.for_postgres())
    (home / "postgres.new").mkdir()
    (home / "postgres.new" / "half").write_text("written")

    with servers.running(closed_folder, broker=False, throwaway=True) as running:
        with psycopg.connect(running.database_url) as database:
            assert database.execute("SELECT 1").fetchone() == (1,)


def test_damaged_memory_is_no_memory(tmp_path: Path) -> None:
    for damage in ("", "{", "[]", '{"database_url": 1}', "null"):
        (tmp_path / remembered.FILE).write_text(damage)
        assert remembered.read(tmp_path) == remembered.Servers()


def test_a_taken_port_is_not_chosen() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as occupant:
        taken = occupant.getsockname()[1]
        assert not ports.is_free(taken)
        assert ports.choose(taken) != taken


def test_a_deleted_data_folder_begins_again(closed_folder: Path) -> None:
    with servers.running(closed_folder, broker=False, throwaway=True) as first:
        with psycopg.connect(first.database_url) as database:
            database.execute("CREATE TABLE forgotten (number int)")
    elsewhere = closed_folder / account.POINTER
    left_behind = Path(elsewhere.read_text().strip()) if elsewhere.exists() else None
    shutil.rmtree(closed_folder)

    with servers.running(closed_folder, broker=False, throwaway=True) as second:
        with psycopg.connect(second.database_url) as database:
            found = database.execute("SELECT to_regclass('forgotten')").fetchone()

    assert found == (None,)
    if left_behind is not None:
        shutil.rmtree(left_behind)


def test_make_clean_takes_what_lies_elsewhere_and_nothing_of_others(tmp_path: Path) -> None:
    others = tmp_path / "smartsupport-others"
    own = [account.OUTSIDE / f"smartsupport-{secrets.token_hex(6)}"] if os.geteuid() == 0 else []
    for place in (others, *own):
        place.mkdir()
        for folder in (".venv", ".local"):
            (tmp_path / folder).mkdir()
        (tmp_path / ".local" / account.POINTER).write_text(f"{place}\n")

        subprocess.run(["make", "-f", str(ROOT / "Makefile"), "clean"], cwd=tmp_path, check=True)

        assert [path.name for path in tmp_path.iterdir()] == ["smartsupport-others"]
    assert not any(place.exists() for place in own)
