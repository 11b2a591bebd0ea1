"""curl, as people and scripts use it: fetch, resume, ask again, publish."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import build_conda_package
from tests.live import LiveServer, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """With TLS, and a channel `tools` with a package `demo`."""
    folder = tmp_path_factory.mktemp("curl")
    with running_server(folder / "live", tls=True) as started:
        started.create_channel("tools")
        payload = {"share/demo/data": bytes(range(256)) * 4096}
        started.upload("tools", build_conda_package(folder, files=payload))
        yield started


def curl(*arguments: str) -> str:
    if shutil.which("curl") is None:
        pytest.fail("curl is not installed; Debian: apt-get install curl", pytrace=False)
    done = subprocess.run(["curl", "--silent", "--show-error", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_file_comes_whole(server: LiveServer, tmp_path: Path) -> None:
    package = server.data_dir.parent / "demo-1.0-0.conda"

    curl("-fO", "--output-dir", str(tmp_path), f"{server.url}/api/repo/tools/noarch/{package.name}")

    assert (tmp_path / package.name).read_bytes() == package.read_bytes()


def test_a_download_is_resumed(server: LiveServer, tmp_path: Path) -> None:
    package = server.data_dir.parent / "demo-1.0-0.conda"
    begun = tmp_path / package.name
    begun.write_bytes(package.read_bytes()[:1000])

    said = curl(
        "-f",
        "-C",
        "-",
        "-o",
        str(begun),
        "-w",
        "%{http_code}",
        f"{server.url}/api/repo/tools/noarch/{package.name}",
    )

    assert said == "206"
    assert begun.read_bytes() == package.read_bytes()


def test_an_index_that_has_not_changed_is_not_sent_again(server: LiveServer, tmp_path: Path) -> None:
    etag, url = str(tmp_path / "etag"), f"{server.url}/api/repo/tools/noarch/repodata_shards.msgpack.zst"
    write = ["-w", "%{http_code}", "-o", str(tmp_path / "index")]

    first = curl(*write, "--etag-save", etag, url)
    second = curl(*write, "--etag-compare", etag, url)

    assert (first, second) == ("200", "304")


def test_the_certificate_is_trusted_with_the_local_ca(server: LiveServer) -> None:
    ca = str(server.data_dir / "tls" / "ca.pem")

    assert curl("--cacert", ca, f"{server.tls_url}/healthz") == '{"status":"ok"}'


def test_a_package_is_published(server: LiveServer, tmp_path: Path) -> None:
    package = build_conda_package(tmp_path, "by-curl")

    status = curl(
        *("-w", "%{http_code}", "-o", str(tmp_path / "answer")),
        *("-H", f"Authorization: Bearer {server.log_in()}"),
        *("-F", f"content=@{package}"),
        f"{server.url}/api/channels/tools/artifacts",
    )

    assert status == "201"
