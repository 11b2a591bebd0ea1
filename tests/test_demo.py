"""The demo does what it says, and the lines that it prints do the same when pasted into a shell."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def running_demo(folder: Path) -> Iterator[RunningDemo]:
    ports = {"PACKHOUSE_PORT": "0", "PACKHOUSE_TLS_PORT": "0"}  # two demos at a time must not race for 8080
    environment = {**os.environ, **ports, "CI": "", "TMPDIR": str(folder)}
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


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """One for the tests that only read what it printed, or paste it: it takes its time."""
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


def test_every_printed_command_works_when_pasted(demo: RunningDemo, tmp_path: Path) -> None:
    script = tmp_path / "pasted.sh"
    script.write_text("\n".join(f"{command}\necho; echo ---" for command in demo.pasted()))

    pasted = subprocess.run(["bash", script], cwd=ROOT, capture_output=True, text=True, timeout=240)
    answers = [answer.strip() for answer in pasted.stdout.split("---\n")]

    index, solved, greeting, nowhere = (answers[number] for number in (4, 5, 6, 8))
    assert '"repodata_version":1' in index
    assert solved.startswith("installed:")
    assert greeting == "Good morning, from a package that came out of your own Packhouse."
    assert nowhere == ""
    assert answers[-2].startswith('{"error":{"code":"upstream"')
    assert "login successful" in pasted.stderr
    assert "Channel 'demo' already exists." in pasted.stderr
    assert "greeting-2.0-0.conda successfully uploaded" in pasted.stderr
    assert "Spec demo::greeting/2.0 succesfully removed" in pasted.stderr
    assert "No candidates were found for greeting >=2" in pasted.stderr


def test_mirrored_packages_are_installed_without_their_upstream(demo: RunningDemo, tmp_path: Path) -> None:
    after_its_end = demo.pasted()[demo.pasted().index("kill $UPSTREAM") + 1 :]
    script = tmp_path / "pasted.sh"
    script.write_text("\n".join(after_its_end))

    pasted = subprocess.run(["bash", script], cwd=ROOT, capture_output=True, text=True, timeout=240)
    answers = pasted.stdout.splitlines()

    assert pasted.stderr == ""
    assert [answer.split()[0] for answer in answers[:4:2]] == ["installed:", "installed:"]
    assert answers[1:4:2] == ["What is in your own house, no storm takes away."] * 2
    assert "'noarch/limericks-1.0-0.conda' was never fetched" in answers[4]


def test_ctrl_c_stops_the_server_and_leaves_nothing(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        demo.process.send_signal(signal.SIGINT)

        assert demo.process.wait(timeout=30) == 0
    assert list(tmp_path.glob("packhouse-demo-*")) == []
