"""What threads do to a server until it is killed, and what must be there afterwards.

Each thread has its own packages, a channel and a subchannel, and one channel is shared by all. So the
operations of different threads happen at the same time and in the same channel, and yet what each thread
was answered says exactly what there is.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import httpx

from tests.builders import build_conda_package

THREADS = 3
SHARED = "shared"
PRIVACIES = ("public", "authenticated", "private")
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True)
class Owned:
    """What one thread's acknowledged operations have made: `(channel, ckey)` of each of its files."""

    thread: int
    files: frozenset[tuple[str, str]] = frozenset()
    privacy: str = "public"
    has_subchannel: bool = False

    @property
    def name(self) -> str:
        return f"p{self.thread}"

    @property
    def channel(self) -> str:
        return f"c{self.thread}"

    @property
    def subchannel(self) -> str:
        return f"c{self.thread}/sub"

    @property
    def channels(self) -> list[str]:
        return [SHARED, self.channel, *([self.subchannel] if self.has_subchannel else [])]

    def place(self, number: int) -> str:
        return (SHARED, self.channel, self.subchannel)[number]

    def has(self, channel: str) -> bool:
        return channel in self.channels

    def selected(self, channel: str, ckey: str | None) -> set[str]:
        return {key for place, key in self.files if place == channel and ckey in (None, key)}

    def plus(self, channel: str, ckeys: set[str]) -> "Owned":
        return replace(self, files=self.files | {(channel, ckey) for ckey in ckeys})

    def minus(self, channel: str, ckeys: set[str]) -> "Owned":
        return replace(self, files=self.files - {(channel, ckey) for ckey in ckeys})


Outcome: TypeAlias = tuple[int, Owned]
"""The status that must be answered, and what there is then."""


@dataclass(frozen=True)
class Publish:
    place: int
    file: int
    is_slow: bool

    def outcome(self, owned: Owned, packages: list[Path]) -> Outcome:
        channel, ckey = owned.place(self.place), ckey_of(packages[self.file])
        if not owned.has(channel):
            return 404, owned
        return (200 if (channel, ckey) in owned.files else 201), owned.plus(channel, {ckey})

    def send(self, client: httpx.Client, owned: Owned, packages: list[Path]) -> httpx.Response:
        boundary, path = "crash", packages[self.file]
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="content"; filename="{path.name}"\r\n\r\n'
        )
        body = head.encode() + path.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return client.post(
            f"/api/channels/{_url(owned.place(self.place))}/artifacts",
            content=self._chunks(body),
            headers=headers,
        )

    def _chunks(self, body: bytes) -> Iterator[bytes]:
        for start in range(0, len(body), CHUNK_BYTES):
            yield body[start : start + CHUNK_BYTES]
            if self.is_slow:
                time.sleep(0.05)


@dataclass(frozen=True)
class Bulk:
    """Delete, copy or move one file, or (`file` None) all files of the package."""

    action: str
    place: int
    target: int
    file: int | None

    def outcome(self, owned: Owned, packages: list[Path]) -> Outcome:
        source, target = owned.place(self.place), owned.place(self.target)
        if self.action == "delete":
            target = source
        elif source == target:
            return 400, owned
        ckey = None if self.file is None else ckey_of(packages[self.file])
        chosen = owned.selected(source, ckey)
        if not owned.has(source) or not owned.has(target) or not chosen:
            return 404, owned
        after = owned if self.action == "copy" else owned.minus(source, chosen)
        return 202, after if self.action == "delete" else after.plus(target, chosen)

    def send(self, client: httpx.Client, owned: Owned, packages: list[Path]) -> httpx.Response:
        item: dict[str, Any] = {"name": owned.name, "family": "conda"}
        if self.file is not None:
            item["ckey"] = ckey_of(packages[self.file])
        body: dict[str, Any] = {"action": self.action, "items": [item]}
        if self.action != "delete":
            body["target_channel"] = owned.place(self.target)
        return client.put(f"/api/channels/{_url(owned.place(self.place))}/artifacts/bulk", json=body)


