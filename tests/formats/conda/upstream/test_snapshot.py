import io
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packhouse.errors import Invalid, StorageFull, TooLarge
from packhouse.formats.conda.shards import LARGEST_SHARD
from packhouse.formats.conda.upstream import snapshot as snapshots
from packhouse.formats.conda.upstream.shards import UpstreamShard, read_shard
from packhouse.formats.conda.upstream.snapshot import Snapshot, write_snapshot
from tests.formats.conda.upstream.samples import INDEX_URL, SUBDIR, record, repodata, shard

DATA = Path(__file__).parents[3] / "data" / "repodata"

Take = Callable[..., Snapshot]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "snapshot.db"


@pytest.fixture
def take(path: Path) -> Iterator[Take]:
    taken: list[Snapshot] = []

    def take(document: object, subdir: str = SUBDIR, **options: Any) -> Snapshot:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        place = path.with_name(f"{len(taken)}.db")
        taken.append(write_snapshot(io.BytesIO(body), place, subdir, INDEX_URL, **options))
        return taken[-1]

    yield take
    for snapshot in taken:
        snapshot.close()


def run_exports(**by_file: Any) -> io.BytesIO:
    entries = {f"{stem}-1.3-h1_0.conda": {"run_exports": told} for stem, told in by_file.items()}
    return io.BytesIO(json.dumps({"info": {}, "packages": {}, "packages.conda": entries}).encode())


TWO_NAMES = repodata(
    {"zlib-1.3-h1_0.tar.bz2": record()},
    {"zlib-1.3-h1_0.conda": record(), "numpy-1.3-h1_0.conda": record("numpy")},
    removed=["zlib-1.1-0.conda", "bad"],
)


def test_names_come_in_order_and_files_by_name(take: Take) -> None:
    snapshot = take(TWO_NAMES)

    assert [name for name, _ in snapshot.digests()] == ["numpy", "zlib"]
    assert [file.filename for file in snapshot.files("zlib").files] == [
        "zlib-1.3-h1_0.conda",
        "zlib-1.3-h1_0.tar.bz2",
    ]
    assert [found.name for found in map(snapshot.files, ["zlib", "numpy"])] == ["zlib", "numpy"]
    assert snapshot.count() == 3


def test_removed_are_told_as_a_whole_and_by_name(take: Take) -> None:
    snapshot = take(TWO_NAMES)

    assert snapshot.removed == ["bad", "zlib-1.1-0.conda"]
    assert snapshot.files("zlib").removed == ["zlib-1.1-0.conda"]


def test_unknown_name_has_nothing(take: Take) -> None:
    assert take(TWO_NAMES).files("six") == UpstreamShard("six", [], [], [])


def test_compressed_document_gives_the_same(take: Take) -> None:
    plain, packed = take(TWO_NAMES), take(zstandard.compress(json.dumps(TWO_NAMES).encode()))

    assert list(plain.digests()) == list(packed.digests())


def test_shard_and_monolith_of_a_channel_give_the_same_files(take: Take) -> None:
    document = repodata(
        {"zlib-1.3-h1_0.tar.bz2": record()},
        {
            "zlib-1.3-h1_0.conda": record(run_exports={"weak": ["zlib"]}),
            "zlib-1.4-h1_0.conda": record(
                version="1.4", depends=None, constrains=None, noarch="", extra=[1.5, {}]
            ),
            "zlib-1.5-h1_0.conda": record(version="1.5", size=-1),
        },
        removed=["zlib-1.1-0.conda"],
        signatures={"zlib-1.4-h1_0.conda": {"key": {"signature": "00"}}},
        v3={"conda": {"zlib-1.6-h1_0": record(version="1.6", flags=["cuda"])}, "whl": {"zlib-1-py3_0": {}}},
    )

    ours, theirs = take(document).files("zlib"), read_shard(shard("zlib", document), SUBDIR, "zlib")

    assert ours.files == theirs.files
    assert [str(refused) for refused in ours.refused] == [str(refused) for refused in theirs.refused]
    assert ours.removed == theirs.removed
    assert (len(ours.files), len(ours.refused)) == (4, 2)


