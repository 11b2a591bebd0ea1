"""The order of conda versions, which is rattler's to decide."""

from functools import lru_cache
from typing import Any

from rattler import Version
from rattler.exceptions import InvalidVersionError

from packhouse.formats.conda.panics import Panicked, panics_as_errors

VERSIONS_REMEMBERED = 50_000


@lru_cache(maxsize=VERSIONS_REMEMBERED)
def version_order(version: str) -> tuple[bool, Any]:
    """A key to sort versions by, as all conda clients do; a version that none can read comes first of all."""
    try:
        with panics_as_errors:
            return True, Version(version)
    except (InvalidVersionError, Panicked):
        return False, version


def release_order(version: str, build_number: int) -> tuple[tuple[bool, Any], int]:
    """Sort key: a later release is greater."""
    return version_order(version), build_number
