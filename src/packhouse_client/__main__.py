"""`conda-repo` and `python -m packhouse_client`: the command line as a program of its own."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and answer its exit code."""
    from packhouse_client.app import run

    return run(arguments, "conda-repo")


if __name__ == "__main__":
    sys.exit(main())
