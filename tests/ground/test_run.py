"""`make run`: it starts, it says so, and whatever ends it, nothing stays behind."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from smartsupport.embedded import ports, remembered
from tests.ground.product import Product

pytestmark = pytest.mark.machine
Start = Callable[..., Product]
READY = "Smart Support is ready."


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a product in this test's own data folder, whose name has a space in it."""
    tmp_path.chmod(0o711)
    started: list[Product] = []

    def begin(**options) -> Product:
        started.append(Product(tmp_path / "my data", **options))
        return started[-1]

    yield begin
    for product in started:
        product.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_all_of_it(start: Start, number: signal.Signals) -> None:
    product = start()
    product.wait_for_line(READY)
    assert len(product.processes()) > 6

    product.process.send_signal(number)

    assert product.wait_until_gone() == (0 if number == signal.SIGINT else 128 + number)
    assert product.lines[-1] == "Everything is stopped."
    assert ports.is_free(product.port)
    assert ports.is_free(product.demo_port)


def test_ctrl_c_in_the_terminal_reaches_make_and_stops_all_of_it(start: Start) -> None:
    product = start(by_make=True)
    product.wait_for_line(READY)

    os.killpg(product.process.pid, signal.SIGINT)  # what a terminal does: the whole foreground group

    product.wait_until_gone()
    assert "Everything is stopped." in product.lines


def test_killing_the_supervisor_leaves_nothing(start: Start) -> None:
    product = start()
    product.wait_for_line(READY)

    product.process.kill()

    product.wait_until_gone()


def test_killing_make_leaves_nothing(start: Start) -> None:
    product = start(by_make=True)
    product.wait_for_line(READY)

    product.process.kill()

    product.wait_until_gone()


def test_killing_it_in_the_middle_of_its_start_leaves_nothing(start: Start) -> None:
    product = start()
    product.wait_for_line("Starting Postgres")

    product.process.kill()

    product.wait_until_gone()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("web", ["daphne"]),
        ("turns", ["runworker"]),
        ("jobs", ["celery"]),
        ("demo", ["smartsupport.demo"]),
        ("postgres", ["bin/postgres"]),
        ("valkey", ["valkey-server"]),
    ],
)
def test_a_crash_of_one_process_stops_the_rest_and_names_it(start: Start, name: str, words: list[str]) -> None:
    product = start()
    product.wait_for_line(READY)

    os.kill(product.pid_of(*words), signal.SIGKILL)

    assert product.wait_until_gone() == 1
    assert f"{name} ended on its own" in product.output
    assert "Traceback" not in product.output.rpartition("ended on its own")[2]


def test_the_second_run_finds_what_the_first_one_left(start: Start, tmp_path: Path) -> None:
    first = start(ADMIN_PASSWORD="a password of my own")
    first.wait_for_line(READY)
    urls = remembered.read(tmp_path / "my data")
    with psycopg.connect(urls.database_url) as database:
        database.execute("CREATE TABLE left_behind AS SELECT 42 AS answer")
    first.process.send_signal(signal.SIGINT)
    first.wait_until_gone()

    second = start()
    second.wait_for_line(READY)

    with psycopg.connect(remembered.read(tmp_path / "my data").database_url) as database:
        assert database.execute("SELECT answer FROM left_behind").fetchone() == (42,)
        assert database.execute("SELECT count(*) FROM auth_user WHERE username = 'admin'").fetchone() == (1,)
    page = httpx.get(f"http://127.0.0.1:{second.port}/healthz", trust_env=False)
    assert page.status_code == 200


def test_manage_py_by_hand_finds_the_servers_of_a_running_product(start: Start) -> None:
    product = start()
    product.wait_for_line(READY)

    by_hand = subprocess.run(
        [".venv/bin/python", "manage.py", "migrate", "--check"],
        env=product.env,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert by_hand.returncode == 0, by_hand.stderr


@pytest.mark.parametrize("variable", ["PORT", "DEMO_PORT"])
def test_a_port_that_is_taken_is_named_in_one_sentence(start: Start, tmp_path: Path, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        port = occupant.getsockname()[1]
        product = start(**{variable: str(port)})
        status = product.wait_until_gone()

    assert status == 1
    assert product.lines == [
        f"Port {port} is already in use: stop the program that uses it, or choose another port with {variable}."
    ]
    assert not (tmp_path / "my data").exists()


def test_a_second_run_on_the_same_data_is_refused_and_the_first_goes_on(start: Start) -> None:
    first = start()
    first.wait_for_line(READY)

    second = start()

    assert second.wait_until_gone() == 1
    assert len(second.lines) == 1
    assert second.lines[0].startswith("Another run uses ")
    assert httpx.get(f"http://127.0.0.1:{first.port}/healthz", trust_env=False).status_code == 200


def test_it_binds_to_this_machine_only(start: Start) -> None:
    product = start()
    product.wait_for_line(READY)

    listening = {line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if " 0A " in line}
    for port in (product.port, product.demo_port):
        assert {address for address in listening if address.endswith(f":{port:04X}")} == {f"0100007F:{port:04X}"}
