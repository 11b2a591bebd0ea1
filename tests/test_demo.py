"""The demo does what it says, and the lines that it prints do the same when pasted into a shell."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.__main__ import STOP_HINT

PROMPT = "   $ "
ROOT = Path(__file__).parent.parent


class RunningDemo:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.lines: list[str] = []
        for line in process.stdout:
            self.lines.append(line.rstrip("\n"))
            if STOP_HINT in line:
                break

    def pasted(self) -> list[str]:
        """The commands after the first, which starts the server."""
        return [line.removeprefix(PROMPT) for line in self.lines if line.startswith(PROMPT)][1:]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[RunningDemo]:
    ports = {"PACKHOUSE_PORT": "0", "PACKHOUSE_TLS_PORT": "0"}  # two demos at a time must not race for 8080
    environment = {**os.environ, **ports, "CI": "", "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "demo"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            yield RunningDemo(process)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:  # and the test run goes on
                process.kill()
                raise


def test_every_printed_command_works_when_pasted(demo: RunningDemo, tmp_path: Path) -> None:
    script = tmp_path / "pasted.sh"
    script.write_text("\n".join(f"{command}\necho; echo ---" for command in demo.pasted()))

    pasted = subprocess.run(["bash", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    answers = [answer.strip() for answer in pasted.stdout.split("---")]

    _, channel, first, removed, third, fourth, index, install, greeting, delete, nowhere, _ = answers
    assert "Channel 'demo' already exists." in channel
    assert all('"ckey":"noarch/' in answer for answer in (first, removed, third, fourth))
    assert '"repodata_version":1' in index
    assert install.startswith("installed:")
    assert greeting == "Good morning, from a package that came out of your own Packhouse."
    assert delete == '{"action":"delete","count":1}'
    assert nowhere == ""
    assert "No candidates were found for greeting >=2" in pasted.stderr


def test_ctrl_c_stops_the_server_and_leaves_nothing(demo: RunningDemo, tmp_path: Path) -> None:
    demo.process.send_signal(signal.SIGINT)

    assert demo.process.wait(timeout=30) == 0
    assert list(tmp_path.glob("packhouse-demo-*")) == []
