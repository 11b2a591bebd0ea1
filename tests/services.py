"""Starts the real servers that tests talk to, PostgreSQL and S3, once a test run and on first use.

A server belongs to a guard, a process of its own that runs this file: whichever test worker asks
first starts it, and it stops the server when the test run is over, however that ends.
"""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, flock
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import TypeAlias
from uuid import uuid4

import obstore
import psycopg
from obstore.exceptions import BaseError
from obstore.store import S3Store

Service: TypeAlias = Mapping[str, str]

# The test run's own process; workers inherit it from the environment of the one that started them.
RUN_PID = "PACKHOUSE_TEST_RUN_PID"
SECONDS_TO_START = 60


class ServiceUnavailable(Exception):
    """The message says what is missing and how to get it."""


def service(name: str, shared: Path) -> Service:
    """How to reach the server `name`, started if it is not; `shared` is a folder common to all workers."""
    run = os.environ[RUN_PID]
    answer = shared / f"{name}-{run}.json"
    with (shared / f"{name}-{run}.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not answer.exists():
            _start_guard(name, answer, run)
    return json.loads(answer.read_text())  # type: ignore[no-any-return]  # written by _guard


def _start_guard(name: str, answer: Path, run: str) -> None:
    log = answer.with_suffix(".log")
    with log.open("w") as output:
        guard = subprocess.Popen(
            [sys.executable, __file__, name, answer, run],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the test run, which this outlives by a moment
        )
    _wait_until(answer.exists, guard, log)
    guard.returncode = 0  # it ends after us: no "still running" warning when Python forgets it


def _guard(name: str, answer: Path, run: int) -> None:
    """Runs the server until the process `run` is gone."""
    watched = os.pidfd_open(run)
    with tempfile.TemporaryDirectory(prefix=f"packhouse-{name}-") as folder:
        with _SERVERS[name](Path(folder)) as found:
            draft = answer.with_suffix(".draft")
            draft.write_text(json.dumps(found))
            draft.rename(answer)
            select.select([watched], [], [])
        answer.unlink(missing_ok=True)


# PostgreSQL


@contextmanager
def _postgresql(folder: Path) -> Iterator[Service]:
    binaries = _postgresql_binaries()
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")  # PostgreSQL refuses to run as root
    data = folder / "data"
    create = [f"{binaries}/initdb", f"--pgdata={data}", "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    subprocess.run([*_as_postgres(), *create, "--locale=C.UTF-8", "--no-sync"], check=True)
    [port] = _free_ports(1)
    settings = ["listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "max_connections=300"]
    settings += ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum=off"]
    command = [*_as_postgres(), f"{binaries}/postgres", f"-D{data}", f"-p{port}"]
    command += [word for setting in settings for word in ("-c", setting)]
    found = {"host": "127.0.0.1", "port": str(port), "socket": str(folder)}
    with _running(command, partial(_postgresql_answers, found), stop=signal.SIGQUIT):
        yield found


def _postgresql_binaries() -> Path:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    initdb = str(versions[-1]) if versions else shutil.which("initdb")
    if initdb is None:
        raise ServiceUnavailable("PostgreSQL is not installed; run scripts/install-services.")
    return Path(initdb).parent


def _as_postgres() -> list[str]:
    """The server dies with the guard, and is not root."""
    user = ["--reuid", "postgres", "--regid", "postgres", "--clear-groups"] if os.getuid() == 0 else []
    return ["setpriv", "--pdeathsig", "QUIT", *user]


def _postgresql_answers(found: Service) -> bool:
    with suppress(psycopg.OperationalError):
        _connect(found).close()
        return True
    return False


def _connect(found: Service) -> psycopg.Connection:
    return psycopg.connect(
        host=found["host"], port=found["port"], user="postgres", dbname="postgres", autocommit=True
    )


@contextmanager
def fresh_database(found: Service, template: str = "template0") -> Iterator[str]:
    """The SQLAlchemy URL of a copy of `template`, dropped afterwards with whatever is still connected."""
    name = f"test_{uuid4().hex}"
    with _connect(found) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield f"postgresql+psycopg://postgres@{found['host']}:{found['port']}/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


# S3

S3_BUCKET = "packhouse-tests"


@contextmanager
def _s3(folder: Path) -> Iterator[Service]:
    keys = {"access_key_id": "tests", "secret_access_key": "tests-secret"}
    ports = dict(zip(_S3_PORTS, _free_ports(len(_S3_PORTS)), strict=True))
    found = {"endpoint": f"http://127.0.0.1:{ports['s3.port']}", "allow_http": "true", "region": "us-east-1"}
    found |= keys
    with _running(_seaweedfs_command(folder, keys, ports), partial(_s3_answers, found), stop=signal.SIGKILL):
        yield found
    for left in Path("/tmp").glob("seaweedfs-*-grpc-*.sock"):  # its choice; it has no option for them
        if int(left.stem.rpartition("-")[2]) in ports.values():
            left.unlink(missing_ok=True)


_S3_PORTS = [f"{role}.port{kind}" for role in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")]


def _seaweedfs_command(folder: Path, keys: Mapping[str, str], ports: Mapping[str, int]) -> list[str]:
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": keys["access_key_id"], "secretKey": keys["secret_access_key"]}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    identities = folder / "identities.json"
    identities.write_text(json.dumps({"identities": [identity]}))
    options = ["-filer", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}"]
    options += ["-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=100"]
    options += ["-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={identities}"]
    options += [f"-{role}.localSocket={folder}/{role}.sock" for role in ("filer", "s3")]
    options += [f"-{name}={port}" for name, port in ports.items()]
    logs = ["-logtostderr=true"]  # otherwise it writes log files to /tmp
    return ["setpriv", "--pdeathsig", "KILL", _seaweedfs_binary(), *logs, "server", *options]


def _seaweedfs_binary() -> str:
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    binary = shutil.which("weed", path=places)
    if binary is None:
        raise ServiceUnavailable("SeaweedFS (`weed`) is not installed; run `make install`.")
    return binary


def _s3_answers(found: Service) -> bool:
    """Writing makes the bucket, too; a server that only listens cannot do it yet."""
    store = S3Store(
        S3_BUCKET,
        endpoint=found["endpoint"],
        region=found["region"],
        access_key_id=found["access_key_id"],
        secret_access_key=found["secret_access_key"],
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    with suppress(BaseError, OSError):
        obstore.put(store, "ready", b"yes")
        return True
    return False


# Both


@contextmanager
def _running(command: list[str], answers: Callable[[], bool], stop: signal.Signals) -> Iterator[None]:
    process = subprocess.Popen(command)
    try:
        _wait_until(answers, process)
        yield
    finally:
        process.send_signal(stop)
        process.wait(SECONDS_TO_START)


def _wait_until(done: Callable[[], bool], process: subprocess.Popen[bytes], log: Path | None = None) -> None:
    end = monotonic() + SECONDS_TO_START
    while not done():
        if process.poll() is not None or monotonic() > end:
            raise ServiceUnavailable(log.read_text()[-2000:] if log else f"{process.args!r} did not start.")
        sleep(0.05)


def _free_ports(count: int) -> list[int]:
    """All held at once, so that no two are the same."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports


_SERVERS = {"postgresql": _postgresql, "s3": _s3}

if __name__ == "__main__":
    try:
        _guard(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    except ServiceUnavailable as unavailable:
        sys.exit(str(unavailable))
