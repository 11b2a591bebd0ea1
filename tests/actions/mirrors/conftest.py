"""A house that may mirror what a real server on this machine serves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import House
from tests.mirroring import MirrorHouse, mirroring
from tests.upstream import Upstream


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    """Its folder is empty; a `ListedChannel` fills it."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    with Upstream(folder) as upstream:
        yield upstream


@pytest.fixture
def mirrors(house: House) -> Iterator[MirrorHouse]:
    """Embedded: SQLite and a folder."""
    with mirroring(house) as mirrors:
        yield mirrors


@pytest.fixture
def any_mirrors(any_house: House) -> Iterator[MirrorHouse]:
    """Embedded, and on PostgreSQL with an S3 store."""
    with mirroring(any_house) as mirrors:
        yield mirrors
