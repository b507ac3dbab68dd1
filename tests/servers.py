"""Real Postgres and Valkey for one run of the tests, thrown away afterwards.

The first process of the run (pytest itself, or xdist's controller) starts them; xdist's workers inherit their URLs.
Each worker has its own Postgres database (pytest-django names it) and its own Valkey database number.
"""

import atexit
import fcntl
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from smartsupport.embedded import servers

DATABASE_URL = "SMARTSUPPORT_TEST_DATABASE_URL"
REDIS_URL = "SMARTSUPPORT_TEST_REDIS_URL"
PREFIX = "smartsupport-tests-"
# Removed from the environment: what the tests find must not depend on whose shell they are run from.
OURS = """PORT DEMO_PORT SECRET_KEY DEBUG ALLOWED_HOSTS DATABASE_URL REDIS_URL DATA_DIR LLM_PROVIDER LLM_MODEL
OPENAI_API_KEY OPENAI_BASE_URL AZURE_OPENAI_API_KEY AZURE_OPENAI_ENDPOINT AZURE_OPENAI_DEPLOYMENT
AZURE_OPENAI_API_VERSION ANTHROPIC_API_KEY GOOGLE_API_KEY TEMPLATE_NAME ADMIN_PASSWORD ADMIN_API_KEY
CUSTOMER_JWT_SECRET ALLOW_ANONYMOUS_CHAT DEMO_CUSTOMER_ID SESSION_TTL_MINUTES INTERRUPT_TTL_MINUTES WEBHOOK_URL
WEBHOOK_SECRET WEBHOOK_TIMEOUT_SECONDS WEBHOOK_MAX_RETRIES SAFE_HTTP_ALLOWED_HOSTS TOOL_TIMEOUT_SECONDS LOG_FORMAT
WEBHOOK_ALLOWED_HOSTS WEBHOOK_PAUSE_AFTER_HOURS WEBHOOK_KEEP_DAYS RETENTION_DAYS RETENTION_MODE
LOG_LEVEL STATIC_ROOT HTTPS_ONLY TRUST_PROXY_HEADERS CSRF_TRUSTED_ORIGINS SECURE_HSTS_SECONDS
BUSINESS_HOURS BUSINESS_TIMEZONE HANDOFF_AFTER_FAILURES
SECURE_HSTS_INCLUDE_SUBDOMAINS RESUMES_PER_MINUTE REFUSED_FRAMES_PER_MINUTE NEW_VISITORS_PER_MINUTE
PROMPT_HISTORY_TOKENS SHOW_REASONING KEEP_PROMPTS TURNS_AT_ONCE TURN_LEASE_SECONDS TURN_DRAIN_SECONDS TURN_IDLE_SECONDS
METRICS_PORT METRICS_HOST METRICS_TOKEN OTEL_EXPORTER_OTLP_ENDPOINT OTEL_SERVICE_NAME TRACES_PERCENT TRACE_TOOL_CALLS
COMPANY_NAME CHAT_SUGGESTIONS
WIDGET_ORIGINS SIGN_IN_FAILURES SIGN_IN_LOCK_MINUTES WRONG_KEYS_PER_MINUTE API_REQUESTS_PER_MINUTE
STREAM_SECONDS STREAMS_PER_KEY STREAMS_PER_PROCESS APPROVAL_LINKS_WITHOUT_ACCOUNT APPROVAL_LINKS_PER_MINUTE
MULTITASK_STRATEGY SEALING_KEYS SECRET_KEY_FALLBACKS CUSTOMER_JWT_SECRET_FALLBACKS WEBHOOK_SECRET_FALLBACKS
IMPORT_MAX_BYTES IMPORT_MAX_DOCUMENTS IMPORT_MEMORY_MIB IMPORT_SECONDS""".split()


def provide() -> None:
    """Point this process at the run's servers, starting them if it is the first. Idempotent."""
    for name in OURS:
        os.environ.pop(name, None)
    _keep_compiled_code()
    if DATABASE_URL not in os.environ:
        _start()
    os.environ["DATABASE_URL"] = os.environ[DATABASE_URL]
    os.environ["REDIS_URL"] = f"{os.environ[REDIS_URL].rpartition('/')[0]}/{_worker_number()}"
    os.environ["DATA_DIR"] = os.environ["SMARTSUPPORT_TEST_DATA_DIR"]


def _keep_compiled_code() -> None:
    """A run starts some 300 processes: without compiled code on disk each of them compiles a thousand files."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def _worker_number() -> int:
    """1 to 31 in an xdist worker, 0 without xdist: the numbers of Valkey's databases."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    return int(worker.removeprefix("gw")) % 31 + 1 if worker.startswith("gw") else 0


def _start() -> None:
    _sweep()
    directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    directory.chmod(0o711)  # started by root, Postgres runs as somebody else, who must pass through here
    stack = ExitStack()
    stack.callback(shutil.rmtree, directory, ignore_errors=True)
    stack.callback(os.close, _lock(directory))
    urls = stack.enter_context(servers.running(directory, throwaway=True))
    owner = os.getpid()
    atexit.register(lambda: stack.close() if os.getpid() == owner else None)
    os.environ[DATABASE_URL] = urls.database_url
    os.environ[REDIS_URL] = urls.redis_url
    os.environ["SMARTSUPPORT_TEST_DATA_DIR"] = str(directory / "app")


def _lock(directory: Path) -> int:
    """A lock that says "in use" as long as this process lives. Raises BlockingIOError where it is."""
    lock = os.open(directory / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise
    return lock


def _sweep() -> None:
    """Remove what runs that were killed have left."""
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            if directory.stat().st_uid == os.getuid() and (directory / "run.lock").exists():
                os.close(_lock(directory))
                shutil.rmtree(directory, ignore_errors=True)
        except OSError:
            continue
