"""Files that become blobs together: what is kept of them, and that all is safe before anybody is told."""

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from packhouse.domain.artifacts import Digests
from packhouse.errors import Corrupt
from packhouse.storage.blobs import Blobs, open_blobs

CONTENTS = [bytes([number]) * 1000 for number in range(20)]


def written(folder: Path, contents: list[bytes]) -> list[tuple[Digests, Path]]:
    folder.mkdir()
    files = []
    for number, content in enumerate(contents):
        path = folder / str(number)
        path.write_bytes(content)
        files.append((Digests("", hashlib.sha256(content).hexdigest(), len(content)), path))
    return files


def keep(blobs: Blobs, files: list[tuple[Digests, Path]]) -> None:
    with ThreadPoolExecutor(4) as threads:
        blobs.keep_files(files, threads)


def test_all_files_are_kept(blob_url: str, blob_options: Mapping[str, str], tmp_path: Path) -> None:
    blobs = open_blobs(blob_url, blob_options)
    files = written(tmp_path / "files", CONTENTS)
    keep(blobs, files)
    assert [b"".join(blobs.read(digests.sha256)) for digests, _ in files] == CONTENTS


def test_file_that_is_there_twice_is_kept_once(tmp_path: Path) -> None:
    blobs = open_blobs(str(tmp_path / "store"), {})
    files = written(tmp_path / "files", CONTENTS[:1] * 4)
    keep(blobs, files)
    assert [digest for digest, _, _ in blobs.walk()] == [files[0][0].sha256]


def test_one_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    blobs = open_blobs(str(tmp_path / "store"), {})
    files = written(tmp_path / "files", CONTENTS)
    os.truncate(files[3][1], 10)
    with pytest.raises(Corrupt):
        keep(blobs, files)
    assert blobs.size(files[3][0].sha256) is None


def test_bytes_and_names_are_synced_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may take what was not; so no row may refer to it before."""
    synced: set[tuple[int, int]] = set()
    real = os.fsync

    def noted(descriptor: int) -> None:
        found = os.fstat(descriptor)
        synced.add((found.st_dev, found.st_ino))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    blobs = open_blobs(str(tmp_path / "store"), {})
    files = written(tmp_path / "files", CONTENTS)
    keep(blobs, files)
    for digests, _ in files:
        path = blobs.path(digests.sha256)
        assert path is not None
        for one in (path, path.parent):
            assert (one.stat().st_dev, one.stat().st_ino) in synced
