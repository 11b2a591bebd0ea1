"""`conda repo mirror`: mirrors made, changed, listed, shown and deleted."""

from collections.abc import Iterator
from typing import Any

import pytest

from packhouse.formats.conda.upstream.subdirs import NOARCH, PLATFORMS
from packhouse_client.app import run
from packhouse_client.commands.mirror.settings import SUBDIRS
from tests.cli.shell import Shell, new_name
from tests.cli.terminal import at_terminal
from tests.cli.upstream_channel import add_package, wait_until_run
from tests.live import LiveServer
from tests.upstream import Upstream

NOWHERE = "http://127.0.0.1:9/forge"
"""The source of mirrors that never run."""


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    """A channel of three packages with different licences; no test changes it."""
    folder = tmp_path_factory.mktemp("upstream")
    add_package(folder / "forge", "snake", index_overrides={"license": "MIT"})
    add_package(folder / "forge", "cobra", index_overrides={"license": "AGPL-3.0-only"})
    add_package(folder / "forge", "viper", depends=["venom >=2"], subdir="linux-64")
    with Upstream(folder) as started:
        yield started


@pytest.fixture(scope="module")
def source(upstream: Upstream) -> str:
    return f"{upstream.url}/forge"


@pytest.fixture(scope="module")
def mirrored(server: LiveServer, source: str) -> str:
    """A channel with the mirror `boa`, which has run; no test changes it."""
    channel = new_name("mirrored")
    server.create_channel(channel)
    body = {
        "mirror_name": "boa",
        "source_root": source,
        "mirror_mode": "passive",
        "mirror_type": "conda",
        "cron": "0 0 * * *",
        "filters": {"exclude_licenses": ["agpl"], "subdirs": ["noarch", "linux-64"]},
        "run_now": True,
    }
    with server.client() as api:
        api.post(f"/api/channels/{channel}/mirrors", json=body).raise_for_status()
        wait_until_run(api, channel, "boa")
    return channel


@pytest.fixture
def idle(shell: Shell, channel: str) -> str:
    """A channel with the mirror `idle`, which has not run."""
    shell.succeeds(*_create("idle", channel, NOWHERE, "--only_spec", "numpy", "--licenses", "-agpl"))
    return channel


def _create(name: str, channel: str, source: str, *words: str) -> tuple[str, ...]:
    return ("mirror", "--create", name, "--channel", channel, "--source", source, *words)


def shown(shell: Shell, name: str, channel: str) -> dict[str, Any]:
    document: dict[str, Any] = shell.succeeds("mirror", "--show", name, "-c", channel, "--json").document
    return document


def ckeys(server: LiveServer, channel: str) -> set[str]:
    with server.client() as api:
        files = api.get(f"/api/channels/{channel}/files").raise_for_status().json()["items"]
    return {file["ckey"] for file in files}


