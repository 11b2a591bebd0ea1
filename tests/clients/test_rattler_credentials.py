"""py-rattler on a private channel: each place it can keep a credential, and what happens without one."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders import build_conda_package
from tests.clients.rattler_client import JSON, SHARDS, WAYS, ZST, install_elsewhere
from tests.live import PASSWORD, LiveServer, running_server

HOST = "127.0.0.1"
STORES: dict[str, Callable[[str], Any]] = {
    "bearer": lambda token: {HOST: {"BearerToken": token}},
    "basic": lambda token: {HOST: {"BasicHTTP": {"username": "anybody", "password": token}}},
    "conda-token": lambda token: {HOST: {"CondaToken": token}},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("credentials")
    with running_server(folder / "live") as started:
        started.create_channel("closed", privacy="private")
        assert started.upload("closed", build_conda_package(folder, "secret")).status_code == 201
        started.wait_until_indexed(f"t/{new_token(started)}/closed", "noarch", "secret-1.0-0.conda")
        yield started


@pytest.fixture(scope="module")
def token(server: LiveServer) -> str:
    return new_token(server)


def new_token(server: LiveServer) -> str:
    """One that may read the channel, and nothing else."""
    resource = {"resource_type": "channel", "resource_id": "closed", "permission": "read"}
    order = {"name": "ci", "resources": [resource]}
    with server.client() as client:
        return str(client.post("/api/account/tokens", json=order).raise_for_status().json()["token"])


def has_installed(prefix: Path) -> bool:
    return (prefix / "conda-meta/secret-1.0-0.json").exists()


@pytest.mark.parametrize("way", WAYS)
def test_a_token_in_the_address_opens_a_private_channel(
    server: LiveServer, token: str, tmp_path: Path, way: str
) -> None:
    done = install_elsewhere(f"{server.url}/api/repo/t/{token}/closed", "secret", tmp_path / "env", way=way)

    assert done.returncode == 0, done.stderr
    assert has_installed(tmp_path / "env")


@pytest.mark.parametrize("store", STORES)
def test_a_stored_credential_opens_a_private_channel(
    server: LiveServer, token: str, tmp_path: Path, store: str
) -> None:
    channel = f"{server.url}/api/repo/closed"
    done = install_elsewhere(channel, "secret", tmp_path / "env", STORES[store](token))

    assert done.returncode == 0, done.stderr
    assert has_installed(tmp_path / "env")


@pytest.mark.parametrize("way", [SHARDS, ZST, JSON])
def test_basic_with_user_name_and_password_opens_a_private_channel(
    server: LiveServer, tmp_path: Path, way: str
) -> None:
    credentials = {HOST: {"BasicHTTP": {"username": "admin", "password": PASSWORD}}}
    done = install_elsewhere(f"{server.url}/api/repo/closed", "secret", tmp_path / "env", credentials, way)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("way", WAYS)
def test_nobody_is_refused_with_401(server: LiveServer, tmp_path: Path, way: str) -> None:
    done = install_elsewhere(f"{server.url}/api/repo/closed", "secret", tmp_path / "env", way=way)

    assert done.returncode != 0
    assert "401" in done.stderr
    assert not has_installed(tmp_path / "env")


def test_a_wrong_token_is_refused_with_401(server: LiveServer, tmp_path: Path) -> None:
    credentials = {HOST: {"BearerToken": "0" * 48}}
    done = install_elsewhere(f"{server.url}/api/repo/closed", "secret", tmp_path / "env", credentials)

    assert done.returncode != 0
    assert "401" in done.stderr


def test_an_installed_package_does_not_repeat_the_token(
    server: LiveServer, token: str, tmp_path: Path
) -> None:
    """The record in conda-meta holds the file's address; one with a token in it would be a leak of ours only
    if an index named it, which is why indexes name no host and no path but their own."""
    install_elsewhere(f"{server.url}/api/repo/closed", "secret", tmp_path / "env", STORES["bearer"](token))

    record = json.loads((tmp_path / "env/conda-meta/secret-1.0-0.json").read_text())
    assert record["url"] == f"{server.url}/api/repo/closed/noarch/secret-1.0-0.conda"
