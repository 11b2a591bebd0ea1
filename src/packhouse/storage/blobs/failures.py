"""Says in our own errors what the kernel and object stores report: no room left, not there."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError

from packhouse.errors import NotFound, StorageFull

# EFBIG: the file system, or the limit set for this process, takes no file of this size.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

# obstore has no class for it; MinIO and others answer 507 (RFC 4918 11.5).
_FULL_WORDS = ("os error 28", "507 Insufficient Storage", "XMinioStorageFull")


@contextmanager
def full_storage_explained() -> Iterator[None]:
    """Raises StorageFull in place of the error that the kernel or the object store gave."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise _storage_full() from error
    except BaseError as error:
        if not any(words in str(error) for words in _FULL_WORDS):
            raise
        raise _storage_full() from error


def _storage_full() -> StorageFull:
    return StorageFull(
        "The server has no room left for this file, so nothing of it was kept. "
        "Ask its operator to free or add storage, then send it again."
    )


@contextmanager
def missing_explained(sha256: str) -> Iterator[None]:
    """Raises NotFound in place of FileNotFoundError, which obstore raises as the kernel does."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"The blob {sha256} is missing; `packhouse check` tells what needs it.") from error
