import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from rattler import Channel, RepoData, SparseRepoData
from rattler.repo_data import PackageFormatSelection

from packhouse.formats.conda.repodata import IndexRow, compress, write_repodata

MakeRow = Callable[..., IndexRow]


def written(rows: Iterable[IndexRow], subdir: str = "linux-64") -> bytes:
    out = io.BytesIO()
    write_repodata(out, subdir, rows)
    return out.getvalue()


@pytest.fixture
def rows(make_row: MakeRow) -> list[IndexRow]:
    return [
        make_row("zlib", "1.2", extension=".tar.bz2"),
        make_row("numpy", "2.0", depends=["python >=3.11"], license="BSD-3-Clause"),
        make_row("zlib", "1.2"),
        make_row("zlib", "1.3", timestamp=1_700_000_000_000),
    ]


def test_empty_subdir_has_every_section() -> None:
    assert written([], "noarch") == (
        b'{"info":{"subdir":"noarch"},"packages":{},"packages.conda":{},"removed":[],"repodata_version":1}'
    )


def test_records_are_copied_byte_for_byte_into_their_section() -> None:
    rows = [IndexRow("a-1-0.tar.bz2", b'{"n":1}', b"{}"), IndexRow("a-1-0.conda", b'{"n":2}', b"{}")]

    assert written(rows) == (
        b'{"info":{"subdir":"linux-64"},"packages":{"a-1-0.tar.bz2":{"n":1}},'
        b'"packages.conda":{"a-1-0.conda":{"n":2}},"removed":[],"repodata_version":1}'
    )


@pytest.mark.parametrize("extension", [".tar.bz2", ".conda"])
def test_one_kind_alone_leaves_the_other_section_empty(make_row: MakeRow, extension: str) -> None:
    document = json.loads(written([make_row("a", extension=extension), make_row("b", extension=extension)]))

    assert sorted([len(document["packages"]), len(document["packages.conda"])]) == [0, 2]


def test_number_of_records_is_returned(rows: list[IndexRow]) -> None:
    assert write_repodata(io.BytesIO(), "linux-64", rows) == 4
    assert write_repodata(io.BytesIO(), "linux-64", []) == 0


def test_document_is_compact_and_its_keys_are_sorted(rows: list[IndexRow]) -> None:
    body = written(rows)

    assert body.decode() == json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"))


def test_same_rows_give_the_same_bytes(rows: list[IndexRow]) -> None:
    assert written(iter(rows)) == written(list(rows))


@pytest.mark.parametrize(
    "filenames",
    [
        ("b-1-0.conda", "a-1-0.conda"),
        ("b-1-0.tar.bz2", "a-1-0.tar.bz2"),
        ("a-1-0.conda", "a-1-0.tar.bz2"),
        ("a-1-0.conda", "a-1-0.conda"),
        ("a-1-0.whl",),
    ],
    ids=["conda", "tar.bz2", "conda first", "twice", "neither"],
)
def test_rows_out_of_order_are_refused(filenames: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=filenames[-1]):
        written([IndexRow(filename, b"{}", b"{}") for filename in filenames])


def test_quote_in_a_file_name_cannot_end_the_string() -> None:
    document = json.loads(written([IndexRow('a":{},"b-1-0.conda', b"{}", b"{}")]))

    assert list(document["packages.conda"]) == ['a":{},"b-1-0.conda']


def test_large_subdir_is_written_in_bounded_pieces() -> None:
    class Pieces(io.BytesIO):
        largest = 0

        def write(self, piece: Any) -> int:
            self.largest = max(self.largest, len(piece))
            return super().write(piece)

    out = Pieces()
    record = b'{"depends":[]}'
    rows = (IndexRow(f"a-{number:06d}-0.conda", record, b"{}") for number in range(20_000))

    assert write_repodata(out, "linux-64", rows) == 20_000
    assert out.largest < len(out.getvalue()) / 5
    assert len(json.loads(out.getvalue())["packages.conda"]) == 20_000


def test_rattler_reads_every_record(rows: list[IndexRow], tmp_path: Path) -> None:
    path = tmp_path / "repodata.json"
    path.write_bytes(written(rows))

    repodata = RepoData.from_path(path)
    records = repodata.into_repo_data(Channel("https://example.org/channel"))

    assert repodata.info is not None
    assert repodata.info.subdir == "linux-64"
    assert sorted(record.file_name for record in records) == sorted(row.filename for row in rows)


def test_rattler_finds_single_names_without_reading_the_rest(rows: list[IndexRow], tmp_path: Path) -> None:
    path = tmp_path / "repodata.json"
    path.write_bytes(written(rows))

    with SparseRepoData(Channel("https://example.org/channel"), "linux-64", path) as sparse:
        found = sparse.load_records("zlib", PackageFormatSelection.BOTH)

    assert sorted(record.file_name for record in found) == [
        "zlib-1.2-0.conda",
        "zlib-1.2-0.tar.bz2",
        "zlib-1.3-0.conda",
    ]


def test_compressed_twin_is_one_frame_with_size_and_checksum(rows: list[IndexRow]) -> None:
    body, out = written(rows), io.BytesIO()
    compress(io.BytesIO(body), out, len(body))

    parameters = zstandard.get_frame_parameters(out.getvalue())
    reader = zstandard.ZstdDecompressor().decompressobj()
    assert (parameters.content_size, parameters.has_checksum) == (len(body), True)
    assert reader.decompress(out.getvalue()) == body  # a decompressobj stops at the end of its first frame
    assert reader.unused_data == b""


def test_number_of_threads_does_not_change_the_bytes() -> None:
    body = b"".join(b'{"record":%d}' % number for number in range(200_000))
    one, three = io.BytesIO(), io.BytesIO()
    compress(io.BytesIO(body), one, len(body), threads=1)
    compress(io.BytesIO(body), three, len(body), threads=3)

    assert one.getvalue() == three.getvalue()


@pytest.mark.parametrize("size", [3, 1000])
def test_wrong_size_is_refused(size: int) -> None:
    with pytest.raises(zstandard.ZstdError):
        compress(io.BytesIO(b"x" * 100), io.BytesIO(), size)


@pytest.mark.parametrize("way", ["zst", "json"])
def test_client_fetches_over_http(static_channel: Any, rows: list[IndexRow], way: str) -> None:
    static_channel.publish(rows)

    fetched = static_channel.fetch(way, "zlib", "numpy")

    # rattler prefers the .conda where a build has both.
    assert [record.file_name for record in fetched] == [row.filename for row in rows[1:]]
