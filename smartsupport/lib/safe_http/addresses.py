"""Which addresses may be connected to: a table of what is allowed, never of what is forbidden.

`ipaddress.is_global` is no help: Python 3.11 calls fec0::1, NAT64 and 6to4 forms of private addresses,
192.0.0.192 and 224.0.0.1 global. Here an address is public when it lies in unicast space and in no
special-purpose registry (IANA IPv4 and IPv6 Special-Purpose Address Registries, RFC 6890), because what is in
those is never where a customer's API lives.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .errors import NameNotFound, RefusedAddress
from .urls import Host, IPAddress, Target, parse_host

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> tuple[IPNetwork, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


_V4_SPECIAL = _networks(
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # carrier NAT; Alibaba's metadata service
    "127.0.0.0/8",  # loopback
    "168.63.129.16/32",  # Azure: a public number that reaches the host
    "169.254.0.0/16",  # link-local; metadata services
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # protocol assignments; Oracle's metadata service
    "192.0.2.0/24",  # documentation
    "192.31.196.0/24",  # AS112
    "192.52.193.0/24",  # AMT relays
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private
    "192.175.48.0/24",  # AS112
    "198.18.0.0/15",  # benchmarking
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, broadcast
)
# Everything outside is not public unicast: loopback, v4-mapped, -compatible and -translated, NAT64, unique
# and link-local, site-local, multicast, SRv6, discard.
_V6_UNICAST = ipaddress.IPv6Network("2000::/3")
_V6_SPECIAL = _networks(
    "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID, ORCHIDv2, drone ids
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4
    "2620:4f:8000::/48",  # AS112
    "3ffe::/16",  # 6bone, returned
    "3fff::/20",  # documentation
)
# What an allowed host may be besides public. Link-local, unspecified and multicast addresses are in neither
# table.
_PRIVATE = _networks(
    "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"
)
# Metadata services inside those private ranges (Alibaba, AWS, Google).
_METADATA = _networks("100.100.100.200/32", "fd00:ec2::/32", "fd20:ce::/32")
# Interface identifiers of ISATAP (RFC 5214), which carry an IPv4 address in any prefix.
_ISATAP = (0x00005EFE, 0x02005EFE)


def is_public(address: IPAddress) -> bool:
    """Whether an address is plainly public: unicast and in no special-purpose registry."""
    if isinstance(address, ipaddress.IPv4Address):
        return not _within(address, _V4_SPECIAL)
    return (
        address in _V6_UNICAST
        and address.scope_id is None
        and not _is_isatap(address)
        and not _within(address, _V6_SPECIAL)
    )


def is_private(address: IPAddress) -> bool:
    """Whether an address is of a private kind that an allowed host may have; metadata services never are."""
    if isinstance(address, ipaddress.IPv6Address) and (_is_isatap(address) or address.scope_id is not None):
        return False
    return _within(address, _PRIVATE) and not _within(address, _METADATA)


def _within(address: IPAddress, networks: Iterable[IPNetwork]) -> bool:
    return any(address in network for network in networks)


def _is_isatap(address: ipaddress.IPv6Address) -> bool:
    return (int(address) >> 32) & 0xFFFFFFFF in _ISATAP


@dataclass(frozen=True)
class AllowedHost:
    """One entry of the allow-list. `port` None means any port; `wildcard` means any name below `host`."""

    host: Host
    port: int | None
    wildcard: bool

    @classmethod
    def parse(cls, text: str) -> AllowedHost:
        """Read `host`, `host:port`, `*.domain`, `*.domain:port`, `[v6]`, `[v6]:port`. Raises ValueError."""
        wildcard = text.startswith("*.")
        rest = text[2:] if wildcard else text
        name, colon, port = rest.rpartition(":") if ":" in rest and not rest.endswith("]") else (rest, "", "")
        fault = ValueError(f"Not a host or host:port: {text!r}")
        if colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            raise fault
        try:
            host = parse_host(name)
        except ValueError:
            raise fault from None
        if wildcard and host.literal is not None:
            raise fault
        return cls(host, int(port) if colon else None, wildcard)

    def covers(self, host: str, port: int) -> bool:
        """Whether a canonical host and a port fall under this entry."""
        if self.port is not None and self.port != port:
            return False
        return host.endswith("." + self.host.name) if self.wildcard else host == self.host.name


class AddressPolicy:
    """The rules for hosts, ports and addresses. `allowed_hosts` may be private and on the ports listed."""

    def __init__(self, allowed_hosts: Iterable[str] = (), allowed_ports: Iterable[int] = (80, 443)) -> None:
        """Raises ValueError for an entry that is not a host or host:port."""
        self._allowed = tuple(AllowedHost.parse(entry) for entry in allowed_hosts)
        self._ports = frozenset(allowed_ports)

    def check_target(self, target: Target) -> None:
        """Refuse a forbidden port and a forbidden address literal before anything is opened."""
        if target.port not in self._ports and not self._entries(target.host, target.port):
            raise RefusedAddress(
                "Requests to this port are not allowed.", detail=f"host={target.host} port={target.port}"
            )
        if target.literal is not None:
            self.check_answers(target.host, target.port, [target.host])

    def check_answers(self, host: str, port: int, answers: Sequence[str]) -> list[IPAddress]:
        """The addresses of a host in the order given. A single forbidden one refuses the whole answer."""
        if not answers:
            raise NameNotFound("The host name could not be found.", detail=f"host={host}: no answer")
        entries = self._entries(host, port)
        listed = any(entry.host.literal is not None for entry in entries)
        addresses = []
        for answer in answers:
            try:
                address = ipaddress.ip_address(answer)
            except ValueError:
                raise self._refused(host, answers) from None
            if not (is_public(address) or (entries and is_private(address)) or listed):
                raise self._refused(host, answers)
            addresses.append(address)
        return addresses

    def _entries(self, host: str, port: int) -> list[AllowedHost]:
        return [entry for entry in self._allowed if entry.covers(host, port)]

    @staticmethod
    def _refused(host: str, answers: Sequence[str]) -> RefusedAddress:
        return RefusedAddress(
            "The request was not sent: the address is not a public internet address.",
            detail=f"host={host} answers={', '.join(answers)}",
        )
