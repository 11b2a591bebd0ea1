"""The reference document's command lines, as they stand there, against a real server.

`tests/data/reference_commands.txt` holds every command line of the document. Each is in `LINES` below, with its
placeholders filled in and what it promises, or in `NOT_YET` with the reason.
"""

import json
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.builders import build_conda_package
from tests.cli.shell import Shell, new_name
from tests.cli.terminal import Screen, at_terminal
from tests.live import LiveServer
from tests.upstream import Upstream, hang_before

WRITTEN = (Path(__file__).parent.parent / "data/reference_commands.txt").read_text().splitlines()
NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
GROUPS = {
    "policy": "policies come with their own issue, server and commands together",
    "service-accounts": "service accounts come with a later issue",
    "cves": "vulnerability data comes with a later issue",
    "sbom": "bills of materials come with a later issue",
    "report": "download reports come with a later issue",
}
FILTERS = {"only_specs": ["numba", "python==3.10"]}
MIRROR = {"mirror_type": "conda", "mirror_mode": "passive", "cron": "0 0 * * *", "filters": FILTERS}
POLICY_ID = "5b1ac8b9-db85-40f8-9dc1-ba01476539c8"
NOT_YET = {
    line: reason
    for line in WRITTEN
    for group, reason in GROUPS.items()
    if line.removeprefix("conda").lstrip(" -").startswith(f"repo {group} ")
} | {"conda install conda-repo-cli": "there is no conda package of the client yet; pip installs it"}


@dataclass
class World:
    """What a command line finds: a channel with a package, a notebook and a subchannel, and files to upload.

    The channels are called as in the document; `source` is a server whose channels come very slowly.
    """

    shell: Shell
    api: httpx.Client
    folder: Path
    source: str
    channel: str = "snakes"
    other: str = "lua"
    mirror: str = field(default_factory=lambda: new_name("boa"))
    """Found by its name alone, so no other channel may have one of that name."""

    @property
    def names(self) -> dict[str, str]:
        """What each placeholder stands for."""
        return {
            "CHANNEL_NAME": self.channel,
            "ORIGIN_CHANNEL": self.channel,
            "CHANNEL": self.channel,
            "SUBCHANNEL_NAME": "stage",
            "DESTINATION_CHANNEL": self.other,
            "DESTINATION_SUBCHANNEL": "stage",
            "PACKAGE_NAME": "snake",
            "FAMILY": "conda",
            "FILE_PATH": str(self.folder / "viper-1.0-0.conda"),
            "FILE_PATH1": str(self.folder / "viper-1.0-0.conda"),
            "FILE_PATH2": str(self.folder / "cobra-1.0-0.conda"),
            "GROUP_NAME": "manuals",
            "VERSION": "2.1",
            "NOTEBOOK_NAME": "analysis",
            "PATH_TO_DIRECTORY/NEW_FILENAME": str(self.folder / "mine.ipynb"),
            "MIRROR_NAME": self.mirror,
            "SOURCE": self.source,
            "TYPE": "conda",
            "MODE": "active",
            "PLATFORMS": "noarch, linux-64",
            "PKG_NAME": "snake",
            "POLICY_ID": POLICY_ID,
            "ARG> --<ARG> --<ARG": "mode active --only_signed --cve_score 7.1",
        }

    def filled(self, line: str) -> list[str]:
        for name, value in self.names.items():
            line = line.replace(f"<{name}>", value)
        line = line.replace("https://repo.anaconda.com", self.source)  # tests ask nobody outside
        assert "<" not in line, line
        words = shlex.split(line)
        return words[2:] if words[0] == "conda" else words[1:]

    def get(self, path: str) -> Any:
        return self.api.get(f"/api{path}").raise_for_status().json()

    def files(self, channel: str, package: str, family: str = "conda") -> list[str]:
        answer = self.api.get(f"/api/channels/{channel}/artifacts/{family}/{package}/files")
        return [file["ckey"] for file in answer.json()["items"]] if answer.status_code == 200 else []


@pytest.fixture
def world(shell: Shell, server: LiveServer, admin_token: str, tmp_path: Path) -> Iterator[World]:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "analysis.ipynb").write_text(json.dumps(NOTEBOOK))
    for name in ("snake", "viper", "cobra"):
        build_conda_package(folder, name, about={"license": "MIT"})
    with Upstream(folder) as upstream, server.client(admin_token) as api:
        upstream.misbehave("*", hang_before())
        made = World(shell, api, folder, upstream.url)
        _furnish(made)
        yield made
        for channel in (made.channel, made.other):  # the next test's have the same names
            api.delete(f"/api/channels/{channel}")


