"""Settings refuse what cannot work, with one sentence that names the variable and gives no secret away."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.ground.product import ROOT
from tests.servers import OURS

PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "k" * 60,
    "ALLOWED_HOSTS": "support.example.com",
    "DATABASE_URL": "postgresql://someone:hunter2@db.example.com:5432/support",
    "REDIS_URL": "redis://:hunter2@valkey.example.com:6379/0",
    "CUSTOMER_JWT_SECRET": "j" * 40,
}
BAD = [
    ("PORT", "http"),
    ("PORT", "0"),
    ("PORT", "65536"),
    ("PORT", "-1"),
    ("PORT", "８０００"),
    ("DEMO_PORT", "8000"),
    ("DEMO_PORT", "1e3"),
    ("DEBUG", "maybe"),
    ("ALLOWED_HOSTS", "https://support.example.com"),
    ("ALLOWED_HOSTS", "support.example.com/chat"),
    ("DATABASE_URL", "mysql://root:hunter2@localhost/x"),
    ("DATABASE_URL", "postgresql://root:hunter2@localhost:port/x"),
    ("DATABASE_URL", "postgresql://root:hunter2@localhost"),
    ("DATABASE_URL", "support"),
    ("REDIS_URL", "http://:hunter2@localhost:6379"),
    ("REDIS_URL", "redis://:hunter2@localhost:99999"),
    ("REDIS_URL", "redis://:hunter2@localhost/zero"),
    ("REDIS_URL", "redis://"),
    ("DATA_DIR", str(Path(__file__))),
    ("DATA_DIR", f"{Path(__file__)}/below"),
    ("METRICS_PORT", "65536"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
    ("TRACES_PERCENT", "101"),
    ("TRACE_TOOL_CALLS", "perhaps"),
    ("WIDGET_ORIGINS", "shop.example.com"),
    ("WIDGET_ORIGINS", "https://shop.example.com/page"),
    ("WIDGET_ORIGINS", "https://*.example.com"),
    ("WIDGET_ORIGINS", "https://shop.example.com;script-src"),
    ("WIDGET_ORIGINS", "https://shop.example.com:99999"),
    ("WIDGET_ORIGINS", "https://someone@shop.example.com"),
    ("WIDGET_ORIGINS", "null"),
    ("COMPANY_NAME", "N" * 61),
    ("COMPANY_NAME", "Northwind\nOutfitters"),
    ("CHAT_SUGGESTIONS", "a|b|c|d|e|f|g"),
    ("CHAT_SUGGESTIONS", "Where is my order?|" + "N" * 121),
    ("LLM_PROVIDER", "gpt"),
    ("LLM_PROVIDER", "OpenAI"),
    ("OPENAI_BASE_URL", "localhost:8080/v1"),
    ("OPENAI_BASE_URL", "ftp://models.example.com"),
    ("AZURE_OPENAI_ENDPOINT", "//models.example.com"),
    ("TEMPLATE_NAME", "shop"),
    ("ALLOW_ANONYMOUS_CHAT", "2"),
    ("SHOW_REASONING", "sometimes"),
    ("KEEP_PROMPTS", "some"),
    ("PROMPT_HISTORY_TOKENS", "499"),
    ("PROMPT_HISTORY_TOKENS", "many"),
    ("SESSION_TTL_MINUTES", "0"),
    ("SESSION_TTL_MINUTES", "half an hour"),
    ("INTERRUPT_TTL_MINUTES", "-30"),
    ("INTERRUPT_TTL_MINUTES", "1.5"),
    ("WEBHOOK_URL", "hooks.example.com"),
    ("WEBHOOK_URL", "https://hooks.example.com/a b"),
    ("WEBHOOK_SECRET", "whsec_hunter2!"),
    ("WEBHOOK_SECRET", "whsec_"),
    ("WEBHOOK_SECRET_FALLBACKS", "whsec_b2xk,whsec_hunter2!"),
    ("WEBHOOK_TIMEOUT_SECONDS", "0"),
    ("WEBHOOK_MAX_RETRIES", "many"),
    ("WEBHOOK_MAX_RETRIES", "-1"),
    ("WEBHOOK_PAUSE_AFTER_HOURS", "0"),
    ("WEBHOOK_KEEP_DAYS", "for ever"),
    ("RETENTION_DAYS", "-1"),
    ("RETENTION_MODE", "forget"),
    ("BUSINESS_HOURS", "9 to 5"),
    ("BUSINESS_HOURS", "Mon-Fri 17:00-09:00"),
    ("BUSINESS_TIMEZONE", "Berlin"),
    ("HANDOFF_AFTER_FAILURES", "-1"),
    ("SAFE_HTTP_ALLOWED_HOSTS", "http://intranet"),
    ("SAFE_HTTP_ALLOWED_HOSTS", "intranet/path"),
    ("WEBHOOK_ALLOWED_HOSTS", "https://intranet"),
    ("RESUMES_PER_MINUTE", "0"),
    ("REFUSED_FRAMES_PER_MINUTE", "unlimited"),
    ("NEW_VISITORS_PER_MINUTE", "-5"),
    ("NEW_VISITORS_PER_MINUTE", "100001"),
    ("WRONG_KEYS_PER_MINUTE", "0"),
    ("API_REQUESTS_PER_MINUTE", "0"),
    ("STREAM_SECONDS", "0"),
    ("APPROVAL_LINKS_WITHOUT_ACCOUNT", "perhaps"),
    ("APPROVAL_LINKS_PER_MINUTE", "0"),
    ("STREAMS_PER_KEY", "0"),
    ("STREAMS_PER_PROCESS", "many"),
    ("SIGN_IN_FAILURES", "1"),
    ("SIGN_IN_LOCK_MINUTES", "0"),
    ("TOOL_TIMEOUT_SECONDS", "99999"),
    ("SEALING_KEYS", "hunter2"),
    ("SEALING_KEYS", "c2hvcnQ="),
    ("SEALING_KEYS", f"{'A' * 43}=,not-a-key"),
    ("TURN_IDLE_SECONDS", "60"),
    ("TURN_IDLE_SECONDS", "soon"),
    ("TURNS_AT_ONCE", "0"),
    ("MULTITASK_STRATEGY", "rollback"),
    ("LOG_FORMAT", "xml"),
    ("LOG_LEVEL", "LOUD"),
    ("HTTPS_ONLY", "sometimes"),
    ("CSRF_TRUSTED_ORIGINS", "support.example.com"),
    ("SECURE_HSTS_SECONDS", "forever"),
]
MISSING = [
    ({}, "SECRET_KEY"),
    ({}, "ALLOWED_HOSTS"),
    ({}, "DATABASE_URL"),
    ({}, "REDIS_URL"),
    ({}, "CUSTOMER_JWT_SECRET"),
    ({"LLM_PROVIDER": "openai"}, "OPENAI_API_KEY"),
    ({"LLM_PROVIDER": "openai", "OPENAI_BASE_URL": "http://localhost:9/v1"}, "OPENAI_API_KEY"),
    ({"LLM_PROVIDER": "azure_openai"}, "AZURE_OPENAI_API_KEY"),
    (
        {
            "LLM_PROVIDER": "azure_openai",
            "AZURE_OPENAI_API_KEY": "k",
            "AZURE_OPENAI_DEPLOYMENT": "d",
            "AZURE_OPENAI_API_VERSION": "v",
        },
        "AZURE_OPENAI_ENDPOINT",
    ),
    ({"LLM_PROVIDER": "anthropic"}, "ANTHROPIC_API_KEY"),
    ({"LLM_PROVIDER": "google"}, "GOOGLE_API_KEY"),
    ({"WEBHOOK_URL": "https://hooks.example.com/"}, "WEBHOOK_SECRET"),
]
WEAK = [
    ("SECRET_KEY", "short"),
    ("SECRET_KEY", "insecure-development-key-never-use-it-in-production"),
    ("CUSTOMER_JWT_SECRET", "secret"),
    ("SECRET_KEY_FALLBACKS", "k" * 60 + ",short"),
    ("CUSTOMER_JWT_SECRET_FALLBACKS", "j" * 40 + ",short"),
    ("ADMIN_PASSWORD", "admin"),
    ("ADMIN_API_KEY", "key"),
]


def read(**env: str) -> str:
    """Read the settings with only these variables set: the refusal, or an empty text."""
    with pytest.MonkeyPatch.context() as patch:
        for name in OURS:
            patch.delenv(name, raising=False)
        for name, value in env.items():
            patch.setenv(name, value)
        try:
            runpy.run_path(str(ROOT / "smartsupport" / "settings.py"))
        except ImproperlyConfigured as error:
            return str(error)
    return ""


def run(command: list[str], env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    clean = {
        name: value for name, value in os.environ.items() if name not in {*OURS, "DJANGO_SETTINGS_MODULE"}
    }
    return subprocess.run(command, cwd=ROOT, env=clean | env, capture_output=True, text=True, timeout=180)


def assert_names(sentence: str, variable: str) -> None:
    assert variable in sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert "hunter2" not in sentence


def assert_refused(ended: "subprocess.CompletedProcess[str]", variable: str) -> None:
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert_names(ended.stderr.removesuffix("\n"), variable)


@pytest.mark.parametrize(("variable", "value"), BAD)
def test_an_impossible_value_is_refused(variable: str, value: str) -> None:
    assert_names(read(**{variable: value}), variable)


@pytest.mark.parametrize(("extra", "variable"), MISSING)
def test_production_does_not_start_without(extra: dict[str, str], variable: str) -> None:
    env = {name: value for name, value in (PRODUCTION | extra).items() if name != variable}

    assert_names(read(**env), variable)


@pytest.mark.parametrize(("variable", "value"), WEAK)
def test_production_refuses_a_weak_secret(variable: str, value: str) -> None:
    assert_names(read(**PRODUCTION | {variable: value}), variable)


def test_development_needs_nothing_and_production_its_six() -> None:
    assert read() == ""
    assert read(**PRODUCTION) == ""


def test_an_empty_variable_counts_as_unset() -> None:
    assert read(**dict.fromkeys(OURS, "")) == ""


def test_anonymous_chat_needs_no_token_secret() -> None:
    env = PRODUCTION | {"ALLOW_ANONYMOUS_CHAT": "true", "CUSTOMER_JWT_SECRET": ""}

    assert read(**env) == ""


@pytest.mark.parametrize(
    "command",
    [
        ["manage.py", "check"],
        ["-m", "daphne", "smartsupport.asgi:application"],
        ["-m", "celery", "-A", "smartsupport", "worker"],
        ["-m", "smartsupport.supervisor"],
    ],
    ids=["manage.py", "daphne", "celery", "supervisor"],
)
def test_every_program_says_it_the_same_way(command: list[str]) -> None:
    assert_refused(run([sys.executable, *command], {"LLM_PROVIDER": "gpt"}), "LLM_PROVIDER")


@pytest.mark.parametrize(
    "command",
    [
        ["manage.py", "migrate"],
        ["-m", "daphne", "smartsupport.asgi:application"],
        ["-m", "celery", "-A", "smartsupport", "worker"],
    ],
    ids=["manage.py", "daphne", "celery"],
)
def test_without_servers_a_program_says_how_to_get_them(command: list[str], tmp_path: Path) -> None:
    ended = run([sys.executable, *command], {"DATA_DIR": str(tmp_path)})

    assert_refused(ended, "DATABASE_URL")
    assert "make run" in ended.stderr


def test_what_needs_no_servers_works_without_them(tmp_path: Path) -> None:
    ended = run([sys.executable, "manage.py", "check"], {"DATA_DIR": str(tmp_path)})

    assert ended.returncode == 0, ended.stderr


def test_production_is_locked_down() -> None:
    program = (
        "from smartsupport import startup; startup.read_settings(); from django.conf import settings as s;"
        "print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS > 0,"
        "s.ALLOW_ANONYMOUS_CHAT, s.DEMO_CUSTOMER_ID == '', s.SAFE_HTTP_ALLOWED_HOSTS == [],"
        "s.SECURE_PROXY_SSL_HEADER, s.LOG_FORMAT, s.CHAT_SUGGESTIONS == [], 'Demo' not in s.COMPANY_NAME)"
    )

    ended = run([sys.executable, "-c", program], PRODUCTION)

    assert ended.stdout.split() == [
        "True",
        "True",
        "True",
        "True",
        "False",
        "True",
        "True",
        "None",
        "json",
        "True",
        "True",
    ], ended.stderr
