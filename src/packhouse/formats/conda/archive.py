"""Both forms of a conda package opened as the tar archives they hold (CEP 35)."""

import struct
import zipfile
from collections.abc import Generator
from typing import BinaryIO, Literal, TypeAlias

import orjson

from packhouse.errors import InvalidPackage
from packhouse.formats.conda.filename import CondaFilename
from packhouse.formats.conda.limits import MIB, Limits
from packhouse.formats.conda.stream import DecompressedStream, bzip2_decompressor, zstd_decompressor
from packhouse.formats.conda.tar import TarWalk

Part: TypeAlias = Literal["whole", "info", "pkg"]

_METADATA = "metadata.json"
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_END_SIGNATURE, _END_SIZE, _NO_COMMENT = b"PK\x05\x06", 22, b"\0\0"
_ENCRYPTED, _DATA_DESCRIPTOR = 0x1, 0x8
# How hard was tried to compress (which says nothing of a stored member), and "the name is UTF-8".
_HARMLESS_FLAGS = 0x806
_SIZE_IN_ZIP64 = 0xFFFFFFFF
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    struct.error,
)


def walk_parts(
    file: BinaryIO, filename: CondaFilename, limits: Limits
) -> Generator[tuple[Part, TarWalk], None, None]:
    """The tar archives of the package in order, `info` first; each must be walked to its end."""
    budget = limits.budget(_size(file))
    if filename.extension == ".tar.bz2":
        yield "whole", TarWalk(DecompressedStream(file.read, bzip2_decompressor(), budget), limits)
        return
    with _open_zip(file, filename.stem) as archive:
        parts: tuple[Part, Part] = ("info", "pkg")
        for part in parts:
            with archive.open(_component(part, filename.stem)) as member:
                yield (
                    part,
                    TarWalk(DecompressedStream(member.read, zstd_decompressor(limits), budget), limits),
                )


def _open_zip(file: BinaryIO, stem: str) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(BoundedReads(file, MIB))
        _require_members(archive, stem)
        _require_agreement(file, archive)
        _require_format_version(archive)
    except _ZIP_ERRORS as error:
        raise InvalidPackage(f"it is no zip archive that can be read: {error}") from error
    return archive


class BoundedReads:
    """`zipfile` reads the directory in one piece, of the size that the archive claims."""

    def __init__(self, file: BinaryIO, max_bytes: int) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self._file = file
        self._max_bytes = max_bytes

    def read(self, size: int = -1) -> bytes:
        if size > self._max_bytes:
            raise InvalidPackage("its zip directory is larger than any package needs")
        # Without a size, `zipfile` is after the last bytes of the file, 64 KiB at most.
        return self._file.read(size if size >= 0 else self._max_bytes)


def _require_members(archive: zipfile.ZipFile, stem: str) -> None:
    """Exactly the three members of CEP 35, stored.

    rattler picks the parts by their prefix, but conda by the whole name, and rattler unpacks every
    `.tar.zst` it meets: only these three names mean the same to all clients. An archive that was renamed, or
    zipped anew with a folder or with compression inside, is refused by rattler and by conda too.
    """
    expected = {_METADATA, _component("info", stem), _component("pkg", stem)}
    # `filename` ends at a NUL, `orig_filename` is what other readers see.
    names = [member.orig_filename for member in archive.infolist()]
    for name in names:
        if name not in expected:
            raise InvalidPackage(f"its zip member {name!r} is none of {', '.join(sorted(expected))} (CEP 35)")
        if names.count(name) > 1:
            raise InvalidPackage(f"its zip member {name!r} is there more than once")
    for name in sorted(expected.difference(names)):
        raise InvalidPackage(f"its zip member {name!r} is missing (CEP 35)")
    for member in archive.infolist():
        _require_stored(member)


def _require_stored(member: zipfile.ZipInfo) -> None:
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        raise InvalidPackage(f"its zip member {member.filename!r} is compressed; it must be stored (CEP 35)")
    if member.flag_bits & _ENCRYPTED:
        raise InvalidPackage(f"its zip member {member.filename!r} is encrypted")
    if member.flag_bits & _DATA_DESCRIPTOR:
        # rattler reads forwards, and refuses a member whose size follows it.
        raise InvalidPackage(f"its zip member {member.filename!r} states its size only behind its data")
    if member.flag_bits & ~_HARMLESS_FLAGS:
        raise InvalidPackage(f"its zip member {member.filename!r} has flags that not all clients know")


def _require_agreement(file: BinaryIO, archive: zipfile.ZipFile) -> None:
    """Reading forwards (rattler) and by the directory (conda) must find the same members."""
    position = 0
    for member in sorted(archive.infolist(), key=lambda member: member.header_offset):
        if member.header_offset != position:
            raise InvalidPackage(
                f"it has bytes before its zip member {member.filename!r} that belong to none"
            )
        position = _end_of_member(file, member)
    if archive.start_dir != position:
        raise InvalidPackage("it has bytes between its zip members and its directory that belong to none")
    file.seek(-_END_SIZE, 2)
    end = file.read()
    if not (end.startswith(_END_SIGNATURE) and end.endswith(_NO_COMMENT)):
        raise InvalidPackage("it has bytes behind the end of its zip directory")


def _end_of_member(file: BinaryIO, member: zipfile.ZipInfo) -> int:
    """Where the data end, by the header before them, which must say what the directory says."""
    file.seek(member.header_offset)
    fields = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    signature, _, flags, method, _, _, checksum, packed, size, name_length, extra_length = fields
    name = file.read(name_length)
    packed, size = _sizes(packed, size, file.read(extra_length))
    said = (signature, flags, method, checksum, packed, size, name.decode("cp437"))
    directory = (_LOCAL_SIGNATURE, member.flag_bits, member.compress_type, member.CRC)
    if said != (*directory, member.compress_size, member.file_size, member.orig_filename):
        raise InvalidPackage(
            f"its zip member {member.filename!r} differs from what the zip directory says of it"
        )
    return file.tell() + member.compress_size


def _sizes(packed: int, size: int, extra: bytes) -> tuple[int, int]:
    """zip64: sizes that do not fit stand in an extra field. Legal, and installed by rattler and conda."""
    if _SIZE_IN_ZIP64 not in (packed, size):
        return packed, size
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == 1 and length >= 16:
            size_64, packed_64 = struct.unpack_from("<2Q", extra, 4)
            return packed_64, size_64
        extra = extra[4 + length :]
    return packed, size


def _require_format_version(archive: zipfile.ZipFile) -> None:
    data = archive.read(_METADATA) if archive.getinfo(_METADATA).file_size <= MIB else b""
    try:
        version = orjson.loads(data).get("conda_pkg_format_version")
    except (orjson.JSONDecodeError, AttributeError) as error:
        raise InvalidPackage(f"its {_METADATA} is not a JSON object (CEP 35)") from error
    if version != 2:
        raise InvalidPackage(
            f"its {_METADATA} states the format version {version!r}; only 2 is known (CEP 35)"
        )


def _component(part: Part, stem: str) -> str:
    return f"{part}-{stem}.tar.zst"


def _size(file: BinaryIO) -> int:
    size = file.seek(0, 2)
    file.seek(0)
    return size
