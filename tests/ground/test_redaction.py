"""What nobody finds in a log: planted into real loggers of every kind, and looked for in what they wrote."""

import json
import os
import re
import subprocess
import sys

import pytest

from smartsupport import logs
from tests.ground.product import ROOT

PLANTED = {
    "a card number": "4111111111111111",
    "a card number with spaces": "4111 1111 1111 1111",
    "a card number with dashes": "5500-0000-0000-0004",
    "a card number in a query": "GET /x?q=4111+1111+1111+1111&a=1",
    "a card number in a path": "/x/4111%201111%201111%201111/y",
    "an e-mail address in a path": "GET /api/v1/usage/margaret.hamilton%40shop.example",
    "an e-mail address in a query": "/x?q=margaret%2Bhamilton%40shop.example&a=1",
    "an e-mail address in a query in a query": "/x?next=%3Fq%3Dmargaret.hamilton%2540shop.example",
    "an e-mail address of another script": "margaret.hamilton@b\u00fccher.example",
    "a bearer token": "Bearer bearer0123456789abcdef",
    "a live key": "sk_live_51Habcdefghijklmnop",
    "our first key": "ss_Habcdefghijklmnopqrstuvw-yz0123456789_ABCDEF",
    "the link of an approval": "https://x.example/decide/apl_Habcdefghijklmnopqrstuvw-yz0123456789_ABCDEF:1:2",
    "a key of a model provider": "sk-proj-abcdefghijklmnopqrstuv",
    "a web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjdXNfMTAwMSJ9.c2lnbmF0dXJlLW9mLWl0",
    "a webhook secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "a key of a cloud": "AKIAIOSFODNN7EXAMPLE",
    "an e-mail address": "margaret.hamilton@shop.example",
    "a password in an address": "https://margaret:hunter2-of-hers@shop.example/x",
    "a password by its name": "password: hunter2-of-hers",
    "a key of a cloud by its name": "aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "a code that is good once": "Your verification code is 482 913",
    "a code by its name": "OTP: 482913",
}
FRAGMENTS = (
    "4111111111111111", "4111 1111", "5500-0000", "bearer0123456789", "51Habcdefgh", "abcdefghijklmnopqrstuv",
    "eyJzdWIiOi", "c2lnbmF0dXJl", "MfKQ9r8G", "IOSFODNN7", "argaret.hamilton", "hunter2", "bPxRfiCYEX", "482 913",
    "482913", "4111+1111", "4111%20", "argaret%2B", "2Bhamilton", "Habcdefghijkl",
)  # fmt: skip
PROGRAM = f"""
import json, logging, sys
from dataclasses import dataclass
from smartsupport import startup
startup.read_settings()
import django; django.setup()
import structlog

class Row:
    def __init__(self, text): self.text = text
    def __str__(self): return "row of " + self.text
    __repr__ = __str__

ours, theirs = structlog.get_logger("ours"), logging.getLogger("somebody.elses")
for planted in {list(PLANTED.values())!r}:
    ours.info("in the event " + planted)
    ours.info("in a field", note=planted)
    ours.info("nested", body={{"a": [{{"b": ("x", planted)}}], planted: 1, "s": {{planted}}}})
    ours.info("deeper", body=[[[[[[[[planted]]]]]]]])
    ours.info("in bytes", body=planted.encode())
    ours.info("in an object", row=Row(planted), error=ValueError(planted))
    theirs.warning("as an argument %s", planted)
    theirs.warning("as an object %r", Row(planted))
    theirs.warning(planted)
    theirs.warning("with more", extra={{"note": planted}})
    try:
        try:
            raise ValueError("caused by " + planted)
        except ValueError as cause:
            raise RuntimeError("refused " + planted) from cause
    except RuntimeError:
        ours.exception("failed")
        theirs.exception("failed too")
        theirs.error("and again", exc_info=True)
ours.info("a number", card=4111111111111111, amount=1763660000000)
ours.info("the end")
"""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_nothing_planted_is_found_in_what_any_logger_wrote(log_format: str) -> None:
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
    written = ended.stdout + ended.stderr

    assert [one for one in FRAGMENTS if one in written] == []
    assert written.count("the end") == 1
    assert written.count("in the event") == len(PLANTED)
    assert written.count("refused ") >= 3 * len(PLANTED), "tracebacks are still told"
    assert "m***@shop.example" in written
    assert "1763660000000" in written
    if log_format == "json":
        assert all(json.loads(line)["event"] for line in ended.stderr.splitlines())


@pytest.mark.parametrize("what", PLANTED)
def test_logs_and_replays_hide_the_same(what: str) -> None:
    from replay.redaction import redacted

    text = f"they wrote {PLANTED[what]} there"

    for shown in (logs.masked_text(text), redacted(text)):
        assert not any(one in shown for one in FRAGMENTS)
        assert shown.startswith("they wrote ")


@pytest.mark.parametrize(
    "text",
    [
        "conversation 3f2a6c1e-8f5d-4d1e-9a77-0c2d51a1b2c3 took 1,234.567 ms",
        "order 1042 of 2026-11-20 cost 4111.11",
        "GET /api/v1/conversations/t-0123456789ab?page=2 200",
        "12 tokens in, 3 tokens out",
        "call +49 30 1234567",
        "GET /x?at=12%3A40&share=100%25&of=40%40&name=class_of_1984_and_more",
        "the security code is required, error code 1042, PIN code 560001",
        "DE12 3456 7890 1234 5678 90 has other check digits",
    ],
)
def test_what_is_ordinary_stays_as_it_is(text: str) -> None:
    assert logs.masked_text(text) == text


@pytest.mark.parametrize(
    "account", ["DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19", "NO9386011117947"]
)
def test_a_log_holds_no_bank_account_and_staff_may_read_it(account: str) -> None:
    from replay.redaction import said

    text = f"Please send it to {account}, thanks"

    assert logs.masked_text(text) == "Please send it to [account number hidden], thanks"
    assert said(text) == text


def test_masking_a_line_of_ordinary_length_is_no_work() -> None:
    """A pattern that backtracks would take seconds here."""
    long = (
        "a" * 20_000
        + " token" * 2_000
        + " 4" * 5_000
        + "@" * 5_000
        + " OTP " * 5_000
        + "DE12 " * 5_000
        + "A1" * 10_000
    )

    assert re.search("token", logs.masked_text(long))
