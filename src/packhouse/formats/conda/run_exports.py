"""`run_exports.json` (CEP 12): what each package asks of those that are built with it."""

from collections.abc import Iterable

import orjson

from packhouse.formats.conda.repodata import IndexRow, Sink, write_sections


def write_run_exports(out: Sink, subdir: str, rows: Iterable[IndexRow]) -> int:
    """Write the run exports of a subdir and return the number of entries.

    Rows in the order of `write_repodata`. Every file has an entry: `{}` says "exports nothing", a
    missing one would say "unknown".
    """
    # The platform and arch that CEP 12 shows follow from the subdir; conda-index leaves them out too.
    out.write(b'{"info":%b,' % orjson.dumps({"subdir": subdir, "version": 1}))
    count = write_sections(out, ((row.filename, b'{"run_exports":%b}' % row.run_exports) for row in rows))
    out.write(b"}")
    return count