def _furnish(world: World) -> None:
    for channel in (world.channel, f"{world.channel}/stage", world.other, f"{world.other}/stage"):
        world.api.post("/api/channels", json={"name": channel}).raise_for_status()
    _publish(world, world.channel, "snake-1.0-0.conda", "conda1")
    _publish(world, f"{world.channel}/stage", "snake-1.0-0.conda", "conda1")
    _publish(world, world.channel, "analysis.ipynb", "jupyter_notebook")
    condarc = f"default_channels:\n  - {world.other}\n  - {world.channel}\n"
    (world.shell.home / ".condarc").write_text(condarc)


def _publish(world: World, channel: str, name: str, filetype: str) -> None:
    files = {"content": (name, (world.folder / name).read_bytes())}
    answer = world.api.post(f"/api/channels/{channel}/artifacts", data={"filetype": filetype}, files=files)
    answer.raise_for_status()


def _add_mirror(world: World, name: str) -> None:
    """With a run that waits for its source."""
    body = {"mirror_name": name, "source_root": world.source, "run_now": True} | MIRROR
    world.api.post(f"/api/channels/{world.channel}/mirrors", json=body).raise_for_status()


Promise = Callable[[World, Screen], bool]


def prints(*texts: str) -> Promise:
    return lambda world, screen: all(text.format(**vars(world)) in screen.text for text in texts)


def privacy_is(privacy: str) -> Promise:
    return lambda world, screen: world.get(f"/channels/{world.channel}")["privacy"] == privacy


def is_gone(world: World, screen: Screen) -> bool:
    return world.api.get(f"/api/channels/{world.channel}").status_code == 404


def is_in_both(target: str) -> Promise:
    return lambda world, screen: bool(
        world.files(world.channel, "snake") and world.files(target.format(**vars(world)), "snake")
    )


def has_moved(target: str) -> Promise:
    return lambda world, screen: bool(
        not world.files(world.channel, "snake") and world.files(target.format(**vars(world)), "snake")
    )


def is_removed_from(channel: str) -> Promise:
    return lambda world, screen: not world.files(channel.format(**vars(world)), "snake")


def has_files(channel: str, *packages: str, family: str = "conda") -> Promise:
    return lambda world, screen: all(
        world.files(channel.format(**vars(world)), name, family) for name in packages
    )


def saved(path: str) -> Promise:
    return lambda world, screen: (
        json.loads((world.shell.home / path.format(**vars(world))).read_text()) == NOTEBOOK
    )


def mirror_is(name: str = "{mirror}", channel: str = "snakes", **facts: object) -> Promise:
    """A mirror with these facts is there, whatever its source has."""

    def keeps(world: World, screen: Screen) -> bool:
        mirror: dict[str, object] = world.get(f"/channels/{channel}/mirrors/{_filled(name, world)}")
        shown = {key: mirror[key] for key in facts}
        return shown == {key: _filled(value, world) for key, value in facts.items()}

    return keeps


def _filled(value: object, world: World) -> object:
    return value.format(**vars(world)) if isinstance(value, str) else value


def mirror_is_stopped(world: World, screen: Screen) -> bool:
    """Within seconds, though the source does not answer."""
    end = time.monotonic() + 20
    while world.get(f"/channels/snakes/mirrors/{world.mirror}")["state"] != "stopped":
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def mirror_is_gone(world: World, screen: Screen) -> bool:
    return world.api.get(f"/api/channels/snakes/mirrors/{world.mirror}").status_code == 404


def lists_files_as_json(world: World, screen: Screen) -> bool:
    """CKEY, CVE score, CVE status, file name, package name, platform, version: the document's list."""
    start, end = screen.text.index("["), screen.text.rindex("]") + 1
    [file] = [one for one in json.loads(screen.text[start:end]) if one["name"] == "snake"]
    return file == {
        "ckey": "noarch/snake-1.0-0.conda",
        "cve_score": None,
        "cve_status": None,
        "fn": "snake-1.0-0.conda",
        "name": "snake",
        "platform": "noarch",
        "version": "1.0",
    }


def shows_channel(world: World, screen: Screen) -> bool:
    """The document's ten facts, in its order."""
    labels = [line.partition(":")[0].strip() for line in screen.lines if ":" in line][1:]
    wanted = [
        "name",
        "description",
        "privacy",
        "# of artifacts",
        "# of downloads",
        "# mirrors",
        "# of subchannels",
    ]
    return labels[:7] == wanted and [
        label for label in labels if label in ("created", "updated", "owners")
    ] == [
        "created",
        "updated",
        "owners",
    ]


