"""Debian's nginx with production's own file, `docker/nginx/default.conf.template`, filled in as the image does.

`python -m tests.shipping.nginx` sees to it that there is one.
"""

import datetime
import ipaddress
import os
import re
import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from smartsupport.embedded import ports, tethered
from tests.live.stack import until
from tests.shipping.variables import substituted

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
TEMPLATE = DOCKER / "nginx" / "default.conf.template"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yml").read_text())
MAIN = DOCKER / "nginx" / "nginx.conf"


def program() -> str:
    """The path of nginx. Raises RuntimeError with what to do where there is none."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise RuntimeError(
            "The tests of production's nginx file need nginx: install it (Debian: apt-get install nginx-light)."
        )
    return found


def install() -> None:
    """Install Debian's nginx as root, or with a sudo that asks for no password. It is not started."""
    if shutil.which("apt-get") is None:
        return
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and shutil.which("sudo") is None:
        return
    print("Installing nginx for the tests of shipping ...", flush=True)
    env = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]
    subprocess.run([*prefix, *env, "apt-get", "update", "-qq"], stdout=subprocess.DEVNULL)
    command = [*prefix, *env, "apt-get", "install", "-y", "-qq", "--no-install-recommends", "nginx-light"]
    subprocess.run(command, stdout=subprocess.DEVNULL)


def rendered(environment: dict[str, str]) -> str:
    """The template as the image's `20-envsubst-on-templates.sh` writes it: only variables that the filter lets through
    and that are set are replaced."""
    passed = {
        name: value
        for name, value in environment.items()
        if re.search(environment["NGINX_ENVSUBST_FILTER"], name)
    }
    text = TEMPLATE.read_text()
    for name, value in passed.items():
        text = re.sub(rf"\$\{{{name}\}}|\${name}\b", lambda _, value=value: value, text)  # type: ignore[misc]
    return text


def compose_environment(**given: str) -> dict[str, str]:
    """What compose.yml gives nginx, with its defaults, or where `.env` says what is `given`."""
    environment: dict[str, str] = substituted(COMPOSE["services"]["nginx"]["environment"], given)
    return environment


def main_file(folder: Path) -> str:
    """nginx.conf as it is mounted, with this machine's places for what the image has in its own."""
    text = MAIN.read_text()
    places = {
        "worker_processes 4;": f"worker_processes 1;{' user root;' if os.geteuid() == 0 else ''}",
        "worker_rlimit_nofile 65536;": "",
        "/tmp/": f"{folder}/",  # noqa: S108
        "/dev/stderr": f"{folder}/error.log",
        "/etc/nginx/conf.d/": f"{folder}/conf.d/",
        "worker_connections 16384;": "worker_connections 1024;",
    }
    for there, here in places.items():
        assert there in text, there
        text = text.replace(there, here)
    return text


class Nginx:
    """In front of `web_ports`. `url` is its HTTPS address, `plain_url` its HTTP one; `tls` trusts its certificate.

    `slow_refill`: what may be asked so often in a second is allowed so often in a minute, so that a test of a limit
    need not be quick.
    """

    def __init__(
        self, folder: Path, web_ports: list[int], *, slow_refill: bool = False, **changed: str
    ) -> None:
        self.folder = folder
        self.slow_refill = slow_refill
        self.port, self.plain_port = ports.choose(None), ports.choose(None)
        self.url, self.plain_url = f"https://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.plain_port}"
        self.socket_url = f"wss://127.0.0.1:{self.port}/ws"
        self.certificate = folder / "certificates" / "fullchain.pem"
        self.acme = folder / "acme"
        self.access_log, self.error_log = folder / "support-access.log", folder / "support-error.log"
        servers = " ".join(f"server 127.0.0.1:{port} max_fails=5 fail_timeout=3s;" for port in web_ports)
        self.environment = compose_environment() | {
            "SUPPORT_HTTP_LISTEN": f"127.0.0.1:{self.plain_port}",
            # In nginx 1.22, Debian's, http2 is a word of `listen`.
            "SUPPORT_HTTPS_LISTEN": f"127.0.0.1:{self.port} ssl http2",
            "SUPPORT_HTTP2": "",
            "SUPPORT_RESOLVER": "127.0.0.1",
            "SUPPORT_WEB_SERVERS": servers,
            "SUPPORT_CERTIFICATES": str(self.certificate.parent),
            "SUPPORT_PAGES": str(DOCKER / "nginx" / "pages"),
            "SUPPORT_ACME": str(self.acme),
            "SUPPORT_ACCESS_LOG": str(self.access_log),
            "SUPPORT_ERROR_LOG": str(self.error_log),
            **changed,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        for name in ("conf.d", "certificates", "acme/.well-known/acme-challenge"):
            (self.folder / name).mkdir(parents=True)
        certify(self.certificate, self.certificate.with_name("privkey.pem"))
        self.tls = ssl.create_default_context(cafile=str(self.certificate))
        text = rendered(self.environment)
        if self.slow_refill:
            text, found = re.subn(r"(limit_req_zone .* rate=\d+)r/s;", r"\1r/m;", text)
            assert found == 2
        (self.folder / "conf.d" / "default.conf").write_text(text)
        main = self.folder / "nginx.conf"
        main.write_text(main_file(self.folder))
        with (self.folder / "output.log").open("ab") as output:
            command = [program(), "-p", self.folder, "-c", main, "-g", "daemon off;"]
            # As a container is stopped: QUIT lets it finish what it has begun.
            self._process = tethered.start(command, stop_signal="QUIT", grace_seconds=60, output=output)
        until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "output.log").read_text()
        try:
            answer = httpx.get(f"{self.plain_url}/healthz/nginx", trust_env=False, timeout=60)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()

    def logged(self) -> str:
        """Everything that nginx has written anywhere."""
        return "".join(path.read_text() for path in self.folder.glob("*.log"))


def certify(certificate: Path, key: Path) -> None:
    """A certificate for 127.0.0.1 and localhost, signed by itself, good for a day."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "support.test")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key.write_bytes(private.private_bytes(encoding, form, serialization.NoEncryption()))


def main() -> int:
    try:
        program()
    except RuntimeError:
        install()
    try:
        program()
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
