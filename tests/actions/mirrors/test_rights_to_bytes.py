"""Whose bytes a mirror may serve: a digest stands in lock files and logs, so to list one is no right to its bytes."""

from pathlib import Path

import pytest

from packhouse.domain.channels import Privacy
from packhouse.domain.mirrors import MirrorState
from packhouse.storage import channels, entries
from tests.listed_channel import ListedChannel, digests_of
from tests.mirroring import MirrorHouse
from tests.upstream import Upstream, other_bytes

FILE = "noarch/hidden-1.0-0.conda"
TWIN = "noarch/twin-1.0-0.conda"
RUN_EXPORTS = {"weak": ["hidden >=1.0"]}


@pytest.fixture
def package(any_mirrors: MirrorHouse) -> Path:
    return any_mirrors.house.build("hidden", run_exports=RUN_EXPORTS)


@pytest.fixture
def listed(upstream: Upstream, package: Path) -> ListedChannel:
    """The upstream tells the package's digest, and has no such file."""
    channel = ListedChannel(upstream.folder)
    channel.list(package.name, **digests_of(package.read_bytes()))
    channel.write()
    return channel


def publish(mirrors: MirrorHouse, package: Path, privacy: Privacy, channel: str = "theirs") -> None:
    mirrors.house.channel(channel, mirrors.house.user("alice"), privacy)
    mirrors.house.publish(channel, package)


def mirror(mirrors: MirrorHouse, upstream: Upstream, mode: str = "passive") -> MirrorHouse:
    mirrors.mirror("data", upstream.url, mode=mode)
    mirrors.run("data")
    return mirrors


def has_bytes(mirrors: MirrorHouse, channel: str) -> bool:
    with mirrors.packhouse.database.reading() as connection:
        found = entries.find(connection, channels.get(connection, channel).id, FILE)
    assert found is not None
    return found.has_bytes


# --- bytes of a private channel


def test_private_bytes_are_not_served_by_a_passive_mirror_whose_upstream_has_no_such_file(
    any_mirrors: MirrorHouse, upstream: Upstream, package: Path, listed: ListedChannel
) -> None:
    publish(any_mirrors, package, Privacy.PRIVATE)
    mirror(any_mirrors, upstream)
    assert any_mirrors.get(f"/api/repo/data/{FILE}").status == 502
    assert upstream.count(f"/{FILE}") > 0
    assert any_mirrors.counts("data") == {"passive": 1}
    assert any_mirrors.faults() == []


def test_private_bytes_are_not_served_by_a_passive_mirror_whose_upstream_has_others(
    any_mirrors: MirrorHouse, upstream: Upstream, package: Path, listed: ListedChannel
) -> None:
    publish(any_mirrors, package, Privacy.PRIVATE)
    listed.add(package)
    upstream.misbehave(f"/{FILE}", other_bytes())
    mirror(any_mirrors, upstream)
    answer = any_mirrors.get(f"/api/repo/data/{FILE}")
    is_broken_off = len(answer.body) < int(answer.headers["content-length"])
    assert is_broken_off or answer.status == 502
    assert any_mirrors.counts("data") == {"passive": 1}
    assert any_mirrors.faults() == []


def test_private_bytes_are_not_served_by_an_active_mirror_whose_upstream_has_no_such_file(
    any_mirrors: MirrorHouse, upstream: Upstream, package: Path, listed: ListedChannel
) -> None:
    publish(any_mirrors, package, Privacy.PRIVATE)
    any_mirrors.mirror("data", upstream.url, mode="active")
    run = any_mirrors.run("data")
    assert (run.tally.failed, any_mirrors.file("data", FILE)) == (1, None)
    assert any_mirrors.counts("data").keys() == {"failed"}
    assert any_mirrors.faults() == []


@pytest.mark.parametrize("mode", ["active", "passive"])
def test_bytes_that_are_private_elsewhere_are_served_once_the_mirror_has_fetched_its_own(
    any_mirrors: MirrorHouse, upstream: Upstream, package: Path, listed: ListedChannel, mode: str
) -> None:
    publish(any_mirrors, package, Privacy.PRIVATE)
    listed.add(package)
    mirror(any_mirrors, upstream, mode)
    assert [any_mirrors.file("data", FILE) for _ in range(2)] == [package.read_bytes()] * 2
    assert upstream.count(f"/{FILE}") == 1
    assert any_mirrors.counts("data") == {"active": 1}
    assert any_mirrors.faults() == []


