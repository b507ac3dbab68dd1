"""Structured logs: one line per fact, for people (`console`) or machines (`json`).

Bind what a line is about once, and every line until it is cleared carries it, in this task or thread:

    structlog.contextvars.bind_contextvars(conversation_id=..., turn_id=...)

The request id is bound by django-structlog, which also hands the bound names on to Celery tasks. Secrets are masked
last, whatever logged them: by the name of a field, and by their shape inside any text, as in replays
(`smartsupport.lib.secret_shapes`). So are numbers of cards and bank accounts, and the middle of e-mail addresses.
"""

import re
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from smartsupport.lib.secret_shapes import (
    CARD,
    is_card,
    without_accounts,
    without_addresses,
    without_cards,
    without_secrets,
)

MASK = "[hidden]"
SECRET_FIELD = re.compile(
    r"(?i)(^|[_-])(token|password|passwd|passcode|otp|secret|authorization|api[_-]?key|cookie|credentials?)"
    r"($|[_-](?!count))"
)
SECRET_TEXT = [
    re.compile(r"(?i)(\b(?:token|visitor|access_token|api[_-]?key|password|secret)=)[^&\s\"'#]+"),
    re.compile(
        r"(?i)(\b(?:authorization|x-api-key)['\"]?\s*[:=]\s*['\"]?(?:bearer\s+|basic\s+)?)[^\s\"',;&]+"
    ),
    re.compile(r"(?i)(\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"(://[^/\s:@]*:)[^@\s/]+(?=@)"),
    re.compile(r"(apl_)[A-Za-z0-9_.%-]{16,}"),  # the token of an approval's link
]
JSON_WEB_TOKEN = re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+")
NO_SECRET = re.compile(
    r"[a-z_.]{0,19}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.]*Z"
)
"""Words, ids and times, which most fields of a line are: too short or too well known to hide something."""
DEEPEST = 6
TOO_DEEP = "[nested too deeply to log]"


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: secrets out, by field name and by shape."""
    return {name: _masked(name, value, DEEPEST) for name, value in event.items()}


def drop_what_says_nothing(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor. Whoever watches us asks every few seconds, and that is not worth a line each; nor is each
    of the thousands of sweeps that were due while no jobs process was there."""
    if str(event.get("request", "")).split("?")[0].endswith((" /healthz", " /readyz")):
        raise structlog.DropEvent
    if event.get("event") == "task_revoked" and event.get("expired"):
        raise structlog.DropEvent
    return event


def masked_text(text: str) -> str:
    """The text with tokens, keys, passwords, codes, numbers of cards and accounts, and the middle of e-mail addresses
    in it replaced."""
    if NO_SECRET.fullmatch(text):
        return text
    for pattern in SECRET_TEXT:
        text = pattern.sub(rf"\g<1>{MASK}", text)
    text = JSON_WEB_TOKEN.sub(MASK, text)
    return without_addresses(without_accounts(without_cards(without_secrets(text))))


def _masked(name: str, value: Any, depth: int) -> Any:
    if SECRET_FIELD.search(name) and isinstance(value, str | bytes) and value:
        return MASK
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return CARD if 10**12 <= value < 10**19 and is_card(str(value)) else value
    if isinstance(value, dict | list | tuple | set | frozenset):
        return _masked_inside(value, depth)
    # Whatever else there is (an exception, a row) would become text when the line is written, and that is too late.
    return masked_text(value.decode(errors="replace") if isinstance(value, bytes) else str(value))


def _masked_inside(value: Any, depth: int) -> Any:
    if not depth:
        return TOO_DEEP
    if isinstance(value, dict):
        return {masked_text(str(key)): _masked(str(key), item, depth - 1) for key, item in value.items()}
    return [_masked("", item, depth - 1) for item in value]


def shared_processors() -> list[Processor]:
    """What happens to every line, whether structlog or the standard library made it."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.UnicodeDecoder(),
    ]


def configuration(log_format: str, level: str) -> dict[str, Any]:
    """Django's LOGGING, and structlog set up to match. `log_format` is `console` or `json`."""
    last: list[Processor]
    if log_format == "json":
        last = [
            structlog.processors.format_exc_info,
            mask_secrets,
            structlog.processors.JSONRenderer(default=str),
        ]
    else:
        # Tracebacks become text before the masking, so that what they quote is masked as well.
        console = structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
        last = [structlog.processors.format_exc_info, mask_secrets, console]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            drop_what_says_nothing,
            *shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared_processors(),
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
            # Each request is told once, by django-structlog; these tell it again, and the last two at length.
            "django.request": {"level": "CRITICAL"},
            "daphne": {"level": "WARNING"},
            "axes": {"level": "WARNING"},  # the audit tells who signed in
            "celery": {"level": "WARNING"},  # django-structlog tells of the tasks
            "mcp": {"level": "WARNING"},  # chat.mcp tells of each call
            "mcp.client": {"level": "CRITICAL"},  # agents.mcp_tools tells, without what the other side said
            "httpx": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},  # the same under the name that openai uses it by
            "httpcore": {"level": "WARNING"},
            "openai": {"level": "WARNING"},
        },
    }
