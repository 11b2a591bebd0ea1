"""`conda repo mirror`: runs started, stopped, watched, and what they changed."""

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import Shell, new_name
from tests.cli.terminal import at_terminal
from tests.cli.upstream_channel import add_package
from tests.cli.weather import listening, reset
from tests.live import LiveServer
from tests.upstream import Upstream, other_bytes, slow

COUNTS = ("added", "removed", "changed", "refused", "failed", "vanished")
SLOWLY = 50
"""Bytes per second: a package takes longer than any test."""


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    """A channel of three packages that no other test has: what the server has once, it does not fetch again."""
    for name in ("snake", "cobra", "viper"):
        add_package(tmp_path / "upstream/forge", name, files={"share/venom": os.urandom(4_000)})
    with Upstream(tmp_path / "upstream") as started:
        yield started


@pytest.fixture
def name(shell: Shell, channel: str, upstream: Upstream) -> str:
    """An active mirror in `channel` that has not run; no other channel has one of this name."""
    made = new_name("boa")
    shell.succeeds(
        *("mirror", "--create", made, "-c", channel, "--source", f"{upstream.url}/forge"),
        *("--mode", "active", "--subdirs", "noarch"),
    )
    return made


def wait_for(shell: Shell, name: str, state: str) -> None:
    end = time.monotonic() + 30
    while shell.succeeds("mirror", "--show", name, "state").stdout.strip() != state:
        assert time.monotonic() < end, f"{name} is not {state}"
        time.sleep(0.1)


def ckeys(server: LiveServer, channel: str) -> set[str]:
    with server.client() as api:
        files = api.get(f"/api/channels/{channel}/files").raise_for_status().json()["items"]
    return {file["ckey"] for file in files}


# --- waited for ----------------------------------------------------------------------------------


def test_waiting_ends_with_the_run_and_a_summary(
    shell: Shell, server: LiveServer, name: str, channel: str
) -> None:
    done = shell.succeeds("mirror", "--restart", name, "--wait")

    first, *_, last = done.stderr.splitlines()
    assert first == f"Restarting mirror {name}"
    assert last.startswith(f"Mirror {name} completed: 3 added, 0 removed, 0 changed, 0 refused, 0 failed; ")
    assert done.stdout == ""
    assert len(ckeys(server, channel)) == 3


def test_update_brings_and_takes_away_what_it_says(
    shell: Shell, server: LiveServer, name: str, channel: str
) -> None:
    shell.succeeds("mirror", "--restart", name, "--wait")

    document = shell.succeeds(
        "mirror", "--update", name, "-c", channel, "--only_spec", "snake", "--wait", "--json"
    ).document

    assert document["run"]["counts"]["removed"] == 2
    assert document["filters"]["only_specs"] == ["snake"]
    assert ckeys(server, channel) == {"noarch/snake-1.0-0.conda"}


def test_run_of_which_a_file_failed_is_exit_code_1(shell: Shell, name: str, upstream: Upstream) -> None:
    upstream.misbehave("*/cobra-*", other_bytes())

    done = shell.conda_repo("mirror", "--restart", name, "--wait")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "2 added, 0 removed, 0 changed, 0 refused, 1 failed" in done.stderr
    assert "[ERROR] 1 file did not come." in done.stderr
    [change] = shell.succeeds("mirror", "--changes", name, "--action", "failed", "--json").document["items"]
    assert (change["action"], change["ckey"]) == ("failed", "noarch/cobra-1.0-0.conda")
    assert change["reason"]


def test_run_whose_source_is_missing_fails_with_the_reason(
    shell: Shell, channel: str, upstream: Upstream
) -> None:
    name = new_name("boa")

    done = shell.conda_repo(
        "mirror", "--create", name, "-c", channel, "--source", f"{upstream.url}/nowhere", "--wait"
    )

    assert done.exit_code == 1
    assert f"[ERROR] Mirror {name} failed: " in done.stderr
    assert "nowhere" in done.stderr.splitlines()[-1]


