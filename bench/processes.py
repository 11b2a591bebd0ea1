"""Starts, awaits, weighs and stops the servers under test."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


class NotReady(RuntimeError):
    """A server ended, or did not answer, before it was ready."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One server process (and its children), its output kept in a log file."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        variables: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        environment = {**os.environ, **(variables or {})}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, env=environment, cwd=folder, start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def await_ready(self, url: str, timeout: float = 60.0) -> float:
        """Seconds (by the monotonic clock) at which `url` first answered 200."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise NotReady(
                    f"{self._process.args!r} ended with {self._process.returncode}; see {self.log}"
                )
            if _answers(url):
                return time.monotonic()
            time.sleep(0.01)
        self.stop()
        raise NotReady(f"{url} did not answer within {timeout:.0f} s; see {self.log}")

    def stop(self, timeout: float = 30.0) -> None:
        """Ask the process to end, then end it; children that it left behind go with it."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return False
    except OSError:
        return False


def resident_bytes(pid: int) -> int:
    """Memory of a process and its descendants; pages that several share are counted once (PSS)."""
    return sum(_proportional_set_size(member) for member in family(pid))


def forget_peak(pid: int) -> None:
    """Let `peak_bytes` begin anew, from what is resident now."""
    for member in family(pid):
        Path(f"/proc/{member}/clear_refs").write_text("5")


def peak_bytes(pid: int) -> int:
    """The most that a process and its descendants had resident; pages that several share count for each."""
    return sum(_high_water_mark(member) for member in family(pid))


def family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from family(int(child))


def _proportional_set_size(pid: int) -> int:
    return _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss:")


def _high_water_mark(pid: int) -> int:
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmHWM:")


def _kilobytes(path: Path, label: str) -> int:
    for line in path.read_text().splitlines():
        if line.startswith(label):
            return int(line.split()[1]) * 1024
    return 0
