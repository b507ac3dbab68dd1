"""Production's nginx file, run by Debian's nginx in front of two web processes of a production."""

import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from smartsupport.settings import DATA_UPLOAD_MAX_MEMORY_SIZE, IMPORT_MAX_BYTES
from tests.live.chatter import Chatter, types
from tests.live.stack import until
from tests.shipping.fleet import API_KEY, Fleet, token_for
from tests.shipping.nginx import compose_environment, rendered

pytestmark = pytest.mark.xdist_group("shipping")
TOO_LARGE = 13 * 1024 * 1024


@pytest.fixture
def visitor(production: Fleet) -> Iterator[httpx.Client]:
    """A browser, as far as HTTP goes."""
    with httpx.Client(
        base_url=production.url, verify=production.nginx.tls, trust_env=False, timeout=60
    ) as client:
        yield client


def plain(production: Fleet, method: str, path: str, **more: object) -> httpx.Response:
    with httpx.Client(base_url=production.nginx.plain_url, trust_env=False, timeout=60) as client:
        return client.request(method, path, **more)  # type: ignore[arg-type]


def test_nothing_is_left_to_fill_in_and_the_image_gets_all_that_the_file_asks_for() -> None:
    text = re.sub(r"(?m)#.*$", "", rendered(compose_environment()))

    assert "SUPPORT_" not in text
    assert "server web:8000 resolve" in text
    assert "http2 on;" in text


async def test_a_conversation_runs_through_a_socket(production: Fleet, trusted: None) -> None:
    async with Chatter(production.socket_url, token=token_for("cus_1002")) as customer:
        frames = await customer.say("What is the status of order 1042?")

    assert types(frames)[0] == "accepted"
    assert types(frames)[-2:] == ["agent_response", "message_complete"]


def test_pages_come_with_each_security_header_once(visitor: httpx.Client) -> None:
    page = visitor.get("/admin/login/")
    style = re.search(r'href="(/static/[^"]+\.css)"', page.text)
    assert style is not None
    known = {
        "/admin/login/": 200,
        "/api/v1/health": 200,
        style[1]: 200,
        "/no/such/page": 404,
        "/api/v1/agents": 401,
    }
    for path, status in known.items():
        answer = visitor.get(path)

        assert answer.status_code == status, path
        for name in (
            "Strict-Transport-Security",
            "Content-Security-Policy",
            "X-Content-Type-Options",
            "Referrer-Policy",
            "Cross-Origin-Opener-Policy",
        ):
            assert len(answer.headers.get_list(name)) == 1, name
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert answer.headers["Server"] == "nginx"


def test_what_other_agents_are_told_has_security_headers_too(visitor: httpx.Client) -> None:
    for answer in (visitor.post("/mcp", json={}), visitor.get("/mcp", headers={"X-API-Key": API_KEY})):
        assert answer.status_code in (401, 405)
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_pages_over_plain_http_are_sent_to_https(production: Fleet) -> None:
    answer = plain(production, "GET", "/some/page?x=1")

    assert answer.status_code == 301
    assert answer.headers["Location"] == "https://127.0.0.1/some/page?x=1"
    assert "Strict-Transport-Security" not in answer.headers


def test_the_api_over_plain_http_is_refused_and_reaches_nobody(production: Fleet) -> None:
    before = production.rows("SELECT count(*) AS n FROM chat_conversation")

    answer = plain(
        production,
        "POST",
        "/api/v1/conversations",
        json={"customer": "cus_1002", "content": "Hello"},
        headers={"X-API-Key": API_KEY},
    )

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "https_required"
    assert production.rows("SELECT count(*) AS n FROM chat_conversation") == before


def test_certificates_can_be_renewed_over_plain_http(production: Fleet) -> None:
    challenge = production.nginx.acme / ".well-known" / "acme-challenge" / "a-token"
    challenge.write_text("a-token.thumbprint")

    answer = plain(production, "GET", "/.well-known/acme-challenge/a-token")

    assert (answer.status_code, answer.text) == (200, "a-token.thumbprint")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused_and_http2_is_spoken(production: Fleet) -> None:
    def agreed(context: ssl.SSLContext) -> tuple[str | None, str | None]:
        context.set_alpn_protocols(["h2", "http/1.1"])
        with (
            socket.create_connection(("127.0.0.1", production.nginx.port), timeout=60) as raw,
            context.wrap_socket(raw, server_hostname="127.0.0.1") as secure,
        ):
            return secure.version(), secure.selected_alpn_protocol()

    assert agreed(ssl.create_default_context(cafile=str(production.nginx.certificate))) == ("TLSv1.3", "h2")
    old = ssl.create_default_context(cafile=str(production.nginx.certificate))
    old.minimum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        agreed(old)


