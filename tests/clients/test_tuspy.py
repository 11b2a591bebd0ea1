"""tus' own Python client against a running server: the protocol is spoken as others understand it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import LiveServer
from tests.web.test_upload import large_package

CLIENT = Path(__file__).with_name("tuspy_client.py")


@pytest.mark.parametrize("checksums", ["with-checksums", "without-checksums"])
def test_tuspy_sends_a_file_in_parts_and_goes_on_where_it_stopped(
    live_server: LiveServer, tmp_path: Path, checksums: str
) -> None:
    live_server.create_channel("tools")
    file, token = large_package(tmp_path, "demo", 1), live_server.log_in()

    done = subprocess.run(
        [sys.executable, CLIENT, f"{live_server.url}/api/uploads", token, file, "tools", checksums],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    went_on_at, upload_id = done.stdout.split()
    assert went_on_at == "600000"
    with live_server.client(token) as client:
        answer = client.post("/api/channels/tools/artifacts", json={"upload_id": upload_id})
    assert answer.status_code == 201, answer.text
    assert answer.json()["size"] == file.stat().st_size
