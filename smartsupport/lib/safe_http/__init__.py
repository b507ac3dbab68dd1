"""The only way out: HTTP to public addresses and allow-listed hosts. See docs/outbound-http.md."""

from .client import SafeClient
from .errors import (
    BadResponse,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    InvalidRequest,
    InvalidUrl,
    NameNotFound,
    OutboundError,
    RedirectRefused,
    RefusedAddress,
    ResponseTooLarge,
    TlsFailed,
    TooManyRedirects,
)
from .messages import Preview, Response
from .shared import close_shared_clients, shared_client
from .transport import Resolver

__all__ = [
    "BadResponse",
    "ConnectFailed",
    "ConnectionLost",
    "DeadlineExceeded",
    "InvalidRequest",
    "InvalidUrl",
    "NameNotFound",
    "OutboundError",
    "Preview",
    "RedirectRefused",
    "RefusedAddress",
    "Resolver",
    "Response",
    "ResponseTooLarge",
    "SafeClient",
    "TlsFailed",
    "TooManyRedirects",
    "close_shared_clients",
    "shared_client",
]
