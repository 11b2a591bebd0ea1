"""The order of conda versions, which is rattler's to decide."""

from functools import lru_cache

from rattler import Version


@lru_cache(maxsize=50_000)
def parse_version(text: str) -> Version:
    return Version(text)


def release_order(version: str, build_number: int) -> tuple[Version, int]:
    """Sort key: a later release is greater."""
    return parse_version(version), build_number
