"""Tiny real conda packages, made on the spot: deterministic, installable, in both archive forms."""

import bz2
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backports import zstd

#: What conda-build writes where the prefix will be; clients put the true prefix in its place.
PREFIX_PLACEHOLDER = "/opt/anaconda1anaconda2anaconda3"

TIMESTAMP = 1_700_000_000_000


@dataclass(frozen=True, slots=True)
class Symlink:
    """A file of a package that is a link, relative to where it lies."""

    target: str


Files = Mapping[str, bytes | Symlink]


def build_conda_package(
    directory: Path,
    name: str = "demo",
    version: str = "1.0",
    build: str = "0",
    build_number: int = 0,
    subdir: str = "noarch",
    *,
    depends: Sequence[str] = (),
    constrains: Sequence[str] = (),
    files: Files | None = None,
    extension: str = ".conda",
    noarch: str | None = "generic",
    entry_points: Sequence[str] = (),
    run_exports: Any = None,
    about: Mapping[str, Any] | None = None,
    licenses: Mapping[str, bytes] | None = None,
    icon: bytes | None = None,
    timestamp: int | None = TIMESTAMP,
    index_overrides: Mapping[str, Any] | None = None,
) -> Path:
    """Write `<name>-<version>-<build><extension>` into `directory`.

    `noarch` only counts in the subdir of that name; noarch python packages with `entry_points` get their
    commands in `bin/` when installed. `index_overrides` replaces fields of info/index.json, None drops one.
    """
    payload = files if files is not None else {f"share/{name}/version.txt": version.encode()}
    index: dict[str, Any] = {
        "name": name,
        "version": version,
        "build": build,
        "build_number": build_number,
        "subdir": subdir,
        "noarch": noarch if subdir == "noarch" else None,
        "depends": list(depends),
        "constrains": list(constrains) or None,
        "timestamp": timestamp,
    } | dict(index_overrides or {})
    info: dict[str, bytes] = {
        "info/index.json": _json({key: value for key, value in index.items() if value is not None}),
        "info/about.json": _json(about or {"summary": f"The {name} package"}),
        "info/files": "".join(f"{path}\n" for path in payload).encode(),
        "info/paths.json": _json({"paths": _path_entries(payload), "paths_version": 1}),
    }
    if index["noarch"]:
        info["info/link.json"] = _json(_link(index["noarch"], entry_points))
    if run_exports is not None:
        info["info/run_exports.json"] = _json(run_exports)
    info |= {f"info/licenses/{path}": text for path, text in (licenses or {}).items()}
    if icon is not None:
        info["info/icon.png"] = icon
    return write_package(directory / f"{name}-{version}-{build}{extension}", info, payload)


def write_package(path: Path, info: Files, payload: Files) -> Path:
    """Pack the two halves of a package in the form that the name asks for."""
    if path.name.endswith(".conda"):
        return write_conda(path, tar(tar_members(info)), tar(tar_members(payload)))
    path.write_bytes(bz2.compress(tar(tar_members({**info, **payload}))))
    return path


def write_conda(path: Path, info_tar: bytes, payload_tar: bytes) -> Path:
    path.write_bytes(zip_archive(conda_members(path.name.removesuffix(".conda"), info_tar, payload_tar)))
    return path


def conda_members(stem: str, info_tar: bytes, payload_tar: bytes) -> list[tuple[str, bytes]]:
    """The three members of a `.conda` file (CEP 35)."""
    return [
        ("metadata.json", _json({"conda_pkg_format_version": 2})),
        (f"pkg-{stem}.tar.zst", zstd.compress(payload_tar, 3)),
        (f"info-{stem}.tar.zst", zstd.compress(info_tar, 3)),
    ]


def zip_archive(members: Iterable[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return packed.getvalue()


def tar(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member, data in members:
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def tar_members(files: Files) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [tar_member(path, content) for path, content in files.items()]


def tar_member(path: str, content: bytes | Symlink) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(path)
    if isinstance(content, Symlink):
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, content.target, 0o777
        return member, b""
    member.size = len(content)
    member.mode = 0o755 if path.startswith(("bin/", "python-scripts/")) else 0o644
    return member, content


def _path_entries(payload: Files) -> list[dict[str, Any]]:
    return [_path_entry(path, content, payload) for path, content in payload.items()]


def _path_entry(path: str, content: bytes | Symlink, payload: Files) -> dict[str, Any]:
    """As CEP 34 has it: of a link, digest and size are those of the file that it leads to."""
    data = _followed(path, content, payload)
    entry: dict[str, Any] = {
        "_path": path,
        "path_type": "softlink" if isinstance(content, Symlink) else "hardlink",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_in_bytes": len(data),
    }
    if PREFIX_PLACEHOLDER.encode() in data and not isinstance(content, Symlink):
        entry["prefix_placeholder"] = PREFIX_PLACEHOLDER
        entry["file_mode"] = "binary" if b"\0" in data else "text"
    return entry


def _followed(path: str, content: bytes | Symlink, payload: Files) -> bytes:
    if isinstance(content, bytes):
        return content
    beside = payload.get(str(Path(path).parent / content.target))
    return beside if isinstance(beside, bytes) else b""


def _link(noarch: str, entry_points: Sequence[str]) -> dict[str, Any]:
    kind: dict[str, Any] = {"type": noarch}
    if noarch == "python":
        kind["entry_points"] = list(entry_points)
    return {"noarch": kind, "package_metadata_version": 1}


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
