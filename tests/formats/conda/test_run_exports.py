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


def test_empty_subdir_has_every_section() -> None:
    out = io.BytesIO()

    assert write_run_exports(out, "noarch", []) == 0
    assert out.getvalue() == b'{"info":{"subdir":"noarch","version":1},"packages":{},"packages.conda":{}}'
