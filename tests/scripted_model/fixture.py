"""The scripted model as a pytest fixture: `from tests.scripted_model.fixture import scripted_model`."""

import json
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib import request

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 90


class RunningModel:
    """A live server. `url` goes into OPENAI_BASE_URL; `host_url` is the same without the `/v1`."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.host_url = url.removesuffix("/v1")
        self.pid = pid

    def script(self, *rules: dict[str, Any]) -> None:
        """Put these rules into force instead of the ones before. Raises HTTPError where one is faulty."""
        self._call("PUT", "/_script", list(rules))

    def requests(self, *, summary: bool = False) -> list[dict[str, Any]]:
        """What was received, oldest first: path, headers, body, prompt_tokens and monotonic times."""
        found: list[dict[str, Any]] = self._call("GET", "/_requests" + ("?summary=1" if summary else ""))
        return found

    def forget(self) -> None:
        self._call("DELETE", "/_requests")

    def holds(self, answers: int = 1) -> int:
        """Wait until it holds so many answers, as rules with `hold` tell it; how many it holds then. Raises HTTPError
        where it never does."""
        held: int = self._call("GET", f"/_held?least={answers}")["held"]
        return held

    def release(self, answers: int | None = None) -> None:
        """Go on with the answers that are held, or with so many of them: those held longest. Later ones are held."""
        self._call("POST", "/_release" + ("" if answers is None else f"?count={answers}"))

    def clear(self) -> None:
        """No rules, no remembered requests and nothing held: as it was when it started."""
        self.script()
        self.forget()
        self.release()

    def _call(self, method: str, path: str, content: Any = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        asked = request.Request(self.host_url + path, data=body, method=method)  # noqa: S310  our own server
        with request.build_opener(request.ProxyHandler({})).open(asked, timeout=PATIENCE_SECONDS) as answer:
            return json.loads(answer.read())


@contextmanager
def running(*, keep: int = 2000) -> Iterator[RunningModel]:
    """Start the server on a free port; it is stopped at the end, or when this process is gone."""
    command = [sys.executable, "-m", "tests.scripted_model", "--port", "0", "--keep", str(keep), "--attached"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        try:
            assert started.stdout is not None
            ready, _, _ = select.select([started.stdout], [], [], PATIENCE_SECONDS)
            line = started.stdout.readline().decode() if ready else ""
            if "http" not in line:
                raise RuntimeError(
                    f"The scripted model did not start within {PATIENCE_SECONDS} seconds: {line!r}"
                )
            yield RunningModel(line.split()[-1], started.pid)
        finally:
            started.terminate()


@pytest.fixture(scope="session")
def scripted_model_server() -> Iterator[RunningModel]:
    with running() as model:
        yield model


@pytest.fixture
def scripted_model(scripted_model_server: RunningModel) -> RunningModel:
    """The session's server with no rules in force and nothing remembered."""
    scripted_model_server.clear()
    return scripted_model_server
