"""Every setting of the project, read from the environment once. A value that cannot work stops the start with one
sentence that names the variable (`smartsupport.environment`). docs/configuration.md explains each of them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from chat.suggestions import OF_THE_DEMO
from smartsupport import environment as env
from smartsupport import logs, version
from smartsupport.console import UNFOLD as UNFOLD

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = version.VERSION

# Core
DEBUG = env.boolean("DEBUG", True)
SECRET_KEY = env.secret_key(debug=DEBUG)
SECRET_KEY_FALLBACKS = env.fallbacks("SECRET_KEY_FALLBACKS", at_least=1 if DEBUG else 50)
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
DATA_DIR = env.data_dir(BASE_DIR)
PORT = env.port("PORT", 8000)
DEMO_PORT = env.port("DEMO_PORT", 8001)
DATABASE_URL = env.database_url(DATA_DIR, debug=DEBUG)
REDIS_URL = env.redis_url(DATA_DIR, debug=DEBUG)
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS must be set when DEBUG is off.")
if PORT == DEMO_PORT:
    raise ImproperlyConfigured(f"DEMO_PORT must differ from PORT; both are {PORT}.")

INSTALLED_APPS = [
    "chat",  # before channels: its `runworker` adds recovery, heartbeat and draining
    "daphne",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_structlog",
    "axes",  # before ours: it counts a failed sign-in before the audit hears of it
    "smartsupport",
    "agents",
    "openapi_import",
    "analytics",
    "replay",
]

MIDDLEWARE = [
    "django_structlog.middlewares.RequestMiddleware",  # first, so that its request id is on every line
    "smartsupport.csp.ContentSecurityPolicyMiddleware",
    "smartsupport.health.HealthMiddleware",  # before anything that looks at the host or asks for HTTPS
    "smartsupport.rate_limits.RateLimitMiddleware",  # before those that put another answer in the place of one
    "smartsupport.api_errors.ApiErrorsMiddleware",
    "smartsupport.etags.EntityTagMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "smartsupport.refused.OwnPageMiddleware",  # after those that know who is signed in
    "smartsupport.audit.middleware.AuditMiddleware",  # after those that know the user and the messages
    "axes.middleware.AxesMiddleware",  # last: its page takes the place of the sign-in form
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: refuses whoever is locked out, knows nobody
    "django.contrib.auth.backends.ModelBackend",
]

ROOT_URLCONF = "smartsupport.urls"
CSRF_FAILURE_VIEW = "smartsupport.refused.form_refused"
ASGI_APPLICATION = "smartsupport.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "smartsupport" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Servers. The pool is per process; a thread gives its connection back after each piece of work.
DATABASES = {"default": env.database(DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# The channel of the turns workers, and what the names of all others begin with.
BESIDE_OTHERS = env.beside_others(REDIS_URL)
TURNS_CHANNEL = f"turns{BESIDE_OTHERS}"
CHANNEL_LAYERS = {
    "default": {
        # A group message costs a fifth of the list-based layer's, and a named channel reaches every worker, which is
        # what `stop` wants.
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": f"smartsupport{BESIDE_OTHERS}"},
    }
}
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True  # results live in our own tables
CELERY_RESULT_EXPIRES = None  # so beat has none to clear up
# Acknowledged before they run: what a task does is found again by the next sweep, and acknowledging over a connection
# that has gone meanwhile would end the worker.
CELERY_TASK_ACKS_LATE = False
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "celerybeat-schedule")
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": "smartsupport:celery:",
    "visibility_timeout": 600,
    "priority_steps": [0],  # nothing of ours has another, and each makes one more list of every queue
}
CELERY_TIMEZONE = "UTC"
# Beside each app's `tasks`, which Celery finds by itself.
CELERY_IMPORTS = [
    "chat.sweeping",
    "chat.feedback_asking",
    "agents.spending.jobs",
    "smartsupport.retention.tasks",
]
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "sweep-turns": {
        "task": "chat.sweep_turns",
        "schedule": 5.0,
        "options": {"expires": 5},
    },
    "ask-for-feedback": {
        "task": "chat.ask_for_feedback",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "expire-approvals": {
        "task": "agents.tasks.expire_approvals",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "settle-actions": {
        "task": "agents.tasks.settle_abandoned_actions",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "send-webhooks": {
        "task": "chat.tasks.send_webhooks",
        "schedule": 2.0,
        "options": {"expires": 2},
    },
    "forget-webhooks": {
        "task": "chat.tasks.forget_webhooks",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "repeat-actions": {
        "task": "agents.tasks.repeat_unknown_actions",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "sweep-imports": {
        "task": "openapi_import.tasks.sweep_imports",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "empty-old-imports": {
        "task": "openapi_import.tasks.empty_old_imports",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "look-at-budgets": {
        "task": "agents.spending.look_at_budgets",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "look-at-all-budgets": {
        "task": "agents.spending.look_at_budgets",
        "schedule": 3600.0,
        "kwargs": {"whole_period": True},
        "options": {"expires": 3600},
    },
    "sum-up-spending": {
        "task": "agents.spending.sum_up_days",
        "schedule": 900.0,
        "options": {"expires": 900},
    },
    "count-conversations": {
        "task": "analytics.tasks.roll_up",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "forget-old-requests": {
        "task": "smartsupport.tasks.forget_old_requests",
        "schedule": 900.0,
        "options": {"expires": 900},
    },
    "forget-old-sessions": {
        "task": "smartsupport.tasks.forget_old_sessions",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "forget-old-conversations": {
        "task": "smartsupport.retention.forget",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "compare-analytics-with-the-log": {
        "task": "analytics.tasks.compare_everything",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
}
# Each in a queue of its own, so that beat sees whether one waits, and adds no second (smartsupport.one_each).
for _name, _entry in CELERY_BEAT_SCHEDULE.items():
    _entry["options"]["queue"] = _name
CELERY_TASK_QUEUES = {name: {"exchange": name} for name in ("celery", *CELERY_BEAT_SCHEDULE)}
CELERY_BEAT_SCHEDULER = "smartsupport.one_each:OneEach"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# Security. Behind a proxy that ends TLS, TRUST_PROXY_HEADERS lets X-Forwarded-Proto say so, and X-Forwarded-For from
# which address a visitor came; without such a proxy anybody could send those headers, so it is off.
HTTPS_ONLY = env.boolean("HTTPS_ONLY", not DEBUG)
SECURE_SSL_REDIRECT = HTTPS_ONLY
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = env.integer(
    "SECURE_HSTS_SECONDS", 31_536_000 if HTTPS_ONLY else 0, low=0, high=63_072_000
)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.boolean("SECURE_HSTS_INCLUDE_SUBDOMAINS", False)
TRUST_PROXY_HEADERS = env.boolean("TRUST_PROXY_HEADERS", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY_HEADERS else None
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
# The sites that may show the chat in a frame (chat.widget). None: nobody may.
WIDGET_ORIGINS = env.sites("WIDGET_ORIGINS")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for subdomains and the preload list bind a whole company: its decision, not our default
    "security.W021",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

# How often signing in may fail before it waits (smartsupport.sign_in): by name and address, by address, by name.
SIGN_IN_FAILURES = env.integer("SIGN_IN_FAILURES", 5, low=2, high=1_000)
SIGN_IN_LOCK_MINUTES = env.integer("SIGN_IN_LOCK_MINUTES", 15, low=1, high=60 * 24)
AXES_HANDLER = "smartsupport.sign_in.Limits"
AXES_FAILURE_LIMIT = 1  # of those that Limits has reached
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]  # whose failures are forgotten at success
AXES_COOLOFF_TIME = timedelta(minutes=SIGN_IN_LOCK_MINUTES)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "smartsupport.sign_in.address"
AXES_LOCKOUT_CALLABLE = "smartsupport.sign_in.locked_out"
AXES_ENABLE_ADMIN = False
AXES_DISABLE_ACCESS_LOG = True  # the audit tells who signed in
AXES_VERBOSE = False

# What secrets at rest are sealed with: the first seals, all open. None: derived from SECRET_KEY.
SEALING_KEYS = env.sealing_keys("SEALING_KEYS")

# Importing OpenAPI documents. One document, and all that it refers to, are read in a process of its own.
IMPORT_MAX_BYTES = env.integer("IMPORT_MAX_BYTES", 10 * 1024 * 1024, low=1_024, high=100 * 1024 * 1024)
IMPORT_MAX_DOCUMENTS = env.integer("IMPORT_MAX_DOCUMENTS", 50, low=1, high=1_000)
IMPORT_MEMORY_MIB = env.integer("IMPORT_MEMORY_MIB", 1_024, low=128, high=65_536)
IMPORT_SECONDS = env.integer("IMPORT_SECONDS", 300, low=5, high=3_600)

# Models
LLM_PROVIDER = env.choice(
    "LLM_PROVIDER", ["offline", "openai", "azure_openai", "anthropic", "google"], "offline"
)
LLM_MODEL = env.text("LLM_MODEL", "")
OPENAI_API_KEY = env.provider_key("OPENAI_API_KEY", "openai", LLM_PROVIDER)
OPENAI_BASE_URL = env.http_url("OPENAI_BASE_URL")
AZURE_OPENAI_API_KEY = env.provider_key("AZURE_OPENAI_API_KEY", "azure_openai", LLM_PROVIDER)
AZURE_OPENAI_ENDPOINT = env.http_url("AZURE_OPENAI_ENDPOINT")
AZURE_OPENAI_DEPLOYMENT = env.provider_key("AZURE_OPENAI_DEPLOYMENT", "azure_openai", LLM_PROVIDER)
AZURE_OPENAI_API_VERSION = env.provider_key("AZURE_OPENAI_API_VERSION", "azure_openai", LLM_PROVIDER)
ANTHROPIC_API_KEY = env.provider_key("ANTHROPIC_API_KEY", "anthropic", LLM_PROVIDER)
GOOGLE_API_KEY = env.provider_key("GOOGLE_API_KEY", "google", LLM_PROVIDER)
TEMPLATE_NAME = env.choice("TEMPLATE_NAME", ["ecommerce", "saas", "fintech"], "ecommerce")
if LLM_PROVIDER == "azure_openai" and not AZURE_OPENAI_ENDPOINT:
    raise ImproperlyConfigured("AZURE_OPENAI_ENDPOINT must be set when LLM_PROVIDER is azure_openai.")

# Staff and integrators: taken for the first of each, by `manage.py seed`; generated and printed once when unset.
ADMIN_PASSWORD = env.secret("ADMIN_PASSWORD", at_least=1 if DEBUG else 12)
ADMIN_API_KEY = env.secret("ADMIN_API_KEY", at_least=1 if DEBUG else 24)

# Customers and limits
ALLOW_ANONYMOUS_CHAT = env.boolean("ALLOW_ANONYMOUS_CHAT", DEBUG)
CUSTOMER_JWT_SECRET = env.secret(
    "CUSTOMER_JWT_SECRET",
    at_least=1 if DEBUG else 32,
    required="" if DEBUG or ALLOW_ANONYMOUS_CHAT else "when DEBUG is off and ALLOW_ANONYMOUS_CHAT is too",
)
CUSTOMER_JWT_SECRET_FALLBACKS = env.fallbacks("CUSTOMER_JWT_SECRET_FALLBACKS", at_least=1 if DEBUG else 32)
# How the chat introduces itself. What the demonstration suggests is about the demo business.
COMPANY_NAME = env.short("COMPANY_NAME", "Smart Support Demo" if DEBUG else "Smart Support", at_most=60)
CHAT_SUGGESTIONS = env.sentences(
    "CHAT_SUGGESTIONS", OF_THE_DEMO[TEMPLATE_NAME] if DEBUG else [], at_most=6, characters=120
)
DEMO_CUSTOMER_ID = env.text("DEMO_CUSTOMER_ID", "cus_1001" if DEBUG else "")
SESSION_TTL_MINUTES = env.integer("SESSION_TTL_MINUTES", 30, low=1, high=60 * 24 * 30)
INTERRUPT_TTL_MINUTES = env.integer("INTERRUPT_TTL_MINUTES", 30, low=1, high=60 * 24 * 30)
# Whether a link may ask somebody without an account to decide on what waits for staff.
APPROVAL_LINKS_WITHOUT_ACCOUNT = env.boolean("APPROVAL_LINKS_WITHOUT_ACCOUNT", False)
APPROVAL_LINKS_PER_MINUTE = env.integer("APPROVAL_LINKS_PER_MINUTE", 60, low=1, high=100_000)
# How often in a minute, counted across all processes (chat.limits). Development lets one machine be many visitors.
RESUMES_PER_MINUTE = env.integer("RESUMES_PER_MINUTE", 600, low=1, high=100_000)
REFUSED_FRAMES_PER_MINUTE = env.integer("REFUSED_FRAMES_PER_MINUTE", 1_200, low=1, high=100_000)
NEW_VISITORS_PER_MINUTE = env.integer("NEW_VISITORS_PER_MINUTE", 6_000 if DEBUG else 120, low=1, high=100_000)
WRONG_KEYS_PER_MINUTE = env.integer("WRONG_KEYS_PER_MINUTE", 6_000 if DEBUG else 60, low=1, high=100_000)
# Of one API key that has no limit of its own (chat.key_limits).
API_REQUESTS_PER_MINUTE = env.integer(
    "API_REQUESTS_PER_MINUTE", 6_000 if DEBUG else 600, low=1, high=1_000_000
)
# Event streams: how long one is held before its reader comes back, and how many at once in a process, of one key and of
# all.
STREAM_SECONDS = env.integer("STREAM_SECONDS", 900, low=1, high=86_400)
STREAMS_PER_KEY = env.integer("STREAMS_PER_KEY", 200, low=1, high=100_000)
STREAMS_PER_PROCESS = env.integer("STREAMS_PER_PROCESS", 1_000, low=1, high=100_000)
FEEDBACK_PER_MINUTE = env.integer("FEEDBACK_PER_MINUTE", 30, low=1, high=100_000)
# In development the demo business API is always among them: the demo's tools are nothing without it.
SAFE_HTTP_ALLOWED_HOSTS = env.hosts("SAFE_HTTP_ALLOWED_HOSTS", [], with_port=True) + (
    [f"127.0.0.1:{DEMO_PORT}", f"localhost:{DEMO_PORT}"] if DEBUG else []
)
# A turn whose worker has not been heard of for the lease is given to another one. A worker that is told to leave lets
# its turns finish for the drain, then hands them over.
TURNS_AT_ONCE = env.integer("TURNS_AT_ONCE", 64, low=1, high=1000)
TURN_LEASE_SECONDS = env.integer("TURN_LEASE_SECONDS", 30, low=2, high=600)
TURN_DRAIN_SECONDS = env.integer("TURN_DRAIN_SECONDS", 20, low=0, high=600)
TOOL_TIMEOUT_SECONDS = env.integer("TOOL_TIMEOUT_SECONDS", 60, low=1, high=600)
# A turn from which nothing has come for so long (no text, no tool's answer) is ended as failed.
TURN_IDLE_SECONDS = env.integer("TURN_IDLE_SECONDS", max(150, TOOL_TIMEOUT_SECONDS + 90), low=2, high=3600)
if TURN_IDLE_SECONDS <= TOOL_TIMEOUT_SECONDS:
    raise ImproperlyConfigured(
        "TURN_IDLE_SECONDS must be longer than TOOL_TIMEOUT_SECONDS: a tool's answer may take that long."
    )
# What becomes of a message that comes while an earlier one is worked on.
MULTITASK_STRATEGY = env.choice("MULTITASK_STRATEGY", ["enqueue", "reject", "interrupt"], "enqueue")

# People: when somebody is there, and when a conversation is handed to them without anybody asking.
BUSINESS_HOURS, BUSINESS_TIMEZONE = env.business_hours("BUSINESS_HOURS", "BUSINESS_TIMEZONE")
HANDOFF_AFTER_FAILURES = env.integer("HANDOFF_AFTER_FAILURES", 3, low=0, high=100)
# After how much silence a customer whom an agent has answered is asked what they thought; 0: only when staff resolve.
FEEDBACK_AFTER_MINUTES = env.integer("FEEDBACK_AFTER_MINUTES", 5, low=0, high=60 * 24)
# What a model is told of a conversation before the newest message: at most so many tokens, the older part summarised.
PROMPT_HISTORY_TOKENS = env.integer("PROMPT_HISTORY_TOKENS", 4_000, low=500, high=200_000)
# Whether customers see what a model thinks before it answers, where it says so.
SHOW_REASONING = env.boolean("SHOW_REASONING", False)
# Whether the prompts of model calls are kept, each piece of them once, for the replay.
KEEP_PROMPTS = env.boolean("KEEP_PROMPTS", True)
# After so many days without anything happening a conversation is forgotten (smartsupport.retention); 0: never.
RETENTION_DAYS = env.integer("RETENTION_DAYS", 0, low=0, high=36_500)
RETENTION_MODE = env.choice("RETENTION_MODE", ["delete", "pseudonymise"], "delete")

# Webhooks
WEBHOOK_URL = env.http_url("WEBHOOK_URL")
WEBHOOK_SECRET = env.webhook_secret(required=bool(WEBHOOK_URL) and not DEBUG)
WEBHOOK_SECRET_FALLBACKS = env.webhook_fallbacks("WEBHOOK_SECRET_FALLBACKS")
WEBHOOK_TIMEOUT_SECONDS = env.integer("WEBHOOK_TIMEOUT_SECONDS", 10, low=1, high=120)
WEBHOOK_MAX_RETRIES = env.integer("WEBHOOK_MAX_RETRIES", 3, low=0, high=10)
# Hosts of one's own network that webhooks may go to. What tools may reach is another list: whoever may enter an
# endpoint need not be trusted with that.
WEBHOOK_ALLOWED_HOSTS = env.hosts("WEBHOOK_ALLOWED_HOSTS", [], with_port=True)
# An endpoint that has done nothing but fail for so long is paused; what was sent is kept for so many days.
WEBHOOK_PAUSE_AFTER_HOURS = env.integer("WEBHOOK_PAUSE_AFTER_HOURS", 72, low=1, high=24 * 90)
WEBHOOK_KEEP_DAYS = env.integer("WEBHOOK_KEEP_DAYS", 30, low=1, high=3_650)

# The REST API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "chat.authentication.ApiKeyAuthentication",
        "chat.authentication.StaffSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "chat.authentication.MayCall"
    ],  # each view says who may; a forgotten one says no
    "DEFAULT_RENDERER_CLASSES": ["smartsupport.lib.envelope.EnvelopeRenderer"],
    "DEFAULT_PARSER_CLASSES": ["smartsupport.lib.envelope.BoundedJSONParser"],
    "EXCEPTION_HANDLER": "smartsupport.lib.envelope.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "smartsupport.api_schema.OperationSchema",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "DATETIME_FORMAT": "iso-8601",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Smart Support API",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "smartsupport.schema.wrap_in_envelope",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "Access": "agents.models.Access",
        "ToolApprover": "agents.models.Approver",
        "ConversationStatus": "chat.models.ConversationStatus",
        "ImportStatus": "openapi_import.models.ImportStatus",
        "PublicationKind": "openapi_import.models.Publication.Kind",
        "SourceKind": "openapi_import.models.SourceKind",
        "KeyState": "chat.key_words.STATES",
        "EndpointState": "chat.api.webhook_shapes.ENDPOINT_STATES",
        "DeliveryState": "chat.api.webhook_shapes.STATES",
        "InterruptStatus": "agents.api.serializers.STATUSES",
        "LinkState": ["open", "used", "withdrawn", "over"],
        "TurnStatus": "chat.models.TurnStatus",
    },
}

# Logs: structlog for everything, stdlib loggers included, with secrets masked (`smartsupport.logs`).
LOG_FORMAT = env.choice("LOG_FORMAT", ["console", "json"], "console" if DEBUG else "json")
LOG_LEVEL = env.choice("LOG_LEVEL", ["DEBUG", "INFO", "WARNING", "ERROR"], "INFO")
LOGGING = logs.configuration(LOG_FORMAT, LOG_LEVEL)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
# nginx names each request, or passes on the name that its caller gave it.
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = TRUST_PROXY_HEADERS
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = 10  # one line per request, when it is done, is enough
# Sweepers run every few seconds; only what fails or is tried again is worth a line.
DJANGO_STRUCTLOG_CELERY_TASK_START_LOG_LEVEL = DJANGO_STRUCTLOG_CELERY_TASK_SUCCESS_LOG_LEVEL = 10

# Metrics and traces (smartsupport.measuring): all of it is off until something is set here.
METRICS_PORT = env.integer("METRICS_PORT", 0, low=0, high=65535)
METRICS_HOST = env.text("METRICS_HOST", "127.0.0.1")
METRICS_TOKEN = env.secret("METRICS_TOKEN", at_least=1 if DEBUG else 24)
OTEL_EXPORTER_OTLP_ENDPOINT = env.http_url("OTEL_EXPORTER_OTLP_ENDPOINT")
OTEL_SERVICE_NAME = env.text("OTEL_SERVICE_NAME", "smart-support")
OTEL_TRACES_SHARE = env.integer("TRACES_PERCENT", 100, low=0, high=100) / 100
TRACE_TOOL_CALLS = env.boolean("TRACE_TOOL_CALLS", False)

# Pages
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(DATA_DIR / "staticfiles")))
# Fixed here, because the tests switch DEBUG off afterwards.
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "smartsupport.static_files.ModuleAwareStorage"
    },
}
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024
