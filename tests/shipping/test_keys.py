"""Every secret of the deployment is replaced while what was made with the old one goes on: rehearsed, one by one."""

import ast
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
import redis
from cryptography.fernet import Fernet
from django.apps import apps
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import TextField
from django.test import Client
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from agents.models import Credential
from chat import identity, webhook_signing
from chat.models import Customer, WebhookEndpoint
from openapi_import.models import SpecSource
from smartsupport import resealing
from smartsupport.lib.sealing import CannotUnseal, seal, unseal
from smartsupport.models import AuditEntry, IdempotentRequest

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
APPS = ("agents", "analytics", "chat", "openapi_import", "replay", "smartsupport")
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
OLD_SECRET_KEY, NEW_SECRET_KEY = "old-" * 20, "new-" * 20
LIKE_A_SECRET = re.compile(r"secret|token|sealed|password|credential")
NOT_SEALED = {
    "smartsupport.Backup.sealed": "says which keys its backup needs, which are those of its day",
}


@pytest.fixture
def keys(settings: LazySettings) -> LazySettings:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS, settings.SEALING_KEYS = OLD_SECRET_KEY, [], [OLD]
    return settings


def make_rows(many: int = 1) -> list[tuple[Any, str, object]]:
    """Sealed rows of several kinds: (row, column, what was sealed)."""
    found: list[tuple[Any, str, object]] = []
    now = timezone.now()
    for number in range(many):
        source = SpecSource.objects.create(name=f"shop-{number}", fetched_at=now)
        credential = Credential.objects.create(
            source=source, scheme="key", kind="api_key", secret=seal({"value": number}), token=seal("a token")
        )
        endpoint = WebhookEndpoint.objects.create(
            url="https://x.example", events=[], secret=seal(f"whsec_{number}")
        )
        request = IdempotentRequest.objects.create(
            caller="x",
            key=str(number),
            fingerprint="",
            token=credential.pk,
            answer=seal([{}, "ok"]),
            begun_at=now,
            lease_until=now,
            kept_until=now,
        )
        found += [(credential, "secret", {"value": number}), (credential, "token", "a token")]
        found += [(endpoint, "secret", f"whsec_{number}"), (request, "answer", [{}, "ok"])]
    return found


def opened(rows: list[tuple[Any, str, object]]) -> bool:
    """Whether the keys of now open every row, and what was sealed is in it."""
    for row, column, content in rows:
        row.refresh_from_db()
        try:
            if unseal(getattr(row, column)) != content:
                return False
        except CannotUnseal:
            return False
    return True


def reseal(*words: str) -> str:
    out = StringIO()
    call_command("reseal", *words, stdout=out, stderr=out)
    return out.getvalue()


def modules_that_seal() -> set[str]:
    """Modules of ours that call `seal`, found in their source."""
    found = set()
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            text = path.read_text()
            if "seal" not in text or name == "smartsupport.lib.sealing":
                continue
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ImportFrom) and node.module == "smartsupport.lib.sealing":
                    found |= {name for one in node.names if one.name == "seal"}
                if (
                    isinstance(node, ast.Attribute)
                    and node.attr == "seal"
                    and ast.unparse(node.value) == "sealing"
                ):
                    found.add(name)
    return found


def test_whatever_seals_is_known_to_the_command_that_seals_anew() -> None:
    known = {module for column in resealing.COLUMNS for module in column.sealed_by} | set(
        resealing.LEFT_ALONE
    )

    assert modules_that_seal() == known, (
        "a sealed column that is not in resealing.COLUMNS is lost with its key"
    )
    for column in resealing.COLUMNS:
        assert isinstance(apps.get_model(column.model)._meta.get_field(column.name), TextField)


def test_every_text_column_that_is_named_like_a_secret_is_sealed_or_explained() -> None:
    registered = {f"{column.model}.{column.name}" for column in resealing.COLUMNS} | set(NOT_SEALED)
    named_so = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        if model._meta.app_label in APPS
        for field in model._meta.get_fields()
        if type(field) is TextField and LIKE_A_SECRET.search(field.name)
    }

    assert named_so - registered == set()


def test_a_sealing_key_is_replaced(keys: LazySettings) -> None:
    rows = make_rows(3)

    keys.SEALING_KEYS = [NEW, OLD]
    assert opened(rows), "nobody waits for the command"
    told = reseal()
    again = reseal("--look")
    keys.SEALING_KEYS = [NEW]

    assert opened(rows)
    assert "agents.Credential.secret: 3 sealed anew, 0 were, 0 cannot be opened" in told
    assert "The older ones can go." in told
    assert "agents.Credential.secret: 0 sealed anew, 3 were" in again
    entry = AuditEntry.objects.get(verb="reseal")
    assert entry.detail == {"anew": 12, "lost": 0}


def test_looking_changes_nothing(keys: LazySettings) -> None:
    rows = make_rows()
    keys.SEALING_KEYS = [NEW, OLD]

    told = reseal("--look")

    keys.SEALING_KEYS = [NEW]
    assert not opened(rows)
    assert "4 secrets are sealed by an older key" in told
    assert not AuditEntry.objects.filter(verb="reseal").exists()