def test_a_document_of_the_largest_size_fits_and_a_larger_body_is_refused_here(visitor: httpx.Client) -> None:
    assert IMPORT_MAX_BYTES + 1024 * 1024 < DATA_UPLOAD_MAX_MEMORY_SIZE == 12 * 1024 * 1024

    fits = visitor.post("/api/v1/openapi/import", files={"file": ("api.json", b"x" * IMPORT_MAX_BYTES)})
    refused = visitor.post("/api/v1/openapi/import", files={"file": ("api.json", b"x" * TOO_LARGE)})
    of_a_page = visitor.post("/admin/login/", content=b"x" * TOO_LARGE)

    assert fits.status_code == 401, "it is Django that says who may import"
    assert refused.status_code == 413
    assert refused.json()["error"]["code"] == "too_large"
    assert of_a_page.status_code == 413
    assert "<h1>That is too large</h1>" in of_a_page.text


def test_nobody_chooses_the_address_that_they_come_from(production: Fleet, visitor: httpx.Client) -> None:
    wanted = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    page = visitor.get("/admin/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token is not None

    visitor.post(
        "/admin/login/",
        data={"csrfmiddlewaretoken": token[1], "username": "nobody-here", "password": "wrong"},
        headers={"Referer": f"{production.url}/admin/login/", "Origin": production.url, **wanted},
    )

    [entry] = production.rows("SELECT * FROM smartsupport_auditentry WHERE verb = 'login_failed'")
    assert "127.0.0.1" in str(entry)
    assert "203.0.113.9" not in str(entry)


def test_another_host_name_is_refused_by_django(visitor: httpx.Client) -> None:
    assert visitor.get("/admin/login/", headers={"Host": "elsewhere.example"}).status_code == 400


def test_files_are_kept_for_years_and_sent_small(visitor: httpx.Client) -> None:
    page = visitor.get("/admin/login/")
    assert page.headers["Content-Encoding"] == "gzip"
    style = re.search(r'href="(/static/[^"]+\.[0-9a-f]{12}\.css)"', page.text)
    assert style is not None

    file = visitor.get(style[1])

    assert file.status_code == 200
    assert "max-age=315360000" in file.headers["Cache-Control"]
    assert "immutable" in file.headers["Cache-Control"]
    assert file.headers["Content-Encoding"] == "gzip"


def test_what_is_for_operators_or_for_nginx_itself_is_not_there(visitor: httpx.Client) -> None:
    for path in ("/metrics", "/metrics/", "/nginx/unavailable.html", "/nginx/too-large.json"):
        assert visitor.get(path).status_code == 404, path
    assert visitor.get("/readyz").status_code == 200, "a balancer may ask"


def test_a_request_keeps_the_name_that_its_caller_gave_it(production: Fleet, visitor: httpx.Client) -> None:
    visitor.get("/api/v1/agents", headers={"X-Request-ID": "the-callers-own-id-1"})
    visitor.get("/api/v1/agents", headers={"X-Request-ID": 'no"id {}'})

    def told() -> str:
        return "".join(one.log() for name, one in production.programs.items() if name.startswith("web"))

    until(lambda: "the-callers-own-id-1" in production.nginx.logged())
    until(lambda: "the-callers-own-id-1" in told())
    assert 'no"id' not in production.nginx.logged() + told()


def test_the_log_says_what_happened_and_no_secret(production: Fleet, visitor: httpx.Client) -> None:
    secret = "a-very-secret-word-0123456789"

    visitor.get(f"/api/v1/agents?page=1&token={secret}", headers={"Authorization": f"Bearer {secret}"})
    visitor.get(f"/ws?token={secret}", headers={"X-API-Key": secret, "Referer": f"https://x/?{secret}"})
    visitor.get(f"/decide/{secret}")
    visitor.get("/api/v1/usage/margaret.hamilton%40shop.example?q=margaret.hamilton%40shop.example")
    plain(production, "GET", f"/?token={secret}")

    until(lambda: production.nginx.access_log.read_text().count('"path":"/decide/[hidden]"') == 1)
    log = production.nginx.access_log.read_text()
    assert '"path":"/api/v1/agents","status":401' in log
    assert secret not in production.nginx.logged()
    until(lambda: '"path":"/api/v1/usage/[hidden]"' in production.nginx.access_log.read_text())
    webs = [one for name, one in production.programs.items() if name.startswith("web")]
    until(lambda: any("/usage/m***@shop.example?q=m***%40shop.example" in one.log() for one in webs))
    assert not [one for one in (production.nginx.logged(), *(one.log() for one in webs)) if "hamilton" in one]
    assert [path.name for path in Path(production.nginx.folder).glob("*access*")] == ["support-access.log"]
