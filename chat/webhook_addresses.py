"""Where webhooks may go, and what of an address may be shown."""

import asyncio

from django.conf import settings

from smartsupport.lib import safe_http
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.own_loop import on_own_loop
from smartsupport.lib.safe_http.addresses import AddressPolicy
from smartsupport.lib.safe_http.client import DEFAULT_PORTS
from smartsupport.lib.safe_http.transport import resolve
from smartsupport.lib.safe_http.urls import parse_url

LONGEST_URL = 2_000
LOOKUP_SECONDS = 5.0


class InvalidUrl(ServiceError):
    """Nothing can be sent there; the message says why."""

    code, status = "invalid_url", 400


def checked_url(url: str) -> str:
    """The address in its one spelling. Raises InvalidUrl where nothing would be sent to it today: it is no plain http
    or https address, its name is not found, or it is not public and not in SAFE_HTTP_ALLOWED_HOSTS."""
    if len(url) > LONGEST_URL:
        raise InvalidUrl(f"The address has more than {LONGEST_URL:,} characters.")
    try:
        target = parse_url(url.strip())
        policy = AddressPolicy(settings.SAFE_HTTP_ALLOWED_HOSTS, DEFAULT_PORTS)
        policy.check_target(target)
        if target.literal is None:
            policy.check_answers(target.host, target.port, on_own_loop(_addresses(target.host, target.port)))
    except (safe_http.RefusedAddress, safe_http.InvalidUrl, safe_http.NameNotFound) as fault:
        allow = " Name it in SAFE_HTTP_ALLOWED_HOSTS if it may be told."
        refused = isinstance(fault, safe_http.RefusedAddress)
        raise InvalidUrl(fault.message + (allow if refused else "")) from fault
    if len(target.url) > LONGEST_URL:
        raise InvalidUrl(f"The address has more than {LONGEST_URL:,} characters.")
    return target.url


async def _addresses(host: str, port: int) -> list[str]:
    """[] where the name is not found in time."""
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            return list(await resolve(host, port))
    except (OSError, UnicodeError, TimeoutError):
        return []


def host_of(url: str) -> str:
    """What may be shown of an address to everybody: the rest of it may be a secret."""
    try:
        return parse_url(url).authority
    except safe_http.InvalidUrl:
        return ""
