"""`conda repo auth`: tokens."""

import re
import stat
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.shell import Shell, new_name

TOKEN = re.compile(r"Token (\S+) succesfully created with id: (\S+)\n")


def test_scopes_are_sorted_and_joined_by_commas(shell: Shell) -> None:
    heading, scopes = shell.succeeds("auth", "--list-scopes").stdout.splitlines()

    assert heading == "Available scopes:"
    assert scopes.split(", ") == sorted(scopes.split(", "))
    assert "artifact:create" in scopes.split(", ")


def test_a_new_token_is_printed_once_and_works(shell: Shell) -> None:
    name = new_name("token")
    done = shell.succeeds("auth", "--create", "--name", name)
    match = TOKEN.fullmatch(done.stdout)
    assert match is not None
    secret, token_id = match.groups()

    assert "username: admin" in shell.succeeds("-t", secret, "whoami").stdout
    listed = shell.succeeds("auth", "-l").stdout
    assert listed.splitlines()[0].startswith("Tokens count: ")
    assert f"-----------------\nid: {token_id}\nname: {name}\ncreated_at: " in listed
    assert secret not in listed


def test_a_token_has_only_the_scopes_that_are_asked_for(shell: Shell) -> None:
    words = (
        "--name",
        new_name("token"),
        "-s",
        "channel:view",
        "--scopes",
        "channel:view-artifacts",
        "--json",
    )
    made = shell.succeeds("auth", "-c", *words).document
    done = shell.conda_repo("-t", made["token"], "channel", "--create", new_name("channel"))

    assert done.exit_code == 4


def test_a_token_in_a_file_is_for_its_owner_and_not_printed(shell: Shell) -> None:
    done = shell.succeeds("auth", "--create", "--name", new_name("token"), "--out", "token.txt")
    file = shell.home / "token.txt"

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().strip() not in done.stdout + done.stderr
    assert shell.succeeds("-t", "token.txt", "whoami").exit_code == 0


def test_a_file_that_cannot_be_written_leaves_no_token(shell: Shell) -> None:
    name = new_name("token")
    done = shell.conda_repo("auth", "--create", "--name", name, "--out", "missing/token.txt")

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "[ERROR] missing/token.txt cannot be written: No such file or directory. No token was made.\n"
    )
    assert name not in shell.succeeds("auth", "--list").stdout


@pytest.mark.parametrize(("seconds", "days"), [(86400, 1), (2592000, 30)])
def test_whole_days_end_with_their_day(shell: Shell, seconds: int, days: int) -> None:
    earliest = datetime.now(UTC).date()
    made = shell.succeeds("auth", "-c", "--max-age", seconds, "--json").document
    about = shell.succeeds("-t", made["token"], "auth", "--info", "--json").document
    expires = datetime.fromisoformat(about["expires_at"])

    assert earliest + timedelta(days) <= expires.date() <= datetime.now(UTC).date() + timedelta(days)
    assert about["token"] == made["token"]
    assert about["source"] == "--token"


def test_less_than_a_day_is_not_rounded_up(shell: Shell) -> None:
    made = shell.succeeds("auth", "-c", "--max-age", "60", "--json").document
    lines = shell.succeeds("-t", made["token"], "auth", "--current-info").stdout.splitlines()

    assert lines[0] == f"Token: {made['token']}"
    expires = datetime.fromisoformat(lines[1].removeprefix("Expiration: "))
    assert expires < datetime.now(UTC) + timedelta(seconds=61)


def test_tokens_are_removed_by_id_and_the_missing_one_is_named(shell: Shell) -> None:
    made = [shell.succeeds("auth", "-c", "--name", new_name("token"), "--json").document for _ in range(2)]
    first, second = (document["id"] for document in made)
    done = shell.conda_repo("auth", "--remove", first, "missing", second)

    assert (done.exit_code, done.stdout) == (5, "")
    assert done.stderr == (
        f"Token {first} successfully removed.\n"
        "[ERROR] missing: There is no such token among yours.\n"
        f"Token {second} successfully removed.\n"
    )
    assert shell.conda_repo("-t", made[0]["token"], "whoami").exit_code == 3


def test_removal_in_json_says_what_was_removed(shell: Shell) -> None:
    made = shell.succeeds("auth", "-c", "--json").document
    assert shell.conda_repo("auth", "-r", made["id"], "missing", "--json").document["items"] == [
        {"id": made["id"], "removed": True},
        {"id": "missing", "removed": False},
    ]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--list", "--create"],
        ["--list", "something"],
        ["--create", "--max-age", "0"],
        ["--create", "--max-age", "99999999999"],
        ["--remove"],
    ],
)
def test_wrong_usage_is_exit_code_2(stranger: Shell, words: list[str]) -> None:
    done = stranger.conda_repo("auth", *words)

    assert (done.exit_code, done.stdout) == (2, "")


def test_without_a_log_in_the_exit_code_is_3(stranger: Shell) -> None:
    done = stranger.conda_repo("auth", "--list")

    assert done.exit_code == 3
    assert done.stderr == "[ERROR] You are not logged in. Run: conda repo login, or anaconda login\n"
