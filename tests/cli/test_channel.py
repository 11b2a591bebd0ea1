"""`conda repo channel`."""

import json
from pathlib import Path
from typing import Any

import pytest

from packhouse_client.app import run
from tests.builders import build_conda_package
from tests.cli.shell import Done, Shell, new_name
from tests.cli.terminal import at_terminal
from tests.live import LiveServer

DEMO_LINUX = "linux-64/demo-1.0-0.conda"
DEMO_NOARCH = "noarch/demo-1.0-0.conda"
DEMO_NEWER = "noarch/demo-2.0-0.conda"
TOOL = "noarch/tool-1.0-0.conda"
FILES = [DEMO_LINUX, DEMO_NOARCH, DEMO_NEWER, TOOL]


@pytest.fixture(scope="module")
def shelf(server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel with two packages and a subchannel; no test changes it."""
    name = new_name("shelf")
    server.create_channel(name)
    server.create_channel(f"{name}/stage")
    licensed: dict[str, Any] = {"index_overrides": {"license": "MIT"}}
    for package, version, facts in (
        ("demo", "1.0", {}),
        ("demo", "2.0", licensed),
        ("tool", "1.0", licensed),
        ("demo", "1.0", {"subdir": "linux-64"}),
    ):
        built = build_conda_package(tmp_path_factory.mktemp("package"), package, version, **facts)
        assert server.upload(name, built).status_code == 201
    return name


def get(server: LiveServer, path: str) -> dict[str, Any]:
    """A channel as the server shows it."""
    channel, _, subchannel = path.partition("/")
    with server.client() as client:
        answer = client.get(f"/api/channels/{channel}" + (f"/subchannels/{subchannel}" if subchannel else ""))
    document: dict[str, Any] = answer.json()
    return document


def paths(done: Done) -> list[str]:
    """What a table of files says in its first column."""
    table = done.stdout.split("\n\n")[-1]
    return [line.split(" | ")[0].strip() for line in table.strip().splitlines()[2:]]


# --- which action --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Give one of --list, --create"),
        (("data",), "Give one of --list, --create"),
        (("--list", "--show", "data"), "You gave --list and --show."),
        (("--show", "data", "web"), "'web' is one word too many: --show does not take it."),
        (("--create", "Data"), "'Data' is no name of a channel"),
        (("--create", "a/b/c"), "'a/b/c' is no name of a channel"),
        (("--show", "data::numpy"), "'data::numpy' is no name of a channel"),
        (("--list-files", "data::"), "Invalid package specification: data::"),
        (("--list-files", "data", "--family", "hats"), "'hats' is no family."),
        (("--update", "data"), "--privacy, --description"),
        (("--lock", "data", "--description", "x"), "go with --create and --update"),
        (("--create", "data", "--privacy", "secret"), "none of public, authenticated, private"),
        (("--list", "--limit", "0"), "greater than or equal to 1"),
    ],
)
def test_wrong_usage_is_explained(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    exit_code = run(["channel", *words], "conda repo")

    out, err = capsys.readouterr()
    assert (exit_code, out) == (2, "")
    assert says in err


# --- list ----------------------------------------------------------------------------------------


def test_list_is_tab_separated_in_a_pipe(shell: Shell, shelf: str) -> None:
    lines = shell.succeeds("channel", "--list").stdout.splitlines()

    assert lines[:4] == [
        "",
        "Channels available to the user:",
        "",
        "name\tprivacy\tdescription\tartifacts\tdownloads",
    ]
    assert f"{shelf}\tpublic\t\t4\t0" in lines
    assert lines[-1] == ""


def test_list_with_full_details_has_subchannels(shell: Shell, shelf: str) -> None:
    plain = shell.succeeds("channel", "--list").stdout
    full = shell.succeeds("channel", "--list", "--full-details").stdout

    assert f"{shelf}/stage\t" not in plain
    assert f"{shelf}/stage\t" in full


def test_subchannel_of_a_hidden_channel_is_listed_by_itself(stranger: Shell, server: LiveServer) -> None:
    hidden, shown = new_name("hidden"), "open"
    server.create_channel(hidden, "private")
    server.create_channel(f"{hidden}/{shown}")

    lines = stranger.succeeds("channel", "--list").stdout.splitlines()

    assert [line.split("\t")[0] for line in lines if hidden in line] == [f"{hidden}/{shown}"]


def test_list_is_whole_unless_a_limit_is_given(shell: Shell, server: LiveServer, admin_token: str) -> None:
    with server.client(admin_token) as client:
        for _ in range(51):
            client.post("/api/channels", json={"name": new_name("many")}).raise_for_status()

    whole = shell.succeeds("channel", "--list", "--json").document
    part = shell.succeeds("channel", "--list", "--json", "-o", "1", "-l", "2").document

    assert len(whole["items"]) == whole["total_count"] >= 51
    assert part == {"items": whole["items"][1:3], "total_count": whole["total_count"]}


def test_terminal_shows_channels_in_a_table(shell: Shell, shelf: str) -> None:
    screen = at_terminal(shell, "channel", "--list", columns=80)

    assert any(line.split(" | ")[0].strip() == shelf for line in screen.lines)
    assert max(map(len, screen.lines)) <= 80


# --- show ----------------------------------------------------------------------------------------


def test_show_says_what_the_reference_lists_in_its_order(
    shell: Shell, server: LiveServer, shelf: str
) -> None:
    channel = get(server, shelf)

    assert shell.succeeds("channel", "--show", shelf).stdout.splitlines() == [
        "",
        "Channel details:",
        "",
        f"\tname: {shelf}",
        "\tdescription: ",
        "\tprivacy: public",
        "\t# of artifacts: 4",
        "\t# of downloads: 0",
        "\t# mirrors: 0",
        "\t# of subchannels: 1",
        f"\tcreated: {channel['created']}",
        f"\tupdated: {channel['updated']}",
        "\tindexing_behavior: default",
        "\towners: admin",
    ]


def test_show_with_full_details_adds_subchannels(shell: Shell, shelf: str) -> None:
    lines = shell.succeeds("channel", "--show", shelf, "--full-details").stdout.splitlines()

    assert lines[14:17] == ["", "\tSubchannels:", "\t------------"]
    assert lines[17] == (
        "Channel                        | Privacy    |          Owners | # Artifacts  | # Downloads | "
        "# Subchannels  | # Mirrors | Description"
    )
    assert [cell.strip() for cell in lines[19].split("|")][:4] == [f"{shelf}/stage", "public", "admin", "0"]


def test_show_as_json_is_the_channel_of_the_server(shell: Shell, server: LiveServer, shelf: str) -> None:
    assert shell.succeeds("channel", "--show", f"{shelf}/stage", "--json").document == get(
        server, f"{shelf}/stage"
    )


def test_missing_channel_is_exit_code_5_with_a_hint(shell: Shell, shelf: str) -> None:
    done = shell.conda_repo("channel", "--show", f"{shelf}x")

    assert (done.exit_code, done.stdout) == (5, "")
    assert f"'{shelf}x'" in done.stderr
    assert f"Did you mean '{shelf}'" in done.stderr


# --- create, update, remove ----------------------------------------------------------------------


def test_created_channel_is_public(shell: Shell, server: LiveServer) -> None:
    name = new_name("made")

    done = shell.succeeds("channel", "--create", name)

    assert (done.stdout, done.stderr) == ("", f"Channel {name} successfully created\n")
    assert get(server, name)["privacy"] == "public"


def test_created_subchannel_takes_privacy_and_description(
    shell: Shell, server: LiveServer, channel: str
) -> None:
    words = ("--create", f"{channel}/stage", "--privacy", "private", "--description", "Not yet")

    document = shell.succeeds("channel", *words, "--json").document

    assert document == get(server, f"{channel}/stage")
    assert (document["privacy"], document["description"]) == ("private", "Not yet")


def test_channel_that_is_there_is_exit_code_6(shell: Shell, channel: str) -> None:
    done = shell.conda_repo("channel", "--create", channel)

    assert done.exit_code == 6
    assert f"'{channel}' already exists" in done.stderr


def test_subchannel_of_a_missing_channel_is_exit_code_5(shell: Shell) -> None:
    done = shell.conda_repo("channel", "--create", "no-such-channel/stage")

    assert done.exit_code == 5
    assert "'no-such-channel'" in done.stderr


def test_stranger_may_not_create_a_channel(stranger: Shell) -> None:
    assert stranger.conda_repo("channel", "--create", new_name("mine")).exit_code == 3


def test_update_sets_the_description(shell: Shell, server: LiveServer, channel: str) -> None:
    shell.succeeds("channel", "--update", channel, "--description", "For snakes")

    assert get(server, channel)["description"] == "For snakes"


@pytest.mark.parametrize(
    ("option", "word", "key", "value"),
    [
        ("--lock", "locked", "privacy", "private"),
        ("--soft-lock", "soft-locked", "privacy", "authenticated"),
        ("--unlock", "unlocked", "privacy", "public"),
        ("--freeze", "frozen", "indexing_behavior", "frozen"),
        ("--unfreeze", "unfrozen", "indexing_behavior", "default"),
    ],
)
def test_behaviour_is_set(
    shell: Shell, server: LiveServer, channel: str, option: str, word: str, key: str, value: str
) -> None:
    done = shell.succeeds("channel", option, channel)

    assert done.stderr == f"Channel {channel} is now {word}\n"
    assert get(server, channel)[key] == value


def test_script_removes_a_full_channel_unasked(shell: Shell, server: LiveServer, tmp_path: Path) -> None:
    name = full_channel(server, tmp_path)

    done = shell.succeeds("channel", "--remove", name)

    assert (done.stdout, done.stderr) == ("", f"Channel {name} successfully removed\n")
    assert get(server, name)["code"] == "not_found"


def test_person_is_asked_before_a_full_channel_is_removed(
    shell: Shell, server: LiveServer, tmp_path: Path
) -> None:
    name = full_channel(server, tmp_path)

    declined = at_terminal(shell, "channel", "--remove", name, answers="n\n")
    assert declined.exit_code == 1
    assert f"Remove channel {name} with 1 artifact? [y|N]:" in declined.text
    assert f"Not removing channel {name}" in declined.text
    assert get(server, name)["artifact_count"] == 1

    assert at_terminal(shell, "channel", "--remove", name, answers="y\n").exit_code == 0
    assert get(server, name)["code"] == "not_found"


def test_person_is_not_asked_about_an_empty_channel(shell: Shell, channel: str) -> None:
    screen = at_terminal(shell, "channel", "--remove", channel)

    assert screen.exit_code == 0
    assert "[y|N]" not in screen.text


def test_yes_answers_beforehand(shell: Shell, server: LiveServer, tmp_path: Path) -> None:
    name = full_channel(server, tmp_path)

    screen = at_terminal(shell, "channel", "--remove", name, "--yes")

    assert screen.exit_code == 0
    assert "[y|N]" not in screen.text


def test_removal_as_json_names_the_channel(shell: Shell, channel: str) -> None:
    done = shell.succeeds("channel", "--remove", channel, "--json")

    assert done.document == {"name": channel, "removed": True}


def test_removing_a_missing_channel_is_exit_code_5(shell: Shell) -> None:
    assert shell.conda_repo("channel", "--remove", "no-such-channel").exit_code == 5


def full_channel(server: LiveServer, folder: Path) -> str:
    name = new_name("full")
    server.create_channel(name)
    assert server.upload(name, build_conda_package(folder)).status_code == 201
    return name


# --- packages and files --------------------------------------------------------------------------


def test_packages_are_listed_in_the_documented_table(shell: Shell, shelf: str) -> None:
    lines = shell.succeeds("channel", "--list-packages", shelf).stdout.splitlines()

    assert lines[:4] == [
        "",
        f"Total packages matching spec {shelf} found: 2",
        "",
        "Name                                     | # of files   | # of download | License",
    ]
    assert lines[5] == "demo                                     | 3            | 0             | MIT"


def test_packages_in_full_are_blocks(shell: Shell, shelf: str) -> None:
    lines = shell.succeeds(
        "channel", "--list-packages", shelf, "--full-details", "-l", "1"
    ).stdout.splitlines()

    assert lines[3:] == [
        "---------------",
        "name: demo",
        "# of files: 3",
        "# of downloads: 0",
        "license: MIT",
        "description: ",
    ]


def test_packages_of_several_channels_are_one_json_list(shell: Shell, shelf: str, channel: str) -> None:
    document = shell.succeeds("channel", "--list-packages", channel, shelf, "--json").document

    assert [item["name"] for item in document["items"]] == ["demo", "tool"]
    assert document["total_count"] == 2


def test_rest_of_a_long_listing_is_told_beside_the_data(shell: Shell, shelf: str) -> None:
    done = shell.succeeds("channel", "--list-packages", shelf, "--limit", "1")

    assert "found: 1" in done.stdout
    assert "These are 1-1 of 2; --offset 1 shows what follows." in done.stderr


def test_files_are_listed_in_the_documented_table(shell: Shell, shelf: str) -> None:
    done = shell.succeeds("channel", "--list-files", shelf)

    lines = done.stdout.splitlines()
    assert lines[:3] == ["", f"Found 4 files matching the specified spec {shelf}:", ""]
    assert lines[3] == f"{'Path':60} | CVE Score | CVE Status | Version    | Platform"
    assert lines[5] == f"{DEMO_LINUX:60} | n/a       | n/a        | 1.0        | linux-64"
    assert paths(done) == FILES


@pytest.mark.parametrize(
    ("specification", "expected"),
    [
        ("{}::demo", FILES[:3]),
        ("{}::demo/1.0", FILES[:2]),
        ("{}::demo/1.0/demo-1.0-0.conda?subdir=noarch", [DEMO_NOARCH]),
        ("{}::demo//demo-2.0-0.conda", [DEMO_NEWER]),
    ],
)
def test_files_of_a_specification_are_listed(
    shell: Shell, shelf: str, specification: str, expected: list[str]
) -> None:
    assert paths(shell.succeeds("channel", "--list-files", specification.format(shelf))) == expected


def test_files_in_full_are_a_json_list_with_the_documented_keys(shell: Shell, shelf: str) -> None:
    done = shell.succeeds("channel", "--list-file", f"{shelf}::tool", "--full-details")

    assert done.document == [
        {
            "ckey": TOOL,
            "cve_score": None,
            "cve_status": None,
            "fn": "tool-1.0-0.conda",
            "name": "tool",
            "platform": "noarch",
            "version": "1.0",
        }
    ]


def test_files_in_full_are_all_of_them_unless_limited(
    shell: Shell, server: LiveServer, channel: str, tmp_path: Path, admin_token: str
) -> None:
    for number in range(52):
        package = build_conda_package(tmp_path, "demo", f"{number}")
        assert server.upload(channel, package, admin_token).status_code == 201

    whole = shell.succeeds("channel", "--list-files", channel, "--full-details").document
    part = shell.succeeds("channel", "--list-files", channel, "--full-details", "-o", "3", "-l", "2").document
    first = shell.succeeds("channel", "--list-files", channel, "--json").document

    assert len(whole) == 52
    assert part == whole[3:5]
    assert (len(first["items"]), first["total_count"]) == (50, 52)


def test_files_of_another_family_are_left_out(shell: Shell, shelf: str) -> None:
    done = shell.succeeds("channel", "--list-files", shelf, "--family", "notebook")

    assert done.stdout == ""
    assert f"[WARNING] No files matches were found for the provided spec: {shelf}" in done.stderr


def test_several_specifications_are_listed_though_one_fails(shell: Shell, shelf: str) -> None:
    done = shell.conda_repo("channel", "--list-files", "no-such-channel", f"{shelf}::tool", "--full-details")

    assert done.exit_code == 5
    assert [file["ckey"] for file in json.loads(done.stdout)] == [TOOL]
    assert "'no-such-channel'" in done.stderr


def test_one_specification_that_fails_prints_no_data(shell: Shell) -> None:
    done = shell.conda_repo("channel", "--list-files", "no-such-channel", "--full-details")

    assert (done.exit_code, done.stdout) == (5, "")


def test_narrow_terminal_leaves_the_cve_columns_out(shell: Shell, shelf: str) -> None:
    screen = at_terminal(shell, "channel", "--list-files", shelf, columns=50)

    assert any(line.startswith(DEMO_LINUX) for line in screen.lines)
    assert "CVE" not in screen.text
    assert max(map(len, screen.lines[3:])) <= 50


# --- what happened -------------------------------------------------------------------------------


def test_history_is_listed_newest_first(shell: Shell, shelf: str) -> None:
    lines = shell.succeeds("channel", "--history", shelf).stdout.splitlines()

    assert lines[1] == f"{'id':36} | {'Type':>20} | {'Created':>32} | Summary"
    newest = [cell.strip() for cell in lines[3].split(" | ")]
    assert (newest[1], newest[3]) == ("artifact.published", f"ckey: {DEMO_LINUX}; artifact_family: conda")
    assert "channel.created" in lines[-1]


def test_history_in_full_shows_the_events_as_yaml(shell: Shell, shelf: str) -> None:
    done = shell.succeeds("channel", "--history", shelf, "--full-details", "-l", "1")

    lines = done.stdout.splitlines()
    assert lines[1] == "----------------"
    assert "event_type: artifact.published" in lines
    assert "  user: admin" in lines
    assert "These are 1-1 of 5; --offset 1 shows what follows." in done.stderr


def test_history_as_json_is_what_the_server_tells(shell: Shell, shelf: str) -> None:
    document = shell.succeeds("channel", "--history", shelf, "--json", "-o", "1", "-l", "2").document

    assert document["total_count"] == 5
    assert [event["event_type"] for event in document["items"]] == ["artifact.published"] * 2


def test_package_changes_are_listed_newest_first(shell: Shell, shelf: str) -> None:
    lines = shell.succeeds("channel", "--package-changes", shelf).stdout.splitlines()

    assert lines[1] == f"{'Created':32} | Action     | User            | Version    | Path"
    cells = [[cell.strip() for cell in line.split(" | ")][1:] for line in lines[3:]]
    assert cells[:2] == [["added", "admin", "1.0", DEMO_LINUX], ["added", "admin", "1.0", TOOL]]


def test_package_changes_as_json_are_what_the_server_tells(shell: Shell, shelf: str) -> None:
    document = shell.succeeds("channel", "--package-changes", shelf, "--json", "--limit", "1").document

    assert document["total_count"] == 4
    [change] = document["items"]
    assert (change["action"], change["ckey"]) == ("added", DEMO_LINUX)


# --- at the shell's Tab --------------------------------------------------------------------------


def test_names_of_channels_are_completed(shell: Shell, shelf: str) -> None:
    line = f"conda-repo channel --show {shelf}/"
    asked = {
        "_CONDA_REPO_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": "3",
    }

    done = shell.conda_repo(environment=asked)

    assert done.stdout.split() == [f"{shelf}/stage"]
