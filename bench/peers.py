"""The rivals: nginx on static files, a quetz deployment, and the indexer of py-rattler on a folder."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from house import Connection, checked, form
from processes import Server, free_port
from rattler.index import index_fs

NGINX_CONFIGURATION = """\
worker_processes 2; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  log_format requests '$status $body_bytes_sent $request_uri'; access_log {access_log};
  sendfile on; keepalive_requests 1000000; default_type application/octet-stream;
  types {{ application/json json; application/zstd zst; }}
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {root}; etag on; }}
}}
"""


def nginx_program() -> str | None:
    """Where nginx is; Debian keeps it in a folder that a user's PATH often lacks."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")


class Nginx:
    """nginx serving `root`, tuned for it: sendfile, no access log unless asked for, connections kept alive."""

    def __init__(self, program: str, root: Path, folder: Path, access_log: Path | None = None) -> None:
        """`access_log`: a line a request, its status, the bytes of the answer's body, and what was asked for."""
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.base = f"http://127.0.0.1:{port}"
        configuration = folder / "nginx.conf"
        place = "off" if access_log is None else f"{access_log} requests"
        configuration.write_text(
            NGINX_CONFIGURATION.format(folder=folder, root=root, port=port, access_log=place)
        )
        self.server = Server(
            [program, "-c", str(configuration), "-e", str(folder / "error.log")], folder / "nginx.log"
        )

    def __enter__(self) -> Self:
        self.server.await_ready(f"{self.base}/ready.txt")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.stop()


class Quetz:
    """quetz 0.10 on SQLite in a fresh deployment, with one API key of an owner."""

    def __init__(self, environment: Path, folder: Path) -> None:
        self._program = environment / "bin" / "quetz"
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._run("create", str(folder), "--create-conf", "--dev")
        self.key = self._make_owner()
        port = free_port()
        self.base = f"http://127.0.0.1:{port}"
        command = [str(self._program), "start", folder.name, "--host", "127.0.0.1", "--port", str(port)]
        log = folder.parent / "quetz.out"
        self.server = Server(
            [*command, "--log-level", "warning"], log, {"PYTHONWARNINGS": "ignore"}, folder.parent
        )

    def __enter__(self) -> Self:
        self.server.await_ready(f"{self.base}/api/channels")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.stop()

    def log_in(self) -> Connection:
        return Connection(self.base, self.credentials)

    @property
    def credentials(self) -> dict[str, str]:
        return {"X-API-Key": self.key}

    def create_channel(self, name: str, private: bool) -> None:
        self.log_in().expect(201, "POST", "/api/channels", {"name": name, "private": private})

    def upload(self, channel: str, package: Path) -> None:
        body, headers = form({}, "files", package)
        answer = self.log_in().ask("POST", f"/api/channels/{channel}/files/", body, headers)
        checked(answer, 201, f"quetz upload of {package.name}")

    def place(self, channel: str, path: str, content: bytes) -> None:
        """Put a file into its package store by hand; it serves whatever lies there."""
        target = self.folder / "channels" / channel / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def _run(self, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
        subprocess.run(
            [self._program, *arguments],
            cwd=self.folder.parent,
            env=environment,
            check=True,
            capture_output=True,
        )

    def _make_owner(self) -> str:
        """`--dev` makes a key for a random user; which one does not matter once all are owners."""
        database = sqlite3.connect(self.folder / "quetz.sqlite")
        with database:
            database.execute("update users set role = 'owner'")
            key: str = database.execute("select key from api_keys").fetchone()[0]
        database.close()
        return key


class RattlerFolder:
    """A channel in a folder, indexed by py-rattler's `index_fs` with every file format that we serve."""

    def __init__(self, folder: Path, subdir: str, packages: list[Path]) -> None:
        self._folder = folder
        self._subdir = folder / subdir
        shutil.rmtree(folder, ignore_errors=True)
        self._subdir.mkdir(parents=True)
        (folder / "noarch").mkdir()
        for path in packages:
            os.link(path, self._subdir / path.name)
        self.first_index_seconds = self._index()

    def publish(self, package: Path) -> float:
        """Add one file and index again; seconds of the indexing, after which both indexes lie there."""
        os.link(package, self._subdir / package.name)
        return self._index()

    @property
    def zst_bytes(self) -> int:
        return (self._subdir / "repodata.json.zst").stat().st_size

    def _index(self) -> float:
        started = time.monotonic()
        asyncio.run(index_fs(self._folder, write_zst=True, write_shards=True))
        return time.monotonic() - started
