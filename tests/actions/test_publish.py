"""Publishing: what a package file turns into, and what is refused with nothing kept."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from packhouse.actions.channels import delete_channel, update_channel
from packhouse.domain.access import ANONYMOUS, Actor, Role
from packhouse.domain.channels import Indexing, Privacy
from packhouse.errors import Conflict, Forbidden, Frozen, InvalidPackage, NotFound, Unauthenticated
from packhouse.storage import blob_rows
from tests.actions.ledger import (
    Interrupted,
    assert_in_order,
    at_once,
    blobs,
    count,
    event_types,
    files,
    history,
    kept,
    once,
    own_document,
    own_index,
    package_sums,
    publish_bytes,
    revision,
    rows,
    shard_names,
    spooled,
    without_run_exports,
)
from tests.builders import build_conda_package
from tests.house import House

REAL = sorted((Path(__file__).parents[1] / "data" / "conda").glob("*/*.*"))


def frozen(house: House, channel: str = "data") -> None:
    update_channel(house.packhouse, house.admin, channel, {"indexing": Indexing.FROZEN})


# --- what is answered


def test_published_package_is_in_the_shards_at_once(any_house: House) -> None:
    any_house.channel("data")
    entry = any_house.publish("data", "demo", version="1.0")
    assert any_house.sharded("data").keys() == {entry.artifact.filename}


def test_published_package_is_in_repodata_after_the_reindex(any_house: House) -> None:
    any_house.channel("data")
    entry = any_house.publish("data", "demo", version="1.0")
    any_house.reindex_all()
    assert any_house.repodata("data")["packages.conda"].keys() == {entry.artifact.filename}


def test_new_file_becomes_an_artifact_an_entry_an_event_and_a_blob(any_house: House) -> None:
    any_house.channel("data")
    path = any_house.build("demo")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()

    entry, is_new = publish_bytes(any_house.packhouse, any_house.admin, "data", path.name, path.read_bytes())

    assert is_new
    assert files(any_house, "data") == {"noarch/demo-1.0-0.conda": sha256}
    assert blobs(any_house) == {sha256: True}
    assert b"".join(any_house.packhouse.blobs.read(sha256)) == path.read_bytes()
    assert package_sums(any_house, "data") == {"demo": (1, ["1.0"], ["noarch"], entry.artifact.ckey)}
    published = history(any_house, "data")[0]
    assert (published.type.value, published.actor_name) == ("artifact.published", "admin")
    assert published.data == {"ckey": entry.artifact.ckey, "artifact_family": "conda", "sha256": sha256}
    assert spooled(any_house) == []


def test_same_bytes_again_are_answered_as_existing_and_change_nothing(any_house: House) -> None:
    any_house.channel("data")
    first = any_house.publish("data", "demo")
    before = rows(any_house)

    path = any_house.build("demo")
    entry, is_new = publish_bytes(any_house.packhouse, any_house.admin, "data", path.name, path.read_bytes())

    assert (entry, is_new) == (first, False)
    assert rows(any_house) == before


def test_other_bytes_under_the_same_name_are_a_conflict_that_names_both_digests(any_house: House) -> None:
    any_house.channel("data")
    first = any_house.publish("data", "demo")
    before = rows(any_house)
    other = any_house.build("demo", files={"share/other.txt": b"other"})

    with pytest.raises(Conflict) as refusal:
        any_house.publish("data", other)

    assert first.artifact.digests.sha256 in refusal.value.message
    assert hashlib.sha256(other.read_bytes()).hexdigest() in refusal.value.message
    assert "noarch/demo-1.0-0.conda" in refusal.value.message
    assert rows(any_house) == before
    assert kept(any_house) == {first.artifact.digests.sha256}


def test_same_bytes_in_two_channels_are_one_artifact_and_one_blob(any_house: House) -> None:
    any_house.channel("data")
    any_house.channel("other")
    first = any_house.publish("data", "demo")
    second = any_house.publish("other", "demo")

    assert first.artifact.id == second.artifact.id
    assert (count(any_house, "artifact"), count(any_house, "entry")) == (1, 2)
    assert blobs(any_house) == {first.artifact.digests.sha256: True}
    assert kept(any_house) == {first.artifact.digests.sha256}


def test_both_forms_of_a_build_are_two_files_of_one_version(any_house: House) -> None:
    any_house.channel("data")
    any_house.publish("data", "demo")
    any_house.publish("data", "demo", extension=".tar.bz2")

    assert package_sums(any_house, "data")["demo"][:2] == (2, ["1.0"])
    any_house.reindex_all()
    repodata = any_house.repodata("data")
    assert repodata["packages"].keys() == {"demo-1.0-0.tar.bz2"}
    assert repodata["packages.conda"].keys() == {"demo-1.0-0.conda"}
    assert_in_order(any_house)


def test_versions_of_a_package_are_summed_up_newest_first(house: House) -> None:
    house.channel("data")
    for version, number in (("1.10", 0), ("1.9", 0), ("1.10", 1), ("2.0rc1", 0)):
        house.publish("data", "demo", version=version, build=str(number), build_number=number)
    house.publish("data", "demo", version="1.10", build="linux", build_number=2, subdir="linux-64")

    sums = package_sums(house, "data")["demo"]
    assert sums == (5, ["2.0rc1", "1.10", "1.9"], ["linux-64", "noarch"], "noarch/demo-2.0rc1-0.conda")


# --- what is served of it


def expected_record(path: Path) -> dict[str, Any]:
    """The package's own words, plus what only the finished file can tell."""
    content = path.read_bytes()
    return own_index(path) | {
        "md5": hashlib.md5(content).hexdigest(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
    }


def own_run_exports(path: Path) -> dict[str, Any]:
    found = json.loads(own_document(path, "info/run_exports.json") or b"{}")
    return {"weak": found} if isinstance(found, list) else found


def test_every_real_package_is_served_as_its_own_index_plus_facts_of_the_file(any_house: House) -> None:
    any_house.channel("real")
    published = {path: any_house.publish("real", path) for path in REAL}
    any_house.reindex_all()
    subdirs = {entry.artifact.subdir for entry in published.values()}
    sharded = {subdir: any_house.sharded("real", subdir) for subdir in subdirs}
    repodata = {subdir: any_house.repodata("real", subdir) for subdir in subdirs}

    for path, entry in published.items():
        subdir = entry.artifact.subdir
        record = sharded[subdir][path.name]
        section = "packages.conda" if path.suffix == ".conda" else "packages"
        assert repodata[subdir][section][path.name] == without_run_exports(record)
        assert record.pop("run_exports") == own_run_exports(path)
        assert record.pop("indexed_timestamp") == entry.indexed_timestamp
        assert record == expected_record(path), path.name
    assert len(published) == sum(map(len, sharded.values())) == len(REAL) > 40
    assert_in_order(any_house)


def test_indexed_timestamp_is_set_once_and_the_same_everywhere(any_house: House) -> None:
    any_house.channel("data")
    entry = any_house.publish("data", "demo")
    for version in ("2.0", "3.0"):
        any_house.publish("data", "demo", version=version)
        any_house.reindex_all()

    name = entry.artifact.filename
    assert any_house.sharded("data")[name]["indexed_timestamp"] == entry.indexed_timestamp
    assert any_house.repodata("data")["packages.conda"][name]["indexed_timestamp"] == entry.indexed_timestamp


# --- refusals


Prepare = Callable[[House], tuple[Actor, str, bytes]]


def good(house: House) -> bytes:
    return house.build("late").read_bytes()


def into_missing(house: House) -> tuple[Actor, str, bytes]:
    return house.admin, "missing", good(house)


def into_frozen(house: House) -> tuple[Actor, str, bytes]:
    frozen(house)
    return house.admin, "data", good(house)


def into_foreign_public(house: House) -> tuple[Actor, str, bytes]:
    return house.user("bob"), "data", good(house)


def into_own_as_viewer(house: House) -> tuple[Actor, str, bytes]:
    return house.user("eve", Role.VIEWER), "data", good(house)


def into_foreign_private(house: House) -> tuple[Actor, str, bytes]:
    update_channel(house.packhouse, house.admin, "data", {"privacy": Privacy.PRIVATE})
    return house.user("bob"), "data", good(house)


def by_nobody(house: House) -> tuple[Actor, str, bytes]:
    return ANONYMOUS, "data", good(house)


def truncated(house: House) -> tuple[Actor, str, bytes]:
    return house.admin, "data", good(house)[:-100]


def misnamed(house: House) -> tuple[Actor, str, bytes]:
    return house.admin, "data", house.build("other").read_bytes()


def empty(house: House) -> tuple[Actor, str, bytes]:
    return house.admin, "data", b""


REFUSALS = [
    (into_missing, NotFound, "'missing' was not found"),
    (into_frozen, Frozen, "data is frozen"),
    (into_foreign_public, Forbidden, "'bob' is not allowed 'artifact:create' on channel 'data'"),
    (into_own_as_viewer, Forbidden, "'eve' is not allowed"),
    (into_foreign_private, NotFound, "Channel 'data' was not found"),
    (by_nobody, Unauthenticated, "log-in"),
    (truncated, InvalidPackage, "late-1.0-0.conda"),
    (misnamed, InvalidPackage, "late-1.0-0.conda"),
    (empty, InvalidPackage, "late-1.0-0.conda"),
]


@pytest.mark.parametrize(
    ("prepare", "error", "sentence"), REFUSALS, ids=[case[0].__name__ for case in REFUSALS]
)
def test_refusal_keeps_nothing(
    any_house: House, prepare: Prepare, error: type[Exception], sentence: str
) -> None:
    any_house.channel("data")
    actor, channel, content = prepare(any_house)
    before = rows(any_house)

    with pytest.raises(error, match=sentence):
        publish_bytes(any_house.packhouse, actor, channel, "late-1.0-0.conda", content)

    assert rows(any_house) == before
    assert kept(any_house) == set()
    assert spooled(any_house) == []


LATE = [
    (frozen, Frozen),
    (lambda house: delete_channel(house.packhouse, house.admin, "data"), NotFound),
    (lambda house: house.publish("data", "late", files={"share/won.txt": b"won"}), Conflict),
]


@pytest.mark.parametrize(("happens", "error"), LATE, ids=["frozen", "deleted", "taken"])
def test_refusal_at_the_last_moment_leaves_an_unconfirmed_claim_alone(
    any_house: House, happens: Callable[[House], object], error: type[Exception]
) -> None:
    any_house.channel("data")
    content = good(any_house)
    between = Interrupted(any_house.packhouse.blobs, once(lambda: happens(any_house)))
    slow = replace(any_house.packhouse, blobs=between)

    with pytest.raises(error):
        publish_bytes(slow, any_house.admin, "data", "late-1.0-0.conda", content)

    assert blobs(any_house)[hashlib.sha256(content).hexdigest()] is False
    assert_in_order(any_house)
    assert spooled(any_house) == []


def test_crash_while_the_blob_is_kept_leaves_a_claim_that_a_later_publish_takes_up(any_house: House) -> None:
    def crash() -> None:
        raise KeyboardInterrupt

    any_house.channel("data")
    content = good(any_house)
    before = rows(any_house, without=["blob"])
    dying = replace(any_house.packhouse, blobs=Interrupted(any_house.packhouse.blobs, crash, is_before=True))
    with pytest.raises(KeyboardInterrupt):
        publish_bytes(dying, any_house.admin, "data", "late-1.0-0.conda", content)
    assert rows(any_house, without=["blob"]) == before

    _, is_new = publish_bytes(any_house.packhouse, any_house.admin, "data", "late-1.0-0.conda", content)

    assert is_new
    assert blobs(any_house)[hashlib.sha256(content).hexdigest()] is True
    assert_in_order(any_house)


def test_bytes_that_a_sweep_took_from_a_very_slow_publish_are_asked_for_again(any_house: House) -> None:
    def forget() -> None:
        later = any_house.packhouse.clock().replace(year=2100)
        with any_house.packhouse.database.transaction() as connection:
            assert blob_rows.forget(connection, hashlib.sha256(content).hexdigest(), later)

    any_house.channel("data")
    content = good(any_house)
    slow = replace(any_house.packhouse, blobs=Interrupted(any_house.packhouse.blobs, forget))

    with pytest.raises(Conflict, match="Try again"):
        publish_bytes(slow, any_house.admin, "data", "late-1.0-0.conda", content)

    assert files(any_house, "data") == {}


# --- many at once


def test_eight_uploads_of_one_file_at_once_make_it_once(any_house: House) -> None:
    any_house.channel("data")
    path = any_house.build("demo")
    content = path.read_bytes()

    answers = at_once(
        [lambda: publish_bytes(any_house.packhouse, any_house.admin, "data", path.name, content)] * 8
    )

    assert sorted(is_new for _, is_new in answers) == [False] * 7 + [True]
    assert len({entry.id for entry, _ in answers}) == 1
    assert event_types(any_house, "data") == ["channel.created", "artifact.published"]
    assert revision(any_house, "data").content == 2
    assert_in_order(any_house)
    assert spooled(any_house) == []


def test_eight_files_of_one_name_at_once_are_all_in_its_sums_and_its_shard(any_house: House) -> None:
    any_house.channel("data")
    paths = [any_house.build("demo", version=f"1.{number}") for number in range(8)]

    answers = at_once([lambda path=path: any_house.publish("data", path) for path in paths])

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert package_sums(any_house, "data")["demo"][0] == 8
    assert package_sums(any_house, "data")["demo"][1] == [f"1.{number}" for number in reversed(range(8))]
    assert any_house.sharded("data").keys() == {path.name for path in paths}
    assert shard_names(any_house, "data") == {"demo"}
    assert_in_order(any_house)


def test_two_different_files_of_one_file_name_at_once_are_one_file_and_one_conflict(any_house: House) -> None:
    any_house.channel("data")
    contents = []
    for number in range(2):
        folder = any_house.folder / str(number)
        folder.mkdir()
        contents.append(build_conda_package(folder, files={"a.txt": b"%d" % number}).read_bytes())

    answers = at_once(
        [
            lambda content=content: publish_bytes(
                any_house.packhouse, any_house.admin, "data", "demo-1.0-0.conda", content
            )
            for content in contents
        ]
    )

    assert sorted(type(answer) for answer in answers if isinstance(answer, Exception)) == [Conflict]
    assert len(files(any_house, "data")) == 1
    assert_in_order(any_house)


def test_one_file_into_eight_channels_at_once_is_one_artifact(any_house: House) -> None:
    path = any_house.build("demo")
    names = [f"channel{number}" for number in range(8)]
    for name in names:
        any_house.channel(name)

    answers = at_once([lambda name=name: any_house.publish(name, path) for name in names])

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert count(any_house, "artifact") == 1
    assert list(blobs(any_house).values()) == [True]
    assert_in_order(any_house)


def test_publishing_and_removing_the_same_file_at_once_never_loses_its_bytes(any_house: House) -> None:
    path = any_house.build("demo")
    for name in ("data", "other"):
        any_house.channel(name)
    for _ in range(4):
        any_house.publish("data", path)
        answers = at_once(
            [lambda: any_house.remove("data", "demo"), lambda: any_house.publish("other", path)]
        )
        assert not [answer for answer in answers if isinstance(answer, Exception)]
        [sha256] = files(any_house, "other").values()
        assert blobs(any_house)[sha256] is True
        any_house.remove("other", "demo")
    assert_in_order(any_house)
