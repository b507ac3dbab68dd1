"""The demo business as a process of its own, spoken to over HTTP."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.demo.program import Program

Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts programs of the test's own; all of them are stopped at its end."""
    programs: list[Program] = []

    def run(data: Path | None = None, *options: str, **environment: str) -> Program:
        program = Program(data or tmp_path / "books", *options, **environment)
        programs.append(program)
        return program

    yield run
    for program in programs:
        program.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One program for a module's tests."""
    program = Program(tmp_path_factory.mktemp("books"))
    yield program
    exit_status, complaints = program.stop()
    assert (exit_status, complaints) == (0, "")


@pytest.fixture
def business(shared: Program) -> httpx.Client:
    """A client of the shared program, whose books are as on the first day."""
    assert shared.client.post("/_reset").status_code == 200
    return shared.client
