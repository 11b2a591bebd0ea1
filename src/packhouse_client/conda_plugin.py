"""`conda repo ...`: conda finds this module by its entry point and asks it for subcommands.

Says who? https://docs.conda.io/projects/conda/en/stable/dev-guide/plugins/subcommands.html
"""

from collections.abc import Iterator, Sequence
from typing import Any

try:
    from conda.plugins import hookimpl
    from conda.plugins.types import CondaSubcommand
except ImportError:
    # Other programs load all entry points there are; without conda, there is nothing to plug in to.
    hookimpl = None

SUMMARY = "Work with the channels and packages of a Packhouse or Anaconda Platform server."


def repo(arguments: Sequence[str]) -> int:
    """What conda calls with the words behind `conda repo`; it exits with the answer."""
    from packhouse_client.app import run

    return run(arguments, "conda repo")


if hookimpl is not None:

    @hookimpl  # type: ignore[untyped-decorator]  # conda may not be there, so its types are not known
    def conda_subcommands() -> Iterator[Any]:
        yield CondaSubcommand(name="repo", summary=SUMMARY, action=repo)
