"""`conda repo config`."""

import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.cli.shell import Shell
from tests.cli.weather import listening, page
from tests.live import LiveServer

FILE = ".anaconda/config.toml"


@pytest.fixture
def newcomer(tmp_path: Path) -> Shell:
    """Somebody without any configuration."""
    return Shell(tmp_path)


def toml(shell: Shell) -> dict[str, Any]:
    return tomllib.loads((shell.home / FILE).read_text())


def test_a_site_is_added_by_its_address_and_used_from_then_on(newcomer: Shell, server: LiveServer) -> None:
    host = server.url.removeprefix("http://")
    done = newcomer.succeeds("config", "--set-site", host)

    assert done.stderr == f"Site {server.url} added as 127.0.0.1 to configuration\n"
    assert toml(newcomer) == {
        "default_site": "127.0.0.1",
        "sites": {"127.0.0.1": {"domain": host, "url": server.url}},
    }
    assert newcomer.conda_repo("whoami").exit_code == 3


@pytest.mark.parametrize(
    ("address", "exit_code", "words"),
    [
        ("not an address", 2, "URL is not valid"),
        ("http://127.0.0.1:1", 1, "No Anaconda Server found at http://127.0.0.1:1: "),
        ("packhouse.invalid", 1, "No Anaconda Server found at https://packhouse.invalid: "),
    ],
)
def test_where_no_server_is_nothing_is_added(
    newcomer: Shell, address: str, exit_code: int, words: str
) -> None:
    done = newcomer.conda_repo("config", "--set-site", address)

    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (newcomer.home / FILE).exists()


def test_another_web_server_is_no_site(newcomer: Shell) -> None:
    with listening(page("200 OK")) as host:
        done = newcomer.conda_repo("config", "--set-site", f"http://{host}")
    assert (done.exit_code, done.stderr) == (1, f"[ERROR] No Anaconda Server found at http://{host}\n")


def test_values_are_set_got_and_removed(newcomer: Shell) -> None:
    words = ("--set", "sites.work.domain", "work.example.org", "--set", "default_site", "work")
    newcomer.succeeds("config", *words)

    assert toml(newcomer) == {"sites": {"work": {"domain": "work.example.org"}}, "default_site": "work"}
    assert newcomer.succeeds("config", "--get", "sites.work.domain").stdout == "work.example.org\n"
    newcomer.succeeds("config", "--remove", "default_site")
    done = newcomer.conda_repo("config", "--get", "default_site")
    assert (done.exit_code, done.stderr) == (5, "[ERROR] The value of 'default_site' is not set.\n")


def test_a_default_is_a_value_and_json_says_where_it_comes_from(newcomer: Shell) -> None:
    assert newcomer.succeeds("config", "--get", "ssl_verify", "--json").document == {
        "name": "ssl_verify",
        "value": True,
        "source": "default",
    }
    assert newcomer.succeeds("config", "--get", "ssl_verify").stdout == "true\n"


def test_what_is_removed_must_be_set(newcomer: Shell) -> None:
    done = newcomer.conda_repo("config", "--remove", "url")
    assert (done.exit_code, done.stderr) == (5, "[ERROR] The value of 'url' is not set.\n")


def test_an_unknown_name_is_warned_of_and_set(newcomer: Shell) -> None:
    done = newcomer.succeeds("config", "--set", "defualt_site", "work")

    assert "is not a known configuration key. Did you mean 'default_site'?" in done.stderr
    assert toml(newcomer) == {"defualt_site": "work"}


def test_a_secret_makes_the_file_private_and_is_only_shown_on_request(newcomer: Shell) -> None:
    name = "sites.work.api_key"
    done = newcomer.succeeds(
        "config", "--set", name, "SECRET", "--set", "sites.work.domain", "x.example.org", "--json"
    )
    shown = [newcomer.succeeds("config", option).stdout for option in ("--show", "--show-sources")]

    assert stat.S_IMODE((newcomer.home / FILE).stat().st_mode) == 0o600
    assert "SECRET" not in done.stdout + done.stderr + "".join(shown)
    assert newcomer.succeeds("config", "--get", name).stdout == "SECRET\n"


def test_a_value_that_does_not_count_is_warned_of(newcomer: Shell) -> None:
    newcomer.environment["ANACONDA_DEFAULT_SITE"] = "other"
    done = newcomer.succeeds("config", "--set", "default_site", "work")

    assert "environment variable ANACONDA_DEFAULT_SITE says other, and has the last word" in done.stderr


