"""py-rattler against a running server: all three forms of the index, and a package that runs once installed."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from rattler.exceptions import SolverError

from tests.builders import PREFIX_PLACEHOLDER, build_conda_package
from tests.clients.rattler_client import WAYS, Rattler
from tests.live import LiveServer, running_server

GREETING = f'#!/bin/sh\necho "Hello from $(cat {PREFIX_PLACEHOLDER}/share/words/name.txt)"\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """With a channel `tools` of three packages, of which `greet` needs the other two."""
    folder = tmp_path_factory.mktemp("rattler")
    packages = [
        build_conda_package(folder, "words", "1.0", files={"share/words/name.txt": b"an old house"}),
        build_conda_package(folder, "words", "2.0", files={"share/words/name.txt": b"Packhouse"}),
        build_conda_package(folder, "base", extension=".tar.bz2"),
        build_conda_package(
            folder,
            "greet",
            subdir="linux-64",
            depends=["words >=1.5", "base"],
            files={"bin/greet": GREETING.encode()},
        ),
    ]
    with running_server(folder / "live") as started:
        started.create_channel("tools")
        for package in packages:
            assert started.upload("tools", package).status_code == 201
        started.wait_until_indexed(
            "tools", "noarch", "words-1.0-0.conda", "words-2.0-0.conda", "base-1.0-0.tar.bz2"
        )
        started.wait_until_indexed("tools", "linux-64", "greet-1.0-0.conda")
        yield started


@pytest.mark.parametrize("way", WAYS)
def test_an_installed_program_runs(server: LiveServer, tmp_path: Path, way: str) -> None:
    rattler = Rattler(tmp_path, way)
    records = rattler.solve(f"{server.url}/api/repo/tools", "greet")

    rattler.install(tmp_path / "prefix", records)

    greeted = subprocess.run([tmp_path / "prefix/bin/greet"], capture_output=True, text=True, check=True)
    assert greeted.stdout == "Hello from Packhouse\n"
    assert {record.file_name for record in records} == {
        "greet-1.0-0.conda",
        "words-2.0-0.conda",
        "base-1.0-0.tar.bz2",
    }


@pytest.mark.parametrize("way", WAYS)
def test_a_version_that_is_not_there_is_not_found(server: LiveServer, tmp_path: Path, way: str) -> None:
    with pytest.raises(SolverError, match=r"words >=3"):
        Rattler(tmp_path, way).solve(f"{server.url}/api/repo/tools", "words >=3")


@pytest.mark.parametrize("way", WAYS)
def test_an_empty_channel_is_readable(server: LiveServer, tmp_path: Path, way: str) -> None:
    server.create_channel(f"empty-{way}")
    server.wait_until_indexed(f"empty-{way}", "noarch")

    found = Rattler(tmp_path, way).records(f"{server.url}/api/repo/empty-{way}", ["words"], ["noarch"])

    assert found == {}


def test_a_published_package_is_in_the_shards_before_the_upload_is_answered(
    server: LiveServer, tmp_path: Path
) -> None:
    server.create_channel("at-once")
    server.upload("at-once", build_conda_package(tmp_path, "fresh"))

    solved = Rattler(tmp_path).solve(f"{server.url}/api/repo/at-once", "fresh")

    assert [record.file_name for record in solved] == ["fresh-1.0-0.conda"]


def test_a_removed_package_is_gone_from_the_shards_at_once(server: LiveServer, tmp_path: Path) -> None:
    server.create_channel("shrinking")
    for version in ("1.0", "2.0"):
        server.upload("shrinking", build_conda_package(tmp_path, "tool", version))
    item = {"name": "tool", "family": "conda", "ckey": "noarch/tool-2.0-0.conda"}
    with server.client() as client:
        client.put("/api/channels/shrinking/artifacts/bulk", json={"action": "delete", "items": [item]})

    solved = Rattler(tmp_path).solve(f"{server.url}/api/repo/shrinking", "tool")

    assert [record.file_name for record in solved] == ["tool-1.0-0.conda"]


def test_a_subchannel_is_a_channel_of_its_own(server: LiveServer, tmp_path: Path) -> None:
    server.create_channel("parent")
    server.create_channel("parent/child")
    server.upload("parent/child", build_conda_package(tmp_path, "inner"))

    solved = Rattler(tmp_path).solve(f"{server.url}/api/repo/parent/child", "inner")

    assert [record.file_name for record in solved] == ["inner-1.0-0.conda"]
    with pytest.raises(SolverError):
        Rattler(tmp_path / "other").solve(f"{server.url}/api/repo/parent", "inner")