LINES: dict[str, Promise] = {
    "conda repo --version": prints("Command line client (version "),
    "conda repo config --show-sources": prints("config.toml", "default_site: packhouse"),
    "conda repo channel --list": prints("{channel}"),
    "conda repo channel --list-packages <CHANNEL_NAME>": prints("snake"),
    "conda repo channel --list-files <CHANNEL_NAME>": prints("noarch/snake-1.0-0.conda"),
    "conda repo channel --list-files <CHANNEL_NAME> --family <FAMILY>": prints("noarch/snake-1.0-0.conda"),
    "conda repo channel --list-file <CHANNEL_NAME> --full-details": lists_files_as_json,
    "conda repo channel --show <CHANNEL_NAME>": shows_channel,
    "conda repo channel --lock <CHANNEL_NAME>": privacy_is("private"),
    "conda repo channel --soft-lock <CHANNEL_NAME>": privacy_is("authenticated"),
    "conda repo channel --unlock <CHANNEL_NAME>": privacy_is("public"),
    "conda repo channel --remove <CHANNEL_NAME>": is_gone,
    "conda repo copy <ORIGIN_CHANNEL>::<PACKAGE_NAME> --destination <DESTINATION_CHANNEL>": is_in_both(
        "{other}"
    ),
    "conda repo copy <ORIGIN_CHANNEL>::<PACKAGE_NAME> --destination <DESTINATION_CHANNEL>/"
    "<DESTINATION_SUBCHANNEL>": is_in_both("{other}/subchannels/stage"),
    "conda repo move <ORIGIN_CHANNEL>::<PACKAGE_NAME> --destination <DESTINATION_CHANNEL>": has_moved(
        "{other}"
    ),
    "conda repo move <CHANNEL_NAME>::<PACKAGE_NAME> --destination <DESTINATION_CHANNEL>/"
    "<DESTINATION_SUBCHANNEL>": has_moved("{other}/subchannels/stage"),
    "conda repo remove <CHANNEL_NAME>::<PACKAGE_NAME>": is_removed_from("{channel}"),
    "conda repo remove <CHANNEL_NAME>/<SUBCHANNEL_NAME>::<PACKAGE_NAME>": is_removed_from(
        "{channel}/subchannels/stage"
    ),
    "conda repo search --family <FAMILY> <PACKAGE_NAME>": prints("{channel}", "snake", "packages found."),
    "conda repo whoami": prints("username: admin", "default_channel_name:", "user_id:", "roles:"),
    "conda repo upload <FILE_PATH>": has_files("{other}", "viper"),
    "conda repo upload <FILE_PATH1> <FILE_PATH2>": has_files("{other}", "viper", "cobra"),
    "conda repo upload <FILE_PATH> --channel <CHANNEL_NAME>": has_files("{channel}", "viper"),
    "conda repo upload <FILE_PATH> --channel <CHANNEL_NAME> --package-type gra --name <GROUP_NAME> "
    "--version <VERSION>": has_files("{channel}", "manuals", family="gra"),
    "conda repo download --channel <CHANNEL_NAME> --notebook <NOTEBOOK_NAME>": saved("analysis.ipynb"),
    "conda repo download --channel <CHANNEL_NAME> --notebook <NOTEBOOK_NAME> --filename "
    "<PATH_TO_DIRECTORY/NEW_FILENAME>": saved("{folder}/mine.ipynb"),
    "conda repo mirror --create <MIRROR_NAME> --channel <CHANNEL_NAME> --source <SOURCE> --type <TYPE> "
    "--mode <MODE> --run_now": mirror_is(mirror_type="conda", mirror_mode="active"),
    "conda repo mirror --create <MIRROR_NAME> --channel <CHANNEL_NAME> --source <SOURCE> --mode <MODE> --run_now "
    '--subdirs "<PLATFORMS>" --only_spec <PKG_NAME> --only_spec <PKG_NAME>': mirror_is(
        filters={"subdirs": ["noarch", "linux-64"], "only_specs": ["snake"]}
    ),
    "conda repo mirror --create snakes --channel lua --source https://repo.anaconda.com/pkgs/main/ --run_now "
    '--mode passive --subdirs "noarch, osx-64, osx-arm64" --only_spec lua --only_spec ncurses '
    "--only_spec readline": mirror_is(
        "snakes",
        "lua",
        source_root="{source}/pkgs/main/",
        mirror_mode="passive",
        filters={"subdirs": ["noarch", "osx-64", "osx-arm64"], "only_specs": ["lua", "ncurses", "readline"]},
    ),
    "conda repo mirror --create <MIRROR_NAME> --channel <CHANNEL_NAME> --source <SOURCE> --type <TYPE> "
    "--mode <MODE>  --use-channel-policy False --policy-id <POLICY_ID> --run_now": mirror_is(
        use_channel_policy=False, policy_id=POLICY_ID
    ),
    "conda repo mirror --show <MIRROR_NAME> --channel <CHANNEL_NAME>": prints(
        "    name: {mirror}", "cron: 0 0 * * *"
    ),
    "conda repo mirror --show boa --channel snakes": prints(
        "    Mirror Details:\n    ---------------\n    id: ",
        "    filters:\n        only_specs               | ['numba', 'python==3.10']",
    ),
    "conda repo mirror --stop <MIRROR_NAME>": mirror_is_stopped,
    "conda repo mirror --restart <MIRROR_NAME>": prints("Restarting mirror {mirror}"),
    "conda repo mirror --update <MIRROR_NAME> --channel <CHANNEL_NAME> --<ARG> --<ARG> --<ARG>": mirror_is(
        mirror_mode="active", filters=FILTERS | {"only_signed": True, "cve_score_threshold": 7.1}
    ),
    "conda repo mirror --update <MIRROR_NAME> --channel <CHANNEL_NAME> --run_now": mirror_is(filters=FILTERS),
    "conda repo mirror --update boa --channel snakes --only_spec jupyterhub --only_spec airflow --only_spec django "
    "--type conda --mode active --run_now": mirror_is(
        "boa", mirror_mode="active", filters={"only_specs": ["jupyterhub", "airflow", "django"]}
    ),
    "conda repo mirror --delete <MIRROR_NAME> --channel <CHANNEL_NAME>": mirror_is_gone,
    "conda repo --help": prints("upload", "channel", "wizard"),
    "conda repo wizard --help": prints("--restore"),
    "conda repo channel --help": prints("--list-packages", "--soft-lock"),
    "conda repo upload --help": prints("--package-type", "--channel"),
    "conda repo mirror --help": prints("--only_spec", "--run_now"),
    "conda repo auth --help": prints("--list-scopes", "--create"),
}
ELSEWHERE = {
    "conda repo channel --create <CHANNEL_NAME>",
    "conda repo channel --create <CHANNEL>/<SUBCHANNEL_NAME>",
    "conda repo search --family conda pytorch",
    "conda repo wizard",
    "conda repo wizard --restore",
    "anaconda login",
}
"""Lines that need more than a row: each has a test of its own, below or in tests/clients."""


