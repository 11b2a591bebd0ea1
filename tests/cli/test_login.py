"""`conda repo login`, `logout`, and what they leave behind."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import Done, Shell, new_name
from tests.cli.terminal import at_terminal
from tests.cli.weather import listening, reset
from tests.live import PASSWORD, LiveServer


def log_in(shell: Shell, *words: object, password: str = PASSWORD) -> Done:
    return shell.conda_repo("login", "--username", "admin", "--password-stdin", *words, typed=f"{password}\n")


def as_person(username: str, password: str) -> list[tuple[str, str]]:
    """Questions and what is typed when they come up."""
    return [("Username: ", username), ("Password: ", password)]


def token_files(shell: Shell) -> list[Path]:
    folder = shell.home / ".anaconda/repo-tokens"
    return list(folder.iterdir()) if folder.exists() else []


def tokens(server: LiveServer, name: str) -> list[dict[str, Any]]:
    with server.client() as client:
        items = client.get("/api/account/tokens").raise_for_status().json()["items"]
    return [item for item in items if item["name"] == f"repo-cli-token-{name}"]


def test_login_keeps_a_token_that_later_commands_use(stranger: Shell, server: LiveServer) -> None:
    host = new_name("host")
    done = log_in(stranger, "--hostname", host)

    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "login successful\n")
    assert "username: admin" in stranger.succeeds("whoami").stdout
    assert len(tokens(server, host)) == 1
    [file] = token_files(stranger)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PASSWORD not in file.read_text()


def test_another_login_renews_the_token_of_this_machine(stranger: Shell, server: LiveServer) -> None:
    host = new_name("host")
    [first, second] = [log_in(stranger, "--hostname", host, "--json").document for _ in range(2)]

    assert first["token_id"] == second["token_id"]
    assert "username: admin" in stranger.succeeds("whoami").stdout


def test_force_scopes_makes_the_token_anew(stranger: Shell, server: LiveServer) -> None:
    host = new_name("host")
    first = log_in(stranger, "--hostname", host, "--json").document
    second = log_in(stranger, "--hostname", host, "--json", "--force-scopes").document

    assert first["token_id"] != second["token_id"]
    assert [item["id"] for item in tokens(server, host)] == [second["token_id"]]


def test_json_says_who_where_and_until_when_and_no_secret(stranger: Shell, server: LiveServer) -> None:
    done = log_in(stranger, "--json")
    [file] = token_files(stranger)

    assert done.document["username"] == "admin"
    assert done.document["url"] == server.url
    assert done.document["token_file"] == str(file)
    assert done.document["expires_at"] > "2026"
    assert json.loads(file.read_text())["token"] not in done.stdout


def test_a_wrong_password_is_exit_code_3_and_keeps_nothing(stranger: Shell) -> None:
    done = log_in(stranger, password="wrong")

    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr == "[ERROR] The user name or the password is wrong.\n"
    assert token_files(stranger) == []


def test_nobody_is_asked_where_there_is_no_terminal(stranger: Shell) -> None:
    done = stranger.conda_repo("login", "--username", "admin")

    assert done.exit_code == 2
    assert "--password-stdin" in done.stderr


@pytest.mark.parametrize("words", [["--password", "x", "--password-stdin"], ["--password-stdin"]])
def test_a_password_is_given_once(stranger: Shell, words: list[str]) -> None:
    assert stranger.conda_repo("login", "--username", "admin", *words).exit_code == 2


def test_a_password_on_the_command_line_is_warned_of(stranger: Shell) -> None:
    done = stranger.succeeds("login", "--username", "admin", "--password", PASSWORD)

    assert done.stderr.startswith("[WARNING] A password on the command line")
    assert done.stderr.endswith("login successful\n")


def test_at_a_terminal_there_are_three_tries_and_the_password_is_not_shown(stranger: Shell) -> None:
    replies = [*as_person("admin", "wrong"), *as_person("admin", PASSWORD)]
    screen = at_terminal(stranger, "login", replies=replies)

    assert screen.exit_code == 0
    assert PASSWORD not in screen.text
    assert "Invalid Username password combination, please try again" in screen.text
    assert "login successful" in screen.lines


def test_the_third_wrong_password_ends_it(stranger: Shell) -> None:
    screen = at_terminal(stranger, "login", "--username", "nobody", replies=[("Password: ", "wrong")] * 3)

    assert screen.exit_code == 3
    assert screen.text.count("Password: ") == 3
    assert screen.lines[-1] == "[ERROR] The user name or the password is wrong."


def test_a_command_at_a_terminal_asks_to_log_in_and_goes_on(stranger: Shell) -> None:
    words = ("channel", "--create", new_name("mine"))
    screen = at_terminal(stranger, *words, replies=as_person("admin", PASSWORD))

    assert screen.exit_code == 0
    assert "The action you are performing requires authentication, please sign in:" in screen.lines
    assert "successfully created" in screen.text


def test_a_failed_log_in_on_the_way_is_told_and_ends_the_command(stranger: Shell) -> None:
    screen = at_terminal(stranger, "channel", "--create", "mine", replies=as_person("nobody", "wrong") * 3)

    assert screen.exit_code == 3
    assert screen.lines[-1] == "[ERROR] The user name or the password is wrong."


def test_another_credential_that_wins_is_named(shell: Shell) -> None:
    done = log_in(shell)

    assert done.exit_code == 0
    assert (
        "not used as long as there is another credential: environment variable CONDA_REPO_TOKEN"
        in done.stderr
    )


def test_where_the_log_in_is_by_browser_it_says_so(stranger: Shell) -> None:
    stranger.configure(
        (stranger.home / ".anaconda/config.toml").read_text().replace("\n", "\noauth2 = true\n", 1)
    )
    done = log_in(stranger)

    assert done.exit_code == 1
    assert "Run: anaconda login" in done.stderr


# logout


def test_logout_ends_the_token_here_and_on_the_server(stranger: Shell, server: LiveServer) -> None:
    host = new_name("host")
    log_in(stranger, "--hostname", host)
    done = stranger.succeeds("logout")

    assert done.stderr == "Access tokens were removed\nLogout successful\n"
    assert (token_files(stranger), tokens(server, host)) == ([], [])
    assert stranger.conda_repo("whoami").exit_code == 3


def test_logout_without_a_log_in_says_so_and_is_no_failure(stranger: Shell) -> None:
    done = stranger.succeeds("logout", "--json")

    assert done.stderr == "You are not logged in\n"
    assert done.document["was_logged_in"] is False


def test_logout_of_a_token_that_was_dead_before(stranger: Shell, server: LiveServer) -> None:
    done = log_in(stranger, "--json")
    with server.client() as client:
        client.delete(f"/api/account/tokens/{done.document['token_id']}").raise_for_status()

    assert stranger.succeeds("logout").stderr == "Access tokens were removed\nLogout successful\n"


def test_logout_keeps_the_log_in_when_the_server_cannot_be_told(stranger: Shell) -> None:
    log_in(stranger)
    with listening(reset) as host:
        move_site(stranger, host)
        refused = stranger.conda_repo("logout")
        assert (refused.exit_code, len(token_files(stranger))) == (1, 1)
        assert "--force" in refused.stderr
        forced = stranger.succeeds("logout", "--force")
    assert forced.stderr.startswith(f"[WARNING] The connection to http://{host} broke")
    assert "may still accept it until" in forced.stderr
    assert token_files(stranger) == []


def move_site(shell: Shell, host: str) -> None:
    """The same site, token included, at another address."""
    shell.configure(f'[sites.packhouse]\ndomain = "http://{host}"\n')
    [file] = token_files(shell)
    file.rename(file.with_name(f"{host.replace(':', '%3A')}.json"))


def test_logout_force_forgets_a_broken_token_file(stranger: Shell) -> None:
    log_in(stranger)
    [file] = token_files(stranger)
    file.write_text("{")

    assert stranger.conda_repo("logout").exit_code == 1
    assert stranger.succeeds("logout", "--force").stderr.endswith("Logout successful\n")
    assert token_files(stranger) == []


def test_logout_leaves_what_it_cannot_take_away_and_says_what_can(shell: Shell) -> None:
    done = shell.conda_repo("logout")

    assert done.exit_code == 1
    assert "environment variable CONDA_REPO_TOKEN" in done.stderr


# whoami


def test_whoami_says_that_nobody_is_logged_in_and_asks_nobody(stranger: Shell) -> None:
    screen = at_terminal(stranger, "whoami")

    assert screen.exit_code == 3
    assert screen.lines == ["[ERROR] You are not logged in. Run: conda repo login, or anaconda login"]
