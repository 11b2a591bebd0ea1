"""`run_exports.json` (CEP 12): what each package asks of those that are built with it."""

from collections.abc import Iterable, Sequence

import orjson

from packhouse.formats.conda.repodata import IndexRow, SectionsWriter, Sink, batches


class RunExportsWriter:
    """The run exports of a subdir, rows in the order of RepodataWriter.

    An entry of `{}` says "exports nothing", and a missing one "unknown". CEP 12 is older than `v3`, but has
    this document mimic repodata.json; rattler, too, looks for the files of `v3` under `v3`.
    """

    def __init__(self, out: Sink, subdir: str) -> None:
        self._out = out
        # The platform and arch that CEP 12 shows follow from the subdir; conda-index leaves them out too.
        out.write(b'{"info":%b,' % orjson.dumps({"subdir": subdir, "version": 1}))
        self._sections = SectionsWriter(out)

    def extend(self, rows: Sequence[IndexRow]) -> None:
        known = [row for row in rows if row.run_exports]
        if not known:
            return
        names, _, exports, sections = zip(*known, strict=True)
        self._sections.extend(sections, names, [b'{"run_exports":%b}' % each for each in exports])

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
