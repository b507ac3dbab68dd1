"""Production's nginx file before servers that hang up, stream and are not there: what it passes on, how often, and what
people and programs are told."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from smartsupport.embedded import ports
from tests.live.stack import until
from tests.shipping.nginx import Nginx, compose_environment
from tests.shipping.upstream import Trickle, Upstream, greet, hang_up, two

SECRET = "a-very-secret-word-0123456789"
REAL_ADDRESS = "set_real_ip_from 127.0.0.0/8; real_ip_header proxy_protocol;"


@contextmanager
def behind(
    folder: Path, web_ports: list[int], *, slow_refill: bool = False, **changed: str
) -> Iterator[tuple[Nginx, httpx.Client]]:
    """nginx in front of these ports, and a client of it."""
    nginx = Nginx(folder / "nginx", web_ports, slow_refill=slow_refill, **changed)
    try:
        nginx.start()
        with httpx.Client(base_url=nginx.url, verify=nginx.tls, trust_env=False, timeout=60) as client:
            yield nginx, client
    finally:
        nginx.stop()


def test_what_may_have_arrived_is_asked_for_once_more_only_where_repeating_is_harmless(
    tmp_path: Path,
) -> None:
    with two(hang_up) as (one, other), behind(tmp_path, [one.port, other.port]) as (_, client):
        answers = {method: client.request(method, "/api/v1/x") for method in ("POST", "PATCH")}
        arrived = [head.split()[0] for head in one.requests + other.requests]
        assert sorted(arrived) == [b"PATCH", b"POST"]

        read = client.get("/api/v1/x")

        assert len(one.requests) + len(other.requests) == 4
        for answer in (*answers.values(), read):
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "unavailable"
            assert answer.headers["Retry-After"] == "5"


def test_a_process_that_is_gone_costs_nobody_an_error(tmp_path: Path) -> None:
    gone = ports.choose(None)
    with Upstream(greet) as there, behind(tmp_path, [gone, there.port]) as (_, client):
        answers = [client.request(method, "/x").text for method in ("GET", "POST", "PATCH", "DELETE") * 3]

    assert answers == ["ok"] * 12, "what was never sent may be sent to another one, whatever it is"
    assert len(there.requests) == 12


def test_one_answer_that_fails_takes_no_process_out_of_service(tmp_path: Path) -> None:
    with two(hang_up) as (one, other), behind(tmp_path, [one.port, other.port]) as (_, client):
        for _ in range(4):
            client.post("/x", content=b"x")

    assert len(one.requests) + len(other.requests) == 4


def test_each_page_is_whole_and_only_the_one_that_waits_asks_again(tmp_path: Path) -> None:
    few = {"SUPPORT_REQUESTS_PER_SECOND": "1", "SUPPORT_BURST": "3", "SUPPORT_MAX_BODY": "1k"}
    with behind(tmp_path, [ports.choose(None)], slow_refill=True, **few) as (_, client):
        large = client.post("/admin/x/", content=b"x" * 5_000)
        away, head = client.get("/"), client.head("/")
        many = [client.get("/") for _ in range(5)][-1]

    assert [large.status_code, away.status_code, head.status_code, many.status_code] == [413, 503, 503, 429]
    assert head.content == b""
    for page, title in ((large, "Too large"), (away, "Back in a moment"), (many, "One moment")):
        assert page.headers["Content-Type"] == "text/html"
        assert page.text.startswith("<!doctype html>")
        assert page.text.endswith("</html>\n")
        assert page.text.count(f"<title>{title}</title>") == page.text.count("<style>") == 1
        assert "<!--" not in page.text, "what nginx is to fill in is filled in"
    again = '<meta http-equiv="refresh" content="10">'
    assert [again in page.text for page in (large, away, many)] == [False, True, False]


def test_people_get_a_page_and_programs_an_envelope_when_nobody_is_there(tmp_path: Path) -> None:
    with behind(tmp_path, [ports.choose(None), ports.choose(None)]) as (nginx, client):
        page = client.get("/")
        sent = client.post("/admin/x/", content=b"x")
        program = client.post("/mcp", json={})
        attempt = client.get(f"/ws?token={SECRET}", headers={"Authorization": f"Bearer {SECRET}"})
        queried = client.get(f"/api/v1/conversations?token={SECRET}")

        for answer in (page, sent):
            assert answer.status_code == 503
            assert "<h1>We will be back in a moment</h1>" in answer.text
            assert answer.headers["Cache-Control"] == "no-store"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        for answer in (program, attempt, queried):
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "unavailable"
        assert '"path":"/ws","status":503' in nginx.access_log.read_text()
        assert SECRET not in nginx.logged(), "nginx quotes the request in what it says about a dead upstream"


@pytest.mark.parametrize("path", ["/api/v1/conversations/3f2a/stream", "/mcp"])
def test_a_stream_is_passed_on_event_by_event(tmp_path: Path, path: str) -> None:
    trickle = Trickle()
    with Upstream(trickle) as there, behind(tmp_path, [there.port]) as (_, client):
        with client.stream("GET", path, headers={"Accept": "text/event-stream"}) as answer:
            pieces = answer.iter_text()
            assert next(pieces) == "data: first\n\n", "and the second is not yet sent"

            trickle.go_on.set()

            assert "".join(pieces) == "data: second\n\n"
        assert "content-encoding" not in answer.headers


def test_one_address_may_ask_only_so_much_and_files_do_not_count(tmp_path: Path) -> None:
    few = {"SUPPORT_REQUESTS_PER_SECOND": "1", "SUPPORT_BURST": "2"}
    with Upstream(greet) as there, behind(tmp_path, [there.port], slow_refill=True, **few) as (_, client):
        of_the_api = [client.get("/api/v1/x") for _ in range(5)]
        page = client.get("/")
        files = [client.get("/static/x.js").status_code for _ in range(30)]

        assert [answer.status_code for answer in of_the_api] == [200, 200, 200, 429, 429]
        refused = of_the_api[-1]
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "rate_limited"
        assert refused.headers["Retry-After"] == "5"
        assert page.status_code == 429
        assert "<h1>Too much at once</h1>" in page.text
        assert files == [200] * 30
        arrived = sum(head.startswith(b"GET /api/") for head in there.requests)
        assert arrived == 3, "the others went no further"


def test_readiness_is_not_for_crowds(tmp_path: Path) -> None:
    with Upstream(greet) as there, behind(tmp_path, [there.port], slow_refill=True) as (_, client):
        answers = [client.get("/readyz").status_code for _ in range(14)]
        others = [client.get("/healthz").status_code for _ in range(3)]

    assert answers == [200] * 11 + [429] * 3
    assert others == [200] * 3
    assert len(there.requests) == 11 + 3


SECURITY = ("Strict-Transport-Security", "X-Content-Type-Options", "Content-Security-Policy")


def test_what_says_nothing_of_security_gets_headers_and_what_does_keeps_its_own(tmp_path: Path) -> None:
    own = "".join(f"{name}: its-own\r\n" for name in SECURITY).encode()

    def answer(connection: socket.socket, head: bytes) -> None:
        said = own if head.startswith(b"GET /says") else b""
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n" + said + b"\r\n")

    with Upstream(answer) as there, behind(tmp_path, [there.port]) as (_, client):
        says, silent, missing = client.get("/says"), client.get("/silent"), client.get("/metrics")
        too_large = client.post("/api/v1/x", content=b"x" * (13 * 1024 * 1024))

    assert [says.headers.get_list(name) for name in SECURITY] == [["its-own"]] * 3
    assert (missing.status_code, too_large.status_code) == (404, 413)
    for one in (silent, missing, too_large):
        hsts, nosniff, policy = (one.headers.get_list(name) for name in SECURITY)
        assert (hsts, nosniff) == (["max-age=31536000"], ["nosniff"])
        assert len(policy) == 1
        assert "default-src 'none'" in policy[0]


def test_behind_a_balancer_the_proxy_protocol_says_who_the_visitor_is(tmp_path: Path) -> None:
    env = {"HTTPS_LISTEN": "8443 ssl proxy_protocol", "REAL_ADDRESS": REAL_ADDRESS}
    given = compose_environment(**env)
    listens = given["SUPPORT_HTTPS_LISTEN"].split(" ", 1)[1]
    port = ports.choose(None)
    changed = {
        "SUPPORT_HTTPS_LISTEN": f"127.0.0.1:{port} {listens}",
        "SUPPORT_REAL_ADDRESS": given["SUPPORT_REAL_ADDRESS"],
    }
    with Upstream(greet) as there, behind(tmp_path, [there.port], **changed) as (nginx, _):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as raw:
            raw.sendall(b"PROXY TCP4 203.0.113.9 10.0.0.1 51000 443\r\n")
            with nginx.tls.wrap_socket(raw, server_hostname="127.0.0.1") as secure:
                secure.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n")
                assert secure.recv(15) == b"HTTP/1.1 200 OK"
        log = until(lambda: nginx.access_log.read_text())

    assert b"x-forwarded-for: 203.0.113.9\r\n" in there.requests[0].lower()
    assert '"address":"203.0.113.9"' in log


def test_an_ipv6_network_counts_as_one_visitor(tmp_path: Path) -> None:
    """Otherwise whoever has one has 2^64 times what anybody else may."""
    port = ports.choose(None)
    changed = {
        "SUPPORT_HTTPS_LISTEN": f"127.0.0.1:{port} ssl proxy_protocol",
        "SUPPORT_REAL_ADDRESS": REAL_ADDRESS,
        "SUPPORT_REQUESTS_PER_SECOND": "1",
        "SUPPORT_BURST": "1",
    }
    one_network = ("2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:ffff::", "2001:db8:1:2::2")
    others = ("2001:db8:1:3::1", "2001:db8::1", "2001:db9::1", "::1", "203.0.113.9", "203.0.113.10")
    with (
        Upstream(greet) as there,
        behind(tmp_path, [there.port], slow_refill=True, **changed) as (nginx, _),
    ):

        def status(address: str) -> int:
            kind = "TCP6 {} 2001:db8::f" if ":" in address else "TCP4 {} 10.0.0.1"
            with socket.create_connection(("127.0.0.1", port), timeout=60) as raw:
                raw.sendall(f"PROXY {kind.format(address)} 51000 443\r\n".encode())
                with nginx.tls.wrap_socket(raw, server_hostname="127.0.0.1") as secure:
                    secure.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    return int(secure.recv(12).removeprefix(b"HTTP/1.1 "))

        assert [status(address) for address in one_network] == [200, 200, 429, 429]
        assert [status(address) for address in others] == [200] * len(others)
        again = ("2001:db8::ffff", "203.0.113.9")
        assert [status(address) for address in (*again, *again)] == [200, 200, 429, 429]


def test_what_web_is_told_of_a_visitor_is_nginx_s_to_say(tmp_path: Path) -> None:
    claimed = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "X-Real-IP": "203.0.113.9",
        "Forwarded": "for=203.0.113.9",
        "X_Forwarded_For": "203.0.113.9",
    }
    with Upstream(greet) as there, behind(tmp_path, [there.port]) as (nginx, client):
        client.get("/x", headers=claimed)

    head = there.requests[0].decode().lower()
    assert "x-forwarded-for: 127.0.0.1\r\n" in head
    assert "x-forwarded-proto: https\r\n" in head
    assert f"host: 127.0.0.1:{nginx.port}\r\n" in head
    assert "203.0.113.9" not in head
    assert "evil.example" not in head
