"""What a source or a proxy may be when a mirror is saved; a refusal names the setting that would allow it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.errors import Invalid
from packhouse.remotes import check_proxy, check_source
from packhouse.settings import Settings
from tests.remotes.test_addresses import INSIDE, PUBLIC


def host_of(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def may(source: str, **settings: Any) -> bool:
    try:
        check_source(Settings(**settings), source)
    except Invalid:
        return False
    return True


@pytest.mark.parametrize("address", INSIDE)
def test_address_inside_is_refused_with_the_setting_that_allows_it(address: str) -> None:
    source = f"http://{host_of(address)}/channel"

    with pytest.raises(Invalid, match="allow_private_upstreams"):
        check_source(Settings(), source)
    check_source(Settings(allow_private_upstreams=True), source)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "localhost.", "x.localhost", "metadata.google.internal"]
)
def test_local_name_is_refused_in_any_spelling(host: str) -> None:
    with pytest.raises(Invalid, match="allow_private_upstreams"):
        check_source(Settings(), f"https://{host}/channel")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "134744072", "8.8.2056"])
def test_number_in_another_form_is_refused_whatever_the_settings_say(host: str) -> None:
    with pytest.raises(Invalid, match="another way to write"):
        check_source(Settings(allow_private_upstreams=True), f"http://{host}/channel")


def test_address_in_other_digits_is_seen_through() -> None:
    assert not may("http://①②⑦.⓪.⓪.①/channel")


@pytest.mark.parametrize("host", ["conda.anaconda.org", *map(host_of, PUBLIC)])
def test_public_host_is_allowed(host: str) -> None:
    assert may(f"https://{host}/conda-forge")


@pytest.mark.parametrize(
    "source", ["ftp://example.org/x", "gopher://example.org", "example.org/x", "", "data:,x"]
)
def test_other_schemes_are_refused(source: str) -> None:
    with pytest.raises(Invalid, match="no scheme that is mirrored"):
        check_source(Settings(), source)


def test_what_is_no_url_is_refused_without_showing_it() -> None:
    with pytest.raises(Invalid, match="no URL") as caught:
        check_source(Settings(), "http://bob:s3cret@example.org:99999/")
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize("host", ["", "a b", "a%00.example", "a'b", "[::1%25a%20b]"])
def test_what_is_no_host_is_refused_whatever_the_settings_say(host: str) -> None:
    assert not may(f"http://{host}/x", allow_private_upstreams=True)


def test_listed_hosts_are_the_only_ones() -> None:
    listed = {"allowed_upstreams": ["Conda.Anaconda.org", "*.example.org"]}

    assert may("https://conda.anaconda.org/x", **listed)
    assert may("https://conda.anaconda.org./x", **listed)
    assert may("https://a.b.example.org:8443/x", **listed)
    for host in ("anaconda.org", "example.org", "badexample.org", "conda.anaconda.org.evil.example"):
        assert not may(f"https://{host}/x", **listed)


def test_host_that_is_not_listed_is_named_with_the_setting() -> None:
    with pytest.raises(Invalid, match=r"'other\.example'.*'allowed_upstreams'"):
        check_source(Settings(allowed_upstreams=["conda.anaconda.org"]), "https://other.example/x")


def test_list_does_not_make_a_private_address_public() -> None:
    assert not may("http://10.0.0.1/x", allowed_upstreams=["10.0.0.1"])
    assert may("http://10.0.0.1/x", allowed_upstreams=["10.0.0.1"], allow_private_upstreams=True)


def test_listed_host_may_be_written_in_its_own_letters() -> None:
    assert may("https://bücher.example/x", allowed_upstreams=["bücher.example"])
    assert may("https://xn--bcher-kva.example/x", allowed_upstreams=["bücher.example"])


def test_folder_is_allowed_below_one_of_the_settings(tmp_path: Path) -> None:
    allowed: dict[str, Any] = {"file_upstreams": [tmp_path / "media"]}

    assert may(f"file://{tmp_path}/media", **allowed)
    assert may(f"file://{tmp_path}/media/usb%20stick", **allowed)
    for path in ("media2", "", "media/../secret", "media/%2e%2e/secret"):
        assert not may(f"file://{tmp_path}/{path}", **allowed)
    assert not may("file://localhost/etc", file_upstreams=["/"])


def test_folder_elsewhere_is_refused_with_the_setting() -> None:
    with pytest.raises(Invalid, match=r"'/etc' lies in no folder.*'file_upstreams'"):
        check_source(Settings(), "file:///etc")


def test_private_proxy_is_refused_unless_it_is_named() -> None:
    proxy = "http://bob:s3cret@10.0.0.1:3128"

    with pytest.raises(Invalid, match="allowed_proxies") as caught:
        check_proxy(Settings(), proxy)
    assert "s3cret" not in caught.value.message
    with pytest.raises(Invalid):
        check_proxy(Settings(allowed_proxies=["10.0.0.1:8080", "10.0.0.2"]), proxy)
    check_proxy(Settings(allowed_proxies=["10.0.0.1:3128"]), proxy)
    check_proxy(Settings(allowed_proxies=["10.0.0.1"]), proxy)
    check_proxy(Settings(allow_private_upstreams=True), proxy)


def test_public_proxy_needs_no_setting() -> None:
    check_proxy(Settings(allowed_upstreams=["conda.anaconda.org"]), "http://proxy.example.org:3128")


@pytest.mark.parametrize(
    "proxy", ["socks5://proxy.example.org", "ftp://proxy.example.org", "http://0x7f.1:80"]
)
def test_what_can_be_no_proxy_is_refused(proxy: str) -> None:
    with pytest.raises(Invalid):
        check_proxy(Settings(allow_private_upstreams=True), proxy)


@given(st.text())
def test_whatever_a_source_is_it_is_allowed_or_invalid(text: str) -> None:
    may(text)
    may(f"http://{text}")
    may(f"file://{text}", file_upstreams=["/"])
