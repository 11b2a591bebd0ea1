"""Readers called as `publish` calls them."""

import io
from collections.abc import Callable

import pytest

from packhouse.domain.artifacts import FileFacts
from packhouse.domain.families import Declared
from packhouse.formats.reading import read_file

Read = Callable[..., FileFacts]


@pytest.fixture
def read() -> Read:
    """Reads bytes as a file of a family."""

    def read_bytes(
        family: str, filename: str, data: bytes, name: str | None = None, version: str | None = None
    ) -> FileFacts:
        return read_file(io.BytesIO(data), filename, Declared(family, name, version))

    return read_bytes
