"""Logs: one line per fact, what it is about bound to it, and no secret in it."""

import json
import logging
import os
import subprocess
import sys

import pytest
import structlog

from smartsupport import logs
from tests.ground.product import ROOT

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjdXNfMTAwMSJ9.c2lnbmF0dXJlLW9mLWl0"


@pytest.mark.parametrize(
    "text",
    [
        "GET /ws?token=SECRET",
        "GET /ws?a=1&token=SECRET&b=2",
        "WSCONNECT /ws?access_token=SECRET HTTP/1.1",
        "Authorization: Bearer SECRET",
        "{'authorization': 'Bearer SECRET'}",
        "X-API-Key: SECRET",
        "sent x-api-key=SECRET to them",
        "could not connect to postgresql://someone:SECRET@db:5432/x",
        "redis://:SECRET@127.0.0.1:6379/0",
        "api_key=SECRET",
        "password=SECRET",
    ],
)
def test_a_secret_inside_a_text_is_masked(text: str) -> None:
    masked = logs.masked_text(text.replace("SECRET", "s3cr3t-value-1234"))

    assert "s3cr3t" not in masked
    assert logs.MASK in masked


def test_a_customers_token_is_masked_wherever_it_stands() -> None:
    assert logs.masked_text(f"refused {TOKEN} from 10.0.0.1") == f"refused {logs.MASK} from 10.0.0.1"


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "customer_token",
        "password",
        "ADMIN_PASSWORD",
        "api_key",
        "x-api-key",
        "Authorization",
        "secret",
    ],
)
def test_a_field_with_the_name_of_a_secret_is_masked_at_any_depth(name: str) -> None:
    event = logs.mask_secrets(None, "info", {"event": "x", "a": [{"b": {name: "plain"}}], name: "plain"})

    assert "plain" not in json.dumps(event)


def test_counts_of_tokens_and_other_innocent_fields_stay() -> None:
    event = {
        "event": "turn_completed",
        "tokens": 12,
        "token_count": 3,
        "prompt_tokens": "7",
        "idempotency_key": "abc",
    }

    assert logs.mask_secrets(None, "info", dict(event)) == event


PROGRAM = f"""
import logging, structlog
from smartsupport import startup
startup.read_settings()
import django; django.setup()
structlog.contextvars.bind_contextvars(conversation_id="c-1", turn_id="t-1")
structlog.get_logger("ours").info("tool_called", tool="cancel_order", token="s3cr3t")
logging.getLogger("theirs").warning("GET /ws?token=%s", "s3cr3t")
try:
    raise ValueError("bad token {TOKEN}")
except ValueError:
    structlog.get_logger("ours").exception("turn_failed")
"""


def logged(log_format: str) -> str:
    env = os.environ | {"LOG_FORMAT": log_format, "DJANGO_SETTINGS_MODULE": "smartsupport.settings"}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
    )
    return ended.stderr


def test_json_lines_carry_what_they_are_about() -> None:
    lines = [json.loads(line) for line in logged("json").splitlines()]

    assert [line["event"] for line in lines] == ["tool_called", f"GET /ws?token={logs.MASK}", "turn_failed"]
    for line in lines:
        assert line["conversation_id"] == "c-1"
        assert line["turn_id"] == "t-1"
        assert {"timestamp", "level", "logger"} <= line.keys()
    assert "ValueError" in lines[2]["exception"]
    assert "s3cr3t" not in json.dumps(lines)
    assert TOKEN not in json.dumps(lines)


def test_lines_for_people_are_masked_as_well() -> None:
    text = logged("console")

    assert "cancel_order" in text
    assert "ValueError" in text
    assert "s3cr3t" not in text
    assert TOKEN not in text


def test_whoever_watches_our_health_fills_no_log() -> None:
    with pytest.raises(structlog.DropEvent):
        logs.drop_what_says_nothing(None, "info", {"event": "request_finished", "request": "GET /readyz"})
    kept = {"event": "request_finished", "request": "GET /readyz-not"}
    assert logs.drop_what_says_nothing(None, "info", dict(kept)) == kept


def test_sweeps_that_nobody_carried_out_in_time_fill_no_log() -> None:
    late = {"event": "task_revoked", "task": "chat.sweep_turns", "expired": True}
    with pytest.raises(structlog.DropEvent):
        logs.drop_what_says_nothing(None, "warning", dict(late))

    wanted = late | {"expired": False, "terminated": True}
    assert logs.drop_what_says_nothing(None, "warning", dict(wanted)) == wanted


def test_each_request_has_an_id_on_its_line(client, caplog) -> None:
    caplog.set_level(logging.INFO)

    client.get("/api/v1/health?token=s3cr3t")

    (record,) = [record for record in caplog.records if "request_finished" in str(record.msg)]
    assert isinstance(record.msg, dict)
    assert record.msg["request_id"]
