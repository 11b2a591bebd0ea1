"""`conda repo copy`, `move` and `remove`."""

from pathlib import Path

import pytest

from tests.builders import build_conda_package
from tests.cli.shell import Shell, new_name
from tests.cli.terminal import at_terminal
from tests.live import LiveServer

LINUX, OSX, NEWER = "linux-64/demo-1.0-0.conda", "osx-64/demo-1.0-0.conda", "linux-64/demo-2.0-0.conda"


@pytest.fixture
def channel(server: LiveServer, tmp_path: Path) -> str:
    """With three files of `demo`, two of which have the same name, and one of `lone`."""
    name = new_name("stocked")
    server.create_channel(name)
    token = server.log_in()
    for version, subdir in (("1.0", "linux-64"), ("1.0", "osx-64"), ("2.0", "linux-64")):
        folder = tmp_path / subdir
        folder.mkdir(exist_ok=True)
        package = build_conda_package(folder, "demo", version, subdir=subdir)
        assert server.upload(name, package, token).status_code == 201
    assert server.upload(name, build_conda_package(tmp_path, "lone"), token).status_code == 201
    return name


@pytest.fixture
def target(server: LiveServer) -> str:
    name = new_name("target")
    server.create_channel(name)
    return name


def ckeys(server: LiveServer, channel: str, package: str = "demo") -> set[str]:
    parent, _, child = channel.partition("/")
    place = f"{parent}/subchannels/{child}" if child else parent
    with server.client() as client:
        answer = client.get(f"/api/channels/{place}/artifacts/conda/{package}/files").raise_for_status()
    return {file["ckey"] for file in answer.json()["items"]}


def test_script_copies_a_package_without_a_question(
    shell: Shell, server: LiveServer, channel: str, target: str
) -> None:
    done = shell.succeeds("copy", f"{channel}::demo", "--destination", target)

    assert (done.stdout, done.stderr) == ("", "copy action successful\n")
    assert ckeys(server, target) == ckeys(server, channel) == {LINUX, OSX, NEWER}


@pytest.mark.parametrize(
    ("rest", "copied"),
    [
        ("demo/1.0", {LINUX, OSX}),
        ("demo/2.0/demo-2.0-0.conda", {NEWER}),
        ("demo//demo-1.0-0.conda?subdir=osx-64", {OSX}),
        ("demo?subdir=linux-64", {LINUX, NEWER}),
    ],
)
def test_specification_chooses_the_files(
    shell: Shell, server: LiveServer, channel: str, target: str, rest: str, copied: set[str]
) -> None:
    shell.succeeds("copy", f"{channel}::{rest}", "-d", target)

    assert ckeys(server, target) == copied


def test_move_needs_a_yes_of_scripts(shell: Shell, server: LiveServer, channel: str, target: str) -> None:
    words = ("move", f"{channel}::demo/1.0", "-d", target)

    refused = shell.conda_repo(*words)
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    assert ckeys(server, target) == set()

    done = shell.succeeds(*words, "--yes")
    assert done.stderr == "move action successful\n"
    assert (ckeys(server, channel), ckeys(server, target)) == ({NEWER}, {LINUX, OSX})


@pytest.mark.parametrize("yes", ["--yes", "--force"])
def test_remove_needs_a_yes_of_scripts(shell: Shell, server: LiveServer, channel: str, yes: str) -> None:
    assert shell.conda_repo("remove", f"{channel}::demo").exit_code == 2
    assert ckeys(server, channel)

    done = shell.succeeds("remove", f"{channel}::demo", yes)
    assert done.stderr == f"Spec {channel}::demo succesfully removed\n"
    assert ckeys(server, channel) == set()


def test_person_is_asked_whether_to_remove_a_package(shell: Shell, server: LiveServer, channel: str) -> None:
    question = (
        f"Are you sure you want to remove the package {channel}::demo ? (and all data with it?) [y|N]: "
    )

    declined = at_terminal(shell, "remove", f"{channel}::demo", answers="n\n", columns=200)
    assert declined.exit_code == 1
    assert question in declined.text
    assert f"[WARNING] Not removing release {channel}::demo" in declined.text
    assert ckeys(server, channel)

    agreed = at_terminal(shell, "remove", f"{channel}::demo", answers="y\n", columns=200)
    assert agreed.exit_code == 0, agreed.text
    assert ckeys(server, channel) == set()


def test_person_is_asked_about_a_whole_package_to_copy(
    shell: Shell, server: LiveServer, channel: str, target: str
) -> None:
    screen = at_terminal(shell, "copy", f"{channel}::demo", "-d", target, answers="\n", columns=200)

    assert screen.exit_code == 1
    assert f"Conform action copy on spec {channel}::demo ? (and all data with it?) [y|N]: " in screen.text
    assert "copy action not executed" in screen.text
    assert ckeys(server, target) == set()


