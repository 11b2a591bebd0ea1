"""Nobody gets us to ask inside: not by a name, nor by changing what it means, nor by a redirect."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from packhouse.errors import UpstreamError, UpstreamRefused
from packhouse.remotes import Pace, Remotes, exchange, rules
from packhouse.settings import Settings
from tests.remotes.asking import CONTENT, DOCUMENT, FILE, fetch_one, get, put, request
from tests.remotes.names import Names
from tests.upstream import Upstream, redirect


@pytest.fixture
def names() -> Names:
    return Names({"inside.example": [["127.0.0.1"]]})


@pytest.fixture
def strict(tmp_path: Path, names: Names) -> Iterator[Remotes]:
    """With the settings as they are by default."""
    remotes = Remotes(Settings(data_dir=tmp_path), Pace(first_seconds=0.001), names)
    yield remotes
    remotes.close()


@pytest.fixture
def named(settings: Settings, names: Names) -> Iterator[Remotes]:
    """May ask inside, and knows the names."""
    remotes = Remotes(settings, Pace(first_seconds=0.001), names)
    yield remotes
    remotes.close()


def test_loopback_is_refused_by_default(strict: Remotes, upstream: Upstream) -> None:
    with pytest.raises(
        UpstreamRefused, match=r"'127\.0\.0\.1' lies in a private network.*allow_private_upstreams"
    ):
        get(strict, put(upstream, DOCUMENT))
    assert upstream.connections == 0


def test_file_is_refused_as_a_document_is(strict: Remotes, upstream: Upstream) -> None:
    outcome = fetch_one(strict, request(put(upstream, FILE)))

    assert isinstance(outcome.error, UpstreamRefused)
    assert upstream.connections == 0


def test_name_with_an_address_inside_is_refused_when_it_is_resolved(
    strict: Remotes, upstream: Upstream
) -> None:
    with pytest.raises(UpstreamRefused, match=r"'inside\.example' has the address 127\.0\.0\.1"):
        get(strict, f"http://inside.example:{upstream.port}{DOCUMENT}")
    assert upstream.connections == 0


@pytest.mark.parametrize("inside", ["10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fe80::1"])
def test_one_address_inside_among_public_ones_is_enough(strict: Remotes, names: Names, inside: str) -> None:
    names.answers["mixed.example"] = [["8.8.8.8", inside]]

    with pytest.raises(UpstreamRefused, match="mixed"):
        get(strict, "http://mixed.example/repodata.json")


def test_name_that_changes_its_mind_gains_nothing(
    tmp_path: Path, names: Names, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Public when it is first resolved; loopback at the next try, when the first connection has failed."""
    public = "192.0.2.1"  # of TEST-NET, taken for public here: whoever connects to it meets nobody
    monkeypatch.setattr(rules, "is_public", lambda address: str(address) == public)
    monkeypatch.setattr(exchange, "CONNECT_SECONDS", 0.1)
    names.answers["rebinding.example"] = [[public], ["127.0.0.1"]]
    remotes = Remotes(Settings(data_dir=tmp_path), Pace(first_seconds=0.001), names)
    monkeypatch.setattr(exchange, "KNOWN_ADDRESS_SECONDS", 0)

    with pytest.raises(UpstreamRefused, match=r"'rebinding\.example' has the address 127\.0\.0\.1"):
        get(remotes, f"http://rebinding.example:{upstream.port}{DOCUMENT}")
    remotes.close()

    assert names.asked == ["rebinding.example"] * 2
    assert upstream.connections == 0


def test_redirect_inside_is_refused(settings: Settings, names: Names, upstream: Upstream) -> None:
    """The upstream is reached by a listed name; what it names itself is not listed."""
    remotes = Remotes(settings.model_copy(update={"allowed_upstreams": ["inside.example"]}), lookup=names)
    put(upstream, "/secret.json")
    upstream.misbehave("/noarch/*", redirect(f"{upstream.url}/secret.json"))

    with pytest.raises(UpstreamRefused, match=r"sends us on to 127\.0\.0\.1.*'allowed_upstreams'"):
        get(remotes, f"http://inside.example:{upstream.port}{DOCUMENT}")
    remotes.close()
    assert upstream.count("/secret.json") == 0


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "ftp://example.org/x",
        "gopher://127.0.0.1/x",
        "data:text/plain,x",
        "http://0x7f.1/x",
    ],
)
def test_redirect_to_what_is_never_followed_is_refused(
    remotes: Remotes, upstream: Upstream, target: str
) -> None:
    upstream.misbehave("*", redirect(target))

    with pytest.raises(UpstreamRefused):
        get(remotes, upstream.url + DOCUMENT)
    assert upstream.count() == 1


@pytest.mark.parametrize("target", ["http://[", "http://h:99999/"])
def test_redirect_to_no_address_at_all_is_an_error(remotes: Remotes, upstream: Upstream, target: str) -> None:
    upstream.misbehave("*", redirect(target))

    with pytest.raises(UpstreamError, match="sends us on to what is no address"):
        get(remotes, upstream.url + DOCUMENT)


def test_redirect_to_another_allowed_host_is_followed_without_passwords(
    named: Remotes, names: Names, upstream: Upstream
) -> None:
    names.answers["cdn.example"] = [["127.0.0.1"]]
    put(upstream, "/there.json")
    upstream.misbehave("/noarch/*", redirect(f"http://bob:s3cret@cdn.example:{upstream.port}/there.json"))

    got, body = get(named, f"http://inside.example:{upstream.port}{DOCUMENT}")

    assert body == CONTENT
    assert got.url == f"http://cdn.example:{upstream.port}/there.json"
    assert "authorization" not in upstream.asked("/there.json")[0].headers


def test_environment_names_no_proxy(
    remotes: Remotes, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    assert get(remotes, put(upstream, DOCUMENT))[1] == CONTENT


def test_control_characters_of_a_redirect_are_not_shown(remotes: Remotes, upstream: Upstream) -> None:
    upstream.misbehave("/noarch/*", redirect("/x%1b%5b31m%0a"))

    outcome = fetch_one(remotes, request(upstream.url + FILE))

    assert outcome.error is not None
    assert outcome.error.message.isprintable()
    assert "/x%1b%5b31m%0a is not there" in outcome.error.message
