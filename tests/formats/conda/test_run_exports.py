import io
import json
from collections.abc import Callable

from packhouse.formats.conda.repodata import IndexRow
from packhouse.formats.conda.run_exports import write_run_exports

MakeRow = Callable[..., IndexRow]


def test_every_file_has_an_entry_and_nothing_exported_is_empty(make_row: MakeRow) -> None:
    out = io.BytesIO()
    weak = {"weak": ["zlib >=1.2.11,<1.3.0a0"]}
    rows = [
        make_row("zlib", extension=".tar.bz2", run_exports=weak),
        make_row("six"),
        make_row("zlib", run_exports=weak),
    ]

    assert write_run_exports(out, "linux-64", rows) == 3
    assert json.loads(out.getvalue()) == {
        "info": {"subdir": "linux-64", "version": 1},
        "packages": {"zlib-1.0-0.tar.bz2": {"run_exports": weak}},
        "packages.conda": {"six-1.0-0.conda": {"run_exports": {}}, "zlib-1.0-0.conda": {"run_exports": weak}},
    }


def test_file_whose_exports_are_unknown_has_no_entry(make_row: MakeRow) -> None:
    out = io.BytesIO()
    unknown = [make_row("abc")._replace(run_exports=b""), make_row("zlib")._replace(run_exports=b"")]

    assert write_run_exports(out, "linux-64", [unknown[0], make_row("six"), unknown[1]]) == 1
    assert json.loads(out.getvalue())["packages.conda"] == {"six-1.0-0.conda": {"run_exports": {}}}


def test_subdir_whose_exports_are_all_unknown_has_every_section(make_row: MakeRow) -> None:
    out = io.BytesIO()

    assert write_run_exports(out, "noarch", [make_row("abc")._replace(run_exports=b"")]) == 0
    assert json.loads(out.getvalue()).keys() == {"info", "packages", "packages.conda"}


def test_empty_subdir_has_every_section() -> None:
    out = io.BytesIO()

    assert write_run_exports(out, "noarch", []) == 0
    assert out.getvalue() == b'{"info":{"subdir":"noarch","version":1},"packages":{},"packages.conda":{}}'
