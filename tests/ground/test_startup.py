"""What every program does around its imports."""

import gc
import os
import re
import subprocess
import sys

import pytest
from django.conf import LazySettings
from django.db import connection

from smartsupport import startup
from tests.ground.product import ROOT

WHAT_IS_LOADED = """
import gc, sys
from smartsupport import asgi
assert gc.isenabled() and gc.get_freeze_count() > 100_000, gc.get_freeze_count()
print(sorted(name for name in ("langsmith", "langgraph", "langchain_openai", "openai") if name in sys.modules))
"""


def test_what_is_loaded_is_never_searched_for_garbage() -> None:
    frozen_before = gc.get_freeze_count()
    with startup.loading():
        assert not gc.isenabled()
        stays = [{}]
    assert gc.isenabled()
    assert gc.get_freeze_count() > frozen_before
    assert all(found is not stays for found in gc.get_objects())


def test_a_failed_import_leaves_collecting_on() -> None:
    with pytest.raises(ImportError), startup.loading():
        raise ImportError
    assert gc.isenabled()


def test_the_web_process_loads_nothing_that_only_turns_need() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", WHAT_IS_LOADED],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "smartsupport.settings"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert (answer.returncode, answer.stdout.strip()) == (0, "[]"), answer.stderr[-2000:]


def test_a_command_says_which_server_does_not_answer_and_why(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert startup.unusable_server() == ""

    settings.REDIS_URL = "redis://:a-secret@127.0.0.1:1/0"
    valkey = startup.unusable_server()
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    postgres = startup.unusable_server()

    assert re.fullmatch(r"Valkey cannot be used: Error 111 .*refused\. Look .*, and at REDIS_URL\.", valkey)
    assert re.fullmatch(
        r"Postgres cannot be used: connection failed: .*refused\. Look .*, and at DATABASE_URL\.", postgres
    )
    assert "a-secret" not in valkey
