"""Where webhooks may go, and what of an address may be shown.

Hosts of the company's own network are in WEBHOOK_ALLOWED_HOSTS or refused, when an address is entered and again at each
connection. What tools may reach (SAFE_HTTP_ALLOWED_HOSTS) is not among them: who may enter an endpoint is told by a
test what answers there.
"""

import asyncio

from django.conf import settings

from smartsupport.lib import safe_http
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.own_loop import on_own_loop
from smartsupport.lib.safe_http.addresses import AddressPolicy
from smartsupport.lib.safe_http.client import DEFAULT_PORTS
from smartsupport.lib.safe_http.transport import Resolver, resolve
from smartsupport.lib.safe_http.urls import parse_url

LONGEST_URL = 2_000
LOOKUP_SECONDS = 5.0
NOT_SENT = "The request was not sent: the"
MAY_BE_ALLOWED = "Name its host in WEBHOOK_ALLOWED_HOSTS if it may be told."


class InvalidUrl(ServiceError):
    """Nothing can be sent there; the message says why."""

    code, status = "invalid_url", 400


def checked_url(url: str, resolver: Resolver = resolve) -> str:
    """The address in its one spelling. Raises InvalidUrl where nothing would be sent to it today: it is no plain http
    or https address, its name is not found, or it is not public and not in WEBHOOK_ALLOWED_HOSTS."""
    try:
        target = parse_url(url.strip())
        policy = AddressPolicy(settings.WEBHOOK_ALLOWED_HOSTS, DEFAULT_PORTS)
        policy.check_target(target)
        if target.literal is None:
            answers = on_own_loop(_addresses(resolver, target.host, target.port))
            policy.check_answers(target.host, target.port, answers)
    except (safe_http.RefusedAddress, safe_http.InvalidUrl, safe_http.NameNotFound) as fault:
        raise InvalidUrl(in_words(fault).replace(NOT_SENT, "The")) from fault
    if len(target.url) > LONGEST_URL:
        raise InvalidUrl(f"The address has more than {LONGEST_URL:,} characters.")
    return target.url


async def _addresses(resolver: Resolver, host: str, port: int) -> list[str]:
    """[] where the name is not found in time."""
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            return list(await resolver(host, port))
    except (OSError, UnicodeError, TimeoutError):
        return []


def in_words(fault: safe_http.OutboundError) -> str:
    """Why nothing came of it, and what to do."""
    refused = isinstance(fault, safe_http.RefusedAddress)
    return f"{fault.message} {MAY_BE_ALLOWED}" if refused else fault.message


def host_of(url: str) -> str:
    """What may be shown of an address to everybody: the rest of it may be a secret."""
    try:
        return parse_url(url).authority
    except safe_http.InvalidUrl:
        return ""
