"""The demo, step by step; it leaves a server running until Ctrl-C, and ends by itself when CI=true."""

import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from rattler.exceptions import SolverError

from demo import packages
from demo.install import installed, solved
from demo.told import by_hand, say, step
from packhouse_client.client import PackhouseClient
from tests.live import LiveServer, running_server

CHANNEL = "demo"
WORDS = "noarch/greeting-2.0-0.conda"
STOP_HINT = "Ctrl-C stops it and removes all of it."
AS_JSON = "-H 'Content-Type: application/json'"
AS_ADMIN = '-H "Authorization: Bearer $TOKEN"'
PYTHON = os.path.relpath(sys.executable) if sys.executable.startswith(str(Path.cwd())) else sys.executable


def main() -> None:
    password = secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="packhouse-demo-") as folder:
        print("Packhouse: from the one who publishes a package to the one who runs it.")
        with _server(Path(folder), password) as server, PackhouseClient(server.url) as client:
            _log_in(client, password)
            files = _publish(client, server, Path(folder))
            _install(server, Path(folder) / "env")
            _remove(client, server)
            _leave_running(server, files[-1].parent, password)


@contextmanager
def _server(folder: Path, password: str) -> Iterator[LiveServer]:
    step("Start a server: one process, no services")
    http, https = _port("PACKHOUSE_PORT", 8080), _port("PACKHOUSE_TLS_PORT", 8443)
    ports = ["--port", str(http), "--tls-port", str(https)]
    chosen = {"PACKHOUSE_ADMIN_PASSWORD": password}
    data_dir = folder / "data"
    by_hand(
        f"PACKHOUSE_ADMIN_PASSWORD={password} {_program()} serve --data-dir {data_dir} {shlex.join(ports)}"
    )
    started = perf_counter()
    with running_server(data_dir, *ports, environment=chosen, tls=True) as server:
        say(f"answers at {server.url} and {server.tls_url} after {perf_counter() - started:.1f} s")
        yield server


def _program() -> str:
    return f"{Path(PYTHON).parent}/packhouse"


def _port(setting: str, usual: int) -> int:
    """The one that the environment sets, else the usual one if nobody uses it, else any (0)."""
    if setting in os.environ:
        return int(os.environ[setting])
    try:
        with socket.create_server(("127.0.0.1", usual)):
            return usual
    except OSError:
        return 0


def _log_in(client: PackhouseClient, password: str) -> None:
    step("Log in and create a channel")
    body = json.dumps({"username": "admin", "password": password})
    take_token = f"{PYTHON} -c 'import json, sys; print(json.load(sys.stdin)[\"token\"])'"
    by_hand(
        f"TOKEN=$(curl -s {client.url}/api/auth/login {AS_JSON} -d '{body}' | {take_token})",
        f"curl -s {client.url}/api/channels {AS_ADMIN} {AS_JSON} -d '{json.dumps({'name': CHANNEL})}'",
    )
    client.log_in("admin", password)
    created = client.create_channel(CHANNEL)
    say(f"channel '{created['name']}', {created['privacy']}, owned by {created['owners'][0]}")


def _publish(client: PackhouseClient, server: LiveServer, folder: Path) -> list[Path]:
    step("Build four small packages and publish them")
    files = packages.build(folder / "packages")
    for file in files:
        by_hand(f"curl -s {client.url}/api/channels/{CHANNEL}/artifacts {AS_ADMIN} -F content=@{file}")
        started = perf_counter()
        sent = client.upload(CHANNEL, file)
        say(f"{sent['ckey']}  {sent['size']} bytes, in {(perf_counter() - started) * 1000:.0f} ms")
    say("In the shard index since each upload was answered; repodata.json follows in the background:")
    by_hand(f"curl -s {server.url}/api/repo/{CHANNEL}/noarch/repodata.json")
    started = perf_counter()
    listed = server.wait_until_indexed(CHANNEL, "noarch", *(file.name for file in files))
    count = len(listed["packages"]) + len(listed["packages.conda"])
    say(f"lists {count} packages, {(perf_counter() - started) * 1000:.0f} ms after the last upload")
    return files


def _install(server: LiveServer, prefix: Path) -> None:
    step("Install the program elsewhere, as a data scientist does")
    channel = f"{server.url}/api/repo/{CHANNEL}"
    say(f"with conda: conda create -p ./env -c {channel} greet")
    say("with py-rattler, the engine of pixi, which is at hand here:")
    by_hand(f"{PYTHON} -m demo.install {channel} greet {prefix}")
    records = solved(channel, "greet")
    installed(records, prefix)
    for record in records:
        say(f"{record.file_name}  from {record.url}")
    program = prefix / "bin" / "greet"
    by_hand(str(program))
    say(subprocess.run([program], capture_output=True, text=True, check=True).stdout)


def _remove(client: PackhouseClient, server: LiveServer) -> None:
    step("Remove one build; the next solve does not find it")
    item = {"name": "greeting", "family": "conda", "ckey": WORDS}
    body = json.dumps({"action": "delete", "items": [item]})
    bulk = f"{client.url}/api/channels/{CHANNEL}/artifacts/bulk"
    by_hand(f"curl -s -X PUT {bulk} {AS_ADMIN} {AS_JSON} -d '{body}'")
    client.delete_artifacts(CHANNEL, [item])
    channel = f"{server.url}/api/repo/{CHANNEL}"
    [found] = [record for record in solved(channel, "greet") if record.name.normalized == "greeting"]
    say(f"greet would now be installed with {found.file_name}")
    by_hand(f"{PYTHON} -m demo.install {channel} 'greeting >=2' ./nowhere")
    say(_why_not(channel, "greeting >=2"))


def _why_not(channel: str, spec: str) -> str:
    try:
        solved(channel, spec)
    except SolverError as error:
        return str(error)
    raise RuntimeError(f"'{spec}' was removed from {channel}, and is still found.")


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
    try:
        main()
    except KeyboardInterrupt:
        print("\nStopped.")
