"""Commands in the middle of a sentence or a table: what they name is there, and a test runs it."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.core.management import get_commands

from tests.docs import pages

# Which test runs a program, by how the command begins.
RUN_BY = {
    "make run": "tests/ground/test_run.py",
    "python manage.py migrate": "tests/shipping/test_programs.py",
    "python manage.py collectstatic": "tests/ground/test_static_files.py",
    "python manage.py shell": "tests/docs/cases.py",
    "manage.py runworker": "tests/live/stack.py",
    "make clean": "tests/ground/test_embedded.py",
    "manage.py seed": "tests/live/stack.py",
    "manage.py backup": "tests/shipping/test_backups.py",
    "manage.py restore": "tests/shipping/test_backups.py",
    "manage.py reseal": "tests/shipping/test_keys.py",
    "manage.py verify_audit": "tests/docs/test_examples.py",
    "manage.py make_dataset": "tests/admin/test_pages_at_scale.py",
    "manage.py rebuild_analytics": "tests/analytics/test_rollups.py",
    "manage.py write_analytics_docs": "tests/analytics/test_docs.py",
    "daphne": "tests/live/stack.py",
    "celery": "tests/docs/world.py",
    "curl": "tests/docs/test_commands.py",
}
# Too long for a test, or for people who work here: what they start is shown to be there.
BY_HAND = {"make bench", "make bench-import", "make faults", "make soak", "make screenshots"}
BY_HAND |= {
    "make test",
    "make check",
    "make lint",
    "make audit",
    "make fuzz-api",
    "make rehearse-upgrade",
    ".ci/run",
}
COMMAND = re.compile(
    r"^(\.ci/run|(VERSION=\S+ )?docker compose|make [a-z-]+|(\.venv/bin/)?(python )?manage\.py \w+"
    r"|(\.venv/bin/)?python3? -m \S+|celery |daphne |\.venv/bin/pytest|pip install|curl )"
)
PROGRAM = re.compile(
    r"^(?:\.venv/bin/)?(make [a-z-]+|(?:python )?manage\.py \w+|\.ci/run|celery|daphne|curl)"
)


def _commands() -> list[tuple[str, str]]:
    found = {
        (page, code)
        for page in pages.names()
        if page != "CHANGELOG.md"
        for code in pages.CODE.findall(pages.prose(page))
        if COMMAND.match(code)
    }
    return sorted(found)


@pytest.mark.parametrize(("page", "command"), _commands())
def test_what_it_starts_is_there(page: str, command: str) -> None:
    words = shlex.split(command)
    if "manage.py" in command:
        name = words[next(i for i, word in enumerate(words) if word.endswith("manage.py")) + 1]
        assert name in get_commands()
        for option in re.findall(r"--[\w-]+", command):
            assert option in _source_of(name), option
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (pages.ROOT / "Makefile").read_text(), re.MULTILINE)
    if "-m" in words:
        assert find_spec(words[words.index("-m") + 1])
    if words[0] == "docker" and "-f" in words:
        assert (pages.ROOT / words[words.index("-f") + 1]).is_file()
    if words[0].endswith("pytest"):
        assert (pages.ROOT / words[1]).is_file()
    if words[:2] == ["pip", "install"]:
        assert f'"{words[2]}"' in (pages.ROOT / "agents" / "providers" / "catalogue.py").read_text()


@pytest.mark.parametrize(("page", "command"), _commands())
def test_a_test_runs_it(page: str, command: str) -> None:
    program = PROGRAM.match(command)
    if program is None or program[1] in BY_HAND:
        return
    names = [begin for begin in RUN_BY if program[1].removeprefix("python ") == begin.removeprefix("python ")]
    assert names, program[1]
    text = (pages.ROOT / RUN_BY[names[0]]).read_text()
    last = program[1].split()[-1]
    assert last in text, f"{RUN_BY[names[0]]} does not name {last}"


def _source_of(name: str) -> str:
    module = find_spec(f"{get_commands()[name]}.management.commands.{name}")
    assert module
    assert module.origin
    return Path(module.origin).read_text(encoding="utf-8")