def test_terminal_shows_the_steps_and_clears_them_away(shell: Shell, name: str, upstream: Upstream) -> None:
    upstream.misbehave("*.conda", slow(3_000))

    screen = at_terminal(shell, "mirror", "--restart", name, "--wait", columns=80)

    assert screen.exit_code == 0, screen.text
    assert "Step " in screen.text
    assert "of 3 files" in screen.text
    assert screen.lines[-1].startswith(f"Mirror {name} completed") or "completed: 3 added" in screen.text


# --- under way -----------------------------------------------------------------------------------


@pytest.fixture
def under_way(shell: Shell, name: str, upstream: Upstream) -> str:
    """The mirror, with a run that will not end by itself."""
    upstream.misbehave("*.conda", slow(SLOWLY))
    shell.succeeds("mirror", "--restart", name)
    wait_for(shell, name, "running")
    return name


def test_run_is_stopped_by_the_mirrors_name(shell: Shell, under_way: str) -> None:
    done = shell.succeeds("mirror", "--stop", under_way)

    assert done.stderr == f"Stopping mirror {under_way}\n"
    wait_for(shell, under_way, "stopped")
    again = shell.conda_repo("mirror", "--stop", under_way)
    assert again.exit_code == 6
    assert f"Mirror {under_way} cannot be stopped in its current state: stopped" in again.stderr


def test_follower_sees_the_run_stop(shell: Shell, under_way: str) -> None:
    shell.succeeds("mirror", "--stop", under_way)

    done = shell.conda_repo("mirror", "--follow", under_way)

    assert done.exit_code == 1
    assert f"[ERROR] The run of mirror {under_way} was stopped." in done.stderr


def test_interrupted_watcher_leaves_the_run_going(shell: Shell, under_way: str, channel: str) -> None:
    screen = at_terminal(shell, "mirror", "--follow", under_way, replies=[("Step ", "\x03")])

    assert screen.exit_code == 130
    assert f"The run of mirror {under_way} goes on." in screen.text
    assert f"mirror --follow {under_way} -c {channel}" in " ".join(screen.text.split())
    assert shell.succeeds("mirror", "--show", under_way, "state").stdout == "running\n"
    shell.succeeds("mirror", "--stop", under_way)


def test_mirror_that_has_not_run_cannot_be_followed(shell: Shell, name: str) -> None:
    done = shell.conda_repo("mirror", "--follow", name)

    assert done.exit_code == 6
    assert f"Mirror {name} has not run yet." in done.stderr


def test_server_that_is_away_for_a_moment_is_asked_again(shell: Shell) -> None:
    """As while it is restarted: the run goes on when it is back, and so does the watching."""
    state = {"count": {"active": 1, "passive": 0, "mirror_filtered": {}, "channel_filtered": {}}}
    mirror: dict[str, Any] = {"mirror_id": "m1", "mirror_name": "boa", "sync_state": state}
    run: dict[str, Any] = {
        "run_id": "r1",
        "state": "completed",
        "last_exception": None,
        "bytes_transfered": 0,
    }
    run |= {"started_at": None, "ended_at": None, "counts": dict.fromkeys(COUNTS, 0)}
    asked: list[str] = []

    def answer(connection: socket.socket, head: bytes) -> None:
        path = head.split()[1].decode()
        asked.append(path)
        if path.endswith("/mirrors/m1"):
            if asked.count(path) == 1:
                reset(connection, head)
            else:
                reply(connection, standing_of(mirror, "completed"))
        elif path.endswith("/mirrors"):
            reply(connection, {"items": [standing_of(mirror, "running")]})
        else:
            reply(connection, {"items": [run], "total_count": 1})

    with listening(answer) as host:
        done = shell.conda_repo("--site", f"http://{host}", "mirror", "--follow", "boa", "-c", "data")

    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith("Mirror boa completed: ")
    assert asked.count("/api/channels/data/mirrors/m1") == 2


