"""The worlds in which servers are killed, and the die that says when."""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random, SystemRandom

import pytest

# What an assertion compared is told of the modules that the crash tests share, too.
pytest.register_assert_rewrite("tests.crash.operations", "tests.crash.world", "tests.crash.many_files")

from tests.crash.world import World  # noqa: E402  # once its assertions are rewritten

KILLS = int(os.environ.get("PACKHOUSE_CRASH_KILLS", "4"))


@pytest.fixture
def chance() -> Random:
    seed = os.environ.get("PACKHOUSE_CRASH_SEED") or str(SystemRandom().randrange(2**32))
    print(f"to repeat this run: PACKHOUSE_CRASH_SEED={seed} PACKHOUSE_CRASH_KILLS={KILLS}")
    return Random(seed)


@pytest.fixture(params=["embedded", "large"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "embedded":
        yield World(tmp_path / "data")
        return
    settings = {
        "database_url": request.getfixturevalue("postgres_url"),
        "blob_url": request.getfixturevalue("s3_url"),
        "blob_options": dict(request.getfixturevalue("s3_options")),
    }
    yield World(tmp_path / "data", settings)
