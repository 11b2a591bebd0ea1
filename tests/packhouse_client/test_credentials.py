"""Who a server is asked as: tokens given, kept by `conda repo login`, and kept by `anaconda login`."""

import base64
import json
import os
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from packhouse_client.configuration import read_configuration
from packhouse_client.configuration.credentials import find_credential, read_token_option
from packhouse_client.configuration.sites import Site, choose_site
from packhouse_client.configuration.token_file import (
    StoredToken,
    check_storable,
    forget_token,
    load_token,
    store_token,
    token_path,
)
from packhouse_client.errors import BadConfiguration, Unauthenticated, WrongUsage
from packhouse_client.global_options import GlobalOptions
from tests.packhouse_client.homes import move_into, write

DOMAIN = "localhost:8443"
SAVE = """
import sys
from anaconda_auth.token import TokenInfo
TokenInfo(domain=sys.argv[1], api_key=sys.argv[2]).save()
"""
FOREIGN_KEYRING = """
import json, pathlib
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    priority = 50
    file = pathlib.Path(__file__).with_suffix(".json")

    def _kept(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def get_password(self, service, username):
        return self._kept().get(f"{service} {username}")

    def set_password(self, service, username, password):
        self.file.write_text(json.dumps(self._kept() | {f"{service} {username}": password}))
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return move_into(tmp_path, monkeypatch)


@pytest.fixture
def site(home: Path) -> Site:
    write(home, f'[sites.work]\ndomain = "{DOMAIN}"\n')
    return choose()


def choose() -> Site:
    return choose_site(read_configuration(), GlobalOptions())


def find(site: Site, token: str | None = None) -> tuple[str, str] | None:
    found = find_credential(site, GlobalOptions(token=token))
    return None if found is None else (found.secret, found.origin)


def jwt(**claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{payload}.c2ln"


def save_as_anaconda_does(home: Path, key: str, domain: str = DOMAIN) -> None:
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(home)}
    subprocess.run([sys.executable, "-c", SAVE, domain, key], env=environment, check=True)


def keep_in_keyring(home: Path, key: str, domain: str = DOMAIN) -> Path:
    """The same without the half second that importing anaconda-auth takes."""
    log_in = base64.b64encode(json.dumps({"domain": domain, "api_key": key}).encode()).decode()
    return write(home, json.dumps({"Anaconda Cloud": {domain: log_in}}), ".anaconda/keyring")


# Given


def test_nobody_is_anonymous(site: Site) -> None:
    assert find(site) is None


def test_option_then_environment_then_api_key_then_log_in(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, f'[sites.work]\ndomain = "{DOMAIN}"\napi_key = "fromsite"\n')
    keep_in_keyring(home, "fromkeyring")

    assert find(choose()) == ("fromsite", "api_key of site 'work'")
    monkeypatch.setenv("ANACONDA_AUTH_API_KEY", "fromanaconda")
    assert find(choose()) == ("fromanaconda", "environment variable ANACONDA_AUTH_API_KEY")
    monkeypatch.setenv("CONDA_REPO_TOKEN", " fromenvironment\n")
    assert find(choose()) == ("fromenvironment", "environment variable CONDA_REPO_TOKEN")
    assert find(choose(), "fromoption") == ("fromoption", "--token")


def test_a_token_is_read_from_the_first_line_of_a_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, "abc\nnothing\n", "token.txt")
    monkeypatch.chdir(home)
    assert read_token_option("token.txt") == "abc"
    assert read_token_option(str(home / "token.txt")) == "abc"


@pytest.mark.parametrize("value", ["missing/token", "token.txt", "C:\\token", "a b", "", "\N{SNOWMAN}"])
def test_what_is_neither_a_token_nor_a_file_is_wrong_usage(value: str) -> None:
    with pytest.raises(WrongUsage):
        read_token_option(value)


def test_an_empty_file_is_no_token(home: Path) -> None:
    with pytest.raises(WrongUsage, match="is no token"):
        read_token_option(str(write(home, "\n", "token")))


@pytest.mark.parametrize("key", [jwt(sub="x" * 300), "a" * 5000])
def test_a_token_longer_than_any_file_s_name_is_a_token(key: str) -> None:
    assert read_token_option(key) == key


def test_a_token_that_no_header_can_carry_is_refused_without_repeating_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONDA_REPO_TOKEN", "SECRET\nX-Evil: 1")
    with pytest.raises(
        BadConfiguration, match="environment variable CONDA_REPO_TOKEN holds is no token"
    ) as refused:
        find(site)
    assert "SECRET" not in str(refused.value)


# The token file


def test_a_token_is_kept_for_its_owner_and_its_server_alone(home: Path, site: Site) -> None:
    path = store_token(site, StoredToken("secret", "id", None))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_token(site) == StoredToken("secret", "id", None)
    write(home, '[sites.work]\ndomain = "localhost:9999"\n')
    assert find(choose()) is None


def test_a_forgotten_token_is_gone(site: Site) -> None:
    store_token(site, StoredToken("secret", "id", None))
    assert [forget_token(site), forget_token(site)] == [True, False]
    assert find(site) is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"token": 1, "id": "x"}', '{"token": "a b", "id": "x"}', "\x00"]
)
def test_a_broken_token_file_is_named_with_the_way_out(site: Site, text: str) -> None:
    store_token(site, StoredToken("secret", "id", None)).write_text(text)
    with pytest.raises(BadConfiguration, match="conda repo logout --force") as refused:
        find(site)
    assert str(token_path(site)) in refused.value.message


def test_a_token_that_expired_says_when_and_what_to_run(site: Site) -> None:
    store_token(site, StoredToken("secret", "id", "2020-01-02T03:04:05+00:00"))
    with pytest.raises(Unauthenticated, match=r"expired on 2020-01-02 03:04 UTC. Run: conda repo login"):
        find(site)


@pytest.mark.parametrize("written", ["2999-01-01", "2999-01-01T00:00:00Z", "some day", None])
def test_a_token_that_did_not_expire_is_used(site: Site, written: str | None) -> None:
    store_token(site, StoredToken("secret", "id", written))
    assert find(site) == ("secret", f"conda repo login ({token_path(site)})")


def test_a_folder_that_cannot_be_made_is_told_before_a_log_in(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(write(home, "", "file")))
    monkeypatch.setenv("CONDA_REPO_URL", "http://localhost")
    with pytest.raises(BadConfiguration, match=r"cannot be kept in .*Not a directory.*CONDA_REPO_TOKEN"):
        check_storable(choose())


def test_a_trial_leaves_nothing(site: Site) -> None:
    check_storable(site)
    assert list(token_path(site).parent.iterdir()) == []


# anaconda login


def test_a_log_in_of_anaconda_auth_is_found(home: Path, site: Site) -> None:
    key = jwt(exp=time.time() + 1000)
    save_as_anaconda_does(home, key)
    assert find(site) == (key, "anaconda login")


def test_a_log_in_to_another_server_is_not_used(home: Path, site: Site) -> None:
    keep_in_keyring(home, "key", "other.example.org")
    assert find(site) is None


def test_a_domain_is_the_same_in_capitals(home: Path, site: Site) -> None:
    keep_in_keyring(home, "key", DOMAIN.upper())
    assert find(site) == ("key", "anaconda login")


def test_a_log_in_that_expired_says_when_and_what_to_run(home: Path, site: Site) -> None:
    keep_in_keyring(home, jwt(exp=1577934245))
    with pytest.raises(
        Unauthenticated, match=r"expired on 2020-01-02 03:04 UTC. Run: anaconda login --force"
    ):
        find(site)


def test_the_latest_log_in_counts(home: Path, site: Site) -> None:
    store_token(site, StoredToken("ours", "id", None))
    keep_in_keyring(home, later := jwt(iat=time.time() + 60, exp=time.time() + 600))
    assert find(site) == (later, "anaconda login")
    keep_in_keyring(home, jwt(iat=time.time() - 60, exp=time.time() + 600))
    assert find(site) == ("ours", f"conda repo login ({token_path(site)})")


def test_a_log_in_that_expired_gives_way_to_an_earlier_one(home: Path, site: Site) -> None:
    expired = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    store_token(site, StoredToken("ours", "id", expired))
    keep_in_keyring(home, key := jwt(iat=1, exp=time.time() + 600))
    assert find(site) == (key, "anaconda login")


def test_an_empty_keyring_holds_nothing(home: Path, site: Site) -> None:
    write(home, "", ".anaconda/keyring")
    assert find(site) is None


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"Anaconda Cloud": []}', '{"Anaconda Cloud": {"localhost:8443": "!"}}', "\x00"]
)
def test_a_broken_keyring_is_named_with_the_way_out(home: Path, site: Site, text: str) -> None:
    path = write(home, text, ".anaconda/keyring")
    with pytest.raises(BadConfiguration, match="Log in again: anaconda login") as refused:
        find(site)
    assert str(path) in refused.value.message


def test_a_broken_keyring_does_no_harm_where_it_is_not_needed(home: Path, site: Site) -> None:
    write(home, "{", ".anaconda/keyring")
    store_token(site, StoredToken("ours", "id", None))
    assert find(site) == ("ours", f"conda repo login ({token_path(site)})")


def test_a_keyring_elsewhere_is_found(home: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    path = keep_in_keyring(home, "key").rename(home / "elsewhere")
    monkeypatch.setenv("ANACONDA_AUTH_KEYRING_PATH", str(path))
    assert find(choose()) == ("key", "anaconda login")
    monkeypatch.delenv("ANACONDA_AUTH_KEYRING_PATH")
    write(home, f'[sites.work]\ndomain = "{DOMAIN}"\nkeyring_path = "~/elsewhere"\n')
    assert find(choose()) == ("key", "anaconda login")


def test_a_log_in_in_the_keyring_of_the_system_is_read_by_anaconda_auth(home: Path) -> None:
    """In a process of its own: keyrings are chosen once in each."""
    write(home, FOREIGN_KEYRING, "foreign_keyring.py")
    write(home, f'[sites.work]\ndomain = "{DOMAIN}"\npreferred_token_storage = "system"\n')
    variables = {
        "PYTHON_KEYRING_BACKEND": "foreign_keyring.Keyring",
        "HOME": str(home),
        "PYTHONPATH": str(home),
    }
    show = (
        "from packhouse_client.global_options import GlobalOptions; from packhouse_client.session import Session;"
        "print(Session(GlobalOptions(), '').credential.secret)"
    )
    environment = {**os.environ, **variables}
    subprocess.run([sys.executable, "-c", SAVE, DOMAIN, "key"], env=environment, check=True)
    done = subprocess.run(
        [sys.executable, "-c", show], env=environment, capture_output=True, text=True, check=True
    )

    assert not (home / ".anaconda/keyring").exists()
    assert done.stdout == "key\n"


def test_the_keyring_of_the_system_takes_anaconda_auth(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, f'[sites.work]\ndomain = "{DOMAIN}"\npreferred_token_storage = "system"\n')
    monkeypatch.setitem(sys.modules, "anaconda_auth", None)
    with pytest.raises(BadConfiguration, match=r"takes anaconda-auth to read.*conda repo login"):
        find(choose())