@given(st.randoms(use_true_random=False))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_digests_do_not_depend_on_any_order_in_the_document(take: Take, random: Random) -> None:
    def shuffled(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        keys = random.sample(sorted(value), len(value))
        return {key: shuffled(value[key]) for key in keys}

    document = TWO_NAMES | {"signatures": {"zlib-1.3-h1_0.conda": {"key": {}}}}

    assert list(take(shuffled(document)).digests()) == list(take(document).digests())


@pytest.mark.parametrize(
    "change",
    [
        {"packages.conda": {"zlib-1.3-h1_0.conda": record(license="BSD")}},
        {"packages.conda": {"zlib-1.4-h1_0.conda": record(version="1.4")}},
        {"packages.conda": {}},
        {"signatures": {"zlib-1.3-h1_0.conda": {"key": {}}}},
        {"v3": {"conda": {"zlib-1.4-h1_0": record(version="1.4")}}},
    ],
    ids=["patched", "replaced", "gone", "signed", "v3"],
)
def test_digest_of_a_name_changes_with_what_is_told_of_it_and_no_other(
    take: Take, change: dict[str, Any]
) -> None:
    before = repodata(
        {"six-1.3-h1_0.tar.bz2": record("six"), "zlib-1.3-h1_0.tar.bz2": record()},
        {"zlib-1.3-h1_0.conda": record()},
    )

    first, second = (dict(take(document).digests()) for document in (before, before | change))

    assert first["zlib"] != second["zlib"]
    assert first["six"] == second["six"]


def test_run_exports_are_merged_and_change_the_digest(take: Take) -> None:
    snapshot = take(TWO_NAMES)
    before = dict(snapshot.digests())

    snapshot.add_run_exports(run_exports(zlib={"weak": ["zlib >=1.3"]}), INDEX_URL)

    conda, tar_bz2 = snapshot.files("zlib").files
    assert (conda.run_exports, tar_bz2.run_exports) == (b'{"weak":["zlib >=1.3"]}', b"")
    after = dict(snapshot.digests())
    assert (after["zlib"] != before["zlib"], after["numpy"]) == (True, before["numpy"])


def test_empty_run_exports_are_known_and_missing_ones_are_not(take: Take) -> None:
    snapshot = take(TWO_NAMES)

    snapshot.add_run_exports(run_exports(zlib={}, numpy=None), INDEX_URL)

    assert snapshot.files("zlib").files[0].run_exports == b"{}"
    assert snapshot.files("numpy").files[0].run_exports == b""


def test_run_exports_that_no_client_can_read_are_unknown(take: Take) -> None:
    snapshot = take(TWO_NAMES)

    snapshot.add_run_exports(run_exports(zlib={"weak": "zlib"}, numpy={"strong": ["numpy"]}), INDEX_URL)

    assert snapshot.files("zlib").files[0].run_exports == b""
    assert snapshot.files("numpy").files[0].run_exports == b'{"strong":["numpy"]}'


@pytest.mark.parametrize("body", [b"<html>", b'{"error":"gone"}', b'{"packages":{', b""])
def test_broken_run_exports_leave_all_unknown(take: Take, body: bytes) -> None:
    snapshot = take(TWO_NAMES)
    before = list(snapshot.digests())
    snapshot.add_run_exports(run_exports(zlib={}), INDEX_URL)

    with pytest.raises(Invalid, match=r"^https://upstream\.example"):
        snapshot.add_run_exports(io.BytesIO(body), INDEX_URL)

    assert list(snapshot.digests()) == before


def test_records_whose_names_no_package_has_are_under_the_empty_name(take: Take) -> None:
    snapshot = take(
        repodata(conda={"../../etc-1-0.conda": record(), "zlib.conda": record(), "zlib-1.3-h1_0.conda": 5})
    )

    assert [name for name, _ in snapshot.digests()] == ["", "zlib"]
    assert len(snapshot.files("").refused) == 2
    assert "no object" in snapshot.files("zlib").refused[0].reason


def test_record_nested_too_deep_costs_no_other(take: Take) -> None:
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    text = json.dumps(
        repodata(conda={"zlib-1.3-h1_0.conda": {"x": deep}, "zlib-1.4-h1_0.conda": record(version="1.4")})
    )

    found = take(text.encode().replace(b"]]]", b"] ] ]")).files("zlib")

    assert (len(found.files), len(found.refused)) == (1, 1)


def test_name_with_more_records_than_a_shard_can_hold_is_too_large_and_costs_no_other(take: Take) -> None:
    long = "x" * (LARGEST_SHARD // 4)
    records = {f"zlib-{minor}-h1_0.conda": record(version=str(minor), summary=long) for minor in range(4)}

    snapshot = take(repodata(conda=records | {"six-1.3-h1_0.conda": record("six")}))

    with pytest.raises(TooLarge, match="linux-64: the records of 'zlib'"):
        snapshot.files("zlib")
    assert len(snapshot.files("six").files) == 1


def test_empty_object_is_an_empty_subdir(take: Take) -> None:
    assert list(take({}).digests()) == []


def test_base_url_is_that_of_the_document_or_what_it_tells(take: Take) -> None:
    info = {"subdir": SUBDIR, "base_url": "https://files.example/x"}

    assert take(repodata()).base_url == "https://upstream.example/channel/linux-64/"
    assert take(repodata(info=info)).base_url == "https://files.example/x/"


def test_info_may_come_last_and_unknown_parts_are_passed_over(take: Take) -> None:
    parts = repodata(conda={"zlib-1.3-h1_0.conda": record()})
    document = {"_mod": "now", "packages.whl": {"a": {"b": [1]}}, "list": [1, {}]} | dict(
        reversed(parts.items())
    )

    assert take(document).count() == 1


WHOLE = json.dumps(TWO_NAMES).encode()
DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!DOCTYPE html><html><body>Log in first</body></html>",
        b'{"error":"not found"}',
        b"[]",
        b"null",
        b"\xef\xbb\xbf{}",
        b"\x1f\x8b\x08\x00garbage",
        WHOLE[:-1],
        WHOLE[: len(WHOLE) // 2],
        WHOLE + b"{}",
        zstandard.compress(WHOLE)[:-20],
        zstandard.compress(b"<html>"),
        zstandard.FRAME_HEADER + b"garbage",
        b'{"packages":[]}',
        b'{"packages":null}',
        b'{"packages":{"a-1-0.conda":1e999}}',
        b'{"packages":{"a-1-0.conda":{},"a-1-0.conda":{}}}',
        b'{"packages":{},"packages":{}}',
        b'{"v3":{"conda":{},"conda":{}}}',
        b'{"packages":{"a-1-0.conda":' + DEEP + b"}}",
        b'{"info":{"subdir":"win-64"},"packages":{}}',
        b'{"info":{"base_url":"file:///etc"},"packages":{}}',
        b'{"packages":{"\xff":{}}}',
        b'{"packages":{"\\ud800":{}}}',
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
def test_broken_document_is_refused_by_its_address_and_leaves_nothing(body: bytes, path: Path) -> None:
    with pytest.raises(
        Invalid, match=r"^https://upstream\.example/channel/linux-64/repodata\.json: (?!https:)"
    ):
        write_snapshot(io.BytesIO(body), path, SUBDIR, INDEX_URL)

    assert list(path.parent.iterdir()) == []


@given(st.binary() | st.text('{}[]":, packgesv3conda\\10', max_size=60).map(str.encode))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage_is_refused_and_leaves_nothing(path: Path, body: bytes) -> None:
    for content in (body, b'{"packages":' + body, zstandard.compress(body)):
        with suppress(Invalid), write_snapshot(io.BytesIO(content), path, SUBDIR, INDEX_URL) as snapshot:
            assert all(snapshot.files(name).files == [] for name in [name for name, _ in snapshot.digests()])
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("pack", [bytes, zstandard.compress], ids=["plain", "zst"])
def test_bomb_is_too_large(path: Path, pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(TooLarge, match=r"repodata\.json: it has more than 100000 bytes"):
        write_snapshot(io.BytesIO(pack(b" " * 100_001)), path, SUBDIR, INDEX_URL, limit=100_000)

    assert list(path.parent.iterdir()) == []


def test_full_disk_is_told_as_such_and_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # SQLite's own bound raises what ENOSPC does, and needs no disk to be filled.
    monkeypatch.setattr(snapshots, "_SCHEMA", snapshots._SCHEMA + "PRAGMA max_page_count = 12;")
    records = {f"zlib-{minor}-h1_0.conda": record(version=str(minor)) for minor in range(500)}

    with pytest.raises(StorageFull, match=r"repodata\.json: the disk has no room left"):
        write_snapshot(io.BytesIO(json.dumps(repodata(conda=records)).encode()), path, SUBDIR, INDEX_URL)
    assert not path.exists()


def test_what_a_killed_process_left_is_replaced(path: Path) -> None:
    path.write_bytes(b"half a database")

    with write_snapshot(io.BytesIO(WHOLE), path, SUBDIR, INDEX_URL) as snapshot:
        assert snapshot.count() == 3
    assert not path.exists()


def test_failing_source_leaves_nothing(path: Path) -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        write_snapshot(Broken(), path, SUBDIR, INDEX_URL)  # type: ignore[arg-type]  # a source need only read
    assert not path.exists()


@pytest.mark.parametrize(
    ("document", "subdir", "count", "refusals"),
    [
        ("main_noarch", "noarch", 322, {}),
        ("conda-forge-numpy_linux-64", SUBDIR, 30, {"subdir": 4}),
        ("with-wheels_v3_noarch", "noarch", 6, {"wheels": 45}),
    ],
)
def test_real_document_is_read(
    take: Take, document: str, subdir: str, count: int, refusals: dict[str, int]
) -> None:
    packed = (DATA / f"{document}.json.zst").read_bytes()
    plain = json.loads(zstandard.ZstdDecompressor().stream_reader(packed).read())
    snapshot = take(packed, subdir)

    shards = [snapshot.files(name) for name in [name for name, _ in snapshot.digests()]]

    files = [file for found in shards for file in found.files]
    listed = plain.get("packages", {}) | plain.get("packages.conda", {})
    assert len(files) == count
    assert all(file.sha256 == listed[file.filename]["sha256"] for file in files)
    reasons = [refused.reason for found in shards for refused in found.refused]
    assert {word: sum(word in reason for reason in reasons) for word in refusals} == refusals
    assert len(reasons) == sum(refusals.values())


def test_signatures_of_a_real_document_are_told(take: Take) -> None:
    snapshot = take((DATA / "conda-forge-numpy_linux-64.json.zst").read_bytes())

    files = [file for name, _ in snapshot.digests() for file in snapshot.files(name).files]

    assert sum(file.is_signed for file in files) == 2