def standing_of(mirror: dict[str, Any], state: str) -> dict[str, Any]:
    """The mirror in this state, as a server would show it."""
    counts = dict.fromkeys(("failed", "active_planned"), 0) | mirror["sync_state"]["count"]
    steps = dict.fromkeys(("current_step_number", "current_step_percentage", "bytes_transfered"), 0)
    texts = dict.fromkeys(("current_step_description", "last_ckey", "last_exception"), "")
    return {
        **mirror,
        "state": state,
        "sync_state": {**steps, **texts, "total_steps_count": 4, "count": counts},
    }


def reply(connection: socket.socket, document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n")
    connection.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


# --- what was done -------------------------------------------------------------------------------


def test_runs_are_listed_with_what_they_did(shell: Shell, name: str) -> None:
    shell.succeeds("mirror", "--restart", name, "--wait")

    lines = shell.succeeds("mirror", "--runs", name).stdout.splitlines()

    assert lines[0].startswith(
        f"{'Run':36} | State     | Trigger  | {'Started':32} |     Took |     Added | "
    )
    cells = [cell.strip() for cell in lines[2].split(" | ")]
    assert cells[1:3] == ["completed", "restart"]
    assert cells[5:10] == ["3", "0", "0", "0", "0"]


def test_changes_of_the_last_run_are_listed(shell: Shell, name: str) -> None:
    shell.succeeds("mirror", "--restart", name, "--wait")

    done = shell.succeeds("mirror", "--changes", name, "--limit", "2")

    lines = done.stdout.splitlines()
    assert lines[0] == f"{'Action':10} | {'Path':60} | Reason"
    assert [line.split(" | ")[0].strip() for line in lines[2:]] == ["added", "added"]
    assert "These are 1-2 of 3; --offset 2 shows what follows." in done.stderr


def test_changes_of_a_run_are_found_by_the_beginning_of_its_id(shell: Shell, name: str) -> None:
    shell.succeeds("mirror", "--restart", name, "--wait")
    [run] = shell.succeeds("mirror", "--runs", name, "--json").document["items"]

    document = shell.succeeds("mirror", "--changes", name, run["run_id"][:8], "--json").document

    assert (document["run_id"], document["total_count"]) == (run["run_id"], 3)
    assert {item["action"] for item in document["items"]} == {"added"}
    assert shell.conda_repo("mirror", "--changes", name, "no-such-run").exit_code == 5


def test_mirror_that_has_not_run_has_no_changes(shell: Shell, name: str) -> None:
    done = shell.conda_repo("mirror", "--changes", name)

    assert (done.exit_code, done.stderr) == (5, f"[ERROR] Mirror {name} has not run yet.\n")


def test_sync_state_has_the_documented_blocks(shell: Shell, name: str) -> None:
    shell.succeeds("mirror", "--restart", name, "--wait")

    lines = shell.succeeds("mirror", "--sync-state", name).stdout.splitlines()

    start = lines.index("     SYNC STATE:")
    assert [cell.strip() for cell in lines[start + 1].split(" | ")] == [
        *("Active", "Failed", "Passive", "Removed", "Last ckey", "Last exception", "Total steps count"),
        *("Current step number", "Current step percentage", "Current step description"),
    ]
    assert [cell.strip() for cell in lines[start + 3].split(" | ")][:4] == ["3", "0", "0", "0"]
    start = lines.index("     FILTERED PACKAGES BY MIRROR:")
    assert lines[start + 1].startswith(
        "     Cve | Date | License | Only specs | exclude specs | Duplicated legacy conda"
    )
    start = lines.index("     FILTERED PACKAGES BY CHANNEL:")
    assert lines[start + 1] == "     License | Exclude specs"


def test_sync_state_of_a_narrow_terminal_is_a_list(shell: Shell, name: str) -> None:
    screen = at_terminal(shell, "mirror", "--sync-state", name, columns=80)

    assert "     Active: 0" in screen.lines
    assert max(map(len, screen.lines)) <= 80
