"""Downloads that outlive their process: what is there is found again, and never shared by two writers."""

import hashlib
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from time import time

import pytest

from packhouse.errors import Invalid, StorageFull
from packhouse.storage.blobs import PartialFile, open_blobs, remove_leftover_spools

KEY = "a" * 64
FIRST, SECOND = b"the first half, ", b"and the second"


def left_by_another(directory: Path, content: bytes) -> None:
    (directory / f"{KEY}.part").write_bytes(content)


def test_new_file_is_empty_and_counts_what_is_written(tmp_path: Path) -> None:
    with PartialFile(tmp_path / "spool", KEY) as partial:
        assert partial.position == 0
        partial.write(FIRST)
        partial.write(SECOND)

        digests = partial.finish()

    assert digests.sha256 == hashlib.sha256(FIRST + SECOND).hexdigest()
    assert (digests.md5, digests.size) == ("", len(FIRST + SECOND))
    assert (tmp_path / "spool" / f"{KEY}.part").read_bytes() == FIRST + SECOND


def test_md5_is_computed_when_it_is_asked_for(tmp_path: Path) -> None:
    left_by_another(tmp_path, FIRST)
    with PartialFile(tmp_path, KEY, with_md5=True) as partial:
        partial.write(SECOND)
        assert partial.finish().md5 == hashlib.md5(FIRST + SECOND).hexdigest()


def test_what_is_there_counts_when_it_is_opened_again(tmp_path: Path) -> None:
    with PartialFile(tmp_path, KEY) as partial:
        partial.write(FIRST)

    with PartialFile(tmp_path, KEY) as partial:
        assert partial.position == len(FIRST)
        partial.write(SECOND)
        assert partial.finish().sha256 == hashlib.sha256(FIRST + SECOND).hexdigest()


def test_bytes_survive_a_killed_process_and_so_does_nothing_of_its_lock(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from packhouse.storage.blobs import PartialFile;"
        f"PartialFile(Path(sys.argv[1]), '{KEY}').write({FIRST!r}); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)

    assert killed.returncode == -9
    with PartialFile(tmp_path, KEY) as partial:
        assert (partial.is_shared, partial.position) == (True, len(FIRST))


def test_writing_is_seen_by_readers_at_once(tmp_path: Path) -> None:
    with PartialFile(tmp_path, KEY) as partial:
        partial.write(FIRST)
        assert partial.path.read_bytes() == FIRST


def test_restart_forgets_all_bytes(tmp_path: Path) -> None:
    left_by_another(tmp_path, FIRST)
    with PartialFile(tmp_path, KEY) as partial:
        partial.restart()
        assert (partial.position, partial.path.stat().st_size) == (0, 0)
        partial.write(SECOND)
        assert partial.finish().sha256 == hashlib.sha256(SECOND).hexdigest()
    assert (tmp_path / f"{KEY}.part").read_bytes() == SECOND


def test_second_holder_gets_a_private_file_that_goes_with_it(tmp_path: Path) -> None:
    with PartialFile(tmp_path, KEY) as first:
        first.write(FIRST)
        with PartialFile(tmp_path, KEY) as second:
            assert (second.is_shared, second.position) == (False, 0)
            second.write(SECOND)
            assert second.path.read_bytes() == SECOND
        assert first.path.read_bytes() == FIRST
        assert list(tmp_path.iterdir()) == [first.path]


def test_discarded_file_is_gone(tmp_path: Path) -> None:
    partial = PartialFile(tmp_path, KEY)
    partial.write(FIRST)
    partial.discard()
    partial.discard()
    assert list(tmp_path.iterdir()) == []


def test_discard_after_close_leaves_the_next_holders_file(tmp_path: Path) -> None:
    first = PartialFile(tmp_path, KEY)
    first.close()
    with PartialFile(tmp_path, KEY) as second:
        first.discard()
        assert second.path.exists()


def test_kept_file_is_a_blob_and_stays_when_it_is_discarded(tmp_path: Path) -> None:
    blobs = open_blobs(str(tmp_path / "store"), {})
    partial = PartialFile(tmp_path / "spool", KEY)
    partial.write(FIRST)
    digests = partial.finish()
    blobs.keep_file(digests, partial.path)
    partial.discard()

    assert blobs.verify(digests.sha256)
    assert list((tmp_path / "spool").iterdir()) == []


def test_file_that_became_a_blob_before_its_holder_was_killed_is_not_written_to(tmp_path: Path) -> None:
    blobs = open_blobs(str(tmp_path / "store"), {})
    killed = PartialFile(tmp_path / "spool", KEY)
    killed.write(FIRST)
    digests = killed.finish()
    blobs.keep_file(digests, killed.path)
    killed.close()

    with PartialFile(tmp_path / "spool", KEY) as partial:
        assert partial.position == len(FIRST)
        partial.write(SECOND)
        partial.restart()

        assert blobs.verify(digests.sha256)
        with PartialFile(tmp_path / "spool", KEY) as other:
            assert not other.is_shared
    assert [path.name for path in (tmp_path / "spool").iterdir()] == [f"{KEY}.part"]


@pytest.mark.parametrize("key", ["", "../escape", "a/b", ".hidden", "a\n", "x.part"])
def test_key_that_is_no_plain_name_never_becomes_a_path(tmp_path: Path, key: str) -> None:
    with pytest.raises(Invalid, match="no name for a download"):
        PartialFile(tmp_path, key)


def test_full_disk_is_told_and_what_found_room_stays(small_disk: Path) -> None:
    with PartialFile(small_disk / "spool", KEY) as partial:
        with pytest.raises(StorageFull, match="no room left"):
            partial.write(bytes(4 * 1024**2))
        kept = partial.position
        assert partial.path.stat().st_size == kept
        assert partial.finish().sha256 == hashlib.sha256(bytes(kept)).hexdigest()


def make_old(path: Path, days: int) -> None:
    then = time() - timedelta(days=days).total_seconds()
    os.utime(path, (then, then))


def test_partial_files_are_swept_after_days_in_which_nobody_went_on_with_them(tmp_path: Path) -> None:
    for name, days in (("old", 4), ("of-last-night", 1), ("young", 0)):
        path = tmp_path / f"{name}.part"
        path.write_bytes(FIRST)
        make_old(path, days)

    assert remove_leftover_spools(tmp_path, timedelta(hours=1)) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"of-last-night.part", "young.part"}


def test_partial_file_that_somebody_holds_is_not_swept_however_old(tmp_path: Path) -> None:
    with PartialFile(tmp_path, KEY) as held:
        held.write(FIRST)
        make_old(held.path, days=30)

        assert remove_leftover_spools(tmp_path, timedelta(hours=1)) == 0
        assert held.path.exists()
    assert remove_leftover_spools(tmp_path, timedelta(hours=1)) == 1
