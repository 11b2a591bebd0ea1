"""The ways in which an upstream of the tests misbehaves: each turns an honest answer into another one."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

PAGE = b"<!DOCTYPE html><title>Welcome</title><h1>Please log in</h1>"


@dataclass
class Asked:
    """One request, and what came of it. `sent` counts bytes of the body; `completed` means all of them."""

    method: str
    path: str
    headers: Mapping[str, str]
    at: float
    status: int = 0
    sent: int = 0
    completed: bool = False

    @property
    def range(self) -> str | None:
        return self.headers.get("range")


@dataclass(frozen=True)
class Plan:
    """The answer as it is going to be; a misbehaviour makes another one of it."""

    asked: Asked
    status: int
    headers: dict[str, str]
    body: bytes | memoryview
    whole: bytes | memoryview
    length: int | None = None
    """What Content-Length says, if not the truth."""
    bytes_per_second: float | None = None
    cut_at: int | None = None
    hang_at: int | None = None
    is_silent: bool = False

    def with_headers(self, **headers: str) -> "Plan":
        return replace(self, headers={**self.headers, **headers})

    def with_whole(self, status: int, whole: bytes | memoryview) -> "Plan":
        headers = {name: value for name, value in self.headers.items() if name != "Content-Range"}
        return replace(self, status=status, headers=headers, body=whole, whole=whole)


Misbehaviour = Callable[[Plan], Plan]


def slow(bytes_per_second: float) -> Misbehaviour:
    return lambda plan: replace(plan, bytes_per_second=bytes_per_second)


def hang_before() -> Misbehaviour:
    """Takes the request and says nothing."""
    return lambda plan: replace(plan, is_silent=True)


def hang_after(size: int) -> Misbehaviour:
    """Sends so many bytes of the body, and then nothing, on an open connection."""
    return lambda plan: replace(plan, hang_at=size)


def cut_after(size: int) -> Misbehaviour:
    """Sends so many bytes of the body, and closes the connection."""
    return lambda plan: replace(plan, cut_at=size)


def page() -> Misbehaviour:
    """200, with a page for people in place of the file."""
    return lambda plan: plan.with_whole(200, PAGE).with_headers(
        **{"Content-Type": "text/html; charset=utf-8"}
    )


def other_bytes() -> Misbehaviour:
    """As many bytes as the file has, but not the same; always the whole of them."""
    return lambda plan: plan.with_whole(200, bytes(byte ^ 0x55 for byte in bytes(plan.whole)))


def body(content: bytes) -> Misbehaviour:
    """These bytes in place of the file's, such as a broken shard."""
    return lambda plan: plan.with_whole(200, content)


def wrong_length(by: int) -> Misbehaviour:
    """Content-Length says `by` more (or fewer) than there are; with more, the connection is cut."""
    return lambda plan: replace(plan, length=len(plan.body) + by)


def no_length() -> Misbehaviour:
    """No Content-Length: the body ends with the connection."""
    return lambda plan: replace(plan, length=-1)


def status(code: int, retry_after: str | None = None) -> Misbehaviour:
    wait = {} if retry_after is None else {"Retry-After": retry_after}
    text = b"No." if code >= 400 else b""
    return lambda plan: replace(plan, status=code, headers=wait, body=text, whole=text)


def redirect(to: str, code: int = 302) -> Misbehaviour:
    return lambda plan: replace(plan, status=code, headers={"Location": to}, body=PAGE, whole=PAGE)


def ignore_range() -> Misbehaviour:
    return lambda plan: plan.with_whole(200, plan.whole) if plan.status in (206, 416) else plan


def wrong_range(content_range: str = "bytes 0-0/1") -> Misbehaviour:
    """206 with a Content-Range that nobody asked for, when a range is asked for."""
    return lambda plan: plan.with_headers(**{"Content-Range": content_range}) if plan.status == 206 else plan


def short_range(size: int) -> Misbehaviour:
    """Of a range that is asked for, only the first `size` bytes, as RFC 9110 (14.4) allows."""

    def shorten(plan: Plan) -> Plan:
        if plan.status != 206 or len(plan.body) <= size:
            return plan
        first, _, total = plan.headers["Content-Range"].removeprefix("bytes ").replace("/", "-").split("-")
        part = f"bytes {first}-{int(first) + size - 1}/{total}"
        return replace(plan, body=plan.body[:size]).with_headers(**{"Content-Range": part})

    return shorten


def without(*names: str) -> Misbehaviour:
    """Leaves headers out, such as ETag."""
    return lambda plan: replace(
        plan, headers={name: value for name, value in plan.headers.items() if name not in names}
    )


def with_headers(**headers: str) -> Misbehaviour:
    """Underscores stand for hyphens: `with_headers(ETag='W/"1"', Content_Type="text/plain")`."""
    return lambda plan: plan.with_headers(
        **{name.replace("_", "-"): value for name, value in headers.items()}
    )


def compressed() -> Misbehaviour:
    """With Content-Encoding gzip for those who take it."""

    def compress(plan: Plan) -> Plan:
        if "gzip" not in plan.asked.headers.get("accept-encoding", "") or plan.status != 200:
            return plan
        packed = gzip.compress(bytes(plan.whole))
        return plan.with_whole(200, packed).with_headers(**{"Content-Encoding": "gzip"})

    return compress
