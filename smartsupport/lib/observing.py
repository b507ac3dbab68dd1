"""What happens is told here to whoever measures it (metrics, traces), which nobody below has to know.

Nobody listens unless a deployment wants it: then telling costs the look at an empty tuple. An observer that fails is
logged and disturbs nobody.
"""

from collections.abc import Callable
from typing import Any

import structlog

log = structlog.get_logger(__name__)

Observer = Callable[[str, dict[str, Any]], None]
"""Called with what happened and its facts, in the thread in which it happened. It must be quick."""

_observers: tuple[Observer, ...] = ()
_headers: tuple[Callable[[], dict[str, str]], ...] = ()


def observe(observer: Observer, *, headers: Callable[[], dict[str, str]] | None = None) -> None:
    """Tell this observer everything from now on. `headers`: what it adds to requests to the business systems."""
    global _observers, _headers
    _observers = (*_observers, observer)
    _headers = (*_headers, headers) if headers else _headers


def forget(observer: Observer) -> None:
    """Tell it nothing more; its headers are gone as well."""
    global _observers, _headers
    _observers = tuple(one for one in _observers if one != observer)
    _headers = ()


def anybody() -> bool:
    return bool(_observers)


def tell(what: str, **facts: Any) -> None:
    """Tell that something happened. Never raises."""
    for observer in _observers:
        try:
            observer(what, facts)
        except Exception:
            log.exception("observer_failed", what=what)


def outgoing_headers() -> dict[str, str]:
    """What is added to a request to a business system. Never raises."""
    added: dict[str, str] = {}
    for headers in _headers:
        try:
            added |= headers()
        except Exception:
            log.exception("observer_failed", what="headers")
    return added
