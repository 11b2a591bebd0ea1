"""Through a proxy: only the mirror's own, with its password, which nobody else is told."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from packhouse.errors import UpstreamAnswered, UpstreamRefused, UpstreamUnreachable
from packhouse.remotes import Pace, Remotes, exchange
from packhouse.settings import Settings
from packhouse.web.certificates import Certificate, certificate_for
from tests.proxy import Proxy
from tests.remotes.asking import CONTENT, DOCUMENT, FILE, fetch_one, get, put, request
from tests.remotes.names import Names
from tests.upstream import Upstream, hang_before, redirect

NAME = "repo.example"
USER, PASSWORD = "bob", "p@ss:wörd/"


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[Proxy]:
    with Proxy(USER, PASSWORD) as proxy:
        proxy.to = {f"{NAME}:80": upstream.port}
        yield proxy


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("certificate")
    return certificate_for(Settings(data_dir=folder, tls_names=[NAME, "127.0.0.1"]))


@pytest.fixture
def secure(folder: Path, certificate: Certificate) -> Iterator[Upstream]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    with Upstream(folder, tls=context) as upstream:
        yield upstream


@pytest.fixture
def trusting(settings: Settings, certificate: Certificate) -> Iterator[Remotes]:
    remotes = Remotes(
        settings, Pace(first_seconds=0.001), tls=ssl.create_default_context(cafile=certificate.ca)
    )
    yield remotes
    remotes.close()


def test_plain_http_goes_through_the_proxy_which_resolves_the_name(
    remotes: Remotes, upstream: Upstream, proxy: Proxy
) -> None:
    put(upstream, DOCUMENT)

    assert get(remotes, f"http://{NAME}{DOCUMENT}", proxy=proxy.url)[1] == CONTENT
    assert proxy.asked == [f"GET http://{NAME}{DOCUMENT}"]


def test_file_goes_through_the_proxy(remotes: Remotes, upstream: Upstream, proxy: Proxy) -> None:
    put(upstream, FILE)

    assert fetch_one(remotes, request(f"http://{NAME}{FILE}", proxy=proxy.url)).body == CONTENT


def test_https_goes_through_a_tunnel_and_the_certificate_is_checked(
    trusting: Remotes, remotes: Remotes, secure: Upstream, proxy: Proxy
) -> None:
    put(secure, DOCUMENT)
    proxy.to = {f"{NAME}:443": secure.port}

    assert get(trusting, f"https://{NAME}{DOCUMENT}", proxy=proxy.url)[1] == CONTENT
    assert proxy.asked == [f"CONNECT {NAME}:443"]
    with pytest.raises(UpstreamUnreachable, match=r"certificate of repo\.example is not trusted"):
        get(remotes, f"https://{NAME}{DOCUMENT}", proxy=proxy.url)


def test_untrusted_certificate_is_not_tried_again(settings: Settings, secure: Upstream) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    remotes = Remotes(settings, Pace(sleep=sleep))
    with pytest.raises(
        UpstreamUnreachable, match=rf"certificate of 127\.0\.0\.1:{secure.port} is not trusted"
    ):
        get(remotes, secure.url + DOCUMENT)
    remotes.close()

    assert waits == []


def test_redirect_from_https_to_http_is_refused(
    trusting: Remotes, secure: Upstream, upstream: Upstream
) -> None:
    put(upstream, DOCUMENT)
    secure.misbehave("*", redirect(upstream.url + DOCUMENT))

    with pytest.raises(UpstreamRefused, match="without TLS"):
        get(trusting, secure.url + DOCUMENT)
    assert upstream.connections == 0


def test_upstream_never_sees_the_proxys_password(trusting: Remotes, secure: Upstream, proxy: Proxy) -> None:
    put(secure, DOCUMENT)
    proxy.to = {f"{NAME}:443": secure.port}
    get(trusting, f"https://{NAME}{DOCUMENT}", proxy=proxy.url)

    assert "proxy-authorization" in proxy.headers[0]
    assert not {"proxy-authorization", "authorization"} & secure.log[0].headers.keys()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_that_does_not_know_us_is_named_without_the_password(
    remotes: Remotes, proxy: Proxy, scheme: str
) -> None:
    wrong = f"http://{USER}:s3cret@127.0.0.1:{proxy.port}"

    with pytest.raises(
        UpstreamUnreachable, match=rf"proxy 127\.0\.0\.1:{proxy.port} refuses with status 407"
    ) as caught:
        get(remotes, f"{scheme}://{NAME}{DOCUMENT}", proxy=wrong)
    assert "s3cret" not in str(caught.value)
    assert len(proxy.asked) == 1


def test_tunnel_that_is_forbidden_is_told_at_once(remotes: Remotes, proxy: Proxy) -> None:
    proxy.refuse(403)

    with pytest.raises(UpstreamUnreachable, match=r"proxy .* refuses with status 403"):
        get(remotes, f"https://{NAME}{DOCUMENT}", proxy=proxy.url)
    assert len(proxy.asked) == 1


def test_tunnel_that_may_open_later_is_tried_again(remotes: Remotes, proxy: Proxy) -> None:
    proxy.refuse(503)

    with pytest.raises(UpstreamUnreachable, match="status 503"):
        get(remotes, f"https://{NAME}{DOCUMENT}", proxy=proxy.url)
    assert len(proxy.asked) == 5


def test_refusal_for_plain_http_names_the_upstream(remotes: Remotes, proxy: Proxy) -> None:
    proxy.refuse(403)

    with pytest.raises(UpstreamAnswered, match="status 403"):
        get(remotes, f"http://{NAME}{DOCUMENT}", proxy=proxy.url)


def test_proxy_that_is_down_is_named_without_the_password(remotes: Remotes, proxy: Proxy) -> None:
    proxy.stop_listening()

    with pytest.raises(UpstreamUnreachable, match=rf"through the proxy 127\.0\.0\.1:{proxy.port}") as caught:
        get(remotes, f"http://{NAME}{DOCUMENT}", proxy=proxy.url)
    assert "w%C3%B6rd" not in str(caught.value)
    assert "wörd" not in str(caught.value)


def test_proxy_that_never_answers_a_tunnel_is_given_up(
    remotes: Remotes, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A web server in place of the proxy: it takes CONNECT and says nothing."""
    monkeypatch.setattr(exchange, "TUNNEL_SECONDS", 0.1)
    upstream.misbehave("*", hang_before())

    with pytest.raises(UpstreamUnreachable, match="nothing came in time"):
        get(remotes, f"https://{NAME}{DOCUMENT}", proxy=upstream.url)


