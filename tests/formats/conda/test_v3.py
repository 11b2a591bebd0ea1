"""Records of repodata v3 (CEP 48), in every document that a client may read them from."""

import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from rattler import Channel, SparseRepoData
from rattler.repo_data import PackageFormatSelection

from packhouse.domain.sections import Section
from packhouse.formats.conda.current_repodata import select_current
from packhouse.formats.conda.repodata import IndexRow, RepodataWriter, summarize_v3, write_repodata
from packhouse.formats.conda.run_exports import write_run_exports
from packhouse.formats.conda.shards import ShardIndex, pack_shard, read_shard, read_shard_index
from packhouse.formats.conda.v3_summary import V3Summary

MakeRow = Callable[..., IndexRow]
NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
FIRST, LAST = 1_700_000_000_000, 1_800_000_000_000


@pytest.fixture
def rows(make_row: MakeRow) -> list[IndexRow]:
    """One file in each section, in the order of the document."""
    conditional = {
        "depends": ['python[version=">=3.11",when="__unix"]'],
        "extra_depends": {"dev": ["pytest"]},
    }
    return [
        make_row("six", extension=".tar.bz2"),
        make_row("numpy", "1.0"),
        make_row(
            "six",
            "2.0",
            extension=".tar.bz2",
            section=Section.V3_TAR_BZ2,
            indexed_timestamp=LAST,
            **conditional,
        ),
        make_row("numpy", "2.0", section=Section.V3_CONDA, indexed_timestamp=FIRST, **conditional),
    ]


def written(rows: Iterable[IndexRow], v3: V3Summary | None) -> bytes:
    out = io.BytesIO()
    write_repodata(out, "linux-64", rows, v3)
    return out.getvalue()


def run_exports_of(rows: Iterable[IndexRow]) -> dict[str, Any]:
    out = io.BytesIO()
    write_run_exports(out, "linux-64", rows)
    document: dict[str, Any] = json.loads(out.getvalue())
    return document


def test_each_record_stands_in_its_section_and_in_no_other(rows: list[IndexRow]) -> None:
    record = [json.loads(row.record) for row in rows]

    assert json.loads(written(rows, summarize_v3(rows))) == {
        "info": {
            "repodata_revisions": {
                "v3": {"message": None, "n_packages": 2, "oldest": FIRST, "newest": LAST},
            },
            "subdir": "linux-64",
        },
        "packages": {"six-1.0-0.tar.bz2": record[0]},
        "packages.conda": {"numpy-1.0-0.conda": record[1]},
        "removed": [],
        "repodata_version": 1,
        "v3": {"tar.bz2": {"six-2.0-0": record[2]}, "conda": {"numpy-2.0-0": record[3]}},
    }


@pytest.mark.parametrize(
    ("extension", "section"), [(".tar.bz2", Section.V3_TAR_BZ2), (".conda", Section.V3_CONDA)]
)
def test_one_section_of_v3_alone_leaves_the_others_empty(
    make_row: MakeRow, extension: str, section: Section
) -> None:
    row = make_row("numpy", extension=extension, section=section)

    document = json.loads(written([row], summarize_v3([row])))

    assert (document["packages"], document["packages.conda"]) == ({}, {})
    assert document["v3"] == {"tar.bz2": {}, "conda": {}} | {
        extension.removeprefix("."): {"numpy-1.0-0": json.loads(row.record)}
    }


def test_batches_may_end_anywhere(rows: list[IndexRow]) -> None:
    out = io.BytesIO()
    writer = RepodataWriter(out, "linux-64", summarize_v3(rows))
    for row in rows:
        writer.extend([row])

    assert writer.close() == 4
    assert out.getvalue() == written(rows, summarize_v3(rows))


@pytest.mark.parametrize(
    "untrue",
    [None, V3Summary(1, FIRST, LAST), V3Summary(2, FIRST + 1, LAST), V3Summary(2, FIRST, LAST - 1)],
    ids=["none", "number", "oldest", "newest"],
)
def test_summary_that_is_not_true_is_refused_at_the_end(
    rows: list[IndexRow], untrue: V3Summary | None
) -> None:
    with pytest.raises(ValueError, match="n_packages=2"):
        written(rows, untrue)


def test_summary_of_what_never_comes_is_refused(make_row: MakeRow) -> None:
    with pytest.raises(ValueError, match="n_packages=7"):
        written([make_row("numpy")], V3Summary(7, FIRST, LAST))


@pytest.mark.parametrize("sections", [(3, 1), (3, 2), (2, 0), (1, 0)])
def test_sections_out_of_order_are_refused(make_row: MakeRow, sections: tuple[int, int]) -> None:
    rows = [
        make_row(name, extension=Section(section).extension, section=section)
        for name, section in zip("ab", sections, strict=True)
    ]

    with pytest.raises(ValueError, match=rows[1].filename):
        written(rows, summarize_v3(rows))


