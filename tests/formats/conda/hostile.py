"""Packages that nobody should accept, each with one thing wrong; every function gives the bytes of a file."""

import bz2
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from backports import zstd

from tests.builders import (
    Symlink,
    build_conda_package,
    conda_members,
    tar,
    tar_member,
    tar_members,
    zip_archive,
)

NAME = "demo-1.0-0"
_PKG = f"pkg-{NAME}.tar.zst"
INDEX = b'{"name":"demo","version":"1.0","build":"0","build_number":0,"depends":[],"subdir":"noarch"}'
INFO: dict[str, bytes | Symlink] = {"info/index.json": INDEX}
PAYLOAD: dict[str, bytes | Symlink] = {"share/demo.txt": b"demo"}

TarMember = tuple[tarfile.TarInfo, bytes]


def good(directory: Path, extension: str) -> bytes:
    return build_conda_package(directory, extension=extension, licenses={"LICENSE": b"MIT"}).read_bytes()


def pack(extension: str, payload: list[TarMember], info: list[TarMember] | None = None) -> bytes:
    """A package in either form, of whatever members."""
    info = tar_members(INFO) if info is None else info
    if extension == ".tar.bz2":
        return bz2.compress(tar([*info, *payload]))
    return zip_archive(conda_members(NAME, tar(info), tar(payload)))


def special(name: str, kind: bytes, target: str = "") -> TarMember:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def sparse() -> TarMember:
    member, data = tar_member("share/sparse", b"")
    member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "share/sparse"}
    return member, data


def huge_header() -> TarMember:
    member, data = tar_member("share/huge", b"")
    member.pax_headers = {"comment": "x" * 100_000}
    return member, data


#: Members of the payload that must be refused, and a piece of the sentence that says why.
MEMBERS: Mapping[str, tuple[list[TarMember], str]] = {
    "upwards": ([tar_member("../evil", b"")], "'../evil' in it leads upwards"),
    "upwards_inside": ([tar_member("a/../../evil", b"")], "'a/../../evil' in it leads upwards"),
    "upwards_on_windows": ([tar_member("a\\..\\..\\evil", b"")], "leads upwards"),
    "absolute": ([tar_member("/etc/evil", b"")], "'/etc/evil' in it is absolute"),
    "drive": ([tar_member("C:/evil", b"")], "'C:/evil' in it is absolute"),
    "control_character": ([tar_member("share/a\nb", b"")], "control characters"),
    "not_utf_8": ([tar_member("share/\udcff", b"")], "is not UTF-8"),
    "without_a_name": ([tar_member("./", b"x")], "has no name"),
    "absolute_symlink": ([tar_member("passwd", Symlink("/etc/passwd"))], "'passwd' points to '/etc/passwd'"),
    "symlink_upwards": ([tar_member("lib/up", Symlink("../../up"))], "'lib/up' points to '../../up'"),
    "symlink_through_symlink": (
        [tar_member("a/b/here", Symlink(".")), tar_member("up", Symlink("a/b/here/../../.."))],
        "'up' points to 'a/b/here/../../..'",
    ),
    "file_below_symlink": (
        [tar_member("lib64", Symlink("lib")), tar_member("lib64/evil", b"")],
        "'lib64/evil' lies below 'lib64'",
    ),
    "hard_link_outside": ([special("x", tarfile.LNKTYPE, "/etc/passwd")], "'/etc/passwd' in it is absolute"),
    "hard_link_upwards": ([special("x", tarfile.LNKTYPE, "../x")], "'../x' in it leads upwards"),
    "character_device": ([special("dev/null", tarfile.CHRTYPE)], "'dev/null' is a character device"),
    "block_device": ([special("dev/sda", tarfile.BLKTYPE)], "'dev/sda' is a block device"),
    "named_pipe": ([special("pipe", tarfile.FIFOTYPE)], "'pipe' is a named pipe"),
    "unknown_type": ([special("odd", b"V")], "'odd' is of the unknown type"),
    "sparse_file": ([sparse()], "sparse file"),
    "huge_header": ([huge_header()], "a tar header in it has more than 65536 bytes"),
    "info_that_is_a_link": ([tar_member("info", Symlink("lib"))], "'info' is not a directory"),
    "second_index": ([tar_member("info/index.json", INDEX)], "info/index.json"),
    "record_of_a_client": ([tar_member("info/repodata_record.json", b"{}")], "info/repodata_record.json"),
}


