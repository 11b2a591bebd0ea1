"""`conda repo search`."""

from pathlib import Path

import pytest

from packhouse_client.app import run
from tests.builders import build_conda_package
from tests.cli.shell import Done, Shell, new_name
from tests.cli.terminal import at_terminal
from tests.live import LiveServer

NAME = "searchable"


@pytest.fixture(scope="module")
def birds(server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel with `searchable` for two platforms and `searchable-extras` for one; no test changes it."""
    name = new_name("birds")
    server.create_channel(name)
    folder: Path = tmp_path_factory.mktemp("packages")
    for package, subdir in ((NAME, "linux-64"), (NAME, "osx-arm64"), (f"{NAME}-extras", "noarch")):
        built = build_conda_package(
            folder, package, "1.13.1", subdir=subdir, index_overrides={"license": "BSD-3-Clause"}
        )
        assert server.upload(name, built).status_code == 201
    return name


def names(done: Done) -> list[str]:
    return [item["name"] for item in done.document["items"]]


def test_found_packages_are_shown_as_the_reference_prints_them(shell: Shell, birds: str) -> None:
    done = shell.succeeds("search", NAME, "--family", "conda", "--sort", "name")

    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "Channel                        | Name                                     |  Version | Family       | "
        "Build      | License         | Platforms",
        "------------------------------ | ---------------------------------------- | -------- | ------------ | "
        "---------- | --------------- | ---------------",
        f"{birds:30} | {NAME:40} |   1.13.1 | conda        | 0          | BSD-3-Clause    | linux-64, osx-arm64",
        f"{birds:30} | {NAME + '-extras':40} |   1.13.1 | conda        | 0          | BSD-3-Clause    | noarch",
        "",
        "2 packages found.",
        "Visualizing 2-2 interval.",
    ]


def test_page_says_which_part_it_is(shell: Shell, birds: str) -> None:
    lines = shell.succeeds("search", NAME, "-s", "name", "-o", "1", "-l", "1").stdout.splitlines()

    assert f"{NAME}-extras" in lines[2]
    assert lines[-2:] == ["2 packages found.", "Visualizing 1-2 interval."]


def test_nothing_found_is_no_failure(shell: Shell) -> None:
    done = shell.succeeds("search", "no-such-package")

    assert (done.stdout, done.stderr) == ("No packages found\n", "")


@pytest.mark.parametrize("sort", [("-s", "-name"), ("--sort=-name",), ("--sort", "-name")])
def test_minus_turns_the_order_round(shell: Shell, birds: str, sort: tuple[str, ...]) -> None:
    assert names(shell.succeeds("search", NAME, *sort, "--json")) == [f"{NAME}-extras", NAME]


def test_platform_narrows_the_search(shell: Shell, birds: str) -> None:
    assert names(shell.succeeds("search", NAME, "-p", "osx-arm64", "--json")) == [NAME]


def test_family_narrows_the_search(shell: Shell, birds: str) -> None:
    assert names(shell.succeeds("search", NAME, "-f", "notebook", "--json")) == []


def test_unusual_platform_that_finds_nothing_gets_a_hint(shell: Shell) -> None:
    done = shell.succeeds("search", NAME, "--platform", "linux64")

    assert done.stdout == "No packages found\n"
    assert "'linux64' is none of the usual platforms. Did you mean 'linux-64'" in done.stderr


def test_package_type_of_older_clients_only_warns(shell: Shell, birds: str) -> None:
    done = shell.succeeds("search", NAME, "-t", "conda", "--json")

    assert len(names(done)) == 2
    assert "--package-type conda changes nothing" in done.stderr


def test_private_packages_are_not_found_by_a_stranger(
    stranger: Shell, server: LiveServer, tmp_path: Path
) -> None:
    name = new_name("secret")
    server.create_channel(name, "private")
    assert server.upload(name, build_conda_package(tmp_path, "hush-hush")).status_code == 201

    assert names(stranger.succeeds("search", "hush-hush", "--json")) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Missing argument 'NAME'"),
        ((NAME, "--family", "hats"), "'hats' is no family."),
        ((NAME, "--limit", "many"), "valid integer"),
    ],
)
def test_wrong_usage_is_explained(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    exit_code = run(["search", *words], "conda repo")

    out, err = capsys.readouterr()
    assert (exit_code, out) == (2, "")
    assert says in err


def test_unknown_order_is_explained_by_the_server(shell: Shell) -> None:
    done = shell.conda_repo("search", NAME, "--sort", "color")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "Cannot sort by 'color'" in done.stderr


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_table_fits_the_terminal(shell: Shell, birds: str, columns: int) -> None:
    screen = at_terminal(shell, "search", NAME, columns=columns)

    assert "2 packages found." in screen.lines
    assert max(map(len, screen.lines)) <= columns