@pytest.mark.parametrize("line", LINES)
def test_command_line_of_the_document_keeps_its_promise(world: World, line: str) -> None:
    if " mirror " in line and "--create" not in line:
        _add_mirror(world, "boa" if " boa " in line else world.mirror)

    screen = at_terminal(world.shell, *world.filled(line), answers="y\ny\n", columns=200)

    assert screen.exit_code == 0, screen.text
    assert LINES[line](world, screen), screen.text


def test_no_line_of_the_document_is_left_out() -> None:
    assert {*LINES, *ELSEWHERE, *NOT_YET} == set(WRITTEN)


def test_lines_that_are_not_there_yet_are_counted(record_property: Callable[[str, object], None]) -> None:
    for reason in dict.fromkeys(NOT_YET.values()):
        print(f"{sum(value == reason for value in NOT_YET.values())}: {reason}")
    print(f"not yet: {len(NOT_YET)}")
    record_property("not yet", len(NOT_YET))


@pytest.mark.parametrize("group", GROUPS)
def test_a_command_that_is_not_there_yet_says_so(shell: Shell, group: str) -> None:
    """When a later issue brings the command, this fails and its lines move into `LINES`."""
    assert shell.conda_repo(group, "--help").exit_code == 2


def test_create_makes_a_public_channel(world: World) -> None:
    name = new_name("boas")
    assert at_terminal(world.shell, "channel", "--create", name).exit_code == 0

    assert world.get(f"/channels/{name}")["privacy"] == "public"


def test_create_makes_a_subchannel(world: World) -> None:
    assert at_terminal(world.shell, "channel", "--create", f"{world.channel}/nightly").exit_code == 0

    assert world.get(f"/channels/{world.channel}/subchannels/nightly")["parent"] == world.channel
