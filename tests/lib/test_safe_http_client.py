"""What reaches a server, what does not, and who is trusted."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from smartsupport.lib.safe_http import (
    ConnectFailed,
    InvalidRequest,
    RedirectRefused,
    RefusedAddress,
    SafeClient,
    TlsFailed,
    TooManyRedirects,
    close_shared_clients,
    shared_client,
)
from smartsupport.lib.safe_http.addresses import AddressPolicy

from .wire import Internet, Names, Wire, always, response

PUBLIC, OTHER_PUBLIC = "93.184.216.34", "93.184.216.35"
SECRETS = {"Authorization": "Bearer t0p", "X-Api-Key": "k"}


class Certified:
    """A certificate for one name, signed by itself: `server` presents it, `client` trusts it alone."""

    def __init__(self, name: str, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file = folder / f"{name}.pem"
        file.write_bytes(pem + private)
        self.names_asked_for: list[str | None] = []
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(file)
        self.server.sni_callback = lambda _, name, __: self.names_asked_for.append(name)
        self.client = ssl.create_default_context(cadata=pem.decode())


@pytest.mark.asyncio
async def test_tls_is_for_the_name_although_the_address_is_dialled(tmp_path: Path) -> None:
    certified = Certified("api.example.com", tmp_path)
    async with Wire(tls=certified.server) as server:
        internet = Internet(server)
        async with SafeClient(
            resolver=Names({"api.example.com": [PUBLIC]}), dialer=internet, ssl_context=certified.client
        ) as client:
            answer = await client.request("GET", "https://api.example.com/v1")

        assert answer.status == 200
        assert internet.dialled == [(PUBLIC, 443)]
        assert certified.names_asked_for == ["api.example.com"]
        assert server.received[0].headers["host"] == "api.example.com"


@pytest.mark.asyncio
async def test_a_certificate_of_another_name_ends_it_before_anything_is_sent(tmp_path: Path) -> None:
    certified = Certified("other.example.com", tmp_path)
    async with Wire(tls=certified.server) as server:
        async with SafeClient(
            resolver=Names({"api.example.com": [PUBLIC]}),
            dialer=Internet(server),
            ssl_context=certified.client,
        ) as client:
            with pytest.raises(TlsFailed) as refusal:
                await client.request("POST", "https://api.example.com/", secret_headers=SECRETS)

        assert refusal.value.sent is False
        assert server.received == []


@pytest.mark.asyncio
async def test_a_certificate_that_nobody_vouches_for_is_not_accepted_by_default(tmp_path: Path) -> None:
    certified = Certified("api.example.com", tmp_path)
    async with Wire(tls=certified.server) as server:
        async with SafeClient(
            resolver=Names({"api.example.com": [PUBLIC]}), dialer=Internet(server)
        ) as client:
            with pytest.raises(TlsFailed):
                await client.request("GET", "https://api.example.com/")

        assert server.received == []


@pytest.mark.asyncio
async def test_two_names_at_one_address_never_share_a_connection() -> None:
    names = Names({"a.example.com": [PUBLIC], "b.example.com": [PUBLIC]})
    async with Wire() as server, SafeClient(resolver=names, dialer=Internet(server)) as client:
        await client.request("GET", "http://a.example.com/")
        await client.request("GET", "http://b.example.com/")
        await client.request("GET", "http://a.example.com/")

        assert [(got.headers["host"], got.connection) for got in server.received] == [
            ("a.example.com", 1),
            ("b.example.com", 2),
            ("a.example.com", 1),
        ]


@pytest.mark.asyncio
async def test_a_redirect_to_another_origin_gets_no_credentials() -> None:
    names = Names({"a.example.com": [PUBLIC], "b.example.com": [OTHER_PUBLIC]})
    async with Wire() as last:
        async with Wire(always(response("302 Found", b"", location="http://b.example.com/x"))) as first:
            internet = Internet(**{PUBLIC: first, OTHER_PUBLIC: last})
            async with SafeClient(resolver=names, dialer=internet, user_agent="T/1") as client:
                answer = await client.request(
                    "GET",
                    "http://a.example.com/",
                    headers={"Cookie": "s=1", "X-Customer": "cus_1001", "Accept": "application/json"},
                    secret_headers=SECRETS,
                )

            assert answer.url == "http://b.example.com/x"
            assert first.received[0].headers["authorization"] == "Bearer t0p"
            assert first.received[0].headers["cookie"] == "s=1"
            assert last.received[0].headers == {
                "host": "b.example.com",
                "user-agent": "T/1",
                "accept": "application/json",
                "accept-encoding": "gzip, deflate",
            }


@pytest.mark.asyncio
async def test_a_redirect_to_another_port_is_another_origin() -> None:
    async with Wire() as last, Wire(always(response("307 Go", b"", location=last.url))) as first:
        async with SafeClient(allowed_hosts=[first.host, last.host]) as client:
            await client.request("GET", first.url, secret_headers=SECRETS)

        assert "authorization" in first.received[0].headers
        assert "authorization" not in last.received[0].headers


@pytest.mark.asyncio
@pytest.mark.parametrize("status", ["301 M", "302 F", "303 S", "307 T", "308 P"])
async def test_a_read_follows_a_redirect_within_its_origin_with_its_credentials(status: str) -> None:
    async def once(got: object, writer: asyncio.StreamWriter) -> None:
        first = len(server.received) == 1
        writer.write(response(status, b"", location="/new?x=1") if first else response())

    async with Wire(once) as server, SafeClient(allowed_hosts=[server.host]) as client:
        answer = await client.request("GET", server.url + "/old?q=2", secret_headers=SECRETS)

        assert answer.url == server.url + "/new?x=1"
        assert [got.target for got in server.received] == ["/old?q=2", "/new?x=1"]
        assert server.received[1].headers["authorization"] == "Bearer t0p"


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_write_is_never_sent_again_by_a_redirect(method: str, status: int) -> None:
    async with Wire(always(response(f"{status} Moved", b"", location="/again"))) as server:
        async with SafeClient(allowed_hosts=[server.host]) as client:
            with pytest.raises(RedirectRefused) as refusal:
                await client.request(method, server.url, json={"percent": 10})

        assert refusal.value.sent is True
        assert refusal.value.status == status
        assert len(server.received) == 1


@pytest.mark.asyncio
async def test_a_redirect_is_handed_back_where_the_caller_wants_it() -> None:
    async with Wire(always(response("303 See Other", b"", location="/result"))) as server:
        async with SafeClient(allowed_hosts=[server.host]) as client:
            answer = await client.request("POST", server.url, follow_redirects=False)

        assert (answer.status, answer.headers["location"]) == (303, "/result")
        assert len(server.received) == 1


@pytest.mark.asyncio
async def test_a_redirect_never_leaves_encryption(tmp_path: Path) -> None:
    certified = Certified("api.example.com", tmp_path)
    redirect = always(response("301 Moved", b"", location="http://api.example.com/"))
    async with Wire(redirect, tls=certified.server) as server:
        internet = Internet(server)
        async with SafeClient(
            resolver=Names({"api.example.com": [PUBLIC]}), dialer=internet, ssl_context=certified.client
        ) as client:
            with pytest.raises(RedirectRefused):
                await client.request("GET", "https://api.example.com/")

        assert internet.dialled == [(PUBLIC, 443)]


@pytest.mark.asyncio
async def test_redirects_are_counted() -> None:
    async with Wire(always(response("302 Found", b"", location="/loop"))) as server:
        async with SafeClient(allowed_hosts=[server.host]) as client:
            with pytest.raises(TooManyRedirects):
                await client.request("GET", server.url, max_redirects=2)

        assert len(server.received) == 3


@pytest.mark.asyncio
async def test_proxy_variables_and_netrc_are_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login spy password spy\n")
    netrc.chmod(0o600)
    async with Wire() as proxy, Wire() as server:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NETRC", str(netrc))
        async with SafeClient(allowed_hosts=[server.host]) as client:
            await client.request("GET", server.url)

            with pytest.raises(RefusedAddress):
                await client.request("GET", "http://127.0.0.1/")

        assert proxy.connections == 0
        assert "authorization" not in server.received[0].headers


@pytest.mark.asyncio
async def test_cookies_of_one_customer_do_not_follow_another() -> None:
    async with Wire(always(response(set_cookie="session=alice; Path=/"))) as server:
        async with SafeClient(allowed_hosts=[server.host]) as client:
            await client.request("GET", server.url)
            await client.request("GET", server.url)

        assert "cookie" not in server.received[1].headers


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("options", "media_type", "body"),
    [
        ({"json": {"name": "Zoë"}}, "application/json", '{"name":"Zoë"}'.encode()),
        ({"json": []}, "application/json", b"[]"),
        ({"content": b"<a/>", "headers": {"Content-Type": "text/xml"}}, "text/xml", b"<a/>"),
        ({"form": {"a": "1 2", "b": ["x", "y"]}}, "application/x-www-form-urlencoded", b"a=1+2&b=x&b=y"),
        ({"json": {"a": 1}, "headers": {"content-type": "text/x+json"}}, "text/x+json", b'{"a":1}'),
        ({}, None, b""),
    ],
)  # fmt: skip
async def test_bodies_arrive_as_they_were_given(
    options: dict[str, object], media_type: str | None, body: bytes
) -> None:
    async with Wire() as server, SafeClient(allowed_hosts=[server.host]) as client:
        await client.request("PATCH", server.url, **options)  # type: ignore[arg-type]

        assert server.received[0].body == body
        assert server.received[0].headers["content-length"] == str(len(body))
        assert server.received[0].headers.get("content-type") == media_type


@pytest.mark.asyncio
async def test_a_file_is_sent_as_multipart() -> None:
    async with Wire() as server, SafeClient(allowed_hosts=[server.host]) as client:
        await client.request(
            "POST", server.url, form={"kind": "photo"}, files={"file": ("a.png", b"\x89PNG", "image/png")}
        )

        got = server.received[0]
        assert got.headers["content-type"].startswith("multipart/form-data; boundary=")
        assert b'name="kind"\r\n\r\nphoto' in got.body
        assert b"\x89PNG" in got.body


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "options", [{"json": {"when": object()}}, {"json": float("nan")}, {"json": 1, "content": b"1"}]
)
async def test_a_body_that_cannot_be_sent_is_refused(options: dict[str, object]) -> None:
    async with Wire() as server, SafeClient(allowed_hosts=[server.host]) as client:
        with pytest.raises(InvalidRequest):
            await client.request("POST", server.url, **options)  # type: ignore[arg-type]

        assert server.connections == 0


@pytest.mark.asyncio
async def test_parameters_join_the_query_and_cannot_break_out_of_it() -> None:
    async with Wire() as server, SafeClient(allowed_hosts=[server.host]) as client:
        await client.request(
            "GET",
            server.url + "/find?fixed=1",
            params={"q": "a&admin=1#x /é", "tag": ["x", "y"], "on": True, "none": None},
        )

        assert (
            server.received[0].target == "/find?fixed=1&q=a%26admin%3D1%23x%20%2F%C3%A9&tag=x&tag=y&on=true"
        )


@pytest.mark.parametrize(
    ("entry", "host", "port", "covered"),
    [
        ("localhost", "localhost", 9999, True),
        ("LOCALHOST:8001", "localhost", 8001, True),
        ("localhost:8001", "localhost", 8002, False),
        ("127.0.0.1:8001", "127.0.0.1", 8001, True),
        ("127.0.0.1:8001", "localhost", 8001, False),
        ("[::1]:8001", "::1", 8001, True),
        ("[::1]", "::1", 5, True),
        ("*.internal.example", "a.internal.example", 80, True),
        ("*.internal.example", "a.b.internal.example", 80, True),
        ("*.internal.example", "internal.example", 80, False),
        ("*.internal.example", "evilinternal.example", 80, False),
        ("*.internal.example:81", "a.internal.example", 80, False),
        ("internal.example", "a.internal.example", 80, False),
        ("bücher.example", "xn--bcher-kva.example", 80, True),
    ],
)
def test_the_allow_list_covers_what_it_says(entry: str, host: str, port: int, covered: bool) -> None:
    policy = AddressPolicy([entry])

    if covered:
        assert [str(address) for address in policy.check_answers(host, port, ["10.1.2.3"])] == ["10.1.2.3"]
    else:
        with pytest.raises(RefusedAddress):
            policy.check_answers(host, port, ["10.1.2.3"])


@pytest.mark.parametrize(
    "entry",
    ["", "*", "*.", "http://a.example", "a.example/", "a:b", "a:0", "a:99999", "*.0.0.1", "a*.b", "127.1"],
)
def test_an_allow_list_entry_that_is_not_a_host_is_refused_at_the_start(entry: str) -> None:
    with pytest.raises(ValueError, match="Not a host"):
        SafeClient(allowed_hosts=[entry])


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "address",
    "169.254.169.254 169.254.170.2 168.63.129.16 100.100.100.200 192.0.0.192 0.0.0.0 224.0.0.1 fe80::1 "
    ":: ff02::1 fd00:ec2::254 fd20:ce::254 ::ffff:10.0.0.1 64:ff9b::a00:1 fd12::5efe:a9fe:a9fe".split(),
)
async def test_an_allowed_name_still_never_reaches_metadata(address: str) -> None:
    async with Wire() as server:
        internet = Internet(server)
        async with SafeClient(
            allowed_hosts=["erp.internal"], resolver=Names({"erp.internal": [address]}), dialer=internet
        ) as client:
            with pytest.raises(RefusedAddress):
                await client.request("GET", "http://erp.internal/")

        assert internet.dialled == []


@pytest.mark.asyncio
async def test_a_metadata_address_is_reached_only_where_it_is_listed_itself() -> None:
    async with Wire() as server:
        internet = Internet(server)
        names = Names({"meta.internal": ["169.254.169.254"]})
        async with SafeClient(allowed_hosts=["169.254.169.254"], resolver=names, dialer=internet) as client:
            await client.request("GET", "http://169.254.169.254/")
            with pytest.raises(RefusedAddress):
                await client.request("GET", "http://meta.internal/")

        assert internet.dialled == [("169.254.169.254", 80)]


@pytest.mark.asyncio
async def test_localhost_is_found_by_the_systems_own_resolver_when_listed() -> None:
    async with Wire() as server, SafeClient(allowed_hosts=["localhost"]) as client:
        answer = await client.request("GET", f"http://localhost:{server.port}/")
        assert answer.content == b"ok"

    async with Wire() as server, SafeClient(allowed_ports=[server.port]) as client:
        with pytest.raises(RefusedAddress):
            await client.request("GET", f"http://localhost:{server.port}/")
        assert server.connections == 0


@pytest.mark.asyncio
async def test_many_requests_at_once_all_get_their_own_answer() -> None:
    async def echo(got, writer) -> None:  # type: ignore[no-untyped-def]
        writer.write(response(body=got.target.encode()))

    async with Wire(echo) as server, SafeClient(allowed_hosts=[server.host], max_connections=5) as client:
        answers = await asyncio.gather(*(client.request("GET", f"{server.url}/{n}") for n in range(60)))

        assert [answer.text for answer in answers] == [f"/{n}" for n in range(60)]
        assert server.connections <= 5


@pytest.mark.asyncio
async def test_the_shared_client_is_one_per_loop_and_settings() -> None:
    first = await shared_client(allowed_hosts=["a.example"])

    assert await shared_client(allowed_hosts=["a.example"]) is first
    assert await shared_client(allowed_hosts=["b.example"]) is not first

    await close_shared_clients()
    assert await shared_client(allowed_hosts=["a.example"]) is not first
    await close_shared_clients()


def test_the_shared_clients_connections_end_with_their_loop() -> None:
    async def use() -> SafeClient:
        async with Wire() as server:
            client = await shared_client(allowed_hosts=[server.host])
            assert (await client.request("GET", server.url)).status == 200
            return client

    first, second = asyncio.run(use()), asyncio.run(use())

    assert first is not second
    with pytest.raises(RuntimeError, match="one event loop"):
        asyncio.run(first.request("GET", "http://api.example.com/"))


@pytest.mark.asyncio
async def test_text_is_read_in_the_charset_that_the_server_names() -> None:
    answers = {
        "text/plain; charset=ISO-8859-1": ("é".encode("latin-1"), "é"),
        "text/plain": ("é".encode(), "é"),
        "text/plain; charset=nonsense": ("é".encode(), "é"),
        "text/plain; charset=hex": (b"zz", "zz"),
        "application/json": (b"\xef\xbb\xbf{}", "{}"),
    }
    for media_type, (body, text) in answers.items():
        async with Wire(always(response(body=body, content_type=media_type))) as server:
            async with SafeClient(allowed_hosts=[server.host]) as client:
                answer = await client.request("GET", server.url)

        assert answer.text == text
        assert answer.media_type == media_type.partition(";")[0]


@pytest.mark.asyncio
async def test_local_sockets_are_out_of_reach() -> None:
    from smartsupport.lib.safe_http.transport import CheckedBackend, resolve

    with pytest.raises(ConnectFailed):
        await CheckedBackend(AddressPolicy(), resolve, Internet()).connect_unix_socket("/var/run/docker.sock")
