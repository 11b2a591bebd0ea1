"""Whose attempts are counted together."""

import pytest
from fastapi import Request

from packhouse.web.request import asker, network_of
from tests.house import House
from tests.web.test_oauth import behind_proxy


def request_of(house: House, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", one.encode()) for one in forwarded]
    application = house.application.api
    application.state.packhouse = house.packhouse
    return Request({"type": "http", "headers": headers, "client": ("192.0.2.9", 5000), "app": application})


def test_without_a_proxy_it_is_the_other_end_whatever_it_says(house: House) -> None:
    assert asker(request_of(house, "1.2.3.4")) == "192.0.2.9"


@pytest.mark.parametrize("forwarded", [["192.0.2.1"], ["1.2.3.4, 192.0.2.1"], ["1.2.3.4", "192.0.2.1"]])
def test_behind_a_proxy_it_is_what_the_proxy_added(house: House, forwarded: list[str]) -> None:
    behind_proxy(house, "https://packages.example.org")

    assert asker(request_of(house, *forwarded)) == "192.0.2.1"


@pytest.mark.parametrize("forwarded", [[], [""], ["1.2.3.4,"]])
def test_behind_a_proxy_that_says_nothing_it_is_the_proxy(house: House, forwarded: list[str]) -> None:
    behind_proxy(house, "https://packages.example.org")

    assert asker(request_of(house, *forwarded)) == "192.0.2.9"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("proxy.internal", "proxy.internal"),
    ],
)
def test_addresses_of_one_network_are_one(address: str, network: str) -> None:
    assert network_of(address) == network
