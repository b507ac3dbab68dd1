"""The program itself: start, stop, credentials, what it makes of junk, and the data it starts with."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.demo.program import ORDER, ROOT, journal, message
from tests.live.stack import until

COUPONS = "/shop/customers/cus_1001/coupons"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_ends_cleanly(start: Any, number: int) -> None:
    program = start()
    port = int(program.url.rpartition(":")[2])

    assert program.announcement == f"demo business API on http://127.0.0.1:{port}\n"
    assert program.client.get("/_health").json()["status"] == "ok"
    assert program.stop(number) == (0, "")
    assert program.rest == ""


def test_it_ends_in_the_middle_of_a_slow_answer_without_acting(start: Any, tmp_path: Path) -> None:
    program = start(tmp_path)
    program.client.post("/_faults", json={"slow_ms": 600_000})
    with pytest.raises(httpx.ReadTimeout):
        program.client.post(f"{ORDER}/cancellation", timeout=httpx.Timeout(60, read=0.2))
    until(lambda: program.client.get("/_faults").json()[0]["fired"] == 1)

    assert program.stop() == (0, "")
    assert journal(start(tmp_path).client) == []


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("--port", str(port), "--data", str(tmp_path))

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert (
        ended.stderr == f"Port {port} is already in use. Stop the other program or choose another --port.\n"
    )


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "demo.sqlite3").write_text("not a database at all, but long enough to be read as one " * 20)

    in_the_way = run("--port", "0", "--data", str(tmp_path / "file"))
    damaged = run("--port", "0", "--data", str(tmp_path))

    for ended in (in_the_way, damaged):
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr.startswith("The data folder ")
        assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--port", "70000", "'70000' is not a port: give a number from 0 to 65535"),
        ("--port", "http", "'http' is not a port: give a number from 0 to 65535"),
        ("--today", "soon", "'soon' is not a day: write it as YYYY-MM-DD"),
    ],
)
def test_an_impossible_option_is_named(tmp_path: Path, option: str, value: str, reason: str) -> None:
    ended = run("--data", str(tmp_path / "books"), option, value)

    assert ended.returncode == 2
    assert reason in ended.stderr
    assert not (tmp_path / "books").exists()


def test_it_imports_neither_django_nor_the_product(tmp_path: Path) -> None:
    script = (
        "import sys, smartsupport.demo.__main__; print(*sorted(m for m in sys.modules if m.count('.') < 2))"
    )

    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=180
    ).stdout.split()

    ours = {name for name in loaded if name.startswith("smartsupport")}
    assert not {"django", "agents", "chat", "openapi_import", "celery"} & set(loaded)
    assert ours == {"smartsupport", "smartsupport.demo"}


def test_with_an_api_key_the_business_asks_for_it(start: Any) -> None:
    client = start(None, DEMO_API_KEY="s3cret-key").client

    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3cret-key"}):
        refused = client.post(f"{ORDER}/cancellation", headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "unauthorized")
    assert journal(client) == []
    assert client.get("/openapi.json").status_code == client.get("/").status_code == 200
    accepted = client.post(f"{ORDER}/cancellation", headers={"Authorization": "Bearer s3cret-key"})
    assert accepted.status_code == 200


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"", 400, "The request body is missing. It must be a JSON object."),
        (b"{", 400, "The request body is not valid JSON."),
        (b"\xff\xfe", 400, "The request body is not valid JSON."),
        (b'{"discount_percent": NaN}', 400, "The request body is not valid JSON."),
        (b'{"discount_percent": 1' + b"0" * 5000 + b"}", 400, "The request body is not valid JSON."),
        (b'{"\\ud800": 1}', 400, "The request body is not valid JSON."),
        (b"[" * 60_000, 400, "The request body is not valid JSON."),
        (b"[1]", 400, "The request body must be a JSON object."),
        (b"{}", 422, "discount_percent is missing."),
        (b'{"discount_percent": "10"}', 422, "discount_percent must be a whole number."),
        (b'{"discount_percent": true}', 422, "discount_percent must be a whole number."),
        (b'{"discount_percent": null}', 422, "discount_percent must be a whole number."),
        (b'{"discount_percent": 1e400}', 422, "Invalid discount: inf%. Must be between 1 and 100."),
        (b'{"discount_percent": 10, "free": 1}', 422, "free is not a property of this request."),
        (b'{"x": "' + b"x" * 70_000 + b'"}', 413, "The request body is larger than 65536 bytes."),
    ],
)
def test_a_body_that_is_none(business: httpx.Client, content: bytes, status: int, reason: str) -> None:
    before = business.get(COUPONS).json()

    refused = business.post(COUPONS, content=content, headers=JSON)

    assert (refused.status_code, message(refused)) == (status, reason)
    assert business.get(COUPONS).json() == before
    assert journal(business) == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing/here", 404),
        ("DELETE", ORDER, 405),
        ("GET", "/shop/customers/cus_9999/orders", 404),
        ("GET", "/shop/customers/1001/orders", 422),
        ("GET", "/shop/customers/cus_1001%0A/orders", 422),
        ("GET", "/shop/customers/cus_1001/orders/١٠٤٢", 422),
        ("GET", "/shop/customers/cus_1001/orders/0", 422),
        ("GET", "/shop/customers/cus_1001/orders/99999999999999999999", 422),
        ("POST", "/shop/customers/cus_9999/coupons", 404),
    ],
)
def test_every_error_is_json(business: httpx.Client, method: str, path: str, status: int) -> None:
    answer = business.request(method, path, json={"discount_percent": 10} if method == "POST" else None)

    assert answer.status_code == status
    assert message(answer).endswith(".")
    assert journal(business) == []


def test_a_form_is_not_taken_for_json(business: httpx.Client) -> None:
    refused = business.post(COUPONS, data={"discount_percent": "10"})

    assert refused.status_code == 415
    assert journal(business) == []


def test_the_home_page_names_the_document_and_the_journal(business: httpx.Client) -> None:
    page = business.get("/")

    assert page.headers["Content-Type"].startswith("text/html")
    assert 'href="/openapi.json"' in page.text
    assert 'href="/_journal"' in page.text


def test_one_seed_gives_one_business(start: Any, tmp_path: Path) -> None:
    def rows(name: str, seed: str) -> list[str]:
        start(tmp_path / name, "--seed", seed, "--today", "2026-11-20").stop()
        with sqlite3.connect(tmp_path / name / "demo.sqlite3") as db:
            return list(db.iterdump())

    first, again, other = rows("first", "1"), rows("again", "1"), rows("other", "2")

    assert first == again
    assert first != other


def test_there_is_enough_of_everything_and_nothing_lies_in_the_future(start: Any, tmp_path: Path) -> None:
    start(tmp_path, "--today", "2026-11-20").stop()
    db = sqlite3.connect(tmp_path / "demo.sqlite3")

    def one(query: str) -> Any:
        return db.execute(query).fetchone()[0]

    least = {
        "customers": 200,
        "orders": 1000,
        "invoices": 1000,
        "transactions": 1000,
    }
    assert {table for table, rows in least.items() if one(f"SELECT count(*) FROM {table}") < rows} == set()
    for table, column in {
        "orders": "placed_at",
        "tracking_events": "at",
        "transactions": "at",
        "dispute_events": "at",
        "coupons": "created_at",
    }.items():
        assert one(f"SELECT max({column}) FROM {table}") < "2026-11-20", (table, column)
    assert one("SELECT max(delivered_at) FROM orders") < "2026-11-20"
    assert one("SELECT count(*) FROM orders WHERE shipped_at < placed_at OR delivered_at < shipped_at") == 0
    assert one("SELECT count(*) FROM customers WHERE email NOT LIKE '%@example.%'") == 0
    assert one("SELECT count(DISTINCT customer_id) FROM orders WHERE order_id BETWEEN 1042 AND 1069") == 1
    db.close()


@pytest.mark.parametrize(
    ("question", "topic", "title"),
    [
        ("What is your return policy?", "shop", "Returning an item"),
        ("How long does shipping take?", "shop", "Shipping times and costs"),
        ("I forgot my password", "saas", "Resetting your password"),
        ("My card was stolen!", "bank", "Lost or stolen card"),
        ("when do I get my money back", "shop", "Refunds: when the money arrives"),
    ],
)
def test_the_help_centre_finds_the_article(
    business: httpx.Client, question: str, topic: str, title: str
) -> None:
    found = business.get("/help-centre/articles", params={"question": question, "topic": topic}).json()[
        "articles"
    ]

    assert (found[0]["topic"], found[0]["title"]) == (topic, title)
    assert len(found[0]["text"]) > 200


@pytest.mark.parametrize("question", ["Who won the football yesterday?", "嗯...", "hello", "?!"])
def test_the_help_centre_admits_that_it_has_nothing(business: httpx.Client, question: str) -> None:
    answer = business.get("/help-centre/articles", params={"question": question})

    assert answer.status_code == 200
    assert answer.json() == {
        "question": question,
        "articles": [],
        "message": "No help article fits the question.",
    }


def test_every_face_has_its_articles() -> None:
    folder = ROOT / "smartsupport" / "demo" / "help_articles"

    counts = {
        face: (folder / f"{face}.md").read_text("utf-8").count("\n## ") for face in ("shop", "saas", "bank")
    }

    assert min(counts.values()) >= 15, json.dumps(counts)


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "smartsupport.demo", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )
