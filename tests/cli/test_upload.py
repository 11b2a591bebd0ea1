"""`conda repo upload`."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.builders import build_conda_package
from tests.cli.shell import Shell
from tests.cli.terminal import at_terminal
from tests.live import LiveServer

MIB = 1024**2


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return build_conda_package(tmp_path, "demo", subdir="linux-64")


def ckeys(server: LiveServer, channel: str, name: str = "demo", family: str = "conda") -> list[str]:
    parent, _, child = channel.partition("/")
    place = f"{parent}/subchannels/{child}" if child else parent
    with server.client() as client:
        answer = client.get(f"/api/channels/{place}/artifacts/{family}/{name}/files").raise_for_status()
    return [file["ckey"] for file in answer.json()["items"]]


@contextmanager
def default_of_account(server: LiveServer, channel: str | None) -> Iterator[None]:
    with server.client() as client:
        before = client.get("/api/account").json()["default_channel_name"]
        client.put("/api/account", json={"default_channel_name": channel}).raise_for_status()
        yield
        client.put("/api/account", json={"default_channel_name": before}).raise_for_status()


def requests_for(server: LiveServer, text: str) -> int:
    return (server.data_dir / "server.log").read_text().count(text)


def test_package_is_published_and_each_step_told(
    shell: Shell, server: LiveServer, channel: str, package: Path
) -> None:
    done = shell.succeeds("upload", package, "--channel", channel)

    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "Detecting file type...",
        'File type is "conda"',
        f"Uploading conda artifact to {server.url}/api/channels/{channel}/artifacts...",
        f"File {package} successfully uploaded to {server.url}/api/repo/{channel} with response 201",
    ]
    assert ckeys(server, channel) == ["linux-64/demo-1.0-0.conda"]


def test_file_that_is_there_is_not_sent_again(
    shell: Shell, server: LiveServer, channel: str, package: Path
) -> None:
    shell.succeeds("upload", package, "-c", channel)
    done = shell.succeeds("upload", package, "-c", channel, "--json")

    [item] = done.document["items"]
    assert item["status"] == "exists"
    assert f"is already there in channel {channel}: nothing was sent" in done.stderr
    assert requests_for(server, f"POST /api/channels/{channel}/artifacts") == 1


def test_other_bytes_of_the_same_name_are_a_conflict_and_not_sent(
    shell: Shell, server: LiveServer, channel: str, package: Path, tmp_path: Path
) -> None:
    shell.succeeds("upload", package, "-c", channel)
    (tmp_path / "other").mkdir()
    other = build_conda_package(tmp_path / "other", "demo", subdir="linux-64", depends=["zlib"])

    done = shell.conda_repo("upload", other, "-c", channel)

    assert done.exit_code == 6
    assert "'linux-64/demo-1.0-0.conda' is already in channel" in done.stderr
    assert requests_for(server, f"POST /api/channels/{channel}/artifacts") == 1


def test_json_tells_what_became_of_each_file_in_each_channel(
    shell: Shell, server: LiveServer, channel: str, package: Path, tmp_path: Path
) -> None:
    server.create_channel(f"{channel}/stage")
    second = build_conda_package(tmp_path, "second")

    done = shell.succeeds("upload", package, second, "-c", channel, "-c", f"{channel}/stage", "--json")

    assert done.document["total_count"] == 4
    told = [(item["ckey"], item["channel"], item["status"]) for item in done.document["items"]]
    assert told == [
        ("linux-64/demo-1.0-0.conda", channel, "uploaded"),
        ("linux-64/demo-1.0-0.conda", f"{channel}/stage", "uploaded"),
        ("noarch/second-1.0-0.conda", channel, "uploaded"),
        ("noarch/second-1.0-0.conda", f"{channel}/stage", "uploaded"),
    ]
    assert ckeys(server, f"{channel}/stage", "second") == ["noarch/second-1.0-0.conda"]


def test_failed_file_is_named_and_does_not_stop_the_rest(
    shell: Shell, server: LiveServer, channel: str, package: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken-1.0-0.conda"
    broken.write_bytes(b"no package")

    done = shell.conda_repo("upload", broken, package, "-c", channel, "-t", "conda", "--json")

    assert done.exit_code == 1
    assert f"Error uploading {broken} to {server.url}/api::{channel}." in done.stderr
    assert [item["status"] for item in done.document["items"]] == ["failed", "uploaded"]
    assert ckeys(server, channel) == ["linux-64/demo-1.0-0.conda"]


def test_package_that_was_cut_off_is_called_so(
    shell: Shell, server: LiveServer, channel: str, package: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut-1.0-0.conda"
    cut.write_bytes(package.read_bytes()[:100])

    done = shell.conda_repo("upload", cut, "-c", channel)

    assert done.exit_code == 2
    assert "it is damaged, was cut off, or is no conda package" in done.stderr
    assert ckeys(server, channel) == []


def test_unknown_channel_is_named_with_the_nearest_and_the_other_is_served(
    shell: Shell, server: LiveServer, channel: str, package: Path
) -> None:
    done = shell.conda_repo("upload", package, "-c", f"x{channel}", "-c", channel)

    assert done.exit_code == 5
    assert f"'x{channel}'" in done.stderr
    assert f"Did you mean '{channel}'" in done.stderr
    assert ckeys(server, channel)


@pytest.mark.parametrize(
    ("name", "content", "family", "package", "ckey"),
    [
        (
            "study.ipynb",
            '{"cells": [], "metadata": {}, "nbformat": 4}',
            "notebook",
            "study",
            "jupyter/study.ipynb",
        ),
        ("lab.yml", "name: lab\ndependencies:\n  - zlib\n", "anaconda_env", "lab", "env/lab.yml"),
    ],
)
def test_other_types_are_detected_and_are_not_sent_twice(
    shell: Shell,
    server: LiveServer,
    channel: str,
    tmp_path: Path,
    name: str,
    content: str,
    family: str,
    package: str,
    ckey: str,
) -> None:
    (tmp_path / name).write_text(content)

    shell.succeeds("upload", tmp_path / name, "-c", channel)
    again = shell.succeeds("upload", tmp_path / name, "-c", channel, "--json")

    assert ckeys(server, channel, package, family) == [ckey]
    assert again.document["items"][0]["status"] == "exists"


def test_project_folder_is_packed_and_published(
    shell: Shell, server: LiveServer, channel: str, tmp_path: Path
) -> None:
    folder = tmp_path / "forecast"
    folder.mkdir()
    (folder / "anaconda-project.yml").write_text("name: forecast\n")
    (folder / "link").symlink_to("/etc/passwd")

    done = shell.succeeds("upload", folder, "-c", channel)

    assert "forecast/link is a link or no regular file, and is left out" in done.stderr
    assert ckeys(server, channel, "forecast", "anaconda_project") == ["project/forecast.tar.gz"]


def test_general_artifact_needs_a_name(
    shell: Shell, server: LiveServer, channel: str, tmp_path: Path
) -> None:
    (tmp_path / "model.bin").write_bytes(b"weights")
    words = ("upload", tmp_path / "model.bin", "-c", channel, "--package-type", "gra")

    without = shell.conda_repo(*words)
    named = shell.conda_repo(*words, "--name", "model", "--version", "1.0")

    assert (without.exit_code, named.exit_code) == (2, 0)
    assert "--name NAME" in without.stderr
    assert ckeys(server, channel, "model", "gra") == ["gra/model/1.0/model.bin"]


def test_unknown_type_is_a_usage_error_that_names_the_option(
    shell: Shell, server: LiveServer, channel: str, package: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("hello")

    done = shell.conda_repo("upload", package, tmp_path / "notes.txt", "-c", channel)

    assert done.exit_code == 2
    assert f"Could not detect package type of file '{tmp_path}/notes.txt'" in done.stderr
    assert "--package-type" in done.stderr
    assert requests_for(server, f"POST /api/channels/{channel}/artifacts") == 0


def test_interactive_asks_for_type_and_name(
    shell: Shell, server: LiveServer, channel: str, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("hello")

    screen = at_terminal(shell, "upload", tmp_path / "notes.txt", "-c", channel, "-i", answers="gra\nnotes\n")

    assert screen.exit_code == 0, screen.text
    assert ckeys(server, channel, "notes", "gra") == ["gra/notes/notes.txt"]


def test_refusal_of_the_server_is_passed_on(shell: Shell, channel: str, tmp_path: Path) -> None:
    (tmp_path / "s-1.tar.gz").write_bytes(b"sdist")

    done = shell.conda_repo("upload", tmp_path / "s-1.tar.gz", "-c", channel, "-t", "sdist")

    assert done.exit_code == 1
    assert "Server responded with status code 400. " in done.stderr


def test_channel_is_the_first_default_channel_of_condarc(
    shell: Shell, server: LiveServer, channel: str, package: Path
) -> None:
    condarc = shell.home / ".condarc"
    condarc.write_text(f"default_channels:\n  - {server.url}/api/repo/{channel}\n  - other\n")

    done = shell.succeeds("upload", package)

    assert f"Channel {channel}, by default_channels in {condarc}" in done.stderr
    assert ckeys(server, channel) == ["linux-64/demo-1.0-0.conda"]


def test_without_condarc_the_default_of_the_account_is_the_channel(
    shell: Shell, server: LiveServer, channel: str, package: Path
) -> None:
    with default_of_account(server, channel):
        done = shell.succeeds("upload", package)

    assert f"Channel {channel}, the default of your account" in done.stderr
    assert ckeys(server, channel) == ["linux-64/demo-1.0-0.conda"]


def test_without_any_channel_the_way_out_is_said(shell: Shell, server: LiveServer, package: Path) -> None:
    with default_of_account(server, None):
        done = shell.conda_repo("upload", package)

    assert done.exit_code == 2
    assert "Please set it in the user account or use -c option." in done.stderr


def test_anonymous_is_refused_before_anything_is_sent(
    stranger: Shell, server: LiveServer, channel: str, package: Path
) -> None:
    assert stranger.conda_repo("upload", package, "-c", channel).exit_code == 3
    assert requests_for(server, f"POST /api/channels/{channel}/artifacts") == 0


def test_bars_are_shown_at_a_terminal_and_leave_only_words(
    shell: Shell, server: LiveServer, channel: str, package: Path
) -> None:
    screen = at_terminal(shell, "upload", package, "-c", channel, columns=140)
    quiet = at_terminal(shell, "upload", package, "-c", channel, "--no-progress", columns=140)

    assert screen.exit_code == 0, screen.text
    assert "━" in screen.text
    assert "with response 201" in screen.text.replace("\n", "")
    assert "━" not in quiet.text


def test_ctrl_c_ends_at_once_and_names_what_was_not_sent_and_a_second_run_sends_it(
    shell: Shell, server: LiveServer, channel: str, tmp_path: Path
) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(MIB) * 200)
    words = ("upload", str(large), "-c", channel, "-t", "gra", "-n", "large")

    sent = requests_for(server, "PATCH /api/uploads/")
    process = subprocess.Popen(
        [*shell.entry_point, *words],
        env=shell.all_variables,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_ctrl_c,
    )
    wait_for(server, "PATCH /api/uploads/", more_than=sent)
    process.send_signal(signal.SIGINT)
    interrupted = time.monotonic()
    _, said = process.communicate(timeout=30)

    assert process.returncode == 130
    assert time.monotonic() - interrupted < 20
    assert f"Not published: {large}" in said
    assert ckeys(server, channel, "large", "gra") == []

    before = requests_for(server, "POST /api/uploads ")
    shell.succeeds(*words)
    assert ckeys(server, channel, "large", "gra") == ["gra/large/large.bin"]
    assert requests_for(server, "POST /api/uploads ") == before


def hear_ctrl_c() -> None:
    """Whoever runs the tests in the background of a shell has made them, and their children, deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(server: LiveServer, text: str, more_than: int) -> None:
    limit = time.monotonic() + 30
    while requests_for(server, text) <= more_than:
        assert time.monotonic() < limit, text
        time.sleep(0.01)
