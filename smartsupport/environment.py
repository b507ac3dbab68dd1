"""Readers for environment variables. Each raises ImproperlyConfigured with one sentence that names the variable."""

import os
import re
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}


def text(name: str, default: str) -> str:
    return os.environ.get(name, default).strip()


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
    if not re.fullmatch(r"-?[0-9]{1,12}", raw) or not low <= int(raw) <= high:
        raise ImproperlyConfigured(f"{name} must be a whole number from {low} to {high}, not {raw!r}.")
    return int(raw)


def port(name: str, default: int) -> int:
    return integer(name, default, low=1, high=65535)


def choice(name: str, options: list[str], default: str) -> str:
    raw = text(name, "") or default
    if raw not in options:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(options)}, not {raw!r}.")
    return raw


def words(name: str, default: list[str]) -> list[str]:
    raw = text(name, "")
    return [word.strip() for word in raw.split(",") if word.strip()] if raw else default


def secret_key(*, debug: bool) -> str:
    value = text("SECRET_KEY", "")
    if value:
        return value
    if debug:
        return "insecure-development-key-never-use-it-in-production"
    raise ImproperlyConfigured("SECRET_KEY must be set when DEBUG is off.")


def data_dir(base: Path) -> Path:
    return (base / text("DATA_DIR", ".local")).resolve()


def database_url(directory: Path) -> str:
    return text("DATABASE_URL", "") or "postgresql://postgres@127.0.0.1:5432/smartsupport"


def redis_url(directory: Path) -> str:
    return text("REDIS_URL", "") or "redis://127.0.0.1:6379/0"


def database(url: str) -> dict[str, Any]:
    config: dict[str, Any] = environ.Env.db_url_config(url)
    config["ENGINE"] = "django.db.backends.postgresql"
    config["CONN_MAX_AGE"] = 0
    config.setdefault("OPTIONS", {})["pool"] = {"min_size": 1, "max_size": 16, "timeout": 10}
    return config
