"""What is the same for all commands: where options stand, colours, and how a question is left."""

import pytest

from tests.cli.shell import Shell
from tests.cli.terminal import at_terminal


@pytest.mark.parametrize(
    ("words", "option"), [(("whoami", "-q"), "-q"), (("search", "x", "--token", "t"), "--token")]
)
def test_option_for_all_commands_behind_the_command_is_shown_its_place(
    stranger: Shell, words: tuple[str, ...], option: str
) -> None:
    done = stranger.conda_repo(*words)

    assert done.exit_code == 2
    assert f"'{option}' goes before the command's name, behind 'conda-repo'." in done.stderr


def test_unknown_option_is_not_taken_for_one_of_them(stranger: Shell) -> None:
    assert "No such option: --no-such" in stranger.conda_repo("whoami", "--no-such").stderr


def test_errors_have_a_colour_at_a_terminal(stranger: Shell) -> None:
    assert "\x1b[31m[ERROR]" in at_terminal(stranger, "channel", "--show", "nowhere", keep_escapes=True).text


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colours_gets_none(stranger: Shell, name: str, value: str) -> None:
    stranger.environment[name] = value

    assert "\x1b[" not in at_terminal(stranger, "channel", "--show", "nowhere", keep_escapes=True).text


def test_ctrl_c_at_a_question_is_an_interruption(stranger: Shell) -> None:
    screen = at_terminal(stranger, "login", replies=[("Username", "\x03")])

    assert screen.exit_code == 130
    assert "Interrupted." in screen.lines