def test_proxy_inside_has_to_be_named_in_the_settings(
    settings: Settings, upstream: Upstream, proxy: Proxy
) -> None:
    put(upstream, DOCUMENT)
    strict = Remotes(settings.model_copy(update={"allow_private_upstreams": False}))
    named = Remotes(
        settings.model_copy(
            update={"allow_private_upstreams": False, "allowed_proxies": [f"127.0.0.1:{proxy.port}"]}
        ),
        lookup=Names({}),
    )

    with pytest.raises(UpstreamRefused, match="allowed_proxies"):
        get(strict, f"http://{NAME}{DOCUMENT}", proxy=proxy.url)
    assert proxy.connections == 0
    assert get(named, f"http://{NAME}{DOCUMENT}", proxy=proxy.url)[1] == CONTENT
    for inside in (
        upstream.url,
        "http://localhost",
        "http://169.254.169.254",
        "http://metadata.google.internal",
    ):
        with pytest.raises(UpstreamRefused, match="allow_private_upstreams"):
            get(named, inside + DOCUMENT, proxy=proxy.url)
    assert len(proxy.asked) == 1
    strict.close()
    named.close()


def test_name_of_a_proxy_inside_has_to_be_named_too(settings: Settings, proxy: Proxy) -> None:
    strict = settings.model_copy(update={"allow_private_upstreams": False})
    at = f"http://{USER}:x@proxy-of.test:{proxy.port}"
    names = Names({"proxy-of.test": [["127.0.0.1"]]})
    refused = Remotes(strict, lookup=names)
    allowed = Remotes(strict.model_copy(update={"allowed_proxies": ["proxy-of.test"]}), lookup=names)

    with pytest.raises(UpstreamRefused, match=r"'proxy-of\.test' has the address.*allowed_proxies"):
        get(refused, f"http://{NAME}{DOCUMENT}", proxy=at)
    with pytest.raises(UpstreamUnreachable, match="407"):
        get(allowed, f"http://{NAME}{DOCUMENT}", proxy=at)
    with pytest.raises(UpstreamRefused, match="allow_private_upstreams"):
        get(allowed, f"http://proxy-of.test:{proxy.port}{DOCUMENT}")
    refused.close()
    allowed.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_name_that_means_something_inside_is_not_asked_through_a_proxy_either(
    settings: Settings, proxy: Proxy, scheme: str
) -> None:
    strict = settings.model_copy(
        update={"allow_private_upstreams": False, "allowed_proxies": [f"127.0.0.1:{proxy.port}"]}
    )
    remotes = Remotes(strict, lookup=Names({"inside.example": [["10.0.0.1"]]}))

    with pytest.raises(UpstreamRefused, match=r"'inside\.example' has the address 10\.0\.0\.1"):
        get(remotes, f"{scheme}://inside.example{DOCUMENT}", proxy=proxy.url)
    assert proxy.connections == 0
    remotes.close()


def test_redirect_through_a_proxy_to_a_name_inside_is_refused(
    settings: Settings, upstream: Upstream, proxy: Proxy
) -> None:
    strict = settings.model_copy(
        update={"allow_private_upstreams": False, "allowed_proxies": [f"127.0.0.1:{proxy.port}"]}
    )
    remotes = Remotes(strict, lookup=Names({"inside.example": [["10.0.0.1"]]}))
    upstream.misbehave("*", redirect(f"http://inside.example{DOCUMENT}"))

    with pytest.raises(UpstreamRefused, match=r"'inside\.example' has the address"):
        get(remotes, f"http://{NAME}{DOCUMENT}", proxy=proxy.url)
    assert len(proxy.asked) == 1
    remotes.close()


def test_name_that_only_the_proxy_knows_is_looked_up_once(
    settings: Settings, upstream: Upstream, proxy: Proxy
) -> None:
    put(upstream, DOCUMENT)
    strict = settings.model_copy(
        update={"allow_private_upstreams": False, "allowed_proxies": [f"127.0.0.1:{proxy.port}"]}
    )
    names = Names({})
    remotes = Remotes(strict, lookup=names)

    for _ in range(3):
        assert get(remotes, f"http://{NAME}{DOCUMENT}", proxy=proxy.url)[1] == CONTENT
    assert names.asked == [NAME]
    remotes.close()
