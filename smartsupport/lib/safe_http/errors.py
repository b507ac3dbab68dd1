"""Everything that can go wrong with an outbound request, as one tree.

`message` may be shown to anybody: it names no address, no host and nothing that a server answered.
`detail` is for logs and may name all of them.
"""

from __future__ import annotations


class OutboundError(Exception):
    """A request that gave no usable response.

    code: stable, snake_case, one per class.
    message: plain English without addresses; safe to show to customers and staff.
    sent: whether bytes of a request may have reached a server. False is a promise that nothing was sent, so
        nothing can have happened; True means that nobody knows unless `status` says so.
    status: the HTTP status, where the head of a response had arrived before things went wrong.
    detail: what happened exactly, for logs only.
    """

    code = "outbound_error"

    def __init__(
        self, message: str, *, sent: bool = False, status: int | None = None, detail: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.sent = sent
        self.status = status
        self.detail = detail


class InvalidUrl(OutboundError):
    """The URL is not a plain http or https URL. Never sent, unless a redirect pointed to it."""

    code = "invalid_url"


class InvalidRequest(OutboundError):
    """The method, a header or the body cannot be sent as given. Never sent."""

    code = "invalid_request"


class RefusedAddress(OutboundError):
    """The host, one of its addresses or the port is off limits. Never sent, unless a redirect led there."""

    code = "refused_address"


class ConnectFailed(OutboundError):
    """No connection came about: nobody listens, no route, or no answer in time. Never sent."""

    code = "connect_failed"


class NameNotFound(ConnectFailed):
    """The host name has no address."""

    code = "name_not_found"


class TlsFailed(ConnectFailed):
    """The server's certificate does not belong to the name, is not trusted, or TLS broke down."""

    code = "tls_failed"


class ConnectionLost(OutboundError):
    """The connection broke after the request had started. For a write the outcome is unknown."""

    code = "connection_lost"


class DeadlineExceeded(OutboundError):
    """The time for the whole exchange was used up; `sent` says whether the request was on its way."""

    code = "deadline_exceeded"


class BadResponse(OutboundError):
    """The answer is not HTTP that can be read: broken framing, or an encoding that was not asked for."""

    code = "bad_response"


class ResponseTooLarge(OutboundError):
    """The body is larger than the caller's limit, counted after decompression."""

    code = "response_too_large"


class TooManyRedirects(OutboundError):
    """More redirects than the caller allows."""

    code = "too_many_redirects"


class RedirectRefused(OutboundError):
    """A redirect that must not be followed: of a write, from https to http, or without a destination."""

    code = "redirect_refused"
