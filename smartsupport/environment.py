"""Readers for environment variables. Each raises ImproperlyConfigured with one sentence that names the variable.

A sentence never repeats a value that may be secret (keys, passwords, URLs with a password in them).
"""

import base64
import binascii
import os
import re
import socket
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from chat.business_hours import parse as parse_hours
from chat.business_hours import zone as time_zone
from smartsupport.embedded import remembered

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
DEVELOPMENT_KEY = "insecure-development-key-never-use-it-in-production"
NOT_RUNNING_DATABASE = "postgresql://postgres@127.0.0.1:1/smartsupport"
NOT_RUNNING_BROKER = "redis://127.0.0.1:1/0"
NAMED_HOST = re.compile(r"\.?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\]|\*")
HOST_WITH_PORT = re.compile(r"([A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")

SITE = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?"
)


def text(name: str, default: str) -> str:
    return os.environ.get(name, "").strip() or default


def short(name: str, default: str, *, at_most: int) -> str:
    """A text that has to fit where it is shown."""
    return _fitting(name, text(name, default), at_most)


def sentences(name: str, default: list[str], *, at_most: int, characters: int) -> list[str]:
    """Texts, separated by | as they may have commas."""
    raw = text(name, "")
    found = [part.strip() for part in raw.split("|") if part.strip()] if raw else default
    if len(found) > at_most:
        raise ImproperlyConfigured(
            f"{name} must have at most {at_most} texts, separated by |, not {len(found)}."
        )
    return [_fitting(name, one, characters) for one in found]


def _fitting(name: str, value: str, at_most: int) -> str:
    if len(value) > at_most or len(value.splitlines()) > 1:
        raise ImproperlyConfigured(f"{name} must be text of at most {at_most} characters in one line.")
    return value


def boolean(name: str, default: bool) -> bool:
    raw = text(name, "").lower()
    if not raw:
        return default
    if raw in TRUE | FALSE:
        return raw in TRUE
    raise ImproperlyConfigured(f"{name} must be true or false, not {raw!r}.")


def integer(name: str, default: int, *, low: int, high: int) -> int:
    raw = text(name, "")
    if not raw:
        return default
    if not re.fullmatch(r"-?[0-9]{1,12}", raw, re.ASCII) or not low <= int(raw) <= high:
        raise ImproperlyConfigured(f"{name} must be a whole number from {low} to {high}, not {raw!r}.")
    return int(raw)


def port(name: str, default: int) -> int:
    return integer(name, default, low=1, high=65535)


def choice(name: str, options: list[str], default: str) -> str:
    raw = text(name, default)
    if raw not in options:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(options)}, not {raw!r}.")
    return raw


def words(name: str, default: list[str]) -> list[str]:
    raw = text(name, "")
    return [word.strip() for word in raw.split(",") if word.strip()] if raw else default


def hosts(name: str, default: list[str], *, with_port: bool = False) -> list[str]:
    """Host names, comma-separated: no scheme, no path; a port only `with_port`."""
    found = words(name, default)
    shape = HOST_WITH_PORT if with_port else NAMED_HOST
    for host in found:
        if not shape.fullmatch(host):
            raise ImproperlyConfigured(
                f"{name} must list host names separated by commas, without https:// or a path; {host!r} is not one."
            )
    return found


def origins(name: str) -> list[str]:
    """Origins such as `https://support.example.com`, comma-separated."""
    found = words(name, [])
    for origin in found:
        parts = _split(origin)
        if (
            parts is None
            or parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.path.strip("/")
        ):
            raise ImproperlyConfigured(
                f"{name} must list origins like https://support.example.com; {origin!r} is not one."
            )
    return [origin.rstrip("/") for origin in found]


def sites(name: str) -> list[str]:
    """Origins, comma-separated, as browsers write them: a scheme, a host in ASCII, a port unless it is the usual."""
    found = []
    for origin in words(name, []):
        spelled = SITE.fullmatch(origin.rstrip("/").lower())
        if spelled is None or int(spelled["port"] or 0) > 65535:
            raise ImproperlyConfigured(
                f"{name} must list origins like https://shop.example.com, separated by commas; {origin!r} is not one."
            )
        usual = spelled["port"] == {"https": "443", "http": "80"}[spelled["scheme"]]
        place = f"{spelled['scheme']}://{spelled['host']}"
        found.append(place if usual or not spelled["port"] else f"{place}:{spelled['port']}")
    return found


def http_url(name: str, default: str = "") -> str:
    """An http(s) URL with a host, or the default."""
    raw = text(name, default)
    parts = _split(raw)
    if raw and (
        parts is None or parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", raw)
    ):
        raise ImproperlyConfigured(
            f"{name} must be a URL that begins with http:// or https:// and names a host."
        )
    return raw


def secret(name: str, *, at_least: int = 1, required: str = "") -> str:
    """A secret of at least so many characters; `required` is the reason why it may not be missing."""
    value = text(name, "")
    if not value and required:
        raise ImproperlyConfigured(f"{name} must be set {required}.")
    if value and len(value) < at_least:
        raise ImproperlyConfigured(f"{name} must have at least {at_least} characters.")
    return value


def secret_key(*, debug: bool) -> str:
    if debug:
        return secret("SECRET_KEY") or DEVELOPMENT_KEY
    value = secret("SECRET_KEY", at_least=50, required="when DEBUG is off")
    if value == DEVELOPMENT_KEY:
        raise ImproperlyConfigured(
            "SECRET_KEY is the one that everybody knows from development: choose a random one."
        )
    return value


def fallbacks(name: str, *, at_least: int = 1) -> list[str]:
    """Secrets that are good no more for what is new, and still for what was made with them; comma-separated."""
    found = words(name, [])
    if any(len(value) < at_least for value in found):
        raise ImproperlyConfigured(
            f"{name} must list secrets of at least {at_least} characters, separated by commas."
        )
    return found


