"""A Packhouse under test: its process, and a client that speaks to it over one kept-alive connection."""

import datetime
import http.client
import json
import os
import sys
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import zstandard
from processes import Server, free_port

ADMIN_PASSWORD = "correct-horse-battery"  # of a throw-away server on the loopback interface
BOUNDARY = "packhouse-bench-7f3c1d5a9b"


class UnexpectedAnswer(RuntimeError):
    """A server under test refused what the benchmark asked for."""


@dataclass(frozen=True)
class Answer:
    """A whole response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def parsed(self) -> Any:
        return json.loads(self.body)

    def decompressed(self) -> bytes:
        """The content of a .zst file, whether or not its frame tells the size."""
        return zstandard.ZstdDecompressor().decompressobj().decompress(self.body)


class Connection:
    """One kept-alive HTTP connection with fixed headers; reconnects when the server has closed it."""

    def __init__(self, base: str, headers: Mapping[str, str] | None = None) -> None:
        self.base = base
        self._headers = dict(headers or {})
        self._connection = http.client.HTTPConnection(urllib.parse.urlsplit(base).netloc, timeout=300)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request and read the answer, whatever its status."""
        try:
            return self._ask_once(method, path, body, headers or {})
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self._connection.close()
            return self._ask_once(method, path, body, headers or {})

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("GET", path, headers=headers)

    def expect(self, status: int, method: str, path: str, body: Any = None) -> Answer:
        """Send JSON and insist on `status`; raises UnexpectedAnswer."""
        content = None if body is None else json.dumps(body).encode()
        answer = self.ask(method, path, content, {"Content-Type": "application/json"} if content else {})
        return checked(answer, status, f"{method} {path}")

    def close(self) -> None:
        self._connection.close()

    def _ask_once(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        self._connection.request(method, path, body, {**self._headers, **headers})
        response = self._connection.getresponse()
        return Answer(response.status, response.headers, response.read())


def checked(answer: Answer, status: int, what: str) -> Answer:
    if answer.status != status:
        raise UnexpectedAnswer(f"{what}: {answer.status}, not {status}: {answer.body[:300]!r}")
    return answer


def form(fields: Mapping[str, str], file_field: str, path: Path) -> tuple[bytes, dict[str, str]]:
    """A multipart body with one file, and the header that names its boundary."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    opening = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{file_field}"; filename="{path.name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = "".join([*parts, opening]).encode() + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def upload(connection: Connection, channel: str, path: Path) -> None:
    """Publish one .conda file; raises UnexpectedAnswer."""
    body, headers = form({"filetype": "conda1", "size": str(path.stat().st_size)}, "content", path)
    answer = connection.ask("POST", f"/api/channels/{channel}/artifacts", body, headers)
    checked(answer, 201, f"upload of {path.name} into {channel}")


class House:
    """A running Packhouse on a free port of the loopback interface; use it as a context manager."""

    def __init__(self, data_dir: Path, log: Path, variables: Mapping[str, str] | None = None) -> None:
        """`variables`: settings in its environment, beside those that every house under test has."""
        self.base = f"http://127.0.0.1:{free_port()}"
        self.data_dir = data_dir
        own = {**serve_variables(), **(variables or {})}
        self.server = Server(serve_command(data_dir, self.base), log, own)

    def __enter__(self) -> Self:
        self.server.await_ready(f"{self.base}/readyz")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.stop()

    def log_in(self) -> Connection:
        """A connection of the administrator."""
        return Connection(self.base, {"Authorization": f"Bearer {self._session_token()}"})

    def make_token(self) -> str:
        """A token with every scope, as an installer would have it."""
        connection = self.log_in()
        scopes = connection.expect(200, "GET", "/api/account/scopes").parsed()["scopes"]
        expires = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=30)
        wish = {"name": f"bench-{os.getpid()}", "expires_at": expires.isoformat(), "scopes": scopes}
        token: str = connection.expect(200, "POST", "/api/account/tokens", wish).parsed()["token"]
        return token

    def _session_token(self) -> str:
        credentials = {"username": "admin", "password": ADMIN_PASSWORD}
        answer = Connection(self.base).expect(200, "POST", "/api/auth/login", credentials)
        token: str = answer.parsed()["token"]
        return token


def serve_command(data_dir: Path, base: str) -> list[str]:
    address = urllib.parse.urlsplit(base)
    # No line per request, as nginx is measured too.
    place = [
        "--host",
        str(address.hostname),
        "--port",
        str(address.port),
        "--no-tls",
        "--log-level",
        "warning",
    ]
    return [sys.executable, "-m", "packhouse", "serve", "--data-dir", str(data_dir), *place]


def serve_variables() -> dict[str, str]:
    return {"PACKHOUSE_ADMIN_PASSWORD": ADMIN_PASSWORD}


def ensure_channel(connection: Connection, name: str, privacy: str = "public") -> None:
    """Create the channel unless it exists."""
    if connection.get(f"/api/channels/{name}").status != 200:
        connection.expect(201, "POST", "/api/channels", {"name": name, "privacy": privacy})
