"""`conda repo whoami`."""

from tests.cli.shell import Shell


def test_account_is_shown_as_yaml(shell: Shell) -> None:
    lines = shell.succeeds("whoami").stdout.splitlines()

    assert "username: admin" in lines
    assert "- admin" in [line.strip() for line in lines]


def test_json_holds_the_account(shell: Shell) -> None:
    assert shell.succeeds("whoami", "--json").document["username"] == "admin"


def test_without_a_log_in_the_exit_code_is_3(stranger: Shell) -> None:
    done = stranger.conda_repo("whoami")

    assert done.exit_code == 3
    assert done.stdout == ""
