"""`conda repo download`."""

import hashlib
import json
import socket
from base64 import b64encode
from pathlib import Path

import pytest

from tests.cli.shell import Shell, new_name
from tests.cli.terminal import at_terminal
from tests.cli.weather import Answer, listening
from tests.live import LiveServer

NOTEBOOK = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
SHA256 = hashlib.sha256(NOTEBOOK)


def publish_notebook(server: LiveServer, channel: str, name: str = "analysis") -> None:
    with server.client() as client:
        client.post(
            f"/api/channels/{channel}/artifacts",
            data={"filetype": "jupyter_notebook", "size": str(len(NOTEBOOK))},
            files={"content": (f"{name}.ipynb", NOTEBOOK)},
        ).raise_for_status()


@pytest.fixture
def stocked(server: LiveServer, channel: str) -> str:
    """A public channel with the notebook `analysis`."""
    publish_notebook(server, channel)
    return channel


@pytest.fixture
def saved(shell: Shell) -> Path:
    """Where a notebook goes that nobody says a place for."""
    return shell.home / "analysis.ipynb"


def files(shell: Shell) -> list[str]:
    return sorted(path.name for path in shell.home.iterdir() if path.is_file())


def test_notebook_is_saved_in_the_current_folder(shell: Shell, stocked: str, saved: Path) -> None:
    done = shell.succeeds("download", "--channel", stocked, "--notebook", "analysis")

    assert saved.read_bytes() == NOTEBOOK
    assert done.stdout == ""
    assert done.stderr == f"Notebook analysis was saved to {saved}\n"
    assert files(shell) == ["analysis.ipynb"]


def test_nobody_needs_to_log_in_for_a_public_channel(stranger: Shell, stocked: str) -> None:
    stranger.succeeds("download", "--channel", stocked, "--notebook", "analysis.ipynb")

    assert (stranger.home / "analysis.ipynb").read_bytes() == NOTEBOOK


def test_a_private_subchannel_is_asked_with_the_log_in(shell: Shell, server: LiveServer) -> None:
    name = new_name("secret")
    server.create_channel(name, "private")
    server.create_channel(f"{name}/stage", "private")
    publish_notebook(server, f"{name}/stage")

    words = ("download", "--channel", f"{name}/stage", "--notebook", "analysis", "--json")

    assert shell.succeeds(*words).document == {
        "channel": f"{name}/stage",
        "notebook": "analysis",
        "filename": str(shell.home / "analysis.ipynb"),
        "size": len(NOTEBOOK),
        "sha256": SHA256.hexdigest(),
    }


@pytest.mark.parametrize(
    ("filename", "place"),
    [("mine.ipynb", "mine.ipynb"), ("books", "books/analysis.ipynb"), ("books/x", "books/x")],
)
def test_filename_is_a_file_or_a_folder(shell: Shell, stocked: str, filename: str, place: str) -> None:
    (shell.home / "books").mkdir()

    shell.succeeds("download", "--channel", stocked, "--notebook", "analysis", "--filename", filename)

    assert (shell.home / place).read_bytes() == NOTEBOOK


@pytest.mark.parametrize("filename", ["books/", "books/x.ipynb"])
def test_a_folder_that_is_not_there_is_wrong_usage(shell: Shell, stocked: str, filename: str) -> None:
    done = shell.conda_repo(
        "download", "--channel", stocked, "--notebook", "analysis", "--filename", filename
    )

    assert done.exit_code == 2
    assert "There is no folder books to save the notebook in." in done.stderr


def test_an_existing_file_stays_and_is_a_conflict(shell: Shell, stocked: str, saved: Path) -> None:
    saved.write_text("mine")

    done = shell.conda_repo("download", "--channel", stocked, "--notebook", "analysis")

    assert done.exit_code == 6
    assert "File analysis.ipynb already exists. Please specify a different filename." in done.stderr
    assert saved.read_text() == "mine"


def test_force_replaces_an_existing_file(shell: Shell, stocked: str, saved: Path) -> None:
    saved.write_text("mine")

    shell.succeeds("download", "--channel", stocked, "--notebook", "analysis", "--force")

    assert saved.read_bytes() == NOTEBOOK


