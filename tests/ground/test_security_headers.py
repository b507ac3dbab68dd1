"""What every kind of answer says to a browser, with the settings of a production."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.http import HttpResponseBase
from django.test import Client, override_settings

from chat.mcp.app import serve
from smartsupport import csp
from tests import rows
from tests.ground.product import ROOT
from tests.servers import OURS

pytestmark = pytest.mark.django_db
PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "only-for-this-test-" + "kq3zv8p1x7" * 6,
    "ALLOWED_HOSTS": "support.example.com",
    "DATABASE_URL": "postgresql://smartsupport:secret@127.0.0.1:1/smartsupport",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "CUSTOMER_JWT_SECRET": "only-for-this-test-" + "w5n2j9b4m6" * 3,
    "ALLOW_ANONYMOUS_CHAT": "true",
}
TAKEN_OVER = (
    "DEBUG ALLOWED_HOSTS SECURE_SSL_REDIRECT SESSION_COOKIE_SECURE CSRF_COOKIE_SECURE SESSION_COOKIE_HTTPONLY "
    "SESSION_COOKIE_SAMESITE CSRF_COOKIE_SAMESITE SECURE_HSTS_SECONDS SECURE_HSTS_INCLUDE_SUBDOMAINS X_FRAME_OPTIONS "
    "SECURE_REFERRER_POLICY SECURE_CONTENT_TYPE_NOSNIFF SECURE_CROSS_ORIGIN_OPENER_POLICY HTTPS_ONLY WIDGET_ORIGINS "
    "ALLOW_ANONYMOUS_CHAT DATA_UPLOAD_MAX_MEMORY_SIZE"
).split()
READ = f"""
import json
from django.conf import settings
print(json.dumps({{name: getattr(settings, name) for name in {TAKEN_OVER!r}}}))
"""
KINDS = {
    "the chat": "/",
    "the chat in a frame": "/embed",
    "the widget's script": "/widget.js",
    "the sign-in": "/admin/login/",
    "the console": "/admin/",
    "a list of the console": "/admin/chat/conversation/",
    "a link that decides": "/decide/apl_no-such-link",
    "the API": "/api/v1/conversations",
    "the API's health": "/api/v1/health",
    "the API's schema": "/api/v1/schema/",
    "the API's documentation": "/api/v1/docs/",
    "a missing page": "/nowhere",
    "a missing page of the console": "/admin/nowhere/",
    "a missing route of the API": "/api/v1/nowhere",
    "a file": "/static/admin/css/base.css",
}
FRAMED = {"/embed"}


@pytest.fixture(scope="module")
def production() -> dict[str, Any]:
    """The settings of a production that bear on this, as a process of its own reads them."""
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    env = kept | PRODUCTION | {"DJANGO_SETTINGS_MODULE": "smartsupport.settings"}
    command = [sys.executable, "-c", READ]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True, timeout=180)
    values: dict[str, Any] = json.loads(done.stdout)
    return values


@pytest.fixture
def browser(production: dict[str, Any]) -> Iterator[Client]:
    with override_settings(**production):
        yield Client(headers={"host": "support.example.com", "accept": "text/html"})


def directives(answer: HttpResponseBase) -> dict[str, str]:
    (header,) = [value for name, value in answer.headers.items() if name == csp.HEADER]
    return dict(part.split(" ", 1) for part in header.split("; "))


def test_a_production_has_them_on(production: dict[str, Any]) -> None:
    assert production["DEBUG"] is False
    assert production["SECURE_SSL_REDIRECT"] is True
    assert production["SECURE_HSTS_SECONDS"] == 31_536_000
    assert production["WIDGET_ORIGINS"] == []
    assert production["DATA_UPLOAD_MAX_MEMORY_SIZE"] <= 12 * 1024 * 1024


@pytest.mark.parametrize("signed_in", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_page_has_its_headers(browser: Client, kind: str, signed_in: bool) -> None:
    path = KINDS[kind]
    if signed_in:
        browser.force_login(rows.staff("root", superuser=True))

    answer = browser.get(path, secure=True)
    answer.close()

    assert answer.status_code < 500
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    # Whoever decides by a link comes back from the form, which wants to know the origin and nothing else.
    assert answer.headers["Referrer-Policy"] == (
        "strict-origin" if path.startswith("/decide/") else "same-origin"
    )
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    policy = directives(answer)
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'", "nobody is named, also for what may be framed"
    assert policy["base-uri"] == "'none'"
    scripts = policy.get("script-src", "")
    assert "unsafe-inline" not in scripts
    assert path.startswith("/admin/") or "unsafe-eval" not in scripts
    assert "http:" not in " ".join(policy.values())
    if path not in FRAMED and not path.startswith("/static/"):
        assert answer.headers["X-Frame-Options"] == "DENY"
    for name, cookie in answer.cookies.items():
        assert cookie["secure"], name
        assert cookie["samesite"] == "Lax", name
        assert cookie["httponly"] or name == "csrftoken"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not KINDS[kind].startswith("/api/")])
def test_nothing_but_a_way_to_https_comes_over_plain_http(browser: Client, kind: str) -> None:
    answer = browser.get(KINDS[kind])

    assert answer.status_code == 301
    assert answer.headers["Location"] == f"https://support.example.com{KINDS[kind]}"
    assert not answer.cookies


def test_a_host_that_is_not_ours_is_refused(browser: Client) -> None:
    answer = browser.get("/", secure=True, headers={"host": "evil.example"})

    assert answer.status_code == 400
    assert "evil.example" not in answer.content.decode()
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_door_of_mcp_lets_nothing_be_guessed_or_kept(settings: Any) -> None:
    scope = {"type": "http", "method": "GET", "path": "/mcp", "headers": [], "query_string": b""}
    asked = ApplicationCommunicator(serve, scope)

    begun = await asked.receive_output(timeout=60)

    headers = dict(begun["headers"])
    assert begun["status"] == 405
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"cache-control"] == b"no-store"
    await asked.wait(timeout=60)
