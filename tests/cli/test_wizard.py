"""`conda repo wizard`."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.cli.shell import Shell, new_name
from tests.cli.terminal import at_terminal
from tests.cli.weather import Answer, listening
from tests.live import LiveServer

MINE = "# mine\nssl_verify: true  # of course\nchannels:\n  - old\n\n# for work\nenvs_dirs:\n  - /envs\n"


@pytest.fixture
def channels(server: LiveServer) -> list[str]:
    names = [new_name("web"), new_name("sci"), new_name("extra")]
    for name in names:
        server.create_channel(name)
    return names


@pytest.fixture
def condarc(shell: Shell) -> Path:
    return shell.home / ".condarc"


def settings(server: LiveServer, default_channels: list[str], channels: list[str]) -> dict[str, object]:
    return {
        "channel_alias": f"{server.url}/api/repo",
        "default_channels": default_channels,
        "channels": ["defaults", *channels],
    }


def read(condarc: Path) -> object:
    return YAML(typ="safe", pure=True).load(condarc.read_text())


def test_dialogue_is_that_of_the_reference_document(
    shell: Shell, server: LiveServer, channels: list[str], condarc: Path
) -> None:
    web, sci, extra = channels
    condarc.write_text(MINE)

    done = shell.succeeds("wizard", typed=f"{web} {sci} \n{extra}  \ny\n")

    lines = done.stderr.splitlines()
    assert lines[:8] == [
        "Conda configuration wizard.",
        f"This wizard will configure your CondaRC file using channels from {server.url}",
        "",
        f"The CondaRC path is {condarc}",
        "",
        "The following channels are available:",
        "Name                           | Mirror | Privacy         | Owners",
        "---------------------------------------------------------------------------",
    ]
    table, end = lines[8 : lines.index("", 8)], lines.index("", 8)
    assert f"{web:30} |    | public          | admin" in table
    assert lines[end:] == [
        "",
        "Provide a space-separated list of channels to set as default_channels",
        "It is common to add mirror channels here.",
        f": {web} {sci}",
        "",
        'If you wish to add channels to the "channels" list',
        "provide a space-separated list. You may leave this blank.",
        f": {extra}",
        "The following Conda configuration will be applied",
        f"channel_alias: {server.url}/api/repo",
        "default_channels:",
        f"  - {web}",
        f"  - {sci}",
        "channels:",
        "  - defaults",
        f"  - {extra}",
        f"Confirm changes to {condarc}",
        "(The current condarc file will be archived) [Y, n]: y",
        f"Backing up your current condarc file to {condarc}.backup",
        f"The configuration was written to {condarc}",
    ]
    assert done.stdout == ""


def test_other_keys_and_comments_of_the_file_stay(
    shell: Shell, server: LiveServer, channels: list[str], condarc: Path
) -> None:
    condarc.write_text(MINE)

    shell.succeeds("wizard", typed=f"{channels[0]}\n\n\n")

    wanted = settings(server, channels[:1], [])
    assert read(condarc) == {"ssl_verify": True, "envs_dirs": ["/envs"], **wanted}
    text = condarc.read_text()
    for comment in ("# mine\n", "  # of course\n", "\n\n# for work\nenvs_dirs:\n"):
        assert comment in text


def test_a_person_at_a_terminal_is_asked_and_may_take_it_back(
    shell: Shell, server: LiveServer, channels: list[str], condarc: Path
) -> None:
    condarc.write_text(MINE)

    screen = at_terminal(shell, "wizard", answers=f"{channels[0]}\n\ny\n", columns=140)
    assert screen.exit_code == 0
    assert read(condarc) != read(Path(f"{condarc}.backup"))

    assert (
        f"Restoring your condarc file from {condarc}.backup" in shell.succeeds("wizard", "--restore").stderr
    )
    assert condarc.read_text() == MINE


@pytest.mark.parametrize("columns", [80, 140])
def test_table_is_aligned_at_a_terminal(shell: Shell, channels: list[str], columns: int) -> None:
    screen = at_terminal(shell, "wizard", answers=f"{channels[0]}\n\nn\n", columns=columns)

    [heading] = [line for line in screen.lines if line.startswith("Name ")]
    [row] = [line for line in screen.lines if line.startswith(f"{channels[0]} ") and "|" in line]
    bars = [place for place, letter in enumerate(heading) if letter == "|"]
    assert [place for place, letter in enumerate(row) if letter == "|"] == bars
    [rule] = [line for line in screen.lines if line.startswith("---")]
    assert max(len(line) for line in (heading, rule, row)) <= columns


def test_no_leaves_everything_as_it_is(shell: Shell, channels: list[str], condarc: Path) -> None:
    condarc.write_text(MINE)

    done = shell.conda_repo("wizard", typed=f"{channels[0]}\n\nn\n")

    assert done.exit_code == 1
    assert "Nothing was changed." in done.stderr
    assert sorted(shell.home.glob(".condarc*")) == [condarc]
    assert condarc.read_text() == MINE


def test_misspelled_channels_are_named_and_not_saved(
    shell: Shell, server: LiveServer, channels: list[str], condarc: Path
) -> None:
    web, sci, extra = channels
    done = shell.succeeds("wizard", typed=f"nonsense\n{web} {sci}x\n{extra}\ny\n")

    assert (
        ": nonsense\n"
        "The following channels do not exist and will not be saved:\n"
        "  - nonsense\n"
        "At least one channel should be added to default channels! Try again...\n"
        f": {web} {sci}x\n"
        "The following channels do not exist and will not be saved:\n"
        f"  - {sci}x. Did you mean '{sci}'"
    ) in done.stderr
    assert read(condarc) == settings(server, [web], [extra])


def test_answers_that_end_too_early_change_nothing(shell: Shell, condarc: Path) -> None:
    done = shell.conda_repo("wizard", typed="")

    assert done.exit_code == 2
    assert "Give --default-channels." in done.stderr
    assert not condarc.exists()


# For scripts


def test_options_answer_everything(
    shell: Shell, server: LiveServer, channels: list[str], condarc: Path
) -> None:
    web, sci, extra = channels
    condarc.write_text(MINE)

    done = shell.succeeds(
        "wizard", "--default-channels", f"{web},{sci}", "--channels", f"defaults {extra}", "--yes", "--json"
    )

    assert done.document == {
        "condarc": str(condarc),
        "backup": f"{condarc}.backup",
        "changed": True,
        "configuration": settings(server, [web, sci], [extra]),
    }
    assert "Provide" not in done.stderr


def test_the_same_again_keeps_the_first_backup(shell: Shell, channels: list[str], condarc: Path) -> None:
    condarc.write_text(MINE)
    words = ("wizard", "--default-channels", channels[0], "--yes", "--json")
    shell.succeeds(*words)

    again = shell.succeeds(*words).document

    assert (again["changed"], again["backup"]) == (False, None)
    assert Path(f"{condarc}.backup").read_text() == MINE


def test_an_unknown_channel_in_an_option_fails_whole(
    shell: Shell, channels: list[str], condarc: Path
) -> None:
    done = shell.conda_repo("wizard", "--default-channels", f"{channels[0]},{channels[1]}x", "--yes")

    assert done.exit_code == 5
    assert f"There is no channel '{channels[1]}x'. Did you mean '{channels[1]}'" in done.stderr
    assert not condarc.exists()


def test_no_default_channel_in_the_option_is_wrong_usage(
    shell: Shell, channels: list[str], condarc: Path
) -> None:
    """As a variable that is not set comes to."""
    done = shell.conda_repo("wizard", "--default-channels", "", "--yes")

    assert done.exit_code == 2
    assert not condarc.exists()


def test_a_subchannel_may_be_chosen(shell: Shell, server: LiveServer, channels: list[str]) -> None:
    server.create_channel(f"{channels[0]}/stage")
    words = ("wizard", "--default-channels", f"{channels[0]}/stage", "--yes", "--json")

    configuration = shell.succeeds(*words).document["configuration"]

    assert configuration["default_channels"] == [f"{channels[0]}/stage"]


def test_a_channel_that_is_not_public_needs_a_token(shell: Shell, server: LiveServer) -> None:
    name = new_name("secret")
    server.create_channel(name, "private")

    done = shell.succeeds("wizard", "--default-channels", name, "--yes")

    assert f"channel_alias: {server.url}/api/repo/t/TOKEN\n" in done.stderr


def test_a_ca_of_the_sites_own_is_pointed_out(shell: Shell, server: LiveServer, channels: list[str]) -> None:
    ca_file = shell.home / "ca.pem"
    ca_file.touch()

    done = shell.succeeds("--ca-file", ca_file, "wizard", "--default-channels", channels[0], "--yes")

    assert f"ssl_verify: {ca_file}\n" in done.stderr


# Which file


@pytest.mark.parametrize(
    ("variable", "options"), [("CONDARC", []), ("CONDA_ROOT", ["--system"]), ("CONDA_PREFIX", ["--env"])]
)
def test_file_is_the_one_that_is_asked_for(
    shell: Shell, tmp_path: Path, channels: list[str], variable: str, options: list[str]
) -> None:
    place = tmp_path / "place"
    target = place / ".condarc"
    shell.environment[variable] = str(target if variable == "CONDARC" else place)

    done = shell.succeeds("wizard", *options, "--default-channels", channels[0], "--yes", "--json")

    assert done.document["condarc"] == str(target)
    assert target.is_file()


def test_named_file_is_written_and_restored(shell: Shell, channels: list[str]) -> None:
    path = shell.home / "rc.yml"
    path.write_text(MINE)
    shell.succeeds("wizard", "--file", "rc.yml", "--default-channels", channels[0], "--yes")

    restored = shell.succeeds("wizard", "--file", "rc.yml", "--restore", "--json").document

    assert restored == {"condarc": str(path), "backup": f"{path}.backup", "restored": True}
    assert path.read_text() == MINE


def test_two_places_are_wrong_usage(shell: Shell) -> None:
    assert shell.conda_repo("wizard", "--system", "--env").exit_code == 2


def test_a_broken_file_stays_as_it_is(shell: Shell, channels: list[str], condarc: Path) -> None:
    condarc.write_text("channels: [a\n")

    done = shell.conda_repo("wizard", "--default-channels", channels[0], "--yes")

    assert done.exit_code == 1
    assert f"{condarc} is not valid YAML" in done.stderr
    assert condarc.read_text() == "channels: [a\n"


# Restoring


def test_restore_without_a_backup_has_nothing_to_do(stranger: Shell) -> None:
    (stranger.home / ".anaconda/config.toml").unlink()  # no server is needed for this

    done = stranger.succeeds("wizard", "--restore")

    assert done.stderr == (
        f"No backup file {stranger.home}/.condarc.backup was found.\nThere is nothing to do.\n"
    )


# What is offered


def listing(items: list[dict[str, object]]) -> Answer:
    body = json.dumps({"total_count": len(items), "items": items}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return lambda connection, _: connection.sendall(head.encode() + body)


def test_channels_with_mirrors_are_offered_first(shell: Shell) -> None:
    """Mirrors come with a later issue, so a small server that has some stands in."""
    items = [
        {"name": "plain", "privacy": "public", "owners": ["a", "b"], "mirror_count": 0},
        {"name": "mirrored", "privacy": "public", "owners": ["a"], "mirror_count": 2},
    ]
    with listening(listing(items)) as host:
        done = shell.conda_repo("--site", f"http://{host}", "wizard", typed="")

    rows = [line for line in done.stderr.splitlines() if line.startswith(("plain", "mirrored"))]
    assert rows == [
        f"{'mirrored':30} | ✓  | public          | a",
        f"{'plain':30} |    | public          | a, b",
    ]


def test_nothing_to_offer_is_not_found(shell: Shell) -> None:
    with listening(listing([])) as host:
        done = shell.conda_repo("--site", f"http://{host}", "wizard")

    assert done.exit_code == 5
    assert f"There are no channels at http://{host} that you may see." in done.stderr


def test_nothing_to_offer_without_a_log_in_asks_for_one(stranger: Shell) -> None:
    with listening(listing([])) as host:
        done = stranger.conda_repo("--site", f"http://{host}", "wizard")

    assert done.exit_code == 3
