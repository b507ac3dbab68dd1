"""The database that compose.yml makes: the product lives in it as a role that is no superuser."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse, urlunparse

import psycopg
import pytest

from smartsupport.backups.programs import _candidates
from smartsupport.embedded import postgres
from tests.servers import OURS
from tests.shipping.fleet import SERVICES
from tests.shipping.nginx import DOCKER, ROOT

PASSWORD = "the-password-of-the-env-file"


@pytest.fixture
def made() -> Iterator[postgres.Postgres]:
    """A cluster as the image has it when it runs what is mounted for its first start."""
    folder = Path(tempfile.mkdtemp(prefix="smartsupport-role-"))
    folder.chmod(0o711)  # Postgres runs as somebody else
    server = postgres.start(folder, throwaway=True)
    try:
        [script] = (DOCKER / "postgres").glob("*.sql")
        psql = next(_candidates("psql"))
        command = [psql, "-v", "ON_ERROR_STOP=1", "--no-password", "--no-psqlrc", "-f", script, server.url]
        env = os.environ | {"POSTGRES_PASSWORD": PASSWORD}
        subprocess.run(command, env=env, check=True, capture_output=True, text=True)
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_it_migrates_backs_up_and_restores_as_a_role_that_is_no_superuser(
    made: postgres.Postgres, tmp_path: Path
) -> None:
    asked = SERVICES["web"]["environment"]["DATABASE_URL"]
    assert "://smartsupport:" in asked, "the role that the script makes"
    own = urlparse(made.url)._replace(netloc=f"smartsupport:{PASSWORD}@127.0.0.1:{made.port}")
    env = {name: value for name, value in os.environ.items() if name not in OURS} | {
        "DATABASE_URL": urlunparse(own),
        "REDIS_URL": os.environ["REDIS_URL"],
        "DATA_DIR": str(tmp_path / "data"),
        "DJANGO_SETTINGS_MODULE": "smartsupport.settings",
    }
    file = str(tmp_path / "one.backup")

    for words in (["migrate"], ["seed", "--no-demo"], ["backup", file], ["restore", file, "--replace"]):
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    with psycopg.connect(urlunparse(own), autocommit=True) as product:
        assert product.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (
            False,
        )
        assert product.execute("SELECT count(*) FROM auth_user").fetchone() == (1,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            product.execute("COPY (SELECT 1) TO PROGRAM 'true'")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(made.url)
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(
            urlunparse(urlparse(made.url)._replace(netloc=f"postgres:{PASSWORD}@127.0.0.1:{made.port}"))
        )
