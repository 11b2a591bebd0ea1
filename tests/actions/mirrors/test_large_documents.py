"""Large indexes: who stops a run does not wait until they are read."""

import json
import threading
from contextlib import ExitStack

import pytest

from packhouse.actions.mirrors.source import Source
from packhouse.actions.mirrors.upstream import Upstream
from packhouse.domain.mirrors import Specification
from packhouse.errors import Stopped
from tests.mirroring import MirrorHouse
from tests.upstream import Upstream as Serving

RECORDS = 5_000


class StoppedSoon(Source):
    """Stopped once the first large document is here."""

    def transferred(self, size: int) -> None:
        if size > 100 * RECORDS:
            self.stop.set()


def document_with_a_broken_end() -> str:
    """Who reads all of it finds a fault."""
    record = {"name": "demo", "version": "1.0", "build": "0", "build_number": 0, "sha256": "0" * 64}
    listed = {f"demo-{number}-0.conda": record for number in range(RECORDS)}
    return json.dumps({"info": {"subdir": "noarch"}, "packages.conda": listed})[:-1]


def test_large_document_is_not_read_to_its_end_once_the_run_is_stopped(
    mirrors: MirrorHouse, upstream: Serving
) -> None:
    (upstream.folder / "noarch").mkdir()
    (upstream.folder / "noarch" / "repodata.json").write_text(document_with_a_broken_end())
    specification = Specification(name="twin", source=upstream.url)
    source = StoppedSoon(mirrors.packhouse, specification, threading.Event())
    with ExitStack() as open_files, pytest.raises(Stopped):
        Upstream(source, open_files).open("noarch", None)
