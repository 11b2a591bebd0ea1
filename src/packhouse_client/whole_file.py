"""A file that is there whole or not at all, whatever happens while it is written."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

NEW_FILE_MODE = 0o666
"""Less what the user's umask takes away, as of any new file."""
OWNER_ONLY = 0o600
FOLDER_OF_OWNER = 0o700


@contextmanager
def whole_file(target: Path, mode: int = NEW_FILE_MODE) -> Iterator[BinaryIO]:
    """Write to this; it takes the place of `target` when the block ends well, and goes away when it does not."""
    fresh = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        with open(fresh, "xb", opener=partial(os.open, mode=mode)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    finally:
        with suppress(OSError):  # what went wrong before is what is told
            fresh.unlink(missing_ok=True)


def write_file(path: Path, text: str, *, is_secret: bool) -> None:
    """Write the text in place of what is there, in one step. Raises OSError, which names the file.

    A link is followed and stays, as some keep their configuration elsewhere; what is no file, such as
    `/dev/stdout`, is written to and not replaced. A secret is never readable by others, not even while
    the file is empty.
    """
    target = path.resolve()
    target.parent.mkdir(mode=FOLDER_OF_OWNER, parents=True, exist_ok=True)
    if target.exists() and not target.is_file():
        target.write_text(text, "utf-8")
        return
    mode = OWNER_ONLY if is_secret else _mode(target)
    with whole_file(target, OWNER_ONLY) as file:
        file.write(text.encode())
        Path(file.name).chmod(mode)  # what the umask held back; Windows cannot change an open file


def _mode(path: Path) -> int:
    """What it is now. A new file is the owner's alone: nobody else reads a user's configuration."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return OWNER_ONLY
