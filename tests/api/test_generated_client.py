"""A client that is generated from the served document works against the server that served it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import pages
from tests.live.stack import API_KEY, ROOT, Stack

pytestmark = pytest.mark.xdist_group("live-offline")


def test_it_is_generated_without_a_warning_and_passes_a_smoke_suite(
    offline_stack: Stack, tmp_path: Path
) -> None:
    document = tmp_path / "openapi.json"
    document.write_bytes(offline_stack.api.get("/schema/", headers={"Accept": "application/json"}).content)
    tools = Path(sys.executable).parent
    env = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "TERM": "dumb"}

    generated = subprocess.run(
        [
            str(tools / "openapi-python-client"), "generate", "--fail-on-warning",
            "--path", str(document), "--config", str(ROOT / "docs" / "openapi-python-client.yaml"),
            "--output-path", str(tmp_path / "client"),
        ],
        env=env, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    told = generated.stdout + generated.stderr
    assert generated.returncode == 0, told
    assert "warning" not in told.lower(), told

    story = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("client_story.py")), offline_stack.url, API_KEY],
        env=env | {"PYTHONPATH": str(tmp_path / "client")},
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert story.stdout.strip() == "The client works.", story.stderr

    [example] = [b.text for b in pages.blocks("python") if "smart_support_api_client" in b.text]
    shown = subprocess.run(
        [sys.executable, "-c", f"url, key = {offline_stack.url!r}, {API_KEY!r}\n{example}\nprint(page.success)"],
        env=env | {"PYTHONPATH": str(tmp_path / "client"), "NO_PROXY": "*"},
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert shown.stdout.strip() == "True", shown.stderr