def test_what_a_private_package_tells_of_itself_is_not_told_by_a_mirror_that_has_not_fetched_it(
    any_mirrors: MirrorHouse, upstream: Upstream, package: Path, listed: ListedChannel
) -> None:
    publish(any_mirrors, package, Privacy.PRIVATE)
    mirror(any_mirrors, upstream)
    any_mirrors.served("data", "noarch")
    assert any_mirrors.sharded("data", "noarch")[1] == {package.name: None}
    with any_mirrors.packhouse.database.reading() as connection:
        found = entries.find(connection, channels.get(connection, "data").id, FILE)
    assert found is not None
    assert found.artifact.about == {}


# --- bytes that it may have


@pytest.mark.parametrize("mode", ["active", "passive"])
def test_public_bytes_are_served_though_the_upstream_has_no_such_file(
    any_mirrors: MirrorHouse, upstream: Upstream, package: Path, listed: ListedChannel, mode: str
) -> None:
    publish(any_mirrors, package, Privacy.PUBLIC)
    mirror(any_mirrors, upstream, mode)
    assert any_mirrors.file("data", FILE) == package.read_bytes()
    assert upstream.count(f"/{FILE}") == 0
    assert any_mirrors.counts("data") == {"active": 1}
    assert any_mirrors.faults() == []


@pytest.mark.parametrize("mode", ["active", "passive"])
def test_bytes_of_the_same_private_channel_are_served_though_the_upstream_has_no_such_file(
    any_mirrors: MirrorHouse, upstream: Upstream, package: Path, mode: str
) -> None:
    publish(any_mirrors, package, Privacy.PRIVATE, "data")
    channel = ListedChannel(upstream.folder)
    channel.list(Path(TWIN).name, **digests_of(package.read_bytes()))
    channel.write()
    mirror(any_mirrors, upstream, mode)
    answer = any_mirrors.house.request("GET", f"/api/repo/data/{TWIN}", any_mirrors.session)
    assert (answer.status, answer.body) == (200, package.read_bytes())
    assert upstream.count(f"/{TWIN}") == 0
    assert any_mirrors.counts("data") == {"active": 1}
    assert any_mirrors.faults() == []


@pytest.mark.parametrize("mode", ["active", "passive"])
def test_index_that_tells_another_size_of_bytes_that_are_here_is_refused(
    any_mirrors: MirrorHouse, upstream: Upstream, package: Path, listed: ListedChannel, mode: str
) -> None:
    publish(any_mirrors, package, Privacy.PUBLIC)
    size = package.stat().st_size
    listed.records["noarch"][package.name]["size"] = size + 100
    listed.write()
    any_mirrors.mirror("data", upstream.url, mode=mode)
    run = any_mirrors.run("data")
    assert run.state is MirrorState.COMPLETED
    reason = f"its size is {size + 100} by the index, and the file of this digest has {size}"
    assert any_mirrors.changes(run, "data") == {"refused": {FILE: reason}}
    assert any_mirrors.file("data", FILE) is None
    assert any_mirrors.faults() == []


# --- copies


def test_copy_of_a_file_that_was_never_fetched_is_not_here_either(
    any_mirrors: MirrorHouse, upstream: Upstream, package: Path, listed: ListedChannel
) -> None:
    publish(any_mirrors, package, Privacy.PRIVATE)
    mirror(any_mirrors, upstream)
    any_mirrors.house.channel("copies")
    any_mirrors.house.copy("data", "copies", FILE)
    assert not has_bytes(any_mirrors, "copies")
    assert any_mirrors.get(f"/api/repo/copies/{FILE}").status == 502
    assert any_mirrors.faults() == []


def test_copy_of_a_file_that_was_fetched_is_here(
    any_mirrors: MirrorHouse, upstream: Upstream, package: Path, listed: ListedChannel
) -> None:
    listed.add(package)
    mirror(any_mirrors, upstream)
    assert any_mirrors.file("data", FILE) == package.read_bytes()
    any_mirrors.house.channel("copies")
    any_mirrors.house.copy("data", "copies", FILE)
    assert has_bytes(any_mirrors, "copies")
    assert any_mirrors.faults() == []
