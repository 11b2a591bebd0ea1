"""The second half of the demo: two mirrors of somebody else's channel, and what they are good for when it is gone."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from demo import packages
from demo.programs import CONDA_REPO, PYTHON
from demo.told import by_hand, say, step, typed

PASSIVE, ACTIVE = "demo/passive", "demo/active"


def show_mirrors(server: str, folder: Path) -> None:
    """Needs a log-in and the channel `demo`, in which each mirror gets a channel of its own."""
    with _upstream(folder / "upstream") as upstream:
        _mirror_passively(upstream)
        _mirror_actively(upstream)
        step("Install through the passive mirror: what is asked for comes now, is checked, and stays")
        _install_fortune(server, PASSIVE, folder / "from-passive")
    _without_upstream(server, folder)


@contextmanager
def _upstream(folder: Path) -> Iterator[str]:
    step("Somebody else's channel: four packages in a folder, behind the simplest of web servers")
    packages.build_channel(folder)
    serving = ["-m", "http.server", "--bind", "127.0.0.1", "--directory", str(folder)]
    command = [sys.executable, "-u", *serving, "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            port = _port_of(process)
            by_hand(f"{PYTHON} {shlex.join(serving)} {port} >/dev/null 2>&1 & UPSTREAM=$!")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _port_of(process: "subprocess.Popen[str]") -> int:
    """Free ports are known to the kernel alone, so the web server takes one and says which."""
    assert process.stdout is not None
    said = process.stdout.readline()
    found = re.search(r"port (\d+)", said)
    if found is None:
        raise RuntimeError(f"The web server of the upstream did not start: {said!r}")
    return int(found[1])


def _mirror_passively(upstream: str) -> None:
    step("Mirror it passively: all of it is listed at once, nothing is fetched yet")
    typed(f"{CONDA_REPO} channel --create {PASSIVE}")
    typed(f"{CONDA_REPO} mirror --create all --channel {PASSIVE} --source {upstream} --wait")


def _mirror_actively(upstream: str) -> None:
    step("Mirror it actively: a program and all that it needs, fetched now")
    chosen = f"--source {upstream} --mode active --only_spec fortune --include-dependencies"
    typed(f"{CONDA_REPO} channel --create {ACTIVE}")
    say("What would come? A preview reads the indexes alone:")
    typed(f"{CONDA_REPO} mirror --create chosen --channel {ACTIVE} {chosen} --dry-run")
    typed(f"{CONDA_REPO} mirror --create chosen --channel {ACTIVE} {chosen} --wait")
    typed(f"{CONDA_REPO} mirror --changes chosen")


def _without_upstream(server: str, folder: Path) -> None:
    step("Switch the upstream off: what was fetched can still be installed, by a client with an empty cache")
    by_hand("kill $UPSTREAM")
    _install_fortune(server, PASSIVE, folder / "from-passive-again")
    _install_fortune(server, ACTIVE, folder / "from-active")
    say("What nobody had asked for is listed, and cannot be had. Installers tell the status, the server why:")
    limericks = f"{server}/api/repo/{PASSIVE}/noarch/limericks-1.0-0.conda"
    by_hand(f"curl -s {limericks}")
    say(_why_not(limericks))


def _why_not(address: str) -> str:
    answer = httpx.get(address, timeout=60, verify=False)
    if answer.is_success:
        raise RuntimeError(f"{address} is served, though its upstream is gone.")
    return f"{answer.status_code} {answer.reason_phrase}: {answer.json()['message']}"


def _install_fortune(server: str, channel: str, prefix: Path) -> None:
    typed(f"{PYTHON} -m demo.install {server}/api/repo/{channel} fortune {prefix}")
    typed(f"{prefix}/bin/fortune")
