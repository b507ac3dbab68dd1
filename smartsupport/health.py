"""Is this process up (`/healthz`), is the whole thing ready for customers (`/readyz`), and which version is it."""

from collections.abc import Callable

import psycopg
import redis
import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.deprecation import MiddlewareMixin
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from smartsupport.lib import envelope, heartbeat
from smartsupport.lib.postgres import connection_parameters
from smartsupport.metrics.views import metrics

logger = structlog.get_logger(__name__)
TIMEOUT_SECONDS = 2


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while this process answers."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 with every check `ok`, or 503 with what is wrong: `{"status", "checks", "missing"}`."""
    checks = {name: check() for name, check in CHECKS.items()}
    missing = [name for name, found in checks.items() if found != "ok"]
    body = {"status": "unavailable" if missing else "ok", "checks": checks, "missing": missing}
    return JsonResponse(body, status=503 if missing else 200)


class HealthMiddleware(MiddlewareMixin):
    """Answers these for whoever asks by an address that is none of ours, over plain HTTP: the machine's own
    supervisor, a container's health check, a load balancer, whoever collects metrics."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        own = {"/healthz": healthz, "/readyz": readyz}
        view: Callable[[HttpRequest], HttpResponse] | None = own.get(request.path)
        if request.path == "/metrics" and settings.METRICS_TOKEN:
            view = metrics
        return None if view is None else view(request)


@csrf_exempt  # it changes nothing, and another method is told that it is not allowed
@never_cache
@require_safe
def api_health(request: HttpRequest) -> JsonResponse:
    """The public health route of the API; `status` and `version` stand beside the envelope as well as in it."""
    facts = {"status": "ok", "version": settings.VERSION}
    return JsonResponse(envelope.success(facts) | facts)


def _postgres() -> str:
    return _told("postgres", _fault_of_postgres())


def _fault_of_postgres() -> str:
    # Past the pool, whose patience is longer than that of whoever asks here.
    wanted = connection_parameters(connection) | {"connect_timeout": TIMEOUT_SECONDS}
    try:
        with psycopg.connect(**wanted) as direct:
            direct.execute("SELECT 1")
    except psycopg.Error as error:
        return str(error) or type(error).__name__
    return ""


def _valkey() -> str:
    fault = ""
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        ) as client:
            client.ping()
    except redis.RedisError as error:
        fault = str(error) or type(error).__name__
    return _told("valkey", fault)


def _told(server: str, fault: str) -> str:
    """What is away, refuses the password or is full looks the same to whoever asks: only the log says why."""
    if fault:
        logger.warning("server_does_not_answer", server=server, error=fault)
    return "does not answer" if fault else "ok"


def _migrations() -> str:
    if _fault_of_postgres():
        return "unknown while Postgres does not answer"
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        logger.exception("migrations_not_readable")
        return "cannot be read"
    return f"{len(waiting)} not applied" if waiting else "ok"


def _turns_worker() -> str:
    try:
        return "ok" if heartbeat.alive() else "none is alive"
    except redis.RedisError:
        return "unknown while Valkey does not answer"


CHECKS: dict[str, Callable[[], str]] = {
    "postgres": _postgres,
    "valkey": _valkey,
    "migrations": _migrations,
    "turns_worker": _turns_worker,
}
