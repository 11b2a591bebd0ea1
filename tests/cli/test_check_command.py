"""`packhouse check` as an operator types it: what it says, and its exit code."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from packhouse.formats.conda.shards import read_shard, read_shard_index
from tests.builders import build_conda_package
from tests.live import LiveServer, running_server

FILENAME = "demo-1.0-0.conda"


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data of a server that was stopped, with one package in one channel; tests get copies of it."""
    folder = tmp_path_factory.mktemp("stopped")
    with running_server(folder / "data") as server:
        stock(server, folder)
    assert check(folder / "data", "--repair").returncode == 0  # channeldata may still have been due
    return folder / "data"


@pytest.fixture
def data_dir(stopped: Path, tmp_path: Path) -> Path:
    return shutil.copytree(stopped, tmp_path / "data")


def stock(server: LiveServer, folder: Path) -> None:
    server.create_channel("data")
    server.upload("data", build_conda_package(folder, "demo")).raise_for_status()
    server.wait_until_indexed("data", "noarch", FILENAME)


def check(data_dir: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "packhouse", "check", "--data-dir", str(data_dir), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))


def execute(data_dir: Path, statement: str) -> None:
    connection = sqlite3.connect(data_dir / "packhouse.db")
    connection.execute(statement)
    connection.commit()
    connection.close()


def as_document(answer: "subprocess.CompletedProcess[str]") -> Any:
    return json.loads(answer.stdout)


def test_all_in_order_is_said_in_a_line_and_exit_code_0(data_dir: Path) -> None:
    answer = check(data_dir, "--deep")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("Compared 1 channel and ")
    assert answer.stdout.endswith(" blobs: all agree.\n")


def test_difference_is_told_with_exit_code_1_and_mended_with_repair(data_dir: Path) -> None:
    execute(data_dir, "DELETE FROM shard")
    broken, repaired, after = check(data_dir), check(data_dir, "--repair"), check(data_dir, "--deep")
    assert [broken.returncode, repaired.returncode, after.returncode] == [1, 0, 0]
    assert broken.stdout.splitlines()[0] == "data/noarch: the shard of 'demo' is missing."
    assert repaired.stdout.splitlines()[0] == "data/noarch: the shard of 'demo' is missing. Mended."
    assert repaired.stdout.splitlines()[-1].endswith("1 difference, 1 of them mended.")


def test_what_cannot_be_mended_names_channel_and_file_and_keeps_exit_code_1(data_dir: Path) -> None:
    connection = sqlite3.connect(data_dir / "packhouse.db")
    [(sha256,)] = connection.execute("SELECT sha256 FROM artifact").fetchall()
    connection.close()
    (data_dir / "blobs" / "blobs" / sha256[:2] / sha256).unlink()
    answer = check(data_dir, "--repair", "--json")
    assert (answer.returncode, as_document(answer)["good"]) == (1, False)
    assert as_document(answer)["differences"] == [
        {
            "where": f"data/noarch/{FILENAME}",
            "what": f"the bytes of its blob {sha256} are missing. Publish the same file again, or remove it.",
            "mended": False,
        }
    ]


def test_json_tells_what_was_compared(data_dir: Path) -> None:
    document = as_document(check(data_dir, "--json"))
    assert document.pop("blobs") > 1
    assert document == {"good": True, "channels": 1, "differences": [], "due": []}


def test_check_runs_beside_the_server_which_serves_what_was_mended(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server, server.client() as client:
        stock(server, tmp_path)
        index = "/api/repo/data/noarch/repodata_shards.msgpack.zst"
        before = client.get(index)
        execute(server.data_dir, "UPDATE shard SET body = x'00'")
        assert check(server.data_dir, "--repair").returncode == 0
        assert check(server.data_dir, "--deep").returncode == 0
        [digest] = read_shard_index(client.get(index).content)["shards"].values()
        assert read_shard_index(before.content)["shards"] == {"demo": digest}
        shard = read_shard(client.get(f"/api/repo/data/noarch/shards/{digest.hex()}.msgpack.zst").content)
        assert shard["packages.conda"].keys() == {FILENAME}
