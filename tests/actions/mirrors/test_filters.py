"""Each filter on real records, beside what was worked out by hand or from the raw documents."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.listed_channel import PLAIN, WAYS, ListedChannel, environment_channel, real_channel
from tests.mirroring import MirrorHouse
from tests.upstream import Upstream

MIT = {"libexpat", "libffi", "pip", "setuptools", "wheel"}
BSD = {"_openmp_mutex", "libblas", "libcblas", "liblapack", "libopenblas", "libuuid", "numpy", "python_abi"}
GPL3 = {
    "ld_impl_linux-64",
    "libgcc-ng",
    "libgfortran-ng",
    "libgfortran5",
    "libgomp",
    "libstdcxx-ng",
    "readline",
}
LGPL = {"libnsl", "libxcrypt"}
UNLICENSED = {"_libgcc_mutex"}
MIT_AND_BSD = {"ncurses"}  # its licence is `X11 AND BSD-3-Clause`, and X11 is one of MIT's


@pytest.fixture(params=WAYS)
def channel(upstream: Upstream, request: pytest.FixtureRequest) -> ListedChannel:
    """An environment of conda-forge, served in each way."""
    channel = environment_channel(upstream.folder, request.param)
    channel.write()
    return channel


@pytest.fixture
def plain(upstream: Upstream) -> ListedChannel:
    channel = environment_channel(upstream.folder, PLAIN)
    channel.write()
    return channel


def brought(mirrors: MirrorHouse, upstream: Upstream, **filters: Any) -> set[str]:
    """The ckeys that a passive mirror with these filters brings, in the index and in the history."""
    mirrors.mirror("data", upstream.url, **filters)
    run = mirrors.run("data")
    assert run.last_error is None
    added = set(mirrors.changes(run, "data").get("added", {}))
    served = {
        f"{subdir}/{name}" for subdir in ("noarch", "linux-64") for name in mirrors.served("data", subdir)
    }
    assert served == added
    assert mirrors.faults() == []
    return added


def names_of(channel: ListedChannel) -> set[str]:
    return {record["name"] for records in channel.records.values() for record in records.values()}


# --- specs


def test_only_specs_take_what_they_match(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    specs = ["numpy >=1.26", "pip 23.*", "libffi 3.4.2 h7f98852_5", "tzdata"]
    assert brought(mirrors, upstream, only_specs=specs) == channel.ckeys("numpy", "libffi", "tzdata")
    assert mirrors.counts("data") == {"passive": 4, "mirror_filtered": {"only_specs": 30}}


def test_excluded_specs_stay_out_unless_they_are_included(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    found = brought(mirrors, upstream, exclude_specs=["lib*"], include_specs=["libffi", "libgcc-ng >=14"])
    unwanted = {name for name in names_of(channel) if name.startswith("lib") and name != "libffi"}
    assert found == channel.ckeys() - channel.ckeys(*unwanted)
    assert mirrors.counts("data")["mirror_filtered"] == {"exclude_specs": len(unwanted)}


def test_file_names_of_what_is_filtered_are_told_by_reason(
    mirrors: MirrorHouse, upstream: Upstream, plain: ListedChannel
) -> None:
    brought(mirrors, upstream, exclude_specs=["numpy"])
    logs = mirrors.api("/api/channels/data/mirrors/twin")["sync_state"]["logs"]
    assert logs["mirror_filtered"]["exclude_specs"] == ["linux-64/numpy-1.26.4-py312head63a1_0.conda"]


# --- licences


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["mit"], MIT),
        (["bsd"], BSD),
        (["mit", "bsd"], MIT | BSD | MIT_AND_BSD),
        (["none"], UNLICENSED),
        (["gpl3"], GPL3),
        (["apache"], {"openssl"}),
    ],
)
def test_included_licences(
    mirrors: MirrorHouse, upstream: Upstream, plain: ListedChannel, words: list[str], names: set[str]
) -> None:
    found = brought(mirrors, upstream, include_licenses=words)
    assert found == plain.ckeys(*names)
    assert mirrors.counts("data")["mirror_filtered"] == {"license": 34 - len(found)}


@pytest.mark.parametrize(
    ("words", "names"),
    [(["gpl3"], GPL3), (["lgpl"], LGPL | {"xz"}), (["none", "mit"], UNLICENSED | MIT | MIT_AND_BSD)],
)
def test_excluded_licences(
    mirrors: MirrorHouse, upstream: Upstream, plain: ListedChannel, words: list[str], names: set[str]
) -> None:
    found = brought(mirrors, upstream, exclude_licenses=words)
    assert found == plain.ckeys() - plain.ckeys(*names)


# --- days, signatures, vulnerabilities


def day_of(record: dict[str, Any]) -> str | None:
    built = record.get("timestamp")
    if built is None:
        return None
    seconds = built / 1000 if built > 1e11 else built
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


@pytest.mark.parametrize(
    ("window"),
    [
        {"date_from": "2017-09-19"},
        {"date_to": "2017-12-03"},
        {"date_from": "2017-09-18", "date_to": "2018-09-18"},
        {"date_from": "2024-02-06", "date_to": "2024-02-06"},
    ],
)
def test_window_of_days(mirrors: MirrorHouse, upstream: Upstream, window: dict[str, str]) -> None:
    channel = real_channel(upstream.folder)
    channel.write()
    first, last = window.get("date_from", "0000"), window.get("date_to", "9999")
    expected = {
        f"{subdir}/{filename}"
        for subdir, records in channel.records.items()
        for filename, record in records.items()
        if (day := day_of(record)) is not None and first <= day <= last
    }
    assert 0 < len(expected) < 356
    assert brought(mirrors, upstream, **window) == expected
    assert mirrors.counts("data")["mirror_filtered"] == {"date": 356 - len(expected)}


def test_only_signed_takes_what_the_upstream_has_signed(
    mirrors: MirrorHouse, upstream: Upstream, plain: ListedChannel
) -> None:
    signed = {f"{subdir}/{name}" for subdir, found in plain.signatures.items() for name in found}
    assert len(signed) == 2
    assert brought(mirrors, upstream, only_signed=True) == signed


def test_vulnerabilities_filter_nothing_yet_and_the_mirror_says_so(
    mirrors: MirrorHouse, upstream: Upstream, plain: ListedChannel
) -> None:
    assert brought(mirrors, upstream, cve_score_threshold=0.0, exclude_non_curated_cve=True) == plain.ckeys()
    notes = mirrors.api("/api/channels/data/mirrors/twin")["notes"]
    assert notes == [
        "cve_score_threshold does nothing until there is vulnerability data.",
        "exclude_non_curated_cve does nothing until there is vulnerability data.",
    ]


def test_filters_act_together(mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel) -> None:
    found = brought(
        mirrors,
        upstream,
        exclude_specs=["libffi"],
        include_licenses=["mit", "gpl3"],
        date_from="2024-01-01",
    )
    assert found == channel.ckeys(
        "pip", "setuptools", "libgcc-ng", "libgfortran-ng", "libgfortran5", "libgomp", "libstdcxx-ng"
    )


# --- dependencies


def needed_by(channel: ListedChannel, *names: str) -> set[str]:
    """Names that these need, and what those need: in this channel, any record of a name satisfies."""
    records = [record for found in channel.records.values() for record in found.values()]
    needed, waiting = set(names), list(names)
    while waiting:
        name = waiting.pop()
        depends = [spec for record in records if record["name"] == name for spec in record["depends"] or ()]
        for spec in depends:
            other = spec.split()[0]
            if other not in needed:
                needed.add(other)
                waiting.append(other)
    return needed


@pytest.mark.parametrize("mode", ["active", "passive"])
def test_dependencies_come_with_what_was_asked_for(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, mode: str
) -> None:
    needed = needed_by(channel, "libsqlite")
    assert needed == {"libsqlite", "libgcc-ng", "libzlib", "_libgcc_mutex", "_openmp_mutex", "libgomp"}
    mirrors.mirror("data", upstream.url, mode=mode, only_specs=["libsqlite"], include_dependencies=True)
    run = mirrors.run("data")
    assert mirrors.changes(run, "data")["added"].keys() == channel.ckeys(*needed)
    fetched = {one.path for one in [*upstream.asked("*.conda"), *upstream.asked("*.tar.bz2")]}
    assert fetched == ({f"/{ckey}" for ckey in channel.ckeys(*needed)} if mode == "active" else set())


def test_dependencies_of_noarch_packages_come_from_the_platform(
    mirrors: MirrorHouse, upstream: Upstream, plain: ListedChannel
) -> None:
    needed = needed_by(plain, "pip")
    assert {"python", "setuptools", "libsqlite"} < needed
    found = brought(mirrors, upstream, only_specs=["pip"], include_dependencies=True)
    assert found == plain.ckeys(*needed)


def test_dependency_that_a_filter_keeps_out_is_told(
    mirrors: MirrorHouse, upstream: Upstream, plain: ListedChannel
) -> None:
    filters: dict[str, Any] = {
        "only_specs": ["libsqlite"],
        "exclude_licenses": ["gpl3"],
        "include_dependencies": True,
    }
    mirrors.mirror("data", upstream.url, **filters)
    run = mirrors.run("data")
    assert mirrors.changes(run, "data")["refused"] == {
        "linux-64/libgcc-ng >=12": "nothing satisfies this dependency of "
        "libsqlite-3.44.2-h2797004_0.conda; what would is kept out by: license"
    }


@pytest.mark.parametrize("way", WAYS)
def test_dependencies_are_followed_again_when_only_another_subdir_changed(
    mirrors: MirrorHouse, upstream: Upstream, way: str
) -> None:
    channel = ListedChannel(upstream.folder, way)
    channel.put("app-1.0-0.conda", "noarch", depends=["engine >=1"])
    channel.put("engine-1.0-0.conda", "linux-64")
    channel.put("other-1.0-0.conda", "linux-64")
    channel.write()
    mirrors.mirror("data", upstream.url, only_specs=["app"], include_dependencies=True)
    mirrors.run("data")
    channel.put("engine-2.0-0.conda", "linux-64", depends=["other"])
    channel.write()
    run = mirrors.run("data")
    assert mirrors.changes(run, "data")["added"].keys() == {
        "linux-64/engine-2.0-0.conda",
        "linux-64/other-1.0-0.conda",
    }


def test_what_is_needed_no_longer_goes(mirrors: MirrorHouse, upstream: Upstream) -> None:
    channel = ListedChannel(upstream.folder)
    channel.put("app-1.0-0.conda", "noarch", depends=["engine >=1"])
    channel.put("engine-1.0-0.conda", "linux-64")
    channel.write()
    mirrors.mirror("data", upstream.url, only_specs=["app"], include_dependencies=True)
    mirrors.run("data")
    channel.put("app-1.0-0.conda", "noarch", content=b"needs nothing")
    channel.write()
    run = mirrors.run("data")
    assert mirrors.changes(run, "data")["removed"].keys() == {"linux-64/engine-1.0-0.conda"}
    assert mirrors.served("data", "linux-64") == {}
    assert mirrors.faults() == []


# --- a preview


def test_preview_tells_what_the_run_then_brings(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    mirrors.house.channel("data")
    needed = needed_by(channel, "numpy") - {"python_abi"}
    filters = {
        "only_specs": ["numpy", "nothing-like-it"],
        "include_dependencies": True,
        "subdirs": ["linux-64"],
    }
    body = {"mirror_name": "twin", "source_root": upstream.url, "filters": filters}
    answer = mirrors.house.request(
        "POST", "/api/channels/data/mirrors?dry_run=true", mirrors.house.session("admin"), json=body
    )
    assert answer.status == 200, answer.body
    told = answer.json()
    assert {one["name"] for one in told["names"]} - {"python_abi"} == needed
    found = brought(mirrors, upstream, **filters)
    assert told["files"] == len(found)
    sizes = [channel.records[ckey.split("/")[0]][ckey.split("/")[1]]["size"] for ckey in found]
    assert told["bytes"] == sum(sizes)
    assert [one["spec"] for one in told["unsolvable"]] == ["nothing-like-it"]
