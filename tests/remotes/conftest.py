"""An upstream of one folder, and remotes that lose no time between tries."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from packhouse.remotes import Pace, Remotes
from packhouse.settings import Settings
from tests.upstream import Upstream

HASTY_SECONDS = 0.5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "upstream"
    folder.mkdir()
    return folder


@pytest.fixture
def upstream(folder: Path) -> Iterator[Upstream]:
    with Upstream(folder) as upstream:
        yield upstream


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", allow_private_upstreams=True, upstream_timeout_seconds=10)


@pytest.fixture
def remotes(settings: Settings) -> Iterator[Remotes]:
    remotes = Remotes(settings, Pace(first_seconds=0.001))
    yield remotes
    remotes.close()


@pytest.fixture
def hasty(settings: Settings) -> Iterator[Remotes]:
    """Waits half a second for a byte, in place of half a minute."""
    impatient = settings.model_copy(update={"upstream_timeout_seconds": HASTY_SECONDS})
    remotes = Remotes(impatient, Pace(first_seconds=0.001))
    yield remotes
    remotes.close()
