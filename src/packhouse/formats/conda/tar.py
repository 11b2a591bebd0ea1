"""A tar archive walked member by member, strictly: what clients could read in two ways is refused.

`tarfile` takes a damaged header for the end of the archive, reads extended headers of any size into memory,
keeps every member, and needs four times as long for each.
"""

import struct
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, NoReturn, TypeAlias

from packhouse.errors import InvalidPackage, TooLarge
from packhouse.formats.conda.limits import Limits
from packhouse.formats.conda.stream import DecompressedStream

Kind: TypeAlias = Literal["file", "directory", "symlink", "hardlink"]

_KINDS: dict[bytes, Kind] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
}
_FORBIDDEN = {
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
_GNU_LONG = {tarfile.GNUTYPE_LONGNAME: "path", tarfile.GNUTYPE_LONGLINK: "linkpath"}
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_MEANINGFUL = ("path", "linkpath", "size")
_BLOCK = tarfile.BLOCKSIZE

# POSIX.1-1988 "ustar": name, mode, uid, gid, size, mtime, checksum, type, linkname, magic, ..., prefix.
_HEADER = struct.Struct("100s 24x 12s 12x 8s c 100s 6s 82x 155s 12x")
_CHECKSUM = slice(148, 156)
_WITHOUT_CHECKSUM = 8 * ord(" ")


class _Header(NamedTuple):
    """One header block, which may announce a member or more about the next one."""

    type: bytes
    name: str
    size: int
    target: str


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive, as it calls itself; `target` is what a link points to."""

    name: str
    kind: Kind
    size: int
    target: str = ""


class TarWalk:
    """Iterate once; `read` gives the bytes of the member at hand, unread ones are skipped."""

    def __init__(self, stream: DecompressedStream, limits: Limits) -> None:
        self._stream = stream
        self._limits = limits
        self._unread = 0
        self._padding = 0
        self._header_bytes = 0

    def __iter__(self) -> Iterator[Member]:
        count = 0
        while (member := self._next()) is not None:
            count += 1
            if count > self._limits.max_members:
                raise TooLarge(f"it has more than {self._limits.max_members} members, the most allowed")
            self._unread, self._padding = member.size, -member.size % _BLOCK
            yield member
            self._stream.skip(self._unread + self._padding)
        self._stream.finish()

    def read(self, size: int) -> bytes:
        """The next `size` bytes of the member at hand, or fewer when it ends there."""
        size = min(size, self._unread)
        self._unread -= size
        return self._stream.read(size)

    def _next(self) -> Member | None:
        """The next member with all that precedes it; None at the block of zeros that ends an archive."""
        self._header_bytes = 0
        extended: dict[str, str] = {}
        while (header := self._header()) is not None:
            if header.type in _PAX:
                extended |= _pax_records(self._payload(header))
            elif header.type in _GNU_LONG:
                extended[_GNU_LONG[header.type]] = _text(self._payload(header).rstrip(b"\0"))
            elif header.type == tarfile.XGLTYPE:
                _require_harmless(_pax_records(self._payload(header)))
            else:
                return _member(header, extended)
        if extended:
            raise InvalidPackage("its tar archive is truncated: it ends in the middle of a header")
        return None

    def _header(self) -> _Header | None:
        # Some writers leave the closing zeros out; clients take the end of the data for the end.
        if self._stream.at_end():
            return None
        block = self._stream.read(_BLOCK)
        self._count(_BLOCK)
        return _parse(block) if block.strip(b"\0") else None

    def _payload(self, header: _Header) -> bytes:
        self._count(header.size)
        payload = self._stream.read(header.size)
        self._stream.skip(-header.size % _BLOCK)
        return payload

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self._limits.max_tar_header_bytes:
            raise TooLarge(f"a tar header in it has more than {self._limits.max_tar_header_bytes} bytes")


def _parse(block: bytes) -> _Header:
    name, size, checksum, kind, target, magic, prefix = _HEADER.unpack(block)
    if sum(block) - sum(block[_CHECKSUM]) + _WITHOUT_CHECKSUM != _number(checksum):
        raise InvalidPackage("its tar archive is corrupt: the checksum of a header does not match")
    path = _text(_until_nul(name))
    if first := _until_nul(prefix):
        # Only with this magic do all clients take it for the first part of a long name.
        if magic != tarfile.POSIX_MAGIC[:6]:
            _damaged(path)
        path = f"{_text(first)}/{path}"
    if kind == tarfile.AREGTYPE and path.endswith("/"):
        kind = tarfile.DIRTYPE  # as archivers older than POSIX say it
    return _Header(kind, path, _number(size), _text(_until_nul(target)))


def _number(field: bytes) -> int:
    """Octal digits, or where these do not suffice a set highest bit and a binary number (GNU, star)."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = _until_nul(field).strip()
    if digits.strip(b"01234567"):
        raise InvalidPackage(f"its tar archive is corrupt: {digits!r} is no number")
    return int(digits or b"0", 8)


def _until_nul(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _member(header: _Header, extended: dict[str, str]) -> Member:
    name = extended.get("path", header.name)
    if header.type not in _KINDS:
        what = _FORBIDDEN.get(header.type, f"of the unknown type {header.type!r}")
        raise InvalidPackage(
            f"its member {name!r} is {what}; a package may hold files, directories and links"
        )
    size = int(extended.get("size", header.size))
    kind = _KINDS[header.type]
    # Python's reader takes what follows a link for a header, rattler's for the data of the link.
    if size and kind != "file":
        _damaged(name)
    return Member(name, kind, size, extended.get("linkpath", header.target))


def _pax_records(payload: bytes) -> dict[str, str]:
    """The records of a POSIX extended header that say where a member is and how long."""
    records: dict[str, str] = {}
    while payload:
        digits, _, _ = payload.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 8 else 0
        record = payload[len(digits) + 1 : length]
        if not record.endswith(b"\n"):
            raise InvalidPackage("its tar archive is corrupt: damaged extended header")
        key, _, value = record[:-1].partition(b"=")
        records |= _pax_record(key, value)
        payload = payload[length:]
    return records


def _pax_record(key: bytes, value: bytes) -> dict[str, str]:
    keyword = key.decode("ascii", "replace")
    if keyword.startswith("GNU.sparse."):
        raise InvalidPackage("it holds a sparse file; write it out in full, few clients can unpack it")
    if keyword not in _MEANINGFUL:
        return {}
    if keyword == "size" and not (value.isdigit() and len(value) < 20):
        raise InvalidPackage("its tar archive is corrupt: damaged size in an extended header")
    return {keyword: _text(value)}


def _require_harmless(records: dict[str, str]) -> None:
    if records:
        raise InvalidPackage(
            "a global tar header in it renames or resizes all members, which no builder does"
        )


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _damaged(name: str) -> NoReturn:
    raise InvalidPackage(f"its tar archive is corrupt: the size of the member {name!r} cannot be right")
