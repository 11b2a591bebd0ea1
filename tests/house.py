"""Packhouse in the product's words, for tests: users, channels and packages on real storage, in process."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import zstandard
from fastapi import FastAPI

from packhouse.actions import channels as channel_actions
from packhouse.actions.downloads import Downloads
from packhouse.actions.login import log_in
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.passwords import Passwords
from packhouse.actions.publish import publish
from packhouse.actions.reindex import reindex
from packhouse.actions.remove import remove
from packhouse.actions.transfer import copy, move
from packhouse.actions.users import create_user
from packhouse.domain.access import Actor, Role
from packhouse.domain.artifacts import Entry, Selection
from packhouse.domain.channels import Channel, Privacy
from packhouse.formats.conda.shards import read_shard, read_shard_index
from packhouse.settings import Settings
from packhouse.storage import channels, documents, revisions, shards
from packhouse.storage.blobs import Spool, open_blobs
from packhouse.storage.database import Database
from packhouse.web.application import Application, management_api
from packhouse.web.protocols.shard_indexes import ShardIndexes
from tests.asgi import Response, request
from tests.builders import build_conda_package

PASSWORD = "correct horse"


@dataclass
class House:
    """One Packhouse with an admin; `folder` is where its packages are built."""

    packhouse: Packhouse
    folder: Path
    admin: Actor = field(init=False)

    def __post_init__(self) -> None:
        self.admin = self.user("admin", Role.ADMIN)
        self.downloads = Downloads(self.packhouse)
        self.application = Application(self.packhouse, self.downloads)
        self.application.api = _shared_api()

    # --- people and channels

    def user(self, name: str, role: Role = Role.AUTHOR) -> Actor:
        user = create_user(self.packhouse, None, name, PASSWORD, role)
        return Actor(user.id, user.username, user.role)

    def session(self, name: str) -> str:
        """The JWT that `name` gets for the password."""
        return log_in(self.packhouse, name, PASSWORD).token

    def channel(self, path: str, owner: Actor | None = None, privacy: Privacy = Privacy.PUBLIC) -> Channel:
        return channel_actions.create_channel(self.packhouse, owner or self.admin, path, privacy)

    # --- packages

    def build(self, name: str = "demo", **facts: Any) -> Path:
        return build_conda_package(self.folder, name, **facts)

    def publish(
        self, channel: str, package: Path | str = "demo", actor: Actor | None = None, **facts: Any
    ) -> Entry:
        """Publish a file, or a package that is built on the spot."""
        path = package if isinstance(package, Path) else self.build(package, **facts)
        with Spool(self.packhouse.spool_dir) as spool:
            spool.write(path.read_bytes())
            digests = spool.finish()
            entry, _ = publish(self.packhouse, actor or self.admin, channel, path.name, spool, digests)
            return entry

    def remove(self, channel: str, *names_or_ckeys: str, actor: Actor | None = None) -> list[Entry]:
        return remove(self.packhouse, actor or self.admin, channel, selections(names_or_ckeys))

    def copy(self, source: str, target: str, *names_or_ckeys: str, actor: Actor | None = None) -> list[Entry]:
        return copy(self.packhouse, actor or self.admin, source, target, selections(names_or_ckeys))

    def move(self, source: str, target: str, *names_or_ckeys: str, actor: Actor | None = None) -> list[Entry]:
        return move(self.packhouse, actor or self.admin, source, target, selections(names_or_ckeys))

    def reindex_all(self) -> None:
        """Run the jobs that wait."""
        with self.packhouse.database.reading() as connection:
            stale = revisions.stale(connection)
        for one in stale:
            reindex(self.packhouse, one.channel_id, one.subdir)

    # --- what clients see

    def request(
        self,
        method: str,
        path: str,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        body: bytes = b"",
    ) -> Response:
        """One request through the whole web application, in process."""
        sent = dict(headers or {})
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        self.application.api.state.packhouse = self.packhouse
        return request(self.application, method, path, sent, json, body)

    def repodata(self, channel: str, subdir: str = "noarch") -> dict[str, Any]:
        """`repodata.json` as it lies in the blob store."""
        return json.loads(self.document(channel, subdir, "repodata.json"))

    def document(self, channel: str, subdir: str, name: str) -> bytes:
        with self.packhouse.database.reading() as connection:
            found = documents.find(connection, channels.get(connection, channel).id, subdir, name)
        assert found is not None, f"{channel}/{subdir}/{name} is not there"
        return b"".join(bytes(chunk) for chunk in self.packhouse.blobs.read(found.sha256))

    def sharded(self, channel: str, subdir: str = "noarch") -> dict[str, dict[str, Any]]:
        """File name -> record, read through the shard index and its shards; digests in hex again."""
        found: dict[str, dict[str, Any]] = {}
        with self.packhouse.database.reading() as connection:
            channel_id = channels.get(connection, channel).id
            packed = ShardIndexes().get(connection, channel_id, subdir)
            for sha256 in read_shard_index(packed.body)["shards"].values() if packed else ():
                body = shards.body(connection, channel_id, subdir, sha256)
                assert body is not None
                shard = read_shard(body)
                for section in ("packages", "packages.conda"):
                    found.update((name, in_hex(record)) for name, record in shard[section].items())
                for extension, records in shard.get("v3", {}).items():
                    found.update((f"{key}.{extension}", in_hex(record)) for key, record in records.items())
        return found


class _QuickPasswords(Passwords):
    """True hashes, but each password is hashed once a process: they are slow on purpose."""

    def hash(self, password: str) -> str:
        return _hash(password)


@cache
def _hash(password: str) -> str:
    return Passwords().hash(password)


@cache
def _shared_api() -> FastAPI:
    """FastAPI prepares each route at its first request, which would take longer than most tests."""
    return management_api(None)  # type: ignore[arg-type]  # `House.request` sets the one to ask


def in_hex(record: Mapping[str, Any]) -> dict[str, Any]:
    return {**record, **{kind: record[kind].hex() for kind in ("md5", "sha256") if kind in record}}


def selections(names_or_ckeys: Sequence[str]) -> list[Selection]:
    """`name` selects a package, `subdir/file` one of its files."""
    return [_selection(text) for text in names_or_ckeys]


def _selection(text: str) -> Selection:
    if "/" not in text:
        return Selection("conda", text)
    return Selection("conda", text.split("/")[1].rsplit("-", 2)[0], text)


def decompressed(body: bytes) -> bytes:
    """A whole zstd document of one frame."""
    return zstandard.ZstdDecompressor().decompress(body)


@contextmanager
def open_house(
    folder: Path, database_url: str, blob_url: str, blob_options: Mapping[str, str], **settings: Any
) -> Iterator[House]:
    """On a database that has the newest schema and no users yet."""
    chosen = Settings(
        data_dir=folder / "data",
        database_url=database_url,
        blob_url=blob_url,
        blob_options=dict(blob_options),
        **settings,
    )
    database = Database(chosen.effective_database_url)
    packhouse = Packhouse(chosen, database, open_blobs(blob_url, blob_options), passwords=_QuickPasswords())
    try:
        yield House(packhouse, folder)
    finally:
        database.close()
