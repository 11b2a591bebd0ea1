"""A server for the tests of `conda repo`, and people at shells of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import Shell, new_name
from tests.live import LiveServer, running_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server for all tests of a worker, so each test makes channels of its own."""
    environment = {"PACKHOUSE_ALLOW_PRIVATE_UPSTREAMS": "true"}  # those of the tests are on this machine
    with running_server(tmp_path_factory.mktemp("cli") / "live", environment=environment) as started:
        yield started


@pytest.fixture(scope="session")
def admin_token(server: LiveServer) -> str:
    with server.client() as client:
        scopes = client.get("/api/account/scopes").raise_for_status().json()["scopes"]
        made = client.post("/api/account/tokens", json={"name": "cli", "scopes": scopes})
        return str(made.raise_for_status().json()["token"])


@pytest.fixture
def stranger(tmp_path: Path, server: LiveServer) -> Shell:
    """Somebody whose configuration names the server, and who is not logged in."""
    home = tmp_path / "home"
    home.mkdir()
    shell = Shell(home)
    shell.configure(f'default_site = "packhouse"\n\n[sites.packhouse]\ndomain = "{server.url}"\n')
    return shell


@pytest.fixture
def shell(stranger: Shell, admin_token: str) -> Shell:
    """The admin's shell, with a token in the environment as scripts have it."""
    stranger.environment["CONDA_REPO_TOKEN"] = admin_token
    return stranger


@pytest.fixture
def channel(server: LiveServer) -> str:
    """A new public channel."""
    name = new_name("data")
    server.create_channel(name)
    return name
