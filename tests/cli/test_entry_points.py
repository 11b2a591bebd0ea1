"""The ways to the command line: `conda-repo`, `conda repo`, `anaconda repo`, and the distribution on its own."""

import subprocess
import sys
import sysconfig
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from packhouse_client import __version__
from tests.cli.shell import CONDA_REPO, Shell
from tests.live import LiveServer

STAND_IN = Path(__file__).parent / "stand_in"
CLIENT = Path(__file__).parents[2] / "src/packhouse_client"
ANACONDA = Path(sys.executable).with_name("anaconda")
WAYS = {
    "conda-repo": (str(CONDA_REPO),),
    "conda repo": (sys.executable, "-m", "conda", "repo"),
    "anaconda repo": (str(ANACONDA), "repo"),
    "python -m packhouse_client": (sys.executable, "-m", "packhouse_client"),
}
PROGRAMS = {**{way: way for way in WAYS}, "python -m packhouse_client": "conda-repo"}
"""What each calls itself."""


def prepared(shell: Shell, way: str) -> Shell:
    variables = {"PYTHONPATH": str(STAND_IN), "ANACONDA_TELEMETRY_ENABLED": "false"}
    return replace(shell, program=WAYS[way], environment=shell.environment | variables)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def entered(shell: Shell, way: str) -> Shell:
    """A shell whose commands go this way."""
    return prepared(shell, way)


def test_version_names_the_program(entered: Shell, way: str) -> None:
    done = entered.succeeds("--version")

    assert done.stdout == f"{PROGRAMS[way]} Command line client (version {__version__})\n"


def test_help_lists_the_commands(entered: Shell, way: str) -> None:
    help_text = entered.succeeds("--help").stdout

    assert f"Usage: {PROGRAMS[way]} [OPTIONS] COMMAND [ARGS]..." in help_text
    assert "upload" in help_text


def test_a_command_asks_the_server(entered: Shell, way: str) -> None:
    assert entered.succeeds("whoami", "--json").document["username"] == "admin"


def test_an_exit_code_comes_through(entered: Shell, way: str, channel: str) -> None:
    done = entered.conda_repo("download", "--channel", channel, "--notebook", "missing")

    assert done.exit_code == 5
    assert f"[ERROR] There is no notebook 'missing' in channel '{channel}'." in done.stderr


def test_wrong_usage_is_2(entered: Shell, way: str) -> None:
    done = entered.conda_repo("whoami", "--no-such-option")

    assert done.exit_code == 2
    assert "Traceback" not in done.stderr


def test_at_of_anaconda_chooses_the_site(stranger: Shell, server: LiveServer, admin_token: str) -> None:
    stranger.configure(
        'default_site = "elsewhere"\n\n[sites.elsewhere]\ndomain = "elsewhere.invalid"\n\n'
        f'[sites.house]\ndomain = "{server.url}"\n'
    )
    anaconda = replace(prepared(stranger, "anaconda repo"), program=(str(ANACONDA),))

    done = anaconda.succeeds("--at", "house", "-t", admin_token, "repo", "whoami", "--json")

    assert done.document["username"] == "admin"


def test_conda_shows_what_repo_is_for(stranger: Shell) -> None:
    conda = replace(prepared(stranger, "conda repo"), program=WAYS["conda repo"][:-1])

    assert "repo  Work with the channels and packages of a Packhouse" in conda.succeeds().stdout


def test_without_conda_its_plugin_is_harmless() -> None:
    """`anaconda` and others load all entry points there are."""
    lines = "from packhouse_client import conda_plugin\nassert not hasattr(conda_plugin, 'conda_subcommands')"

    subprocess.run([sys.executable, "-c", lines], check=True)


@pytest.fixture(scope="session")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with the built distribution, its dependencies, and no server."""
    folder = tmp_path_factory.mktemp("lonely")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=CLIENT, check=True, capture_output=True)
    [wheel] = folder.glob("packhouse_client-*.whl")
    venv.create(folder / "venv")
    python = folder / "venv/bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    install = [*pip, "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    [packages] = folder.glob("venv/lib/python*/site-packages")
    # Dependencies come from here; the `.pth` files there, by which the server is installed, are not read again.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python.parent


def test_the_distribution_is_there_without_the_server(lonely: Path) -> None:
    where = "import packhouse_client; print(packhouse_client.__file__)"
    found = subprocess.run(
        [lonely / "python", "-I", "-c", where], check=True, capture_output=True, text=True
    ).stdout

    assert Path(found).is_relative_to(lonely.parent)
    assert subprocess.run([lonely / "python", "-I", "-c", "import packhouse"], capture_output=True).returncode


def test_the_distribution_alone_runs_a_command(lonely: Path, shell: Shell) -> None:
    alone = replace(shell, program=(str(lonely / "conda-repo"),))

    assert alone.succeeds("--version").stdout.endswith(f"(version {__version__})\n")
    assert "username: admin" in alone.succeeds("whoami").stdout
