"""The Dockerfile without Docker: its COPY lines into an empty folder, and what it runs there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.servers import OURS
from tests.shipping.nginx import DOCKER, ROOT

DOCKERFILE = DOCKER / "Dockerfile"
IGNORED = shutil.ignore_patterns("__pycache__")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined, comments left out."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = [line.partition(" ") for line in joined.splitlines() if line.strip()]
    return [(name, rest.strip()) for name, _, rest in found]


def last_stage() -> list[tuple[str, str]]:
    every = instructions()
    begins = max(place for place, (name, _) in enumerate(every) if name == "FROM")
    return every[begins:]


def environment() -> dict[str, str]:
    """What the last stage's ENV lines set."""
    words = " ".join(rest for name, rest in last_stage() if name == "ENV").split()
    return dict(word.split("=", 1) for word in words)


def build(folder: Path) -> None:
    """Copy what the last stage copies from the checkout, then run its `RUN python` lines there."""
    for name, rest in last_stage():
        words = rest.split()
        if name == "COPY" and not words[0].startswith("--from"):
            _copy(words[:-1], folder / words[-1].rstrip("/"))
        elif name == "RUN" and "python " in rest:
            _run(rest, folder)


def _copy(sources: list[str], target: Path) -> None:
    for source in sources:
        found = ROOT / source
        if found.is_dir():
            shutil.copytree(found, target, ignore=IGNORED)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, target / found.name)


def _run(line: str, folder: Path) -> None:
    theirs = {name for name in os.environ if name.startswith(("SMARTSUPPORT_", "DJANGO_", "PYTEST_"))}
    kept = {name: value for name, value in os.environ.items() if name not in {*OURS, *theirs, "PYTHONPATH"}}
    set_there = {
        name: value.replace("/app", str(folder)).replace("/data", str(folder / "data"))
        for name, value in environment().items()
        if name != "PATH"
    }
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", line], cwd=folder, env=kept | set_there | {"PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
