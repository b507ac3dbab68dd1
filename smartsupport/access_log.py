"""Daphne's own log of requests. It writes whole addresses, and a query may hold a token: it is hidden as in every other
log of ours (`smartsupport.logs`)."""

from typing import Any

from daphne.access import AccessLogGenerator

from smartsupport.logs import masked_text

_write_entry = AccessLogGenerator.write_entry


def _write_masked(self: AccessLogGenerator, host: Any, date: Any, request: str, **more: Any) -> None:
    _write_entry(self, host, date, masked_text(request), **more)


def hide_secrets() -> None:
    """Call it before the server starts. Idempotent."""
    AccessLogGenerator.write_entry = _write_masked
