"""`make audit` says in words when nobody could be asked, and never that all is well."""

import os
import subprocess
import sys

from tests.ground.product import ROOT


def test_where_the_database_of_advisories_is_away_it_fails_and_says_so() -> None:
    nowhere = "http://127.0.0.1:1"
    env = os.environ | {"HTTPS_PROXY": nowhere, "HTTP_PROXY": nowhere, "https_proxy": nowhere, "NO_PROXY": ""}

    command = [sys.executable, ".ci/audit.py"]
    ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=180)

    assert ended.returncode == 2
    assert ended.stderr.startswith("The database of advisories could not be asked, so nothing is known")
    assert "known holes" not in ended.stdout


def test_make_knows_it() -> None:
    shown = subprocess.run(["make", "-n", "audit"], cwd=ROOT, capture_output=True, text=True, timeout=180)

    assert ".ci/audit.py" in shown.stdout