def test_person_sees_the_files_of_a_version_to_move(
    shell: Shell, server: LiveServer, channel: str, target: str
) -> None:
    screen = at_terminal(shell, "move", f"{channel}::demo/2.0", "-d", target, answers="y\n", columns=200)

    assert screen.exit_code == 0, screen.text
    assert (
        f"Are you sure you want to move the package release to channel {target} {channel}::demo/2.0? "
        "The following will be affected:" in screen.text
    )
    line = f"PACKAGE: demo:2.0-{NEWER}; PLATFORM: linux-64; FILENAME: demo-2.0-0.conda"
    assert line in screen.lines
    assert ckeys(server, target) == {NEWER}


def test_json_lists_the_files_that_were_affected(
    shell: Shell, server: LiveServer, channel: str, target: str
) -> None:
    document = shell.succeeds("move", f"{channel}::demo", "-d", target, "-y", "--json").document

    facts = {name: document[name] for name in ("action", "destination", "dry_run", "total_count")}
    assert facts == {"action": "move", "destination": target, "dry_run": False, "total_count": 3}
    assert {item["ckey"] for item in document["items"]} == {LINUX, OSX, NEWER}
    [newer] = [item for item in document["items"] if item["version"] == "2.0"]
    assert newer == {
        "channel": channel,
        "family": "conda",
        "name": "demo",
        "version": "2.0",
        "platform": "linux-64",
        "ckey": NEWER,
        "filename": "demo-2.0-0.conda",
    }


def test_dry_run_shows_and_changes_nothing(shell: Shell, server: LiveServer, channel: str) -> None:
    done = shell.succeeds("remove", f"{channel}::demo/1.0", "--dry-run")

    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == "2 files would be removed.\n"
    assert ckeys(server, channel) == {LINUX, OSX, NEWER}


@pytest.mark.parametrize(
    ("rest", "hint"),
    [
        ("dmeo", "Did you mean 'demo'?"),
        ("demo/3.0", "Its versions are: 2.0, 1.0."),
        ("demo//x.conda", "Its versions"),
    ],
)
def test_specification_that_means_nothing_is_named_with_what_there_is(
    shell: Shell, channel: str, target: str, rest: str, hint: str
) -> None:
    done = shell.conda_repo("copy", f"{channel}::{rest}", "-d", target)

    assert done.exit_code == 5
    assert f"'{channel}::{rest}'" in done.stderr
    assert hint in done.stderr


def test_missing_channels_are_named_with_the_nearest(shell: Shell, channel: str, target: str) -> None:
    for words, name in (
        (("copy", f"{channel}x::demo", "-d", target), channel),
        (("copy", f"{channel}::demo", "-d", f"{target}x"), target),
    ):
        done = shell.conda_repo(*words)
        assert done.exit_code == 5
        assert f"Did you mean '{name}'" in done.stderr


def test_one_bad_specification_leaves_its_channel_alone_and_no_other(
    shell: Shell, server: LiveServer, channel: str, target: str
) -> None:
    shell.succeeds("copy", f"{channel}::lone", "-d", target)

    done = shell.conda_repo("remove", f"{channel}::demo", f"{channel}::nothing", f"{target}::lone", "--yes")

    assert done.exit_code == 5
    assert f"'{channel}::nothing'" in done.stderr
    assert f"Nothing was changed in channel '{channel}'." in done.stderr
    assert f"Spec {target}::lone succesfully removed" in done.stderr
    assert ckeys(server, channel) == {LINUX, OSX, NEWER}
    assert ckeys(server, target, "lone") == set()


def test_whole_channel_is_no_package_specification(shell: Shell, channel: str) -> None:
    done = shell.conda_repo("remove", channel, "--yes")

    assert done.exit_code == 2
    assert f"[ERROR] Invalid package specification: {channel}" in done.stderr


def test_unknown_family_is_wrong_usage(shell: Shell, channel: str) -> None:
    assert shell.conda_repo("remove", f"{channel}::demo", "--family", "cnda", "-y").exit_code == 2


def test_frozen_channel_is_a_conflict(shell: Shell, server: LiveServer, channel: str) -> None:
    with server.client() as client:
        client.put(f"/api/channels/{channel}", json={"indexing_behavior": "frozen"}).raise_for_status()

    done = shell.conda_repo("remove", f"{channel}::demo", "--yes")

    assert done.exit_code == 6
    assert "frozen" in done.stderr


def test_other_family_is_moved_by_its_name(
    shell: Shell, server: LiveServer, channel: str, target: str, tmp_path: Path
) -> None:
    (tmp_path / "model.bin").write_bytes(b"weights")
    shell.succeeds("upload", tmp_path / "model.bin", "-c", channel, "-t", "gra", "-n", "model")

    done = shell.succeeds("move", f"{channel}::model", "-d", target, "--family", "gra", "-y", "--json")

    assert [item["ckey"] for item in done.document["items"]] == ["gra/model/model.bin"]