def test_the_system_s_file_is_changed_on_request(newcomer: Shell) -> None:
    newcomer.environment["CONDA_ROOT"] = str(newcomer.home / "conda")
    path = newcomer.home / "conda/etc/anaconda-client/repo-cli-config.yaml"
    newcomer.succeeds("config", "--system", "--set", "url", "http://old.example.org")

    assert path.read_text() == "url: http://old.example.org\n"
    elsewhere = newcomer.conda_repo("config", "--remove", "url")
    assert (elsewhere.exit_code, str(path) in elsewhere.stderr) == (5, True)
    newcomer.succeeds("config", "--site", "--remove", "url")
    assert newcomer.conda_repo("config", "--get", "url").exit_code == 5


def test_sources_are_shown_in_order_with_the_last_word_and_what_it_comes_to(newcomer: Shell) -> None:
    newcomer.configure('default_site = "work"\n\n[sites."work"]\ndomain = "work.example.org"\n')
    newcomer.environment |= {"CONDA_REPO_TOKEN": "SECRET", "SSL_NO_VERIFY": "1"}
    file = newcomer.home / FILE

    shown = newcomer.succeeds("config", "--show-sources").stdout
    assert shown.startswith(
        f"==> {file} <==\ndefault_site: work\nsites:\n  work:\n    domain: work.example.org\n\n"
        "==> environment <==\nCONDA_REPO_TOKEN: '********'\nSSL_NO_VERIFY: '1'\n"
    )
    assert f"\ndefault_site: work  # {file}\nsites.work.domain: work.example.org  # {file}\n" in shown
    assert shown.endswith(
        f"==> in use <==\nsite: work  # {file}\nurl: https://work.example.org  # {file}\n"
        "ssl_verify: false  # environment variable SSL_NO_VERIFY\n"
        "token: '********'  # environment variable CONDA_REPO_TOKEN\n"
    )


def test_sources_in_json_hold_the_same(newcomer: Shell) -> None:
    newcomer.configure('[sites."work"]\ndomain = "work.example.org"\n')
    document = newcomer.succeeds("config", "--show-sources", "--json").document

    assert [item["source"] for item in document["items"]] == [str(newcomer.home / FILE), "defaults"]
    assert {"name": "token", "value": None, "source": "not logged in"} in document["in_use"]


def test_sources_are_shown_where_no_server_is_configured(newcomer: Shell) -> None:
    assert "site: null  # No server is configured" in newcomer.succeeds("config", "--show-sources").stdout


def test_what_is_shown_is_yaml(newcomer: Shell) -> None:
    newcomer.configure('[sites."work"]\ndomain = "work.example.org"\nsince = 2020-01-02\n')
    shown = YAML(typ="safe").load(newcomer.succeeds("config", "--show").stdout)

    assert shown["sites"] == {"work": {"domain": "work.example.org", "since": "2020-01-02"}}
    assert newcomer.succeeds("config", "--show", "--json").document == shown


def test_files_are_shown_whether_they_are_there_or_not(newcomer: Shell) -> None:
    newcomer.configure("")
    newcomer.environment["CONDA_ROOT"] = "/opt/conda"

    assert newcomer.succeeds("config", "--files").stdout.splitlines() == [
        "Conda_root: /opt/conda",
        f"User Config: {newcomer.home / FILE}",
        f"User Config: {newcomer.home}/.conda/repo-cli-config.yaml (not there)",
        "System Config: /opt/conda/etc/anaconda-client/repo-cli-config.yaml (not there)",
    ]


def test_without_an_action_the_help_is_shown_and_the_exit_code_is_1(newcomer: Shell) -> None:
    done = newcomer.conda_repo("config")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "--show-sources" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--set", "url"],
        ["--set", "url", "http://x", "more"],
        ["more"],
        ["--set", "url", "x"],
        ["--set", "a b", "x"],
        ["--set", "url", "http://x", "--type", "number"],
        ["--set", "url", "http://x", "--user", "--system"],
        ["--show", "--files"],
    ],
)
def test_wrong_usage_is_exit_code_2_and_changes_nothing(newcomer: Shell, words: list[str]) -> None:
    done = newcomer.conda_repo("config", *words)

    assert (done.exit_code, done.stdout) == (2, "")
    assert not (newcomer.home / FILE).exists()
