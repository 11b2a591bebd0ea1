"""A client for an ASGI application in this process, which can do what Granian can (`pathsend`)."""

import asyncio
import json as json_module
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote


@dataclass
class Response:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    sent_file: str | None = None
    """The path that was handed to the server to send, if the answer is a file."""

    def json(self) -> Any:
        return json_module.loads(self.body)


def request(
    application: Any,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    json: Any = None,
    body: bytes = b"",
    is_cut: bool = False,
) -> Response:
    """One request. `is_cut` breaks the connection where the body ends, before its announced end."""
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    if json is not None:
        body = json_module.dumps(json).encode()
        sent.setdefault("content-type", "application/json")
    sent.setdefault("host", "packhouse.test")
    raw_path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
        "client": ("127.0.0.1", 5000),
        "server": ("packhouse.test", 80),
        "extensions": {"http.response.pathsend": {}},
    }
    return asyncio.run(_exchange(application, scope, body, is_cut))


async def _exchange(application: Any, scope: dict[str, Any], body: bytes, is_cut: bool) -> Response:
    response = Response()
    messages = [{"type": "http.request", "body": body, "more_body": is_cut}]
    messages += [{"type": "http.disconnect"}] * is_cut

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        return await asyncio.Event().wait()  # type: ignore[return-value]  # nothing more ever comes

    async def send(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            response.status = message["status"]
            response.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
        elif message["type"] == "http.response.pathsend":
            response.sent_file = message["path"]
            response.body = await asyncio.to_thread(Path(message["path"]).read_bytes)
        else:
            response.body += message.get("body", b"")

    await application(scope, receive, send)
    return response
