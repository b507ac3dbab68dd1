"""What the commands of the documentation are run against: one product with everything, a business of the reader's own
(docs/examples/stores), and a shell in a folder of its own whose `curl` refuses every answer but a good one."""

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from smartsupport.embedded import ports
from tests.docs.pages import ROOT, blocks
from tests.live.chatter import Chatter, Frame, token_for
from tests.live.stack import API_KEY, Stack, until

STORES = ROOT / "docs" / "examples" / "stores"
# Its answer's status goes to standard error, one line each; anything but 2xx ends the shell.
CURL = """#!/bin/sh
exec /usr/bin/env -u http_proxy -u https_proxy PATH="$REAL_PATH" curl --fail-with-body --max-time 90 \\
  --noproxy '*' -w '%{stderr}status %{http_code}\\n' "$@"
"""

# The next block of the page goes on with the import of this one.
KEEP = """
if [ -n "${JOB-}" ]; then printf %s "$JOB" > "$HOME/job"; fi"""


class World:
    """`stack` is the product with its jobs; `stores_port` serves the example of a business of one's own;
    `to_review` is the import that a demonstration is about to publish."""

    def __init__(self, directory: Path) -> None:
        self.folder = directory / "reader"
        self.stack = Stack("docs", directory / "stack", STREAM_SECONDS="3")
        self.to_review = ""
        self.stores_port = ports.choose(None)
        self.stack.env["SAFE_HTTP_ALLOWED_HOSTS"] = (
            f"127.0.0.1:{self.stores_port},127.0.0.1:{self.stack.port}"
        )

    def start(self) -> None:
        (self.folder / "bin").mkdir(parents=True)
        curl = self.folder / "bin" / "curl"
        curl.write_text(CURL)
        curl.chmod(0o755)
        self.stack.start()
        self.stack.run(
            "jobs", "-m", "celery", "-q", "-A", "smartsupport", "worker", "--beat", "--pool", "solo"
        )
        until(self._stores)
        document = (STORES / "openapi.yaml").read_text().replace(":8100", f":{self.stores_port}")
        (self.folder / "openapi.yaml").write_text(document)

    def _stores(self) -> bool:
        """Whether the example answers, started by the command of the quick start."""
        if "stores" not in self.stack.processes:
            [block] = [b for b in blocks("sh") if b.page == "docs/quick-start.md" and "http.server" in b.text]
            python, *words = shlex.split(block.text.replace("8100", str(self.stores_port)))
            assert python == "python3"
            self.stack.run("stores", *words)
        try:
            address = f"http://127.0.0.1:{self.stores_port}/stores.json"
            return httpx.get(address, trust_env=False, timeout=60).status_code == 200
        except httpx.HTTPError:
            return False

    def shell(self, script: str, **variables: str) -> tuple[str, list[int]]:
        """Run a script as a reader would: what it printed, and the status of each answer that curl got."""
        env = {
            "PATH": f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "REAL_PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "URL": self.stack.url,
            "KEY": API_KEY,
            **variables,
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script + KEEP],
            cwd=self.folder, env=env, capture_output=True, text=True, timeout=180,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout, [int(code) for code in re.findall(r"^status (\d+)$", done.stderr, re.MULTILINE)]

    @property
    def key(self) -> str:
        """An API key that may everything."""
        return API_KEY

    def kept(self) -> dict[str, str]:
        """The JOB of the page's block before, once it is read."""
        if not (self.folder / "job").exists():
            return {"JOB": self.imported()}
        job = (self.folder / "job").read_text()
        self.settled(job)
        return {"JOB": job}

    def pause_jobs(self) -> None:
        """What is asked of the jobs from now on waits until `resume_jobs`."""
        self.stack.processes["jobs"].send_signal(signal.SIGSTOP)

    def resume_jobs(self) -> None:
        self.stack.processes["jobs"].send_signal(signal.SIGCONT)

    def repository(self) -> str:
        """Something that can be cloned, whatever this checkout came from."""
        made = self.folder / "repository"
        subprocess.run(["git", "init", "--quiet", str(made)], check=True, cwd=self.folder)
        return str(made)

    def say(self, *contents: str, thread_id: str = "", decide: bool | None = None) -> list[Frame]:
        """A customer writes, and answers what they are asked; all frames."""

        self.rest()

        async def talk() -> list[Frame]:
            async with Chatter(self.stack.socket_url, token=token_for("cus_1001")) as customer:
                customer.thread_id = thread_id or uuid.uuid4().hex
                for content in contents:
                    last = (await customer.say(content))[-1]
                    if last["type"] == "interrupt" and decide is not None:
                        await customer.answer(decide, interrupt_id=last["interrupt_id"])
                return customer.seen

        return asyncio.run(talk())

    def rest(self) -> None:
        """A minute of a reader's life in which nobody writes."""
        self.stack.db("UPDATE chat_customer SET accepted_at = '{}'")

    def awaiting(self) -> str:
        """The id of an approval that waits for staff, and is nobody else's."""
        asked = self.say("Please give me a 10% discount on order 1055")[-1]
        assert asked["type"] == "interrupt", asked
        return str(asked["interrupt_id"])

    @cached_property
    def thread(self) -> str:
        """A conversation in which something was said."""
        thread_id = "docs-" + uuid.uuid4().hex[:8]
        self.say("What is the status of order 1042?", thread_id=thread_id)
        return thread_id

    def imported(self, **body: Any) -> str:
        """The id of an import that waits for its review."""
        document = (self.folder / "openapi.yaml").read_text()
        sent = self.stack.api.post(
            "/openapi/import", json=body or {"text": document, "name": uuid.uuid4().hex[:8]}
        )
        job = str(sent.raise_for_status().json()["data"]["job_id"])
        self.settled(job)
        return job

    def settled(self, job: str) -> dict[str, Any]:
        """Wait until an import is read; the import."""

        def over() -> dict[str, Any] | None:
            at: dict[str, Any] = self.stack.api.get(f"/openapi/jobs/{job}").json()["data"]
            return at if at["status"] in ("done", "failed", "cancelled") else None

        found: dict[str, Any] = until(over)
        assert found["status"] == "done", found
        return found


@contextmanager
def running(directory: Path) -> Iterator[World]:
    world = World(directory)
    try:
        world.start()
        yield world
    finally:
        world.stack.stop()


def answers(text: str) -> list[Any]:
    """The JSON values that follow one another in a text."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        value, at = decoder.raw_decode(text, at)
        found.append(value)
    return found