@pytest.mark.parametrize("section", Section)
def test_file_of_another_kind_is_refused(make_row: MakeRow, section: Section) -> None:
    other = ".conda" if section.extension == ".tar.bz2" else ".tar.bz2"
    row = make_row("numpy", extension=other, section=section)

    with pytest.raises(ValueError, match=row.filename):
        written([row], summarize_v3([row]))
    with pytest.raises(ValueError, match=row.filename):
        pack_shard([row])


def test_shard_holds_each_record_in_its_section(make_row: MakeRow) -> None:
    rows = [
        make_row("numpy", version, extension=section.extension, section=section)
        for version, section in zip("1234", Section, strict=True)
    ]

    shard = read_shard(pack_shard(rows))

    assert {key: list(shard[key]) for key in ("packages", "packages.conda")} == {
        "packages": ["numpy-1-0.tar.bz2"],
        "packages.conda": ["numpy-2-0.conda"],
    }
    assert {key: list(records) for key, records in shard["v3"].items()} == {
        "conda": ["numpy-4-0"],
        "tar.bz2": ["numpy-3-0"],
    }
    assert shard["v3"]["conda"]["numpy-4-0"]["version"] == "4"


def test_shard_without_v3_does_not_name_it(make_row: MakeRow) -> None:
    told = make_row("numpy", section=Section.CONDA)

    assert "v3" not in read_shard(pack_shard([told]))
    assert pack_shard([told]) == pack_shard([make_row("numpy")])


def test_shard_index_tells_of_v3_as_the_monolith_does(rows: list[IndexRow]) -> None:
    summary = summarize_v3(rows)
    index = ShardIndex("linux-64", {}, summary)

    info = read_shard_index(index.pack(NOW))["info"]

    told = json.loads(written(rows, summary))["info"]["repodata_revisions"]
    assert info["repodata_revisions"] == told
    assert list(info) == sorted(info)


def test_shard_index_whose_last_v3_record_went_says_nothing_of_v3() -> None:
    index = ShardIndex("linux-64", {}, V3Summary(1, FIRST, FIRST))
    index.v3 = None

    assert index.pack(NOW) == ShardIndex("linux-64", {}).pack(NOW)


def test_run_exports_of_v3_stand_under_v3(make_row: MakeRow) -> None:
    weak = {"weak": ["numpy >=2"]}
    rows = [
        make_row("numpy", "1.0"),
        make_row("six", extension=".tar.bz2", section=Section.V3_TAR_BZ2),
        make_row("numpy", "2.0", section=Section.V3_CONDA, run_exports=weak),
    ]

    document = run_exports_of(rows)

    assert list(document["packages.conda"]) == ["numpy-1.0-0.conda"]
    assert document["v3"] == {
        "tar.bz2": {"six-1.0-0": {"run_exports": {}}},
        "conda": {"numpy-2.0-0": {"run_exports": weak}},
    }


def test_current_repodata_leaves_v3_out(make_row: MakeRow) -> None:
    rows = [make_row("numpy", "1.0"), make_row("numpy", "2.0", section=Section.V3_CONDA)]

    assert select_current(rows) == {"numpy-1.0-0.conda"}


def test_rattler_reads_records_and_revisions_of_a_monolith(rows: list[IndexRow], tmp_path: Path) -> None:
    path = tmp_path / "repodata.json"
    path.write_bytes(written(rows, summarize_v3(rows)))

    with SparseRepoData(Channel("https://example.org/channel"), "linux-64", path) as sparse:
        revision = sparse.repodata_revisions["v3"]
        found = sparse.load_all_records(PackageFormatSelection.BOTH)

    assert revision == {
        "n_packages": 2,
        "oldest": datetime.fromtimestamp(FIRST / 1000, UTC),
        "newest": datetime.fromtimestamp(LAST / 1000, UTC),
    }
    assert sorted(record.file_name for record in found) == sorted(row.filename for row in rows)


def test_client_sees_the_same_records_by_shards_zst_and_json(
    static_channel: Any, rows: list[IndexRow]
) -> None:
    static_channel.publish(rows)

    by_way = {way: static_channel.fetch(way, "six", "numpy") for way in ("shards", "zst", "json")}

    seen = {way: [orjson.loads(record.to_json()) for record in records] for way, records in by_way.items()}
    for record in seen["shards"]:
        record.pop("run_exports", None)  # only shards tell them
    assert seen["shards"] == seen["zst"] == seen["json"]
    assert sorted(record["fn"] for record in seen["json"]) == sorted(row.filename for row in rows)
    assert [bool(record.get("extra_depends")) for record in seen["json"]].count(True) == 2
