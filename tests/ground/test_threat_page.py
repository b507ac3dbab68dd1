"""The threat model names tests that exist, and says openly what has none."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
PATH = re.compile(r"`((?:tests|docs|smartsupport)/[\w/.-]+)`")
NOT_COVERED = "**not covered**"


def threats() -> list[list[str]]:
    """Rows (what could happen, what prevents it, held by) of the tables of threats."""
    tables = PAGE.split("| what could happen | what prevents it | held by |\n|---|---|---|\n")[1:]
    lines = [line for table in tables for line in table.split("\n\n")[0].splitlines()]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@cache
def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)}


def test_every_test_that_the_page_names_is_there() -> None:
    named = NAMED.findall(PAGE)

    assert len(named) > 80
    missing = [f"{file}::{name}" for file, name in named if not (ROOT / "tests" / file).is_file()]
    assert missing == []
    assert [
        f"{file}::{name}" for file, name in named if name not in functions_of(ROOT / "tests" / file)
    ] == []
    assert all(name.startswith("test_") for _, name in named)


def test_every_path_that_the_page_names_is_there() -> None:
    paths = PATH.findall(PAGE)

    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_threat_says_what_prevents_it_and_has_a_test_or_says_that_it_has_none() -> None:
    rows = threats()

    assert len(rows) >= 60
    assert [row for row in rows if len(row) != 3 or not all(row)] == []
    assert [row for row in rows if not NAMED.search(row[2]) and row[2] != NOT_COVERED] == []
    assert len({row[0] for row in rows}) == len(rows)


def test_what_is_not_covered_is_listed_at_the_end() -> None:
    listed = re.findall(r"^- ", PAGE.split("\n## Not covered\n")[1], re.MULTILINE)
    without = [row for row in threats() if row[2] == NOT_COVERED]

    assert without
    assert len(listed) >= len(without)
