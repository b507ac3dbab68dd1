"""Every setting of the project, read from the environment once. A value that cannot work stops the start with one
sentence that names the variable (`smartsupport.environment`)."""

from pathlib import Path

from smartsupport import environment as env
from smartsupport import version

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = version.VERSION

# Core
DEBUG = env.boolean("DEBUG", True)
SECRET_KEY = env.secret_key(debug=DEBUG)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
DATA_DIR = env.data_dir(BASE_DIR)
PORT = env.port("PORT", 8000)
DEMO_PORT = env.port("DEMO_PORT", 8001)
DATABASE_URL = env.database_url(DATA_DIR)
REDIS_URL = env.redis_url(DATA_DIR)

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
    "smartsupport",
    "agents",
    "openapi_import",
    "analytics",
    "replay",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
]

ROOT_URLCONF = "smartsupport.urls"
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
CHANNEL_LAYERS = {
    "default": {
        # A group message costs a fifth of the list-based layer's; a named channel reaches every worker, which is
        # what `stop` wants, and what `wake` survives because turns are claimed by compare-and-set.
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "smartsupport"},
    }
}
CELERY_BROKER_URL = REDIS_URL

# Models
LLM_PROVIDER = env.choice("LLM_PROVIDER", ["offline", "openai", "azure_openai", "anthropic", "google"], "offline")
LLM_MODEL = env.text("LLM_MODEL", "")
OPENAI_API_KEY = env.text("OPENAI_API_KEY", "")
OPENAI_BASE_URL = env.text("OPENAI_BASE_URL", "")
AZURE_OPENAI_API_KEY = env.text("AZURE_OPENAI_API_KEY", "")
AZURE_OPENAI_ENDPOINT = env.text("AZURE_OPENAI_ENDPOINT", "")
AZURE_OPENAI_DEPLOYMENT = env.text("AZURE_OPENAI_DEPLOYMENT", "")
AZURE_OPENAI_API_VERSION = env.text("AZURE_OPENAI_API_VERSION", "")
ANTHROPIC_API_KEY = env.text("ANTHROPIC_API_KEY", "")
GOOGLE_API_KEY = env.text("GOOGLE_API_KEY", "")
TEMPLATE_NAME = env.choice("TEMPLATE_NAME", ["ecommerce", "saas", "fintech"], "ecommerce")

# Customers and limits
CUSTOMER_JWT_SECRET = env.text("CUSTOMER_JWT_SECRET", "")
ALLOW_ANONYMOUS_CHAT = env.boolean("ALLOW_ANONYMOUS_CHAT", DEBUG)
DEMO_CUSTOMER_ID = env.text("DEMO_CUSTOMER_ID", "cus_1001" if DEBUG else "")
SESSION_TTL_MINUTES = env.integer("SESSION_TTL_MINUTES", 30, low=1, high=60 * 24 * 30)
INTERRUPT_TTL_MINUTES = env.integer("INTERRUPT_TTL_MINUTES", 30, low=1, high=60 * 24 * 30)
SAFE_HTTP_ALLOWED_HOSTS = env.words(
    "SAFE_HTTP_ALLOWED_HOSTS", [f"127.0.0.1:{DEMO_PORT}", f"localhost:{DEMO_PORT}"] if DEBUG else []
)
TOOL_TIMEOUT_SECONDS = env.integer("TOOL_TIMEOUT_SECONDS", 60, low=1, high=600)

# Webhooks
WEBHOOK_URL = env.text("WEBHOOK_URL", "")
WEBHOOK_SECRET = env.text("WEBHOOK_SECRET", "")
WEBHOOK_TIMEOUT_SECONDS = env.integer("WEBHOOK_TIMEOUT_SECONDS", 10, low=1, high=120)
WEBHOOK_MAX_RETRIES = env.integer("WEBHOOK_MAX_RETRIES", 3, low=0, high=10)

# Pages
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "staticfiles"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
LOGIN_URL = "admin:login"