# --- wrong usage ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Give one of --create, --update"),
        (("--stop", "boa", "--restart", "boa"), "You gave --stop and --restart."),
        (("--show", " "), "--show needs the name of a mirror"),
        (("--stop", "boa", "now"), "'now' is one word too many: --stop does not take it."),
        (("--changes", "boa", "r1", "r2"), "'r2' is one word too many"),
        (("--stop", "boa", "--licenses", "mit"), "--licenses goes with --create, --update."),
        (("--create", "boa", "--name", "python"), "--name goes with --update."),
        (("--stop", "boa", "--wait"), "--wait goes with --create, --update, --restart."),
        (("--show", "boa", "--dry-run"), "--dry-run goes with --create, --update."),
        (("--stop", "boa", "--contents", "drop"), "--contents goes with --delete."),
        (("--delete", "boa", "--contents", "burn"), "'burn' after --contents is neither keep nor drop."),
        (("--runs", "boa", "--action", "added"), "--action goes with --changes."),
        (("--create", "boa", "--source", NOWHERE), "Please use -c or --channel"),
        (("--update", "boa", "--run_now"), "Please use -c or --channel"),
        (("--delete", "boa"), "Please use -c or --channel"),
        (("--list",), "Please use -c or --channel"),
        (("--list", "Data"), "'Data' is no name of a channel"),
        (("--create", "boa", "-c", "data"), "Give --source URL."),
        (("--create", "boa", "-c", "data", "-s", "forge"), "no address"),
        (("--create", "boa", "-c", "data", "-s", NOWHERE, "--cve_score", "11"), "between 0.0 and 10.0"),
        (("--update", "boa", "-c", "data"), "Say what to change"),
        (("--show", "boa", "colour"), "Invalid field(s): colour."),
    ],
)
def test_wrong_usage_is_explained(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    exit_code = run(["mirror", *words], "conda repo")

    out, err = capsys.readouterr()
    assert (exit_code, out) == (2, "")
    assert says in err


def test_platforms_of_the_server_are_those_of_the_command() -> None:
    assert {*SUBDIRS} == {NOARCH, *PLATFORMS}


# --- create --------------------------------------------------------------------------------------


def test_created_mirror_has_the_defaults(shell: Shell, channel: str) -> None:
    done = shell.succeeds(*_create("boa", channel, NOWHERE))

    assert (done.stdout, done.stderr) == ("", f"Mirror boa successfully created on channel {channel}\n")
    mirror = shown(shell, "boa", channel)
    assert (mirror["mirror_mode"], mirror["mirror_type"], mirror["cron"]) == ("passive", "conda", "0 0 * * *")
    assert (mirror["source_root"], mirror["filters"]) == (NOWHERE, {})


def test_created_mirror_has_all_that_was_said(shell: Shell, channel: str) -> None:
    words = ("--mode active --type conda --cron 5|4|*|*|1 --timezone Europe/Berlin --on-vanished flag "
             "--subdirs “noarch,|osx-64” --licenses “-public_domain,-none,mit” --exclude_spec pytorch "
             "--include_spec pytorch==1.21.1 --only_signed --date_from 2022-03-01 --date_to 2022-05-15 "
             "--proxy http://ann:geheim@127.0.0.1:3128")  # fmt: skip
    shell.succeeds(*_create("boa", channel, NOWHERE, *(word.replace("|", " ") for word in words.split())))

    mirror = shown(shell, "boa", channel)
    assert (mirror["mirror_mode"], mirror["cron"], mirror["timezone"]) == (
        "active",
        "5 4 * * 1",
        "Europe/Berlin",
    )
    assert mirror["on_vanished"] == "flag"
    assert mirror["proxy"] == "http://ann:***@127.0.0.1:3128"
    assert mirror["filters"] == {
        "subdirs": ["noarch", "osx-64"],
        "include_licenses": ["mit"],
        "exclude_licenses": ["public_domain", "none"],
        "exclude_specs": ["pytorch"],
        "include_specs": ["pytorch==1.21.1"],
        "only_signed": True,
        "date_from": "2022-03-01",
        "date_to": "2022-05-15",
    }


def test_created_mirror_as_json_is_the_servers_object(shell: Shell, channel: str) -> None:
    document = shell.succeeds(*_create("boa", channel, NOWHERE, "--json")).document

    assert document["mirror_name"] == "boa"
    assert document["mirror_id"]


def test_mirror_of_a_subchannel_is_made(shell: Shell, server: LiveServer, channel: str) -> None:
    server.create_channel(f"{channel}/stage")

    shell.succeeds(*_create("boa", f"{channel}/stage", NOWHERE))

    assert shown(shell, "boa", f"{channel}/stage")["source_root"] == NOWHERE


def test_second_mirror_of_a_name_is_a_conflict(shell: Shell, idle: str) -> None:
    done = shell.conda_repo(*_create("idle", idle, NOWHERE))

    assert (done.exit_code, done.stderr) == (6, "[ERROR] Mirror with the name 'idle' already exists.\n")


def test_mirror_in_a_missing_channel_suggests_one(shell: Shell, channel: str) -> None:
    done = shell.conda_repo(*_create("boa", f"{channel}x", NOWHERE))

    assert done.exit_code == 5
    assert f"'{channel}'" in done.stderr


def test_filter_that_waits_for_vulnerability_data_says_so(shell: Shell, channel: str) -> None:
    done = shell.succeeds(*_create("boa", channel, NOWHERE, "--cve_score", "7.1"))

    assert "[WARNING]" in done.stderr
    assert "cve_score_threshold" in done.stderr


# --- preview -------------------------------------------------------------------------------------


def test_preview_shows_what_would_come_and_keeps_nothing(shell: Shell, channel: str, source: str) -> None:
    done = shell.succeeds(*_create("boa", channel, source, "--licenses", "-agpl", "--dry-run"))

    assert done.stdout.startswith("2 files of 2 packages, ")
    rows = [line.split(" | ") for line in done.stdout.splitlines() if " | " in line]
    cells = {row[0].strip(): row[1].strip() for row in rows}
    assert {name: cells[name] for name in ("noarch", "linux-64", "snake", "viper")} == {
        "noarch": "1",
        "linux-64": "1",
        "snake": "1",
        "viper": "1",
    }
    assert "Left out by the filters: license 1" in done.stdout
    assert shell.succeeds("mirror", "--list", channel, "--json").document["total_count"] == 0


def test_preview_warns_of_dependencies_that_nothing_satisfies(
    shell: Shell, channel: str, source: str
) -> None:
    words = ("--only_spec", "viper", "--include-dependencies", "--subdirs", "linux-64", "--dry-run")

    done = shell.succeeds(*_create("boa", channel, source, *words))

    assert "[WARNING] Nothing satisfies 'venom >=2' on linux-64, which viper" in done.stderr
    assert "[WARNING] Nothing can be made with 'viper' on linux-64" in done.stderr


def test_preview_of_an_update_leaves_the_mirror_as_it_is(shell: Shell, mirrored: str) -> None:
    before = shown(shell, "boa", mirrored)

    document = shell.succeeds(
        "mirror", "--update", "boa", "-c", mirrored, "--licenses", "", "--dry-run", "--json"
    ).document

    assert (document["files"], document["total_names"]) == (3, 3)
    assert shown(shell, "boa", mirrored) == before


# --- update --------------------------------------------------------------------------------------


def test_update_changes_only_what_was_given(shell: Shell, idle: str) -> None:
    before = shown(shell, "idle", idle)

    done = shell.succeeds(
        "mirror", "--update", "idle", "-c", idle, "--cron", "0 3 * * *", "--licenses", "mit"
    )

    assert done.stderr == f"Mirror idle successfully update on channel {idle}\n"
    after = shown(shell, "idle", idle)
    changed = {key for key in after if after[key] != before[key]}
    assert changed <= {"cron", "filters", "next_run_at", "updated_at"}
    assert (after["cron"], after["filters"]) == (
        "0 3 * * *",
        {"only_specs": ["numpy"], "include_licenses": ["mit"]},
    )


def test_update_gives_another_name(shell: Shell, idle: str) -> None:
    shell.succeeds("mirror", "--update", "idle", "-c", idle, "--name", "busy")

    assert shown(shell, "busy", idle)["mirror_name"] == "busy"


def test_proxy_stays_until_it_is_taken_away(shell: Shell, channel: str) -> None:
    shell.succeeds(*_create("boa", channel, NOWHERE, "--proxy", "http://ann:geheim@127.0.0.1:3128"))

    shell.succeeds("mirror", "--update", "boa", "-c", channel, "--mode", "active")
    assert shown(shell, "boa", channel)["proxy"] == "http://ann:***@127.0.0.1:3128"

    shell.succeeds("mirror", "--update", "boa", "-c", channel, "--proxy", "")
    assert shown(shell, "boa", channel)["proxy"] is None


# --- which mirror --------------------------------------------------------------------------------


def test_unknown_mirror_is_exit_code_5_with_a_suggestion(shell: Shell, idle: str) -> None:
    for action, says in {
        "--delete": "Mirror not found",
        "--stop": "Mirror idel not found",
        "--sync-state": "No mirror named idel",
    }.items():
        done = shell.conda_repo("mirror", action, "idel", "-c", idle)
        assert done.exit_code == 5
        assert says in done.stderr
        assert "Did you mean 'idle'?" in done.stderr


def test_name_that_several_channels_have_needs_a_channel(shell: Shell, server: LiveServer) -> None:
    channels = sorted(new_name("twin") for _ in range(2))
    name = new_name("twins")
    for channel in channels:
        server.create_channel(channel)
        shell.succeeds(*_create(name, channel, NOWHERE))

    done = shell.conda_repo("mirror", "--show", name)

    assert (done.exit_code, done.stdout) == (2, "")
    assert f"{channels[0]}, {channels[1]}. Say which with -c CHANNEL." in done.stderr
    assert shown(shell, name, channels[1])["mirror_name"] == name


def test_id_is_as_good_as_a_name(shell: Shell, idle: str) -> None:
    mirror_id = shown(shell, "idle", idle)["mirror_id"]

    assert shell.succeeds("mirror", "--show", mirror_id, "name").stdout == "idle\n"


# --- show and list -------------------------------------------------------------------------------


def test_show_is_what_the_document_shows(shell: Shell, mirrored: str, source: str) -> None:
    mirror = shown(shell, "boa", mirrored)

    done = shell.succeeds("mirror", "--show", "boa", "--channel", mirrored)

    assert done.stdout.splitlines() == [
        "    Mirror Details:",
        "    ---------------",
        f"    id: {mirror['mirror_id']}",
        "    name: boa",
        "    type: conda",
        "    mode: passive",
        "    state: completed",
        f"    source root: {source}",
        f"    Last run at: {mirror['last_run_at']}",
        f"    Updated at: {mirror['updated_at']}",
        f"    created: {mirror['created_at']}",
        "    cron: 0 0 * * *",
        "    proxy:",
        "    filters:",
        "        exclude_licenses         | ['agpl']",
        "        subdirs                  | ['noarch', 'linux-64']",
    ]
    assert f"The next run is at {mirror['next_run_at']}; cron is in UTC." in done.stderr


def test_properties_are_shown_bare(shell: Shell, mirrored: str, source: str) -> None:
    one = shell.succeeds("mirror", "--show", "boa", "source", "-c", mirrored)
    several = shell.succeeds("mirror", "--show", "boa", "name", "mode", "state", "proxy", "-c", mirrored)

    assert (one.stdout, several.stdout) == (f"{source}\n", "boa,passive,completed,\n")


def test_mirrors_of_a_channel_are_listed_in_the_documented_table(
    shell: Shell, mirrored: str, source: str
) -> None:
    lines = shell.succeeds("mirror", "--list", mirrored).stdout.splitlines()

    assert lines[0] == (
        f"     {'Id':36} | {'Name':15} | {'Type':>8} | {'Mode':10} | {'State':10} | {'Source_root':50} | "
        f"{'Proxy':40} | {'Last run at':30} | Updated at"
    )
    cells = [cell.strip() for cell in lines[2].split(" | ")]
    assert cells[1:7] == ["boa", "conda", "passive", "completed", source, ""]


def test_list_takes_its_channel_from_the_option_as_well(shell: Shell, idle: str) -> None:
    document = shell.succeeds("mirror", "--list", "-c", idle, "--json").document

    assert ([item["mirror_name"] for item in document["items"]], document["total_count"]) == (["idle"], 1)


def test_all_mirrors_are_listed_in_the_documented_table(shell: Shell, server: LiveServer, idle: str) -> None:
    server.create_channel(f"{idle}/stage", "private")
    shell.succeeds(*_create("inner", f"{idle}/stage", NOWHERE))

    lines = shell.succeeds("mirror", "--list-all").stdout.splitlines()

    assert lines[0] == (
        f"     {'Id':36} | {'Name':15} | {'root source':>45} | {'Type':18} | {'Channel':18}  | {'Privacy':14} | "
        f"{'Mode':10} | {'State':10} | {'last run at':34} | {'created at':34} | updated at"
    )
    cells = [[cell.strip() for cell in line.split(" | ")][1:6] for line in lines[2:]]
    assert ["idle", NOWHERE, "conda", idle, "public"] in cells
    assert ["inner", NOWHERE, "conda", f"{idle}/stage", "private"] in cells


def test_narrow_terminal_fits_the_list(shell: Shell, mirrored: str) -> None:
    screen = at_terminal(shell, "mirror", "--list", mirrored, columns=80)

    assert any(line.split(" | ")[0].strip() == "boa" for line in screen.lines)
    assert max(map(len, screen.lines)) <= 80


# --- delete --------------------------------------------------------------------------------------


def test_script_deletes_a_mirror_unasked_and_keeps_its_files(
    shell: Shell, server: LiveServer, channel: str, source: str
) -> None:
    shell.succeeds(*_create("boa", channel, source, "--mode", "active", "--wait"))

    done = shell.succeeds("mirror", "--delete", "boa", "-c", channel)

    assert (done.stdout, done.stderr) == ("", f"Mirror boa successfully delete on channel {channel}\n")
    assert shell.conda_repo("mirror", "--show", "boa", "-c", channel).exit_code == 5
    assert len(ckeys(server, channel)) == 3


def test_person_is_asked_what_becomes_of_the_files(
    shell: Shell, server: LiveServer, channel: str, source: str
) -> None:
    shell.succeeds(*_create("boa", channel, source, "--mode", "active", "--wait"))
    words = ("mirror", "--delete", "boa", "-c", channel)

    unsure = at_terminal(shell, *words, answers="what?\n")
    assert (unsure.exit_code, "Not deleting mirror boa" in unsure.text) == (1, True)
    assert len(ckeys(server, channel)) == 3

    dropped = at_terminal(shell, *words, answers="drop\n")
    assert dropped.exit_code == 0
    assert "Keep or drop 3 files that mirror boa brought? [KEEP|drop]:" in dropped.text
    assert ckeys(server, channel) == set()


def test_person_is_asked_before_files_go_that_cannot_be_kept(
    shell: Shell, server: LiveServer, channel: str, upstream: Upstream
) -> None:
    add_package(upstream.folder / "rare", "axolotl")  # which no other test has fetched
    shell.succeeds(*_create("boa", channel, f"{upstream.url}/rare", "--wait"))

    screen = at_terminal(shell, "mirror", "--delete", "boa", "-c", channel, answers="\n")

    assert screen.exit_code == 1
    question = f"Delete mirror boa, and 1 file of channel {channel} that nobody fetched yet with it? [y|N]:"
    assert question in screen.text.replace("\n", "")
    assert ckeys(server, channel) == {"noarch/axolotl-1.0-0.conda"}


def test_empty_mirror_is_deleted_unasked(shell: Shell, idle: str) -> None:
    screen = at_terminal(shell, "mirror", "--delete", "idle", "-c", idle, "--contents", "drop")

    assert (screen.exit_code, "[" in screen.text) == (0, False)


def test_deletion_as_json_names_the_mirror(shell: Shell, idle: str) -> None:
    document = shell.succeeds("mirror", "--delete", "idle", "-c", idle, "--json").document

    del document["mirror_id"]
    assert document == {"mirror_name": "idle", "removed": True, "contents": "keep"}


# --- at the shell's Tab --------------------------------------------------------------------------


def test_names_of_mirrors_are_completed(shell: Shell, idle: str) -> None:
    line = f"conda-repo mirror -c {idle} --show i"
    asked = {"_CONDA_REPO_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": "5"}

    assert shell.conda_repo(environment=asked).stdout.split() == ["idle"]


def test_words_of_an_option_are_completed(stranger: Shell) -> None:
    line = "conda-repo mirror --list data --mode "
    asked = {"_CONDA_REPO_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": "5"}

    assert stranger.conda_repo(environment=asked).stdout.split() == ["active", "passive"]
