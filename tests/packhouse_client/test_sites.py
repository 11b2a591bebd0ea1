"""Which server is meant, and how it is reached."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse_client.configuration import read_configuration
from packhouse_client.configuration.sites import Site, choose_site, normal_url
from packhouse_client.errors import BadConfiguration, ClientError, NotConfigured, WrongUsage
from packhouse_client.global_options import GlobalOptions
from tests.packhouse_client.homes import move_into, write

TWO_SITES = (
    'default_site = "work"\n'
    '[sites.work]\ndomain = "work.example.org"\napi_key = "KEY"\n'
    '[sites.home]\ndomain = "localhost:8443"\nssl_verify = false\n'
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return move_into(tmp_path, monkeypatch)


def choose(options: GlobalOptions | None = None) -> Site:
    return choose_site(read_configuration(), options or GlobalOptions())


def test_nothing_configured_says_how_to_configure(home: Path) -> None:
    with pytest.raises(NotConfigured, match="--set-site"):
        choose()


def test_the_default_site_is_chosen_and_its_source_known(home: Path) -> None:
    path = write(home, TWO_SITES)
    site = choose()

    assert (site.name, site.url, site.origin, site.api_key) == (
        "work",
        "https://work.example.org",
        str(path),
        "KEY",
    )
    assert site.channel_alias == "https://work.example.org/api/repo"
    assert "KEY" not in repr(site)


def test_without_a_default_the_first_site_is_chosen(home: Path) -> None:
    write(home, TWO_SITES.partition("\n")[2])
    assert choose().name == "work"


@pytest.mark.parametrize("named", ["home", "localhost:8443"])
def test_a_site_is_named_by_its_name_or_its_domain(home: Path, named: str) -> None:
    write(home, TWO_SITES)
    assert choose(GlobalOptions(site=named)).name == "home"


def test_a_whole_address_is_taken_as_it_is(home: Path) -> None:
    write(home, TWO_SITES)
    assert choose(GlobalOptions(site="http://localhost:8443")).url == "http://localhost:8443"


def test_the_command_line_wins_over_the_environment_and_that_over_files(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, TWO_SITES)
    monkeypatch.setenv("ANACONDA_DEFAULT_SITE", "home")
    assert choose().name == "home"
    monkeypatch.setenv("ANACONDA_AUTH_DOMAIN", "work.example.org")
    assert choose().name == "work"
    monkeypatch.setenv("CONDA_REPO_URL", "http://here:8080/api")
    assert (choose().url, choose().origin) == ("http://here:8080", "environment variable CONDA_REPO_URL")
    assert choose(GlobalOptions(site="home")).name == "home"


def test_an_empty_variable_says_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, TWO_SITES)
    for name in ("CONDA_REPO_URL", "ANACONDA_DEFAULT_SITE", "ANACONDA_AUTH_SSL_VERIFY", "SSL_NO_VERIFY"):
        monkeypatch.setenv(name, "")
    assert (choose().name, choose().verify) == ("work", True)


def test_an_unknown_site_is_wrong_usage_with_the_names_that_there_are(home: Path) -> None:
    write(home, TWO_SITES)
    with pytest.raises(
        WrongUsage, match=r"Site 'wokr' \(--site\) is not configured. Did you mean 'work'\? .*home"
    ):
        choose(GlobalOptions(site="wokr"))


def test_an_unknown_default_site_is_a_bad_configuration(home: Path) -> None:
    path = write(home, 'default_site = "gone"\n')
    with pytest.raises(BadConfiguration, match="Site 'gone'") as refused:
        choose()
    assert str(path) in refused.value.message


def test_a_site_without_a_domain_says_how_to_give_it_one(home: Path) -> None:
    write(home, "[sites.work]\nssl_verify = false\n")
    with pytest.raises(BadConfiguration, match=r"Site 'work' has no domain.*--set"):
        choose()


def test_the_nearest_file_says_where_a_site_is(home: Path) -> None:
    write(home, "sites: {work: {url: http://old}}\n", ".conda/repo-cli-config.yaml")
    assert choose().url == "http://old"
    write(home, '[sites.work]\ndomain = "new.example.org"\n')
    assert choose().url == "https://new.example.org"


def test_the_old_url_and_the_domain_of_anaconda_auth_are_read(home: Path) -> None:
    write(home, "url: http://old:8080/api\nssl_verify: false\n", ".conda/repo-cli-config.yaml")
    assert (choose().url, choose().verify) == ("http://old:8080", False)
    write(home, '[plugin.auth]\ndomain = "auth.example.org"\nssl_verify = true\n')
    assert (choose().url, choose().verify) == ("https://auth.example.org", True)


@pytest.mark.parametrize(
    ("options", "environment", "of_site", "expected"),
    [
        (GlobalOptions(), {}, "", True),
        (GlobalOptions(), {}, "ssl_verify = false", False),
        (GlobalOptions(), {"ANACONDA_AUTH_SSL_VERIFY": "1"}, "ssl_verify = false", True),
        (GlobalOptions(), {"SSL_NO_VERIFY": "1"}, "ssl_verify = true", False),
        (GlobalOptions(), {"SSL_NO_VERIFY": "0"}, "", True),
        (GlobalOptions(insecure=True), {"ANACONDA_AUTH_SSL_VERIFY": "1"}, "", False),
        (GlobalOptions(), {}, 'ssl_verify = "truststore"', True),
        (GlobalOptions(), {}, 'ssl_verify = "off"', False),
    ],
)
def test_the_nearest_word_on_certificates_counts(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: GlobalOptions,
    environment: dict[str, str],
    of_site: str,
    expected: bool,
) -> None:
    write(home, f'[sites.work]\ndomain = "work.example.org"\n{of_site}\n')
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert choose(options).verify is expected


def test_a_ca_file_is_found_from_the_home_folder(home: Path) -> None:
    file = write(home, "", "ca.pem")
    write(home, '[sites.work]\ndomain = "work.example.org"\nssl_verify = "~/ca.pem"\n')
    assert choose().verify == str(file)


def test_a_ca_file_that_is_not_there_is_named(home: Path) -> None:
    write(home, TWO_SITES)
    with pytest.raises(BadConfiguration, match=r"'nix.pem' \(--ca-file\), does not exist"):
        choose(GlobalOptions(ca_file=Path("nix.pem")))


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("packages.example.org", "https://packages.example.org"),
        ("packages.example.org:8443/", "https://packages.example.org:8443"),
        ("http://localhost:8080/api", "http://localhost:8080"),
        ("https://host/api/repo/", "https://host"),
        ("https://host/packhouse/api", "https://host/packhouse"),
        ("https://ann:secret@host", "https://host"),
        ("[::1]:8080", "https://[::1]:8080"),
    ],
)
def test_an_address_becomes_the_root_of_the_server(address: str, url: str) -> None:
    assert normal_url(address) == url


@pytest.mark.parametrize(
    "address", ["", " ", "ftp://host", "https://", "host:port", "host:99999", "http://[", "a b"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(BadConfiguration, match="is not a server's address"):
        normal_url(address)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        url = normal_url(text)
    except ClientError:
        return
    assert url.startswith(("http://", "https://"))
    assert normal_url(url) == url
