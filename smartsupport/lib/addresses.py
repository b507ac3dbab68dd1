"""Addresses as servers and proxies write them."""

import ipaddress
import re

from django.conf import settings

_WITH_PORT = re.compile(r"\[([^\]]+)\](?::\d{1,5})?|([0-9.]+):\d{1,5}", re.ASCII)


def parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address without the port that some proxies add (`203.0.113.7:4711`, `[2001:db8::1]:4711`), an IPv4 address
    inside an IPv6 one as itself; None for anything else."""
    text = text.strip()
    if with_port := _WITH_PORT.fullmatch(text):
        text = with_port[1] or with_port[2]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def exact(peer: str, forwarded_for: str) -> str:
    """The address of a client, as far as our own proxy can be believed (TRUST_PROXY_HEADERS): `peer`, or the last entry
    of X-Forwarded-For. "": not known."""
    found = parsed(_named(forwarded_for) or peer)
    return str(found) if found else ""


def counted(peer: str, forwarded_for: str) -> str:
    """The address that a client is counted by: `peer`, or what our own proxy says that it was (the last entry of
    X-Forwarded-For). An IPv6 customer has a whole network, which counts as one address."""
    found = parsed(_named(forwarded_for) or peer)
    if found is None:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _named(forwarded_for: str) -> str:
    return forwarded_for.rpartition(",")[2].strip() if settings.TRUST_PROXY_HEADERS else ""