def test_an_interrupted_run_goes_on_where_it_was(keys: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "ROWS_AT_ONCE", 2)
    rows = make_rows(5)
    keys.SEALING_KEYS = [NEW, OLD]

    def pull_the_plug(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resealing.reseal(told=pull_the_plug)
    assert not AuditEntry.objects.filter(verb="reseal").exists()
    found = resealing.reseal()

    assert (found["agents.Credential.secret"].anew, found["agents.Credential.secret"].already) == (0, 5)
    assert found["smartsupport.IdempotentRequest.answer"].anew == 5
    keys.SEALING_KEYS = [NEW]
    assert opened(rows)


def test_what_somebody_writes_meanwhile_stays(keys: LazySettings) -> None:
    [(row, *_), *_] = make_rows()
    keys.SEALING_KEYS = [NEW, OLD]
    newer = seal({"value": "entered just now"})
    written = []

    def write_first(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE") and '"secret"' in sql and "credential" in sql and not written:
            written.append(sql)
            with connection.cursor() as cursor:
                cursor.execute("UPDATE agents_credential SET secret = %s WHERE id = %s", [newer, row.pk])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(write_first):
        resealing.reseal()

    row.refresh_from_db()
    assert written
    assert row.secret == newer


def test_what_no_key_opens_is_named_and_left_alone(keys: LazySettings) -> None:
    [(row, *_), *_] = make_rows()
    before = row.secret
    keys.SEALING_KEYS = [NEW]

    with pytest.raises(CommandError, match="4 secrets cannot be opened"):
        reseal()

    row.refresh_from_db()
    assert row.secret == before


def test_the_secret_key_is_replaced_and_nobody_is_signed_out(keys: LazySettings, client: Client) -> None:
    keys.SEALING_KEYS = []
    rows = make_rows()
    visitor = Customer.objects.create(business_id="x").pk
    cookie = identity.sign_cookie(visitor)
    client.force_login(User.objects.create_superuser("sam"))

    def works() -> bool:
        return identity.read_cookie(cookie) == visitor and client.get("/admin/").status_code == 200

    keys.SECRET_KEY, keys.SECRET_KEY_FALLBACKS = NEW_SECRET_KEY, [OLD_SECRET_KEY]
    assert opened(rows)
    assert works()
    reseal()
    keys.SECRET_KEY_FALLBACKS = []

    assert opened(rows), "sealed anew before the old key went"
    assert identity.read_cookie(cookie) is None
    assert identity.read_cookie(identity.sign_cookie(visitor)) == visitor


def test_sealing_keys_of_its_own_can_be_introduced(keys: LazySettings) -> None:
    keys.SEALING_KEYS = []
    rows = make_rows()

    keys.SEALING_KEYS = [NEW]
    reseal()
    keys.SECRET_KEY = NEW_SECRET_KEY

    assert opened(rows)


def test_the_secret_of_customers_tokens_is_replaced(settings: LazySettings) -> None:
    old, new = "old-secret-of-the-company-0123456789", "new-secret-of-the-company-0123456789"

    def token(secret: str, seconds: int = 60) -> str:
        return jwt.encode({"sub": "cus_7", "exp": int(time.time()) + seconds}, secret, algorithm="HS256")

    def refused(given: str) -> None:
        with pytest.raises(identity.Unauthorized):
            identity.identify(token=given, cookie=None)

    settings.CUSTOMER_JWT_SECRET, settings.CUSTOMER_JWT_SECRET_FALLBACKS = new, [old]
    by_both = {identity.identify(token=token(secret), cookie=None).customer_id for secret in (old, new)}
    assert len(by_both) == 1, "the same customer, whoever signed"
    refused(token(old, seconds=-60))
    refused(token("somebody-elses-secret-0123456789-0123"))
    settings.CUSTOMER_JWT_SECRET_FALLBACKS = []

    refused(token(old))
    assert identity.identify(token=token(new), cookie=None).customer_id in by_both


def test_the_password_of_valkey_is_replaced(settings: LazySettings, valkey: "redis.Redis") -> None:
    there = urlsplit(settings.REDIS_URL)
    newer = there._replace(netloc=f"default:the-new-password@{there.hostname}:{there.port}").geturl()

    valkey.execute_command("ACL", "SETUSER", "default", ">the-new-password")
    try:
        with redis.Redis.from_url(newer) as client, redis.Redis.from_url(settings.REDIS_URL) as older:
            assert client.ping()
            assert older.ping(), "processes that were not yet started again"
    finally:
        valkey.execute_command("ACL", "SETUSER", "default", "<the-new-password")
    with redis.Redis.from_url(newer) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_the_secret_of_the_webhook_url_is_replaced(settings: LazySettings) -> None:
    old, new, other = ("whsec_" + word * 8 for word in ("b2xkb2xk", "bmV3bmV3", "b3RoZXJz"))
    settings.WEBHOOK_SECRET, settings.WEBHOOK_SECRET_FALLBACKS = new, [old]
    now = datetime.now(UTC)

    headers = webhook_signing.headers("msg_1", b'{"a": 1}', webhook_signing.secrets_of(None, now), now)

    for secret in (old, new):
        assert Webhook(secret).verify('{"a": 1}', headers) == {"a": 1}
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify('{"a": 1}', headers)
    settings.WEBHOOK_SECRET_FALLBACKS = []
    headers = webhook_signing.headers(
        "msg_1", b"{}", webhook_signing.secrets_of(None, now), now + timedelta(0)
    )
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify("{}", headers)