def webhook_secret(*, required: bool) -> str:
    value = secret("WEBHOOK_SECRET", required="when WEBHOOK_URL is set and DEBUG is off" if required else "")
    return _usable_webhook_secret("WEBHOOK_SECRET", value)


def webhook_fallbacks(name: str) -> list[str]:
    return [_usable_webhook_secret(name, value) for value in fallbacks(name)]


def _usable_webhook_secret(name: str, value: str) -> str:
    if value.startswith("whsec_"):
        try:
            key = base64.b64decode(value.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not key:
            raise ImproperlyConfigured(f"{name} must be base64 after its whsec_ prefix.")
    return value


def sealing_keys(name: str) -> list[str]:
    """Fernet keys, comma-separated: 32 bytes each, as URL-safe base64."""
    keys = words(name, [])
    for key in keys:
        try:
            usable = len(base64.urlsafe_b64decode(key)) == 32
        except (binascii.Error, ValueError):
            usable = False
        if not usable:
            raise ImproperlyConfigured(
                f"{name} must list keys of 32 bytes in URL-safe base64, separated by commas."
            )
    return keys


def business_hours(name: str, zone_name: str) -> tuple[str, str]:
    """When people are there ("" is always), and the time zone that this is about."""
    hours, zone = text(name, ""), text(zone_name, "UTC")
    for variable, check, value in ((name, parse_hours, hours), (zone_name, time_zone, zone)):
        try:
            check(value)
        except ValueError as fault:
            raise ImproperlyConfigured(f"{variable} {fault}.") from None
    return hours, zone


def provider_key(name: str, provider: str, chosen: str) -> str:
    """What the provider needs; missing, it stops the start if that provider is the chosen one."""
    return secret(name, required=f"when LLM_PROVIDER is {provider}" if chosen == provider else "")


def data_dir(base: Path) -> Path:
    raw = text("DATA_DIR", ".local")
    if "\0" in raw:
        raise ImproperlyConfigured("DATA_DIR must be the path of a folder.")
    path = (base / Path(raw).expanduser()).resolve()
    nearest = next(folder for folder in (path, *path.parents) if folder.exists())
    if not nearest.is_dir():
        raise ImproperlyConfigured(f"DATA_DIR must be the path of a folder, and {nearest} is a file.")
    return path


def database_url(directory: Path, *, debug: bool) -> str:
    """DATABASE_URL, else the embedded server's, else (development only) one that nothing answers on."""
    raw = text("DATABASE_URL", "")
    if not raw:
        if not debug:
            raise ImproperlyConfigured("DATABASE_URL must be set when DEBUG is off.")
        url = remembered.read(directory).database_url
        return url if _answers(url) else NOT_RUNNING_DATABASE
    parts = _split(raw)
    if (
        parts is None
        or parts.scheme not in ("postgresql", "postgres")
        or not parts.hostname
        or len(parts.path) < 2
    ):
        raise ImproperlyConfigured("DATABASE_URL must look like postgresql://user:password@host:5432/name.")
    return raw


def redis_url(directory: Path, *, debug: bool) -> str:
    """REDIS_URL, else the embedded server's, else (development only) one that nothing answers on."""
    raw = text("REDIS_URL", "")
    if not raw:
        if not debug:
            raise ImproperlyConfigured("REDIS_URL must be set when DEBUG is off.")
        url = remembered.read(directory).redis_url
        return url if _answers(url) else NOT_RUNNING_BROKER
    parts = _split(raw)
    if parts is None or parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise ImproperlyConfigured("REDIS_URL must look like redis://:password@host:6379/0.")
    if not re.fullmatch(r"(/[0-9]*)?", parts.path, re.ASCII):
        raise ImproperlyConfigured(
            "REDIS_URL must end with the number of a database, like redis://host:6379/0."
        )
    return raw


def beside_others(redis_url: str) -> str:
    """What keeps messages apart where several deployments share one Valkey server. Its numbered databases keep keys
    apart, but whoever listens hears what is published in any of them. "" for number 0, otherwise "-" and the number."""
    number = int(urlsplit(redis_url).path.strip("/") or 0)
    return f"-{number}" if number else ""


VANISHED = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
"""What libpq asks of the network: after so many seconds of silence, how far apart, how often in vain; and for how many
milliseconds something sent may stay without a sign that it arrived. What the URL says goes before it."""


def database(url: str) -> dict[str, Any]:
    """Django's settings for a Postgres URL, with one connection pool per process."""
    config: dict[str, Any] = environ.Env.db_url_config(url)
    config["ENGINE"] = "django.db.backends.postgresql"
    config["CONN_MAX_AGE"] = 0
    config["CONN_HEALTH_CHECKS"] = (
        True  # the pool looks before it lends: a restarted server costs nobody an error
    )
    # A process that is frozen inside a transaction must not keep its locks for as long as it sleeps.
    config.setdefault("OPTIONS", {}).setdefault("options", "-c idle_in_transaction_session_timeout=30s")
    # And nobody waits for two hours for the answer of a server whose machine has lost its power or its network.
    config["OPTIONS"] = VANISHED | config["OPTIONS"]
    if url != NOT_RUNNING_DATABASE:  # where nothing answers, say so at once instead of waiting for the pool
        config["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 16, "timeout": 10}
    return config


def _answers(url: str) -> bool:
    """Whether somebody listens on this machine where a remembered server did."""
    parts = _split(url)
    if parts is None or parts.port is None:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", parts.port)) == 0


def _split(url: str) -> SplitResult | None:
    """The URL's parts, or None where it is none (a bad port included)."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts
