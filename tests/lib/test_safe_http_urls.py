"""Every spelling of a forbidden address is refused before a byte leaves, through the whole client."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from smartsupport.lib.safe_http import (
    InvalidUrl,
    NameNotFound,
    OutboundError,
    RedirectRefused,
    RefusedAddress,
    SafeClient,
    TooManyRedirects,
)
from smartsupport.lib.safe_http.addresses import is_public
from smartsupport.lib.safe_http.urls import parse_url

from .outbound_cases import of_urls
from .wire import Internet, Names, Wire, always, response

CASES = of_urls()
REFUSALS = (InvalidUrl, RefusedAddress, NameNotFound)


def of_kind(expect: str, **has: bool) -> list[Any]:
    """Cases as parameters: by what is expected, and whether they have a key."""
    chosen = [
        case
        for case in CASES
        if case["expect"] == expect and all((key in case) == wanted for key, wanted in has.items())
    ]
    assert chosen
    return [pytest.param(case, id=f"{case['url']!a} {case['why']}"[:100]) for case in chosen]


@pytest.mark.asyncio
@pytest.mark.parametrize("case", of_kind("allowed"))
async def test_a_public_address_is_dialled_and_told_the_name(case: dict[str, Any]) -> None:
    async with (
        Wire() as server,
        SafeClient(resolver=Names(case.get("answers", {})), dialer=Internet(server)) as client,
    ):
        answer = await client.request("GET", case["url"])

        assert answer.status == 200
        target = parse_url(case["url"])
        assert server.received[0].headers["host"] == target.authority
        assert server.received[0].target == target.path_and_query


@pytest.mark.asyncio
@pytest.mark.parametrize("case", of_kind("refused", redirect=False, answers_in_turn=False))
async def test_a_forbidden_url_is_refused_and_nothing_is_dialled(case: dict[str, Any]) -> None:
    async with Wire() as server:
        internet = Internet(server)
        async with SafeClient(resolver=Names(case.get("answers", {})), dialer=internet) as client:
            with pytest.raises(REFUSALS) as refusal:
                await client.request("GET", case["url"])

        assert refusal.value.sent is False
        assert internet.dialled == []
        assert server.connections == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("case", of_kind("refused", redirect=True))
async def test_a_redirect_is_checked_like_any_url(case: dict[str, Any]) -> None:
    async with Wire(always(response("302 Found", b"", location=case["redirect"]))) as server:
        internet = Internet(server)
        async with SafeClient(resolver=Names(case["answers"]), dialer=internet) as client:
            with pytest.raises((*REFUSALS, RedirectRefused, TooManyRedirects)) as refusal:
                await client.request("GET", case["url"], max_redirects=3)

    assert refusal.value.sent is True
    assert {address for address, _ in internet.dialled} == {"93.184.216.34"}
    assert {port for _, port in internet.dialled} == {80}
    loop = case["redirect"] == case["url"]
    assert len(server.received) == (4 if loop else 1)


@pytest.mark.asyncio
@pytest.mark.parametrize("case", of_kind("refused", answers_in_turn=True))
async def test_a_name_that_moves_between_requests_is_checked_again(case: dict[str, Any]) -> None:
    async with Wire(always(response(connection="close"))) as server:
        internet = Internet(server)
        async with SafeClient(resolver=Names({}, case["answers_in_turn"]), dialer=internet) as client:
            await client.request("GET", case["url"])
            with pytest.raises(RefusedAddress):
                await client.request("GET", case["url"])

        assert internet.dialled == [("93.184.216.34", 80)]
        assert len(server.received) == 1


@pytest.mark.asyncio
async def test_a_name_that_moves_between_check_and_connect_is_dialled_at_the_checked_address() -> None:
    names = Names({}, {"moving.example": [["93.184.216.34"], ["127.0.0.1"]]})
    async with Wire() as server:
        internet = Internet(server)
        async with SafeClient(resolver=names, dialer=internet) as client:
            await client.request("POST", "http://moving.example/")

    assert names.asked == ["moving.example"]
    assert internet.dialled == [("93.184.216.34", 80)]


@pytest.mark.asyncio
@pytest.mark.parametrize("case", of_kind("refused", redirect=False))
async def test_a_message_names_no_address_but_the_log_detail_does(case: dict[str, Any]) -> None:
    answers = case.get("answers", {})
    in_turn = {name: turns[1:] for name, turns in case.get("answers_in_turn", {}).items()}
    async with SafeClient(resolver=Names(answers, in_turn), dialer=Internet()) as client:
        with pytest.raises(OutboundError) as refusal:
            await client.request("GET", case["url"])

    error = refusal.value
    assert error.detail
    assert error.code == type(error).code
    for told in (
        *case.get("answers", {}),
        *(a for found in answers.values() for a in found),
        "127.0.0.1",
        "pw",
    ):
        assert told not in str(error)
    assert "pw" not in error.detail


@pytest.mark.asyncio
async def test_a_password_in_a_url_is_refused_by_name_and_repeated_nowhere() -> None:
    async with SafeClient(dialer=Internet()) as client:
        with pytest.raises(InvalidUrl, match="must not contain a user name or password") as refusal:
            await client.request("GET", "http://user:pw@api.example.com/?key=k3y")

    assert "pw" not in refusal.value.detail
    assert "k3y" not in refusal.value.detail


@pytest.mark.parametrize(
    "network",
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16/32 169.254.0.0/16 172.16.0.0/12 "
    "192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 "
    "203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 ::/8 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/32 "
    "2001:2::/48 2001:10::/28 2001:20::/28 2001:30::/28 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 "
    "fc00::/7 fe80::/10 fec0::/10 ff00::/8 4000::/3 e000::/4".split(),
)
def test_a_special_network_is_not_public_from_its_first_to_its_last_address(network: str) -> None:
    whole = ipaddress.ip_network(network)

    assert not is_public(whole[0])
    assert not is_public(whole[-1])


@pytest.mark.parametrize(
    "address",
    "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 "
    "168.63.129.15 169.253.255.255 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.167.255.255 "
    "192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 2001:200::1 2001:4860:4860::8888 "
    "2606:4700::1111 2a00:1450:4001:830::200e 2003::1 3ffd:ffff::1".split(),
)
def test_the_neighbours_of_special_networks_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
