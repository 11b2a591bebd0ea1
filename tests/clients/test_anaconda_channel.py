"""`anaconda channel ...` of anaconda-client, unchanged, against a running server with TLS."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.builders import build_conda_package
from tests.clients.anaconda_client import Anaconda, with_site
from tests.live import PASSWORD, LiveServer, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """With the namespace `admin`, in which the tests make their channels."""
    with running_server(tmp_path_factory.mktemp("anaconda") / "live", tls=True) as started:
        started.create_channel("admin")
        yield started


@pytest.fixture
def anaconda(server: LiveServer, tmp_path: Path) -> Anaconda:
    assert server.tls_url is not None
    ca = server.data_dir / "tls" / "ca.pem"
    return with_site(tmp_path / "home", server.tls_url, ca, new_token(server))


def new_token(server: LiveServer) -> str:
    """One with all that its user may do."""
    with server.client() as client:
        scopes = client.get("/api/account/scopes").json()["scopes"]
        order = {"name": "anaconda", "scopes": scopes}
        return str(client.post("/api/account/tokens", json=order).raise_for_status().json()["token"])


def ask(server: LiveServer, path: str, suffix: str = "", user: str = "admin") -> httpx.Response:
    """What the server says of a subchannel."""
    channel, _, subchannel = path.partition("/")
    with server.client(server.log_in(user)) as client:
        return client.get(f"/api/channels/{channel}/subchannels/{subchannel}{suffix}")


def facts(server: LiveServer, path: str) -> Any:
    return ask(server, path).raise_for_status().json()


def packages(server: LiveServer, path: str) -> list[str]:
    return [item["name"] for item in ask(server, path, "/artifacts").json()["items"]]


def filled(server: LiveServer, path: str, folder: Path, *names: str) -> str:
    """A private channel with a package of each name."""
    server.create_channel(path, "private")
    for name in names:
        assert server.upload(path, build_conda_package(folder, name)).status_code == 201
    return path


def test_create_private(anaconda: Anaconda, server: LiveServer) -> None:
    said = anaconda.does("channel", "create", "admin/closed", "--private")

    assert "admin/closed" in said
    assert facts(server, "admin/closed")["privacy"] == "private"


def test_create_public_in_a_namespace(anaconda: Anaconda, server: LiveServer) -> None:
    anaconda.does("channel", "create", "open", "--namespace", "admin", "--public")

    assert facts(server, "admin/open")["privacy"] == "public"


def test_create_of_a_channel_that_is_there_changes_nothing(anaconda: Anaconda, server: LiveServer) -> None:
    server.create_channel("admin/twice")

    anaconda.does("channel", "create", "admin/twice", "--private")

    assert facts(server, "admin/twice")["privacy"] == "public"


def test_create_makes_the_namespace_of_the_user(server: LiveServer, tmp_path: Path) -> None:
    add_user(server, "newcomer")
    with server.client(server.log_in("newcomer")) as client:
        scopes = client.get("/api/account/scopes").json()["scopes"]
        token = client.post("/api/account/tokens", json={"name": "first", "scopes": scopes}).json()["token"]
    assert server.tls_url is not None
    newcomer = with_site(tmp_path / "home", server.tls_url, server.data_dir / "tls" / "ca.pem", token)

    newcomer.does("channel", "create", "newcomer/first", "--private")

    assert facts(server, "newcomer/first")["owners"] == ["newcomer"]


@pytest.mark.parametrize("options", [[], ["--all"], ["-n", "admin"]], ids=["own", "all", "namespace"])
def test_list_names_the_channels(anaconda: Anaconda, server: LiveServer, options: list[str]) -> None:
    path = f"admin/listed-{len(options)}"
    server.create_channel(path)

    assert path.partition("/")[2] in anaconda.does("channel", "list", "--source", "repo", *options)


@pytest.mark.parametrize(
    ("option", "word"),
    [
        (None, "private"),
        ("--full-details", "private"),
        ("--packages", "visible"),
        ("--files", "visible-1.0-0.conda"),
    ],
)
def test_show_tells_of_a_channel(
    anaconda: Anaconda, server: LiveServer, tmp_path: Path, option: str | None, word: str
) -> None:
    path = filled(server, f"admin/shown{option or '-plain'}", tmp_path, "visible")

    assert word in anaconda.does("channel", "show", path, *([option] if option else []))


@pytest.mark.parametrize(
    ("option", "value", "key"),
    [("--privacy", "public", "privacy"), ("--indexing-behavior", "frozen", "indexing_behavior")],
)
def test_modify_changes_a_channel(
    anaconda: Anaconda, server: LiveServer, option: str, value: str, key: str
) -> None:
    server.create_channel(f"admin/to-be-{value}", "private")

    anaconda.does("channel", "modify", f"admin/to-be-{value}", option, value)

    assert facts(server, f"admin/to-be-{value}")[key] == value


def test_upload_publishes_both_forms_of_packages(
    anaconda: Anaconda, server: LiveServer, tmp_path: Path
) -> None:
    server.create_channel("admin/filled", "private")
    files = [
        build_conda_package(tmp_path, "new-form", extension=".conda"),
        build_conda_package(tmp_path, "old-form", extension=".tar.bz2"),
    ]

    anaconda.does("channel", "upload", *map(str, files), "-c", "admin/filled")

    assert packages(server, "admin/filled") == ["new-form", "old-form"]


def test_upload_tells_why_other_bytes_under_the_same_name_are_refused(
    anaconda: Anaconda, server: LiveServer, tmp_path: Path
) -> None:
    path = filled(server, "admin/conflict", tmp_path, "same")
    other = build_conda_package(tmp_path, "same", depends=["else"])

    done = anaconda("channel", "upload", str(other), "-c", path)

    assert "is already in channel 'admin/conflict'" in words(done)


def test_remove_package_removes_a_file(anaconda: Anaconda, server: LiveServer, tmp_path: Path) -> None:
    path = filled(server, "admin/less", tmp_path, "kept", "removed")

    anaconda.does("channel", "remove-package", "removed-1.0-0.conda", "-c", path, "--force")

    assert packages(server, path) == ["kept"]


def test_share_lets_another_user_in_and_out_again(
    anaconda: Anaconda, server: LiveServer, tmp_path: Path
) -> None:
    add_user(server, "friend")
    path = filled(server, "admin/shared", tmp_path)

    anaconda.does("channel", "share", "friend", "-c", path, "--access", "collaborator")
    assert ask(server, path, user="friend").json()["access"] == "collaborator"

    anaconda.does("channel", "share", "friend", "-c", path, "--unshare")
    assert ask(server, path, user="friend").status_code == 404


def test_remove_deletes_a_channel(anaconda: Anaconda, server: LiveServer, tmp_path: Path) -> None:
    path = filled(server, "admin/gone", tmp_path, "inside")

    anaconda.does("channel", "remove", path)

    assert ask(server, path).status_code == 404


def test_a_channel_that_is_not_there_is_said_to_be_missing(anaconda: Anaconda) -> None:
    done = anaconda("channel", "show", "admin/nowhere")

    assert done.returncode != 0
    assert "Channel 'admin/nowhere' was not found." in words(done)


def test_whoami_shows_the_account(anaconda: Anaconda) -> None:
    said = anaconda.does("--at", "packhouse", "whoami")

    assert "admin" in json.dumps(said)


def words(done: subprocess.CompletedProcess[str]) -> str:
    """All that was said, without the line breaks that a terminal's width makes."""
    return " ".join((done.stdout + done.stderr).split())


def add_user(server: LiveServer, name: str) -> None:
    command = [sys.executable, "-m", "packhouse", "user", "add", name, "--password-stdin"]
    options = ["--data-dir", str(server.data_dir)]
    subprocess.run([*command, *options], input=f"{PASSWORD}\n", text=True, check=True)
