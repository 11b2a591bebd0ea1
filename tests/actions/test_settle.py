"""After any sequence of changes everything agrees: with the entries, and with a model that is a few dicts."""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packhouse.actions.channels import update_channel
from packhouse.domain.channels import Indexing, Privacy
from packhouse.errors import Conflict, Frozen, NotFound
from packhouse.formats.conda.shards import read_shard_index
from packhouse.storage import channels, revisions
from packhouse.web.protocols.shard_indexes import ShardIndexes
from tests.actions.ledger import assert_in_order, blobs, files, kept, package_sums, shard_names
from tests.builders import build_conda_package
from tests.house import House, open_house

CHANNELS = ["one", "two", "one/stage"]
NAMES = ["alpha", "beta"]
SUBDIRS = ["noarch", "linux-64"]

# (name, version, subdir, extension, content): the last makes other bytes under the same file name
File: TypeAlias = tuple[str, str, str, str, str]
FILES: list[File] = [
    (name, version, subdir, extension, content)
    for name in NAMES
    for version in ("1.0", "1.10")
    for subdir in SUBDIRS
    for extension, content in ((".conda", "a"), (".conda", "b"), (".tar.bz2", "a"))
]


@dataclass(frozen=True)
class Publish:
    channel: str
    file: File


@dataclass(frozen=True)
class Remove:
    channel: str
    name: str


@dataclass(frozen=True)
class Transfer:
    verb: str
    source: str
    target: str
    name: str


@dataclass(frozen=True)
class Change:
    channel: str
    privacy: Privacy
    indexing: Indexing


@dataclass(frozen=True)
class Reindex:
    """The jobs catch up in the middle of it all."""


Step: TypeAlias = Publish | Remove | Transfer | Change | Reindex
Model: TypeAlias = dict[str, dict[str, str]]  # channel -> ckey -> SHA-256

