"""Where a blob lies in its store; no other module knows."""

import re

from packhouse.errors import Invalid

FOLDER = "blobs"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(rf"{FOLDER}/([0-9a-f]{{2}})/(\1[0-9a-f]{{62}})")


def blob_key(sha256: str) -> str:
    """`blobs/<aa>/<sha256>`: 256 folders keep directories short where the store is a file system."""
    if not _SHA256.fullmatch(sha256):
        raise Invalid(f"{sha256!r} is not a SHA-256 digest of 64 lower-case hexadecimal digits.")
    return f"{FOLDER}/{sha256[:2]}/{sha256}"


def digest_of(key: str) -> str | None:
    """The digest that `key` was made from, None for anything else that lies in the store."""
    match = _KEY.fullmatch(key)
    return match and match[2]
