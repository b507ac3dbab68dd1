"""`python -m tests.api.fuzz [SECONDS]` (`make fuzz-api`): schemathesis against the running product, all checks and all
phases, with a key that may do everything and rows to find. What it looks at, and what it is told, is in fuzz_hooks.py.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.live.stack import API_KEY, ROOT, Stack

EVERYTHING = ("examples", "coverage", "fuzzing", "stateful")
FIRST_OF_EACH = "FUZZ_FIRST_OF_EACH"
"""In the environment: of the cases of the coverage phase only the first of each kind (fuzz_hooks.py)."""


def seed(stack: Stack) -> None:
    """A conversation with an approval that waits for staff, one with an answer, an import and an endpoint."""
    asked = {"content": "Please give me a 10% discount on order 1050", "customer": {"subject": "cus_1001"}}
    told = stack.api.post("/conversations/shop-4711/messages?wait=60", json=asked)
    assert told.json()["data"]["pending"], told.text
    known = {"content": "What is the status of order 1050?", "customer": {"subject": "cus_1001"}}
    assert stack.api.post("/conversations/shop-4712/messages?wait=60", json=known).status_code == 200
    document = '{"openapi": "3.1.0", "info": {"title": "Shop", "version": "1"}, "paths": {}}'
    assert stack.api.post("/openapi/import", json={"text": document}).status_code == 202


def run(
    stack: Stack,
    *,
    seconds: int = 0,
    examples: int = 0,
    phases: tuple[str, ...] = EVERYTHING,
    report: Path,
) -> tuple[int, str]:
    """The exit code (0: nothing was found) and what schemathesis told. For so many `seconds`, or else so many
    `examples` of each operation and the first case of each kind: these are the same in every run, however fast the
    machine."""
    amount = ["--max-time", str(seconds)] if seconds else ["--max-examples", str(examples)]
    words = [
        str(Path(sys.executable).parent / "st"),
        "--config-file", str(ROOT / "tests" / "api" / "schemathesis.toml"),
        "run", f"{stack.url}/api/v1/schema/",
        "--header", f"X-API-Key: {API_KEY}",
        "--phases", ",".join(phases),
        *amount,
        "--no-color",
        *([] if seconds else ["--generation-deterministic"]),
    ]  # fmt: skip
    env = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    env |= {"SCHEMATHESIS_HOOKS": "tests.api.fuzz_hooks", "PYTHONPATH": str(ROOT)}
    env |= {} if seconds else {FIRST_OF_EACH: "yes"}
    done = subprocess.run(words, cwd=report, env=env, capture_output=True, text=True, timeout=seconds + 600)
    return done.returncode, done.stdout + done.stderr


def main(seconds: int = 600) -> int:
    from tests import servers

    servers.provide()
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack("fuzz", Path(folder) / "stack", STREAM_SECONDS="1")
        (Path(folder) / "report").mkdir()
        try:
            stack.start()
            seed(stack)
            code, told = run(stack, seconds=seconds, report=Path(folder) / "report")
        finally:
            stack.stop()
    print(told)
    return code


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
