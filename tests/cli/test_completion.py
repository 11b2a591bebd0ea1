"""What Tab offers: by the protocols of the shells, and in a bash that is there."""

import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from packhouse_client.commands import COMMANDS
from tests.cli.shell import CONDA_REPO, Shell, new_name
from tests.cli.weather import listening
from tests.live import LiveServer


def offered(shell: Shell, line: str) -> list[str]:
    """What bash would offer behind this line."""
    words = line.split(" ")
    asked = {
        "_CONDA_REPO_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = shell.conda_repo(environment=asked)
    assert done.exit_code in (0, 1), done.stderr
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_are_offered(stranger: Shell) -> None:
    assert offered(stranger, "conda-repo ") == sorted(COMMANDS)
    assert offered(stranger, "conda-repo wh") == ["whoami"]


def test_options_are_offered(stranger: Shell) -> None:
    assert offered(stranger, "conda-repo --to") == ["--token"]
    assert offered(stranger, "conda-repo wizard --re") == ["--restore"]


def test_zsh_and_fish_are_told_what_commands_are_for(stranger: Shell) -> None:
    asked = {"_TYPER_COMPLETE_ARGS": "conda-repo wh", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    said = {
        name: stranger.conda_repo(environment={**asked, "_CONDA_REPO_COMPLETE": f"complete_{name}"}).stdout
        for name in ("zsh", "fish")
    }

    assert said["fish"] == f"whoami\t{COMMANDS['whoami']}\n"
    assert said["zsh"] == f'_arguments \'*: :(("whoami":"{COMMANDS["whoami"]}"))\'\n'


def test_offering_commands_imports_none_of_them(stranger: Shell) -> None:
    """Tab would take half a second otherwise."""
    asked = {"_CONDA_REPO_COMPLETE": "complete_bash", "COMP_WORDS": "conda-repo ", "COMP_CWORD": "1"}
    cold = replace(stranger, program=stranger.entry_point)
    done = cold.conda_repo(environment={**asked, "PYTHONPROFILEIMPORTTIME": "1"})

    assert "packhouse_client.commands" in done.stderr
    assert "packhouse_client.commands." not in done.stderr


# Channels


def test_channels_that_one_may_see_are_offered(shell: Shell, stranger: Shell, server: LiveServer) -> None:
    stem = new_name("tab")
    server.create_channel(f"{stem}-open")
    server.create_channel(f"{stem}-open/stage")
    server.create_channel(f"{stem}-secret", "private")

    line = f"conda-repo download --channel {stem}-"

    assert offered(shell, line) == [f"{stem}-open", f"{stem}-open/stage", f"{stem}-secret"]
    del stranger.environment["CONDA_REPO_TOKEN"]
    assert offered(stranger, line) == [f"{stem}-open", f"{stem}-open/stage"]


def test_options_before_the_command_are_obeyed(stranger: Shell, server: LiveServer, admin_token: str) -> None:
    name = new_name("secret-tab")
    server.create_channel(name, "private")
    stranger.configure("")

    line = f"conda-repo -s {server.url} -t {admin_token} download --channel {name}"

    assert offered(stranger, line) == [name]


def test_the_last_name_of_a_list_is_completed(shell: Shell, channel: str) -> None:
    line = f"conda-repo wizard --default-channels main,{channel}"

    assert f"main,{channel}" in offered(shell, line)


def test_without_a_server_nothing_is_offered_and_nothing_is_said(stranger: Shell) -> None:
    stranger.configure("")
    assert offered(stranger, "conda-repo download --channel x") == []

    stranger.configure("broken [")
    assert offered(stranger, "conda-repo download --channel x") == []


def test_a_server_that_does_not_answer_is_not_waited_for(stranger: Shell) -> None:
    has_given_up = threading.Event()
    with listening(lambda connection, _: has_given_up.wait(20) and None) as host:
        started = time.monotonic()
        assert offered(stranger, f"conda-repo -s http://{host} download --channel x") == []
        seconds = time.monotonic() - started
        has_given_up.set()

    assert seconds < 10


# A real shell


def bash(shell: Shell, script: str) -> str:
    variables = shell.all_variables | {"PATH": f"{CONDA_REPO.parent}:/usr/bin:/bin"}
    command = ["bash", "--norc", "--noprofile", "-c", f"{script}\n:"]  # else it would become the last program
    return subprocess.run(
        command, env=variables, cwd=shell.home, check=True, capture_output=True, text=True
    ).stdout


COMPLETE = """
COMP_WORDS=(conda-repo {words})
COMP_CWORD={place}
$(complete -p conda-repo | sed 's/.*-F \\([^ ]*\\).*/\\1/') conda-repo
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def test_bash_completes_with_the_script_that_is_shown(shell: Shell, channel: str) -> None:
    load = 'eval "$(conda-repo --show-completion)"'

    assert bash(shell, load + COMPLETE.format(words="down", place=1)) == "download\n"
    words = f"download --channel {channel}"
    assert channel in bash(shell, load + COMPLETE.format(words=words, place=3)).split()


def test_bash_completes_after_the_installation(stranger: Shell) -> None:
    bash(stranger, "conda-repo --install-completion")

    assert Path(stranger.home / ".bashrc").is_file()
    assert bash(stranger, ". ~/.bashrc" + COMPLETE.format(words="down", place=1)) == "download\n"


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_scripts_of_all_shells_are_shown(stranger: Shell, name: str) -> None:
    script = stranger.conda_repo(environment={"_CONDA_REPO_COMPLETE": f"source_{name}"}).stdout

    assert f"_CONDA_REPO_COMPLETE=complete_{name}" in script
