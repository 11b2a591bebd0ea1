"""Solve and install with py-rattler, the engine of pixi: `python -m demo.install CHANNEL SPEC PREFIX`."""

import asyncio
import sys
import tempfile
from pathlib import Path

from rattler import Gateway, RepoDataRecord, install, solve
from rattler.exceptions import InstallerError, SolverError


def solved(channel: str, spec: str) -> list[RepoDataRecord]:
    """What would be installed. The client starts without a cache; raises SolverError if nothing fits."""
    with tempfile.TemporaryDirectory() as cache:
        return asyncio.run(solve([channel], [spec], gateway=Gateway(cache_dir=Path(cache))))


def installed(records: list[RepoDataRecord], prefix: Path) -> None:
    with tempfile.TemporaryDirectory() as cache:
        asyncio.run(install(records, target_prefix=prefix, cache_dir=Path(cache), show_progress=False))


def main(channel: str, spec: str, prefix: str) -> str | None:
    """Answers what went wrong, in the words of the solver or installer, or nothing."""
    try:
        records = solved(channel, spec)
        installed(records, Path(prefix))
    except (SolverError, InstallerError) as error:
        return str(error)
    print("installed:", *(record.file_name for record in records))
    return None


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("Usage: python -m demo.install CHANNEL SPEC PREFIX")
    sys.exit(main(*sys.argv[1:]))
