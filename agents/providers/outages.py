"""When the model cannot answer: every provider's exceptions in one small taxonomy."""

from collections.abc import Iterator
from typing import Literal

import httpx
from langchain_core import exceptions as langchain

from smartsupport.lib.errors import ServiceError

Kind = Literal["unreachable", "timeout", "rate_limited", "refused_credentials", "server_error", "bad_request"]

FOR_STAFF: dict[Kind, str] = {
    "unreachable": "The model provider could not be reached, or the connection broke off. "
    "Check the network and the provider's address.",
    "timeout": "The model provider did not answer in time. "
    "Try again; if it persists, look at the provider's status page.",
    "rate_limited": "The model provider refused the request because of a rate limit or a used-up quota. "
    "Wait, or raise the limit in the provider's account.",
    "refused_credentials": "The model provider refused the API key. "
    "Check the key, and that its account may use this model.",
    "server_error": "The model provider failed, or answered with something that could not be read. "
    "Try again later.",
    "bad_request": "The model provider rejected the request. "
    "Check that LLM_MODEL names a model that it offers, and that supports tools and structured output.",
}
BY_TYPE: tuple[tuple[type[Exception], Kind], ...] = (
    (langchain.ModelTimeoutError, "timeout"),
    (langchain.ModelConnectionError, "unreachable"),
    (langchain.ModelRateLimitError, "rate_limited"),
    (langchain.ModelAuthenticationError, "refused_credentials"),
    (langchain.ModelPermissionDeniedError, "refused_credentials"),
    (langchain.ContextOverflowError, "bad_request"),
    (langchain.ModelInvalidRequestError, "bad_request"),
    (langchain.ModelNotFoundError, "bad_request"),
    (langchain.ModelAPIError, "server_error"),
    (httpx.TimeoutException, "timeout"),
    (httpx.TransportError, "unreachable"),
)
# Where a class is not known here (another library's, or a newer one), its name and its module still tell.
PROVIDER_MODULES = (
    "openai",
    "langchain_openai",
    "anthropic",
    "langchain_anthropic",
    "google",
    "langchain_google_genai",
)
TRANSPORT_MODULES = ("httpx2", "httpcore", "httpcore2", "aiohttp")


class ModelUnavailable(ServiceError):
    """The model could not answer. `message` may be shown to the customer, `detail` is for staff; neither
    holds a secret or the provider's own words. `http_status` is the provider's, where it gave one."""

    code = "model_unavailable"
    message = "The assistant cannot answer right now. Please try again in a moment, or ask for a person."
    status = 503

    def __init__(self, kind: Kind, *, http_status: int | None = None) -> None:
        self.kind: Kind = kind
        self.http_status = http_status
        self.detail = FOR_STAFF[kind] + (f" (HTTP {http_status})" if http_status else "")
        super().__init__(kind=kind)


class UnreadableAnswer(Exception):
    """The provider answered, but not with a chat completion."""


class AnswerCutShort(Exception):
    """The stream ended without saying that the answer was complete: it must not be taken for all of it."""


def as_outage(error: BaseException) -> ModelUnavailable | None:
    """The outage that an exception of a model call stands for; None where it is something else: a bug."""
    if isinstance(error, ModelUnavailable):
        return error
    for candidate in _chain(error):
        kind = _kind(candidate)
        if kind:
            return ModelUnavailable(kind, http_status=_http_status(candidate))
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it was raised from: libraries wrap the telling one."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__


def _kind(error: BaseException) -> Kind | None:
    if isinstance(error, UnreadableAnswer):
        return "server_error"
    if isinstance(error, AnswerCutShort):
        return "unreachable"
    for known, kind in BY_TYPE:
        if isinstance(error, known):
            return kind
    module = type(error).__module__.partition(".")[0]
    if module in TRANSPORT_MODULES:
        return _kind_of_transport(error)
    if module in PROVIDER_MODULES:
        return _kind_of_provider(error)
    return None


def _kind_of_transport(error: BaseException) -> Kind | None:
    names = [base.__name__ for base in type(error).__mro__]
    if any("Timeout" in name for name in names):
        return "timeout"
    telling = (
        "TransportError",
        "NetworkError",
        "ProtocolError",
        "ClientConnectionError",
        "ClientPayloadError",
    )
    return "unreachable" if any(name in telling for name in names) else None


def _kind_of_provider(error: BaseException) -> Kind | None:
    status = _http_status(error)
    if status is not None:
        return _kind_of_status(status)
    names = [base.__name__ for base in type(error).__mro__]
    if any("Timeout" in name for name in names):
        return "timeout"
    if "APIConnectionError" in names:
        return "unreachable"
    if "APIError" in names:  # reported inside a stream, where there is no status any more
        code = f"{getattr(error, 'code', '')} {getattr(error, 'type', '')}"
        return "rate_limited" if "rate_limit" in code or "quota" in code else "server_error"
    return None


def _http_status(error: BaseException) -> int | None:
    for name in ("status_code", "code"):  # google's exceptions call it code
        value = getattr(error, name, None)
        if isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599:
            return int(value)
    return None


def _kind_of_status(status: int) -> Kind:
    if status in (401, 403):
        return "refused_credentials"
    if status == 429:
        return "rate_limited"
    if status in (408, 504):
        return "timeout"
    return "server_error" if status >= 500 else "bad_request"
