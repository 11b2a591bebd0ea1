"""`run_exports.json` (CEP 12): what each package asks of those that are built with it."""

from collections.abc import Iterable, Sequence

import orjson

from packhouse.formats.conda.repodata import IndexRow, SectionsWriter, Sink, batches


class RunExportsWriter:
    """The run exports of a subdir, rows in the order of RepodataWriter.

    Every file has an entry: `{}` says "exports nothing", a missing one would say "unknown".
    """

    def __init__(self, out: Sink, subdir: str) -> None:
        self._out = out
        # The platform and arch that CEP 12 shows follow from the subdir; conda-index leaves them out too.
        out.write(b'{"info":%b,' % orjson.dumps({"subdir": subdir, "version": 1}))
        self._sections = SectionsWriter(out)

    def extend(self, rows: Sequence[IndexRow]) -> None:
        self._sections.extend(
            [(filename, b'{"run_exports":%b}' % run_exports) for filename, _, run_exports in rows]
        )

    def close(self) -> int:
        """Write the end; the number of entries."""
        count = self._sections.close()
        self._out.write(b"}")
        return count


def write_run_exports(out: Sink, subdir: str, rows: Iterable[IndexRow]) -> int:
    """Write the run exports of a subdir and return the number of entries."""
    writer = RunExportsWriter(out, subdir)
    for batch in batches(rows):
        writer.extend(batch)
    return writer.close()
