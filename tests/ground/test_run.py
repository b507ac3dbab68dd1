"""`make run`: it starts, it says so, and whatever ends it, nothing stays behind."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from smartsupport.embedded import ports, remembered
from tests.ground.product import ROOT, Product

pytestmark = pytest.mark.machine
Start = Callable[..., Product]
READY = "Smart Support is ready."


@contextmanager
def _new_data_dir() -> Iterator[Path]:
    """A data folder whose name has a space in it. Not pytest's own, which nobody but its owner may pass through."""
    outer = Path(tempfile.mkdtemp(prefix="smartsupport-run-"))
    outer.chmod(0o711)
    yield outer / "my data"
    assert list((outer / "tmp").iterdir()) == [], (
        "whoever was killed leaves nothing outside of the data folder"
    )
    shutil.rmtree(outer)


@contextmanager
def _starting(folder: Path) -> Iterator[Start]:
    started: list[Product] = []

    def begin(**options) -> Product:
        started.append(Product(folder, **options))
        return started[-1]

    yield begin
    for product in started:
        product.kill()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder where nothing was ever started."""
    with _new_data_dir() as folder:
        yield folder


@pytest.fixture(scope="module")
def used_data_dir() -> Iterator[Path]:
    """A folder for runs that only have to run: with what one leaves behind, however it ended, the next begins."""
    with _new_data_dir() as folder:
        yield folder


@pytest.fixture
def start(data_dir: Path) -> Iterator[Start]:
    """Starts a product in this test's own data folder."""
    with _starting(data_dir) as begin:
        yield begin


@pytest.fixture
def start_again(used_data_dir: Path) -> Iterator[Start]:
    """Starts a product in the folder that this module's tests share."""
    with _starting(used_data_dir) as begin:
        yield begin


def test_a_run_is_used_stopped_and_started_again(start: Start, data_dir: Path) -> None:
    """One test for what needs a running product and leaves it running, because each start takes its time."""
    first = start(ADMIN_PASSWORD="a password of my own")
    first.wait_for_line(READY)
    _says_only_what_a_person_wants_to_know(first)
    _answers_on_this_machine_only(first)
    _is_found_by_manage_py_typed_by_hand(first)
    _refuses_a_second_run_on_its_data(first, start)
    with psycopg.connect(remembered.read(data_dir).database_url) as database:
        database.execute("CREATE TABLE left_behind AS SELECT 42 AS answer")

    first.process.send_signal(signal.SIGINT)
    assert first.wait_until_gone() == 0
    assert first.lines[-1] == "Everything is stopped."
    assert ports.is_free(first.port)
    assert ports.is_free(first.demo_port)

    second = start()
    second.wait_for_line(READY)
    with psycopg.connect(remembered.read(data_dir).database_url) as database:
        assert database.execute("SELECT answer FROM left_behind").fetchone() == (42,)
        assert database.execute("SELECT count(*) FROM auth_user WHERE username = 'admin'").fetchone() == (1,)

    second.process.send_signal(signal.SIGTERM)
    assert second.wait_until_gone() == 128 + signal.SIGTERM


def _says_only_what_a_person_wants_to_know(product: Product) -> None:
    product.wait_for_line("Press Ctrl-C to stop everything.")
    told = product.lines[product.lines.index(READY) + 1 :]
    assert [line for line in told if not re.match(r"  [A-Z].{13}\S|  or as |Press Ctrl-C", line)] == []
    assert [line[2:16].strip() for line in told if line.startswith("  ")] == [
        "Chat", "Console", "API docs", "Demo business", "Log in as", "or as", "API key", "Model prices", "Tools",
        "Agents", "Model",
    ]  # fmt: skip


def _answers_on_this_machine_only(product: Product) -> None:
    ready = httpx.get(f"http://127.0.0.1:{product.port}/readyz", trust_env=False, timeout=60)
    assert ready.status_code == 200, ready.text
    listening = {line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if " 0A " in line}
    for port in (product.port, product.demo_port):
        assert {address for address in listening if address.endswith(f":{port:04X}")} == {
            f"0100007F:{port:04X}"
        }


def _is_found_by_manage_py_typed_by_hand(product: Product) -> None:
    by_hand = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--check"],
        cwd=ROOT,
        env=product.env,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert by_hand.returncode == 0, by_hand.stderr


def _refuses_a_second_run_on_its_data(first: Product, start: Start) -> None:
    second = start()
    assert second.wait_until_gone() == 1
    assert len(second.lines) == 1
    assert second.lines[0].startswith("Another run uses ")
    alive = httpx.get(f"http://127.0.0.1:{first.port}/healthz", trust_env=False, timeout=60)
    assert alive.status_code == 200


@pytest.mark.parametrize("whole_group", [True, False], ids=["the terminal's whole group", "make alone"])
def test_interrupting_make_stops_all_of_it(start_again: Start, whole_group: bool) -> None:
    product = start_again(by_make=True)
    product.wait_for_line(READY)

    if whole_group:
        os.killpg(product.process.pid, signal.SIGINT)
    else:
        product.process.send_signal(signal.SIGINT)

    product.wait_until_gone()
    assert "Everything is stopped." in product.lines


@pytest.mark.parametrize("by_make", [True, False], ids=["make", "the supervisor"])
def test_killing_the_parent_leaves_nothing(start_again: Start, by_make: bool) -> None:
    product = start_again(by_make=by_make)
    product.wait_for_line(READY)
    assert len(product.processes()) > 12

    product.process.kill()

    product.wait_until_gone()


def test_killing_it_in_the_middle_of_its_start_leaves_nothing(start: Start) -> None:
    product = start()
    product.wait_for_line("Starting Postgres")

    product.process.kill()

    product.wait_until_gone()


@pytest.mark.parametrize(
    ("name", "words"), [("web", ["daphne"]), ("jobs", ["celery"]), ("postgres", ["bin/postgres"])]
)
def test_a_crash_of_one_process_stops_the_rest_and_names_it(
    start_again: Start, name: str, words: list[str]
) -> None:
    product = start_again()
    product.wait_for_line(READY)

    os.kill(product.pid_of(*words), signal.SIGKILL)

    assert product.wait_until_gone() == 1
    assert f"{name} ended on its own" in product.output


@pytest.mark.parametrize("variable", ["PORT", "DEMO_PORT"])
def test_a_port_that_is_taken_is_named_in_one_sentence(start: Start, data_dir: Path, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        port = occupant.getsockname()[1]
        product = start(**{variable: str(port)})
        status = product.wait_until_gone()

    assert status == 1
    assert product.lines == [
        f"Port {port} is already in use: stop the program that uses it, or choose another port with {variable}."
    ]
    assert not data_dir.exists()