def conda(changes: Mapping[str, bytes | None] | None = None, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A `.conda` file with zip members replaced, added or (None) left out."""
    members = dict(conda_members(NAME, tar(tar_members(INFO)), tar(tar_members(PAYLOAD)))) | dict(
        changes or {}
    )
    return zip_archive([(name, data) for name, data in members.items() if data is not None], compression)


def with_twins() -> bytes:
    members = conda_members(NAME, tar(tar_members(INFO)), tar(tar_members(PAYLOAD)))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in members:
            archive.writestr(name, data)
        # `zipfile` warns of a name that it has seen, so the twin is renamed behind its back.
        archive.writestr("metadata.jsoN", members[0][1])
    return packed.getvalue().replace(b"metadata.jsoN", b"metadata.json")


def with_bytes_between() -> bytes:
    """Five bytes after the last member, in no member; the directory moves with them."""
    packed = conda()
    start = packed.index(b"PK\x01\x02")
    end = packed.index(b"PK\x05\x06")
    offset = struct.unpack_from("<L", packed, end + 16)[0]
    tail = packed[end : end + 16] + struct.pack("<L", offset + 5) + packed[end + 20 :]
    return packed[:start] + b"evil!" + packed[start:end] + tail


def with_flag(flag: int) -> bytes:
    """A general purpose bit set in every local header and in the directory."""
    packed = bytearray(conda())
    for signature, position in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = packed.find(signature)
        while start != -1:
            packed[start + position] |= flag
            start = packed.find(signature, start + 4)
    return bytes(packed)


def with_local_name(name: bytes) -> bytes:
    """The first name, as a client reads it that starts at the front."""
    packed = conda()
    return packed.replace(b"metadata.json", name, 1)


def with_other_checksum() -> bytes:
    """Headers and directory agree on a checksum that is not that of the bytes."""
    data = dict(conda_members(NAME, tar(tar_members(INFO)), tar(tar_members(PAYLOAD))))[_PKG]
    return conda().replace(struct.pack("<L", zlib.crc32(data)), b"evil")


def with_nul_in_name() -> bytes:
    """`zipfile` reads the name up to the NUL, others to its end."""
    return conda({"metadata.json": None, "metadata.json_evil.tar.zst": b"{}"}).replace(b"json_", b"json\0")


def payload(data: bytes) -> bytes:
    return conda({f"pkg-{NAME}.tar.zst": data})


def payload_tar() -> bytes:
    return tar(tar_members(PAYLOAD))


def huge_window() -> bytes:
    """A zstd frame that asks for a window of 2 GiB before its one raw block of zeros (RFC 8878)."""
    zeros = bytes(1024)
    return (
        b"\x28\xb5\x2f\xfd"
        + b"\x00"
        + bytes([(31 - 10) << 3])
        + (len(zeros) << 3 | 1).to_bytes(3, "little")
        + zeros
    )


def link_with_data() -> bytes:
    member = tarfile.TarInfo("share/link")
    member.type, member.linkname, member.size = tarfile.SYMTYPE, "demo.txt", 512
    return zstd.compress(member.tobuf() + bytes(512 + 1024))


def payload_cut_in_the_middle() -> bytes:
    return zstd.compress(payload_tar()[:700])


def payload_with_damaged_header() -> bytes:
    data = bytearray(payload_tar())
    data[0] ^= 1
    return zstd.compress(bytes(data))


#: Whole `.conda` files that must be refused, and a piece of the sentence that says why.
CONDA_FILES: Mapping[str, tuple[bytes, str]] = {
    "empty": (b"", "no zip archive"),
    "not_a_zip": (b"no zip archive at all" * 10, "no zip archive"),
    "compressed_members": (conda(compression=zipfile.ZIP_DEFLATED), "compressed; it must be stored"),
    "twins": (with_twins(), "'metadata.json' is there more than once"),
    "no_payload": (conda({_PKG: None}), f"{_PKG!r} is missing"),
    "no_info": (conda({f"info-{NAME}.tar.zst": None}), f"'info-{NAME}.tar.zst' is missing"),
    "no_metadata": (conda({"metadata.json": None}), "'metadata.json' is missing"),
    "other_version": (conda({"metadata.json": b'{"conda_pkg_format_version": 3}'}), "format version 3"),
    "metadata_not_json": (conda({"metadata.json": b"[2"}), "metadata.json is not a JSON object"),
    "metadata_a_list": (conda({"metadata.json": b"[2]"}), "metadata.json is not a JSON object"),
    "third_archive": (conda({"evil.tar.zst": b""}), "'evil.tar.zst' is none of"),
    "renamed": (conda({_PKG: None, "pkg-other-1.0-0.tar.zst": b""}), "'pkg-other-1.0-0.tar.zst' is none of"),
    "bytes_in_front": (b"#!/bin/sh\n" + conda(), "bytes before its zip member"),
    "bytes_between": (with_bytes_between(), "bytes between its zip members and its directory"),
    "encrypted": (with_flag(0x1), "is encrypted"),
    "size_behind_the_data": (with_flag(0x8), "states its size only behind its data"),
    "two_truths": (with_local_name(b"evil.tar.zst."), "differs from what the zip directory says"),
    "checksum": (with_other_checksum(), "it is corrupt: Bad CRC-32"),
    "nul_in_name": (with_nul_in_name(), "is none of"),
    "unknown_flag": (with_flag(0x20), "flags that not all clients know"),
    "bytes_behind": (conda() + b"evil", "bytes behind the end of its zip directory"),
    "not_zstd": (payload(b"not zstd at all"), "cannot be decompressed"),
    "cut_zstd": (payload(zstd.compress(payload_tar())[:-8]), "compressed data stop before their end"),
    "empty_payload": (payload(b""), "compressed data stop before their end"),
    "second_frame": (payload(zstd.compress(payload_tar()) * 2), "behind the end of its compressed data"),
    "huge_window": (payload(huge_window()), "cannot be decompressed"),
    "cut_tar": (payload(payload_cut_in_the_middle()), "ends in the middle of a member"),
    "damaged_tar_header": (payload(payload_with_damaged_header()), "checksum of a header"),
    "link_with_data": (payload(link_with_data()), "'share/link' cannot be right"),
    "files_in_the_info_part": (
        pack(".conda", [], tar_members(INFO | PAYLOAD)),
        "its info part holds 'share/demo.txt'",
    ),
}

#: The same for `.tar.bz2`.
BZIP2_FILES: Mapping[str, tuple[bytes, str]] = {
    "empty": (b"", "compressed data stop before their end"),
    "not_bzip2": (b"not bzip2 at all", "cannot be decompressed"),
    "no_tar": (bz2.compress(b"no tar archive" * 100), "tar archive is corrupt"),
    "no_package": (bz2.compress(tar(tar_members(PAYLOAD))), "no info/index.json, so it is no conda package"),
    "second_stream": (bz2.compress(tar(tar_members(INFO))) * 2, "behind the end of its compressed data"),
    "cut": (bz2.compress(tar(tar_members(INFO | PAYLOAD)))[:-10], "compressed data stop before their end"),
    "second_index": (bz2.compress(tar(tar_members(INFO) * 2)), "holds info/index.json twice"),
    "index_that_is_a_link": (
        pack(".tar.bz2", [], tar_members({"info/index.json": Symlink("../x")})),
        "info/index.json is not a regular file",
    ),
}
