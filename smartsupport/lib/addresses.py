"""Addresses as servers and proxies write them."""

import ipaddress
import re

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
