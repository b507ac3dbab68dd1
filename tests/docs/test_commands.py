"""Every command of the documentation is run, or named tests run it, or it is shown to be what the program offers."""

import io
import re
import shlex
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from typing import Any

import pytest
import yaml
from django.core.management import call_command, get_commands

from tests.docs import pages
from tests.docs.cases import CASES, Command, Compose, Held, Live, Offered, case_of, is_of
from tests.docs.pages import Block
from tests.docs.world import World, answers

LANGUAGES = {"sh", "console", "json", "yaml", "python", "js", "html", "http", "env", "mermaid", "text"}
LOOKS_LIKE_A_COMMAND = re.compile(
    r"^\s*(\$ |curl |make |python3? |manage\.py |docker |\.venv/|[A-Z_]+=\S* make )", re.MULTILINE
)
MODULE = re.compile(r"-m ((?:tests|smartsupport|openapi_import)[\w.]*)(.*)")
SHELL = pages.blocks("sh")


def _of(kind: type) -> list[Block]:
    return [block for block in SHELL if isinstance(case_of(block), kind)]


def test_every_block_says_what_it_is() -> None:
    assert [str(block) for block in pages.blocks() if block.language not in LANGUAGES] == []
    shown = pages.blocks("text", "json", "yaml", "env", "http", "html", "js")
    assert [str(block) for block in shown if LOOKS_LIKE_A_COMMAND.search(block.text)] == []
    assert "```" not in "".join(pages.prose(page) for page in pages.names())


def test_every_shell_block_has_one_entry_and_every_entry_a_block() -> None:
    assert [str(block) for block in SHELL if case_of(block) is None] == []
    blocks = {entry: [block for block in SHELL if is_of(block, *entry)] for entry in CASES}
    assert [entry for entry, found in blocks.items() if len(found) != 1] == []


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_it_is_a_shell_s(block: Block) -> None:
    done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.xdist_group("docs")
@pytest.mark.parametrize("block", _of(Live), ids=str)
def test_it_runs(block: Block, world: World) -> None:
    case: Any = case_of(block)
    script = block.text
    for old, new in case.swaps(world).items():
        assert old in script
        script = script.replace(old, new)

    try:
        output, statuses = world.shell(script, **case.variables(world))
    finally:
        case.after(world)

    assert all(200 <= status < 300 for status in statuses)
    assert len(statuses) == len(re.findall(r"\bcurl ", script))
    for text in case.prints:
        assert text in output
    if case.answers:
        found = answers(output)
        assert len(found) == len(case.answers)
        for answer, path in zip(found, case.answers, strict=True):
            told = " ".join(pages.CODE.findall(pages.prose(block.page) + pages.prose("docs/api.md")))
            assert re.search(rf"\b{path.split('.')[-1]}\b", told), "no page tells of it"
            for name in path.split("."):
                answer = answer[name]
            assert answer not in (None, "")


@pytest.mark.parametrize("block", _of(Command), ids=str)
@pytest.mark.django_db(transaction=True)
def test_management_commands_run(block: Block) -> None:
    case: Any = case_of(block)
    case.before()
    said = io.StringIO()
    call_command("verify_audit", stdout=said)
    anchor = said.getvalue().split("Anchor: ")[-1].strip()
    for line in block.commands:
        for old, new in case.swaps.items():
            assert old in line
            line = line.replace(old, new.replace("$ANCHOR", anchor))
        program, *words = shlex.split(line)
        assert program == "manage.py"
        call_command(*words, stdout=io.StringIO())


@pytest.mark.parametrize("block", _of(Offered), ids=str)
def test_long_programs_have_these_options(block: Block) -> None:
    for line in block.commands:
        for command in _of_make(line) if "make " in line else [line]:
            found = MODULE.search(command)
            assert found, command
            options = re.findall(r"(?<= )--[\w-]+", found[2])
            assert find_spec(found[1]), command
            if options:
                assert set(options) <= set(re.findall(r"--[\w-]+", _help(found[1]))), command


def _of_make(line: str) -> list[str]:
    """What make would run for it."""
    words = line[line.index("make ") :].replace("...", "x")
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", "-o", ".venv/installed-dev", *shlex.split(words)[1:]],
        cwd=pages.ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [line for line in done.stdout.splitlines() if MODULE.search(line) and "tests.browser" not in line]


@cache
def _help(module: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=pages.ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("block", _of(Compose), ids=str)
def test_compose_has_what_it_is_asked_for(block: Block) -> None:
    services = set(yaml.safe_load((pages.ROOT / "docker" / "compose.yml").read_text())["services"])
    for line in block.commands:
        words = shlex.split(line)
        assert words[:3] == ["docker", "compose", "-f"]
        files = [words[place + 1] for place, word in enumerate(words) if word == "-f"]
        assert all((pages.ROOT / file).is_file() for file in files)
        verb = next(word for word in words[4:] if word in ("up", "run", "stop", "exec", "logs"))
        rest = words[words.index(verb) + 1 :]
        if "manage.py" in rest:
            at = rest.index("manage.py")
            assert rest[at + 1] in get_commands()
            assert rest[at - 2] in services
        if verb == "stop":
            assert rest
            assert set(rest) <= services
        if verb == "up":
            assert {word.split("=")[0] for word in rest if not word.startswith("-")} <= services


@pytest.mark.parametrize("block", _of(Held), ids=str)
def test_the_tests_that_run_it_are_there(block: Block) -> None:
    case: Any = case_of(block)
    path, name = case.by.split("::")

    assert re.search(rf"^ *(async )?def {name}\(", (pages.ROOT / path).read_text(), re.MULTILINE)
