"""The demo, step by step; it leaves a server running until Ctrl-C, and ends by itself when CI=true."""

import os
import secrets
import shlex
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from demo import packages
from demo.install import solved
from demo.mirrors import show_mirrors
from demo.programs import CONDA_REPO, PACKHOUSE, PYTHON
from demo.told import by_hand, export, say, step, typed
from tests.live import LiveServer, running_server

CHANNEL = "demo"
STOP_HINT = "Ctrl-C stops it and removes all of it."
CREDENTIALS = ("CONDA_REPO_TOKEN", "ANACONDA_AUTH_API_KEY")


def main() -> None:
    password = secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="packhouse-demo-") as name:
        folder = Path(name)
        print("Packhouse: from the one who publishes a package to the one who runs it.")
        with _server(folder, password) as server:
            _log_in(server, folder, password)
            _publish(server, folder / "packages")
            _install(server, folder / "env")
            _remove(server, folder / "nowhere")
            show_mirrors(server.url, folder)
            _leave_running(server, folder / "packages", password)


@contextmanager
def _server(folder: Path, password: str) -> Iterator[LiveServer]:
    step("Start a server: one process, no services")
    http, https = _port("PACKHOUSE_PORT", 8080), _port("PACKHOUSE_TLS_PORT", 8443)
    ports = ["--port", str(http), "--tls-port", str(https)]
    # Mirrors may ask public addresses only, unless told otherwise; the demo's upstream is on this machine.
    chosen = {"PACKHOUSE_ADMIN_PASSWORD": password, "PACKHOUSE_ALLOW_PRIVATE_UPSTREAMS": "true"}
    data_dir = folder / "data"
    variables = " ".join(f"{name}={value}" for name, value in chosen.items())
    by_hand(f"{variables} {PACKHOUSE} serve --data-dir {data_dir} {shlex.join(ports)}")
    started = perf_counter()
    with running_server(data_dir, *ports, environment=chosen, tls=True) as server:
        say(f"answers at {server.url} and {server.tls_url} after {perf_counter() - started:.1f} s")
        yield server


def _port(setting: str, usual: int) -> int:
    """The one that the environment sets, else the usual one if nobody uses it, else any (0)."""
    if setting in os.environ:
        return int(os.environ[setting])
    try:
        with socket.create_server(("127.0.0.1", usual)):
            return usual
    except OSError:
        return 0


def _log_in(server: LiveServer, folder: Path, password: str) -> None:
    step("Log in and create a channel")
    say("The two variables keep the demo out of your own configuration.")
    export(CONDA_REPO_URL=server.url, ANACONDA_CONFIG_TOML=str(folder / "config.toml"))
    typed(f"echo {password} | {CONDA_REPO} login --username admin --password-stdin")
    typed(f"{CONDA_REPO} channel --create {CHANNEL}")


def _publish(server: LiveServer, folder: Path) -> None:
    step("Build four small packages and publish them")
    packages.build(folder)
    typed(f"{CONDA_REPO} upload {folder}/* --channel {CHANNEL}")
    started = perf_counter()
    say("In the shard index since each upload was answered; repodata.json follows in the background:")
    by_hand(f"curl -s {server.url}/api/repo/{CHANNEL}/noarch/repodata.json")
    listed = server.wait_until_indexed(CHANNEL, "noarch", *(file.name for file in folder.iterdir()))
    count = len(listed["packages"]) + len(listed["packages.conda"])
    say(f"lists {count} packages, at most {(perf_counter() - started) * 1000:.0f} ms after the last upload")


def _install(server: LiveServer, prefix: Path) -> None:
    step("Install the program elsewhere, as a data scientist does")
    channel = f"{server.url}/api/repo/{CHANNEL}"
    say(f"with conda: conda create -p ./env -c {channel} greet")
    say("with py-rattler, the engine of pixi, which is at hand here:")
    typed(f"{PYTHON} -m demo.install {channel} greet {prefix}")
    typed(f"{prefix}/bin/greet")


def _remove(server: LiveServer, nowhere: Path) -> None:
    step("Remove one build; the next solve does not find it")
    typed(f"{CONDA_REPO} remove {CHANNEL}::greeting/2.0 --yes")
    channel = f"{server.url}/api/repo/{CHANNEL}"
    [found] = [record for record in solved(channel, "greet") if record.name.normalized == "greeting"]
    say(f"greet would now be installed with {found.file_name}")
    typed(f"{PYTHON} -m demo.install {channel} 'greeting >=2' {nowhere}", fails=True)


def _leave_running(server: LiveServer, files: Path, password: str) -> None:
    step("It is yours now")
    say(f"address   {server.url}   (TLS: {server.tls_url}, signed by {server.data_dir}/tls/ca.pem)")
    say(f"log in    admin / {password}")
    say(f"packages  {files}")
    if os.environ.get("CI") == "true":
        say("CI=true: stopping.")
        return
    say(STOP_HINT)
    signal.pause()


if __name__ == "__main__":
    for number in (
        signal.SIGTERM,
        signal.SIGINT,
    ):  # a shell starts what runs in the background deaf to SIGINT
        signal.signal(number, signal.default_int_handler)
    for name in ("NO_PROXY", "no_proxy"):  # all traffic stays on this machine
        os.environ[name] = "127.0.0.1"
    for name in CREDENTIALS:  # those of another server would be sent to this one
        os.environ.pop(name, None)
    try:
        main()
    except KeyboardInterrupt:
        print("\nStopped.")
