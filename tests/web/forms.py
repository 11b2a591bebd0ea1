"""Multipart forms as clients send them, and as none should; and what every refusal looks like."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.asgi import Response
from tests.house import House

BOUNDARY = "----packhouse-tests"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def part(name: str, value: bytes | str, filename: str | None = None, *headers: str) -> bytes:
    """One part; `headers` are whole lines that follow its Content-Disposition."""
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    head = "\r\n".join([disposition, *headers]).encode()
    return head + b"\r\n\r\n" + (value.encode() if isinstance(value, str) else value)


def form(*parts: bytes, end: bytes = f"--{BOUNDARY}--\r\n".encode()) -> bytes:
    return b"".join(f"--{BOUNDARY}\r\n".encode() + one + b"\r\n" for one in parts) + end


def package_form(package: Path, **fields: str) -> bytes:
    """What existing clients send: the file, its type and its size."""
    data = package.read_bytes()
    chosen = {"filetype": "conda1", "size": str(len(data)), **fields}
    return form(part("content", data, package.name), *(part(name, value) for name, value in chosen.items()))


def send_form(house: House, channel: str, body: bytes, token: str | None, **options: Any) -> Response:
    headers = {"content-type": FORM_TYPE, **options.pop("headers", {})}
    return house.request("POST", f"/api/channels/{channel}/artifacts", token, headers, body=body, **options)


def upload(house: House, channel: str, package: Path, token: str | None) -> Response:
    return send_form(house, channel, package_form(package), token)


def assert_refused(answer: Response, status: int, code: str, says: str = "") -> None:
    """The one envelope; `error` is an object because a text in its place crashes existing clients."""
    assert answer.status == status, answer.body
    body: Mapping[str, Any] = answer.json()
    assert body == {
        "error": {"code": code, "message": body["message"]},
        "code": code,
        "message": body["message"],
    }
    assert says in body["message"]
    assert answer.headers["content-type"] == "application/json"
