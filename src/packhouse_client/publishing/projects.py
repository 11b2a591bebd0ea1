"""A project folder packed into the one file that is uploaded, with nothing in it that should not leave."""

import gzip
import stat
import tarfile
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from os import DirEntry, scandir
from pathlib import Path
from typing import TypeAlias

from packhouse_client.errors import WrongUsage

MAX_FILES = 20_000
MAX_BYTES = 2 * 1024**3
LEFT_OUT = frozenset(
    {
        *(".git", ".hg", ".svn", "__pycache__", "envs", "env", ".venv", "venv", ".ipynb_checkpoints"),
        *(".DS_Store", ".pytest_cache", ".mypy_cache", ".ruff_cache"),
        "anaconda-project-local.yml",  # holds the user's own settings, and passwords among them
    }
)
ENVIRONMENT_SIGNS = ("conda-meta", "pyvenv.cfg")
IGNORE_FILE = ".projectignore"
EPOCH = 315_532_800
"""1980, for all files: the same project gives the same bytes, and is not sent twice."""
Leave: TypeAlias = Callable[[str, bool], bool]


def pack_project(folder: Path, target_folder: Path, on_left_out: Callable[[str], None]) -> Path:
    """Write `<folder>.tar.gz`; `on_left_out` is told of links, which are never followed.

    Raises WrongUsage for more files or bytes than a project should have, and OSError.
    """
    name = folder.resolve().name
    target = target_folder / f"{name}.tar.gz"
    files = list(_files(folder, on_left_out))
    with (
        target.open("wb") as file,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=EPOCH) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in files:
            _add(archive, folder / path, f"{name}/{path}")
    return target


def _files(folder: Path, on_left_out: Callable[[str], None]) -> Iterator[str]:
    """Paths below the folder, in order. Raises WrongUsage when there is too much of them."""
    count = size = 0
    for path, entry in _walk(folder, "", _ignored(folder), on_left_out):
        count, size = count + 1, size + entry.stat(follow_symlinks=False).st_size
        if count > MAX_FILES or size > MAX_BYTES:
            raise WrongUsage(
                f"'{folder}' has more than {MAX_FILES} files or {MAX_BYTES // 1024**3} GiB. Name what is no part "
                f"of the project in {folder / IGNORE_FILE}, or pack it yourself."
            )
        yield path


def _walk(
    folder: Path, prefix: str, leaves: Leave, on_left_out: Callable[[str], None]
) -> Iterator[tuple[str, "DirEntry[str]"]]:
    with scandir(folder / prefix) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        path = f"{prefix}{entry.name}"
        is_folder = entry.is_dir(follow_symlinks=False)
        if leaves(path, is_folder):
            continue
        if is_folder:
            if not _is_environment(folder / path):
                yield from _walk(folder, f"{path}/", leaves, on_left_out)
        elif entry.is_file(follow_symlinks=False):
            yield path, entry
        else:
            on_left_out(path)


def _is_environment(folder: Path) -> bool:
    return any((folder / sign).exists() for sign in ENVIRONMENT_SIGNS)


def _ignored(folder: Path) -> Leave:
    """By our list and the project's own, which is written as anaconda-project does: patterns, `/` anchors."""
    patterns = _own_patterns(folder / IGNORE_FILE)

    def leaves(path: str, is_folder: bool) -> bool:
        name = path.rpartition("/")[2]
        return name in LEFT_OUT or any(_matches(pattern, path, name, is_folder) for pattern in patterns)

    return leaves


def _own_patterns(path: Path) -> Sequence[str]:
    if not path.is_file():
        return []
    lines = (line.strip() for line in path.read_text("utf-8", "replace").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _matches(pattern: str, path: str, name: str, is_folder: bool) -> bool:
    if pattern.endswith("/") and not is_folder:
        return False
    bare = pattern.strip("/")
    return fnmatch(path, bare) or ("/" not in pattern.rstrip("/") and fnmatch(name, bare))


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    member = tarfile.TarInfo(name)
    with path.open("rb") as content:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise WrongUsage(f"'{path}' became a link while the project was packed. Try again.")
        member.size, member.mtime = status.st_size, EPOCH
        member.mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
        archive.addfile(member, content)
