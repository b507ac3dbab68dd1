"""/healthz, /readyz and the API's health route, on real servers."""

import asyncio

import pytest
from django.conf import settings
from django.test import Client
from structlog.testing import capture_logs

from smartsupport.lib import heartbeat


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still for a while forgets no worker and gives up no server."""
    monkeypatch.setattr(heartbeat, "TTL_SECONDS", 600)
    monkeypatch.setattr(heartbeat, "TIMEOUT_SECONDS", 60)


def test_the_process_says_that_it_is_up(client: Client) -> None:
    answer = client.get("/healthz")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


@pytest.mark.django_db(transaction=True)
def test_ready_once_a_turns_worker_beats(client: Client) -> None:
    before = client.get("/readyz")
    asyncio.run(heartbeat.beat("worker-1"))
    after = client.get("/readyz")

    assert before.status_code == 503
    assert before.json()["missing"] == ["turns_worker"]
    assert after.status_code == 200, after.content
    assert after.json()["checks"] == {
        "postgres": "ok",
        "valkey": "ok",
        "migrations": "ok",
        "turns_worker": "ok",
    }


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_leaves_is_no_longer_counted(client: Client, valkey) -> None:
    asyncio.run(heartbeat.beat("worker-1"))
    assert 0 < valkey.ttl(f"{heartbeat.PREFIX}worker-1") <= heartbeat.TTL_SECONDS

    asyncio.run(heartbeat.stop("worker-1"))

    assert heartbeat.alive() == []
    assert client.get("/readyz").status_code == 503


@pytest.mark.django_db(transaction=True)
def test_readiness_names_valkey_when_it_does_not_answer(client: Client, settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["missing"] == ["valkey", "turns_worker"]


@pytest.mark.django_db(transaction=True)
def test_readiness_names_postgres_when_it_does_not_answer(client: Client, monkeypatch) -> None:
    from django.db import connection

    asyncio.run(heartbeat.beat("worker-1"))
    monkeypatch.setitem(connection.settings_dict, "PORT", 1)

    with capture_logs() as lines:
        answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["missing"] == ["postgres", "migrations"]
    [why] = [line for line in lines if line["event"] == "server_does_not_answer"]
    assert "Connection refused" in why["error"]
    assert "refused" not in answer.content.decode(), "the reason is for the log"


@pytest.mark.django_db(transaction=True)
def test_readiness_names_migrations_that_were_not_applied(client: Client) -> None:
    from django.db import connection
    from django.db.migrations.recorder import MigrationRecorder

    asyncio.run(heartbeat.beat("worker-1"))
    last = MigrationRecorder(connection).migration_qs.filter(app="sessions").latest("id")
    last.delete()
    try:
        answer = client.get("/readyz")
    finally:
        MigrationRecorder(connection).record_applied(last.app, last.name)

    assert answer.status_code == 503
    assert answer.json()["missing"] == ["migrations"]
    assert answer.json()["checks"]["migrations"] == "1 not applied"


def test_the_api_says_its_version_inside_the_envelope_and_beside_it(client: Client) -> None:
    answer = client.get("/api/v1/health").json()

    facts = {"status": "ok", "version": settings.VERSION}
    assert answer == {"success": True, "data": facts, "error": None, **facts}


def test_the_health_check_of_a_machine_needs_neither_our_name_nor_https(client: Client, settings) -> None:
    settings.ALLOWED_HOSTS = ["support.example.com"]
    settings.SECURE_SSL_REDIRECT = True

    answer = Client().get("/healthz", headers={"host": "10.0.0.7:8000"})
    refused = Client().get("/api/v1/health", headers={"host": "10.0.0.7:8000"}, secure=True)

    assert answer.status_code == 200
    assert refused.status_code == 400


@pytest.mark.parametrize("where", ["/healthz", "/readyz"])
def test_health_is_only_read(client: Client, where: str) -> None:
    assert client.post(where).status_code == 405