def test_a_missing_notebook_is_not_found_and_suggests_another(shell: Shell, stocked: str) -> None:
    done = shell.conda_repo("download", "--channel", stocked, "--notebook", "analysys")

    assert done.exit_code == 5
    assert f"There is no notebook 'analysys' in channel '{stocked}'. Did you mean 'analysis'?" in done.stderr
    assert files(shell) == []


def test_a_missing_channel_is_not_found_and_suggests_another(shell: Shell, stocked: str) -> None:
    done = shell.conda_repo("download", "--channel", f"{stocked}x", "--notebook", "analysis")

    assert done.exit_code == 5
    assert f"Did you mean '{stocked}'" in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Not enough parameters to identify download file"),
        (("--channel", "data"), "Not enough parameters to identify download file"),
        (("--notebook", "analysis"), "Not enough parameters to identify download file"),
        (("--channel", "../x", "--notebook", "analysis"), "is no name of a channel"),
        (("--channel", "data", "--notebook", "../x"), "is no name of a notebook"),
        (("--channel", "data", "--notebook", ".ipynb"), "is no name of a notebook"),
    ],
)
def test_what_names_no_notebook_is_wrong_usage(
    stranger: Shell, words: tuple[str, ...], sentence: str
) -> None:
    done = stranger.conda_repo("download", *words)

    assert done.exit_code == 2
    assert sentence in done.stderr


# What goes wrong on the way


def sending(body: bytes, *headers: str, length: int | None = None) -> Answer:
    size = len(body) if length is None else length
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {size}", *headers, "", ""]

    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall("\r\n".join(lines).encode() + body)

    return answer


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (sending(NOTEBOOK, length=1000), "The connection to http://"),
        (sending(NOTEBOOK, f'ETag: "{"0" * 64}"'), "was damaged on its way here"),
        (sending(NOTEBOOK, f"Repr-Digest: sha-256=:{b64encode(bytes(32)).decode()}:"), "was damaged"),
    ],
    ids=["cut short", "other bytes than the ETag says", "other bytes than the digest says"],
)
def test_a_download_that_is_not_whole_leaves_nothing(stranger: Shell, answer: Answer, sentence: str) -> None:
    with listening(answer) as host:
        done = stranger.conda_repo(
            "--site", f"http://{host}", "download", "--channel", "data", "--notebook", "analysis"
        )

    assert done.exit_code == 1
    assert sentence in done.stderr
    assert files(stranger) == []


def test_a_place_that_takes_no_files_is_named(shell: Shell, stocked: str) -> None:
    target = "/proc/analysis.ipynb"
    done = shell.conda_repo("download", "--channel", stocked, "--notebook", "analysis", "--filename", target)

    assert done.exit_code == 1
    assert f"[ERROR] {target} cannot be written: " in done.stderr


@pytest.mark.parametrize(
    "header",
    [
        'ETag: "some-name"',
        "Repr-Digest: sha-256=:***:",
        f"Repr-Digest: sha-512=:x:, sha-256=:{b64encode(SHA256.digest()).decode()}:",
    ],
)
def test_a_server_may_name_its_files_as_it_likes(stranger: Shell, header: str) -> None:
    with listening(sending(NOTEBOOK, header)) as host:
        stranger.succeeds(
            "--site", f"http://{host}", "download", "--channel", "data", "--notebook", "analysis"
        )

    assert (stranger.home / "analysis.ipynb").read_bytes() == NOTEBOOK


def test_a_terminal_shows_a_bar_that_is_gone_at_the_end(shell: Shell, stocked: str, saved: Path) -> None:
    screen = at_terminal(shell, "download", "--channel", stocked, "--notebook", "analysis")

    assert screen.exit_code == 0
    assert f"/{len(NOTEBOOK)} bytes" in screen.text
    assert screen.lines[-1].endswith(f"Notebook analysis was saved to {saved}")
    assert saved.read_bytes() == NOTEBOOK