steps = st.lists(
    st.one_of(
        st.builds(Publish, st.sampled_from(CHANNELS), st.sampled_from(FILES)),
        st.builds(Publish, st.sampled_from(CHANNELS), st.sampled_from(FILES)),
        st.builds(Remove, st.sampled_from(CHANNELS), st.sampled_from(NAMES)),
        st.builds(
            Transfer,
            st.sampled_from(["copy", "move"]),
            *[st.sampled_from(CHANNELS)] * 2,
            st.sampled_from(NAMES),
        ).filter(lambda step: step.source != step.target),
        st.builds(
            Change,
            st.sampled_from(CHANNELS),
            st.sampled_from(Privacy),
            st.sampled_from([Indexing.DEFAULT, Indexing.DEFAULT, Indexing.FROZEN]),
        ),
        st.just(Reindex()),
    ),
    min_size=1,
    max_size=15,
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Mapping[File, Path]:
    return {file: _build(tmp_path_factory.mktemp("built"), file) for file in FILES}


def _build(folder: Path, file: File) -> Path:
    name, version, subdir, extension, content = file
    payload = {"share/content.txt": content.encode()}
    return build_conda_package(folder, name, version, subdir=subdir, extension=extension, files=payload)


class Played:
    """A house and the model of it, and the shard indexes of a server that has been there from the start."""

    def __init__(self, house: House, built: Mapping[File, Path]) -> None:
        self.house, self._built = house, built
        self._model: Model = {channel: {} for channel in CHANNELS}
        self._frozen: set[str] = set()
        self._indexes = ShardIndexes()
        for channel in CHANNELS:
            house.channel(channel)

    def play(self, step: Step) -> None:
        expected = self._after(step)
        if isinstance(expected, type):
            with pytest.raises(expected):
                self._do(step)
        else:
            self._do(step)
            self._model = expected
        self._assert_visible_at_once()

    def _do(self, step: Step) -> None:
        match step:
            case Publish(channel, file):
                self.house.publish(channel, self._built[file])
            case Remove(channel, name):
                self.house.remove(channel, name)
            case Transfer(verb, source, target, name):
                getattr(self.house, verb)(source, target, name)
            case Change(channel, privacy, indexing):
                changes = {"privacy": privacy, "indexing": indexing}
                update_channel(self.house.packhouse, self.house.admin, channel, changes)
                self._frozen -= {channel}
                self._frozen |= {channel} if indexing is Indexing.FROZEN else set()
            case Reindex():
                self.house.reindex_all()

    def _after(self, step: Step) -> Model | type[Exception]:
        """The model after the step, or how it must be refused."""
        match step:
            case Publish(channel, file):
                name, version, subdir, extension, _ = file
                content = self._built[file].read_bytes()
                new = {f"{subdir}/{name}-{version}-0{extension}": _sha256(content)}
                return Frozen if channel in self._frozen else self._with(channel, new)
            case Remove(channel, name):
                chosen = self._named(channel, name)
                if channel in self._frozen:
                    return Frozen
                return self._without(channel, chosen) if chosen else NotFound
            case Transfer(verb, source, target, name):
                chosen = self._named(source, name)
                if target in self._frozen or (verb == "move" and source in self._frozen):
                    return Frozen
                if not chosen:
                    return NotFound
                after = self._with(target, chosen)
                if isinstance(after, type) or verb == "copy":
                    return after
                return after | {source: self._without(source, chosen)[source]}
        return self._model

    def _named(self, channel: str, name: str) -> dict[str, str]:
        return {ckey: sha256 for ckey, sha256 in self._model[channel].items() if f"/{name}-" in ckey}

    def _with(self, channel: str, new: dict[str, str]) -> Model | type[Exception]:
        there = self._model[channel]
        if any(there.get(ckey, sha256) != sha256 for ckey, sha256 in new.items()):
            return Conflict
        return self._model | {channel: there | new}

    def _without(self, channel: str, chosen: dict[str, str]) -> Model:
        there = self._model[channel]
        return self._model | {channel: {ckey: there[ckey] for ckey in there.keys() - chosen.keys()}}

    def _assert_visible_at_once(self) -> None:
        """What needs no job: the entries, the sums, the shards, however the server came to know of them."""
        for channel, expected in self._model.items():
            assert files(self.house, channel) == expected
            names = {ckey.split("/")[1].split("-")[0] for ckey in expected}
            assert package_sums(self.house, channel).keys() == names
            for subdir in SUBDIRS:
                in_subdir = {ckey.split("/")[1] for ckey in expected if ckey.startswith(f"{subdir}/")}
                assert self.house.sharded(channel, subdir).keys() == in_subdir
                assert self._known_names(channel, subdir) == shard_names(self.house, channel, subdir)

    def _known_names(self, channel: str, subdir: str) -> set[str]:
        with self.house.packhouse.database.reading() as connection:
            channel_id = channels.get(connection, channel).id
            kept_up = self._indexes.get(connection, channel_id, subdir)
            fresh = ShardIndexes().get(connection, channel_id, subdir)
        assert (kept_up and kept_up.body) == (fresh and fresh.body)
        return set(read_shard_index(kept_up.body)["shards"]) if kept_up else set()

    def assert_in_order_at_the_end(self) -> None:
        assert_in_order(self.house)
        needed = {sha256 for there in self._model.values() for sha256 in there.values()}
        confirmed = {sha256 for sha256, is_needed in blobs(self.house).items() if is_needed}
        assert needed <= confirmed <= kept(self.house)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(sequence=steps)
def test_everything_agrees_after_any_sequence_of_changes(
    migrated_sqlite: Path, built: Mapping[File, Path], sequence: list[Step]
) -> None:
    with TemporaryDirectory() as folder:
        database = Path(folder) / "packhouse.db"
        shutil.copy(migrated_sqlite, database)
        with open_house(Path(folder), f"sqlite:///{database}", f"{folder}/store", {}) as house:
            played = Played(house, built)
            for step in sequence:
                played.play(step)
            played.assert_in_order_at_the_end()


def test_change_of_many_packages_at_once_is_one_revision(house: House) -> None:
    house.channel("one")
    house.channel("two")
    for number in range(5):
        house.publish("one", f"name{number}")
    house.copy("one", "two", *(f"name{number}" for number in range(5)))

    with house.packhouse.database.reading() as connection:
        found = revisions.of_channel(connection, channels.get(connection, "two").id)
    assert (found["noarch"].content, found["noarch"].artifact_count) == (2, 5)
    assert_in_order(house)