@dataclass(frozen=True)
class SetPrivacy:
    """Of the thread's own channel."""

    privacy: str

    def outcome(self, owned: Owned, packages: list[Path]) -> Outcome:
        return 200, replace(owned, privacy=self.privacy)

    def send(self, client: httpx.Client, owned: Owned, packages: list[Path]) -> httpx.Response:
        return client.put(f"/api/channels/{owned.channel}", json={"privacy": self.privacy})


@dataclass(frozen=True)
class CreateSubchannel:
    def outcome(self, owned: Owned, packages: list[Path]) -> Outcome:
        return (409 if owned.has_subchannel else 201), replace(owned, has_subchannel=True)

    def send(self, client: httpx.Client, owned: Owned, packages: list[Path]) -> httpx.Response:
        return client.post(f"/api/channels/{owned.channel}/subchannels", json={"name": "sub"})


@dataclass(frozen=True)
class DeleteSubchannel:
    """With everything in it."""

    def outcome(self, owned: Owned, packages: list[Path]) -> Outcome:
        if not owned.has_subchannel:
            return 404, owned
        files = owned.minus(owned.subchannel, owned.selected(owned.subchannel, None)).files
        return 202, replace(owned, files=files, has_subchannel=False)

    def send(self, client: httpx.Client, owned: Owned, packages: list[Path]) -> httpx.Response:
        return client.delete(f"/api/channels/{_url(owned.subchannel)}")


Operation: TypeAlias = Publish | Bulk | SetPrivacy | CreateSubchannel | DeleteSubchannel

FILES = 4
"""Of each thread's package: two subdirs, both archive forms, one of them larger."""


def drawn(chance: Random) -> Operation:
    """Any operation; some of them make no sense at the moment, and are refused."""
    kind = chance.choices(["publish", "bulk", "privacy", "create", "delete"], [8, 6, 1, 2, 1])[0]
    file = chance.randrange(FILES)
    if kind == "publish":
        return Publish(chance.randrange(3), file, is_slow=chance.random() < 0.3)
    if kind == "bulk":
        action = chance.choice(["delete", "copy", "copy", "move"])
        return Bulk(action, chance.randrange(3), chance.randrange(3), chance.choice([None, file, file]))
    if kind == "privacy":
        return SetPrivacy(chance.choice(PRIVACIES))
    return CreateSubchannel() if kind == "create" else DeleteSubchannel()


def build_packages(folder: Path, thread: int) -> list[Path]:
    name = f"p{thread}"
    large = {"share/large.bin": Random(thread).randbytes(400_000)}
    exports = {"weak": [f"{name} >=1"]}
    return [
        build_conda_package(folder, name, version="1.0", run_exports=exports),
        build_conda_package(folder, name, version="2.0", extension=".tar.bz2"),
        build_conda_package(folder, name, version="1.0", build="l", subdir="linux-64", depends=[name]),
        build_conda_package(folder, name, version="2.0", build="l", subdir="linux-64", files=large),
    ]


def ckey_of(package: Path) -> str:
    is_platform = package.name.rpartition("-")[2].startswith("l.")
    return f"{'linux-64' if is_platform else 'noarch'}/{package.name}"


def _url(channel: str) -> str:
    return channel.replace("/", "/subchannels/")


def work_until_killed(
    client: httpx.Client, owned: Owned, packages: list[Path], chance: Random
) -> tuple[Owned, ...]:
    """One operation after the other; answers what there may be once the server is gone.

    That is one state, or two where the kill cut an operation off: all of it happened, or nothing.
    """
    while True:
        operation = drawn(chance)
        status, after = operation.outcome(owned, packages)
        try:
            answer = operation.send(client, owned, packages)
        except httpx.TransportError:
            return owned, after
        assert answer.status_code == status, f"{operation} of {owned}: {answer.status_code} {answer.text}"
        owned = after
