"""Makes tiny but real .conda packages: the same bytes for the same arguments, kept for the next run."""

import concurrent.futures
import hashlib
import io
import itertools
import json
import os
import random
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard

SUBDIR = "linux-64"
VERSIONS_PER_NAME = 20
MADE_AT = 1_700_000_000  # seconds; any fixed moment makes the bytes reproducible
ZIP_MOMENT = (2023, 11, 14, 0, 0, 0)
LICENSES = (("MIT", "MIT"), ("BSD-3-Clause", "BSD"), ("Apache-2.0", "APACHE"), ("GPL-3.0-or-later", "GPL3"))


@dataclass(frozen=True)
class Recipe:
    """What to build: one package, named by its place in the channel."""

    name: str
    version: str
    depends: tuple[str, ...] = ()
    payload_bytes: int = 64

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.version}-{self.build}"

    @property
    def file_name(self) -> str:
        return f"{self.stem}.conda"

    @property
    def build(self) -> str:
        return f"h{hashlib.sha256(f'{self.name}-{self.version}'.encode()).hexdigest()[:7]}_0"


def nth_recipe(number: int) -> Recipe:
    """The number-th package of a channel; names depend on lower ones, so that every solve closes."""
    family, version = divmod(number, VERSIONS_PER_NAME)
    parents = sorted({family // 2, family // 3}) if family else []
    return Recipe(
        package_name(family), f"1.{version}", tuple(f"{package_name(parent)} >=1.0" for parent in parents)
    )


def package_name(family: int) -> str:
    return f"synth-{family:05d}"


def build(recipe: Recipe) -> bytes:
    """The bytes of the .conda file (CEP 35: a stored zip around two compressed tars)."""
    payload = _payload(recipe)
    parts = {
        "metadata.json": b'{"conda_pkg_format_version": 2}',
        f"pkg-{recipe.stem}.tar.zst": _compressed_tar(payload),
        f"info-{recipe.stem}.tar.zst": _compressed_tar(_info(recipe, payload)),
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_MOMENT), content)
    return target.getvalue()


def _payload(recipe: Recipe) -> dict[str, bytes]:
    noise = random.Random(recipe.stem).randbytes(recipe.payload_bytes)
    return {f"share/{recipe.name}/data.bin": noise, f"share/{recipe.name}/VERSION": recipe.version.encode()}


def _info(recipe: Recipe, payload: dict[str, bytes]) -> dict[str, bytes]:
    license_name, license_family = _license(recipe)
    index = {
        "arch": "x86_64",
        "build": recipe.build,
        "build_number": 0,
        "depends": list(recipe.depends),
        "license": license_name,
        "license_family": license_family,
        "name": recipe.name,
        "platform": "linux",
        "subdir": SUBDIR,
        "timestamp": MADE_AT * 1000,
        "version": recipe.version,
    }
    about = {
        "license": license_name,
        "summary": f"synthetic package {recipe.name}",
        "home": "https://example.invalid",
    }
    return {
        "info/index.json": _json(index),
        "info/about.json": _json(about),
        "info/paths.json": _json({"paths": [_path(*item) for item in payload.items()], "paths_version": 1}),
        "info/files": "".join(f"{path}\n" for path in payload).encode(),
    }


def _license(recipe: Recipe) -> tuple[str, str]:
    return LICENSES[sum(recipe.name.encode()) % len(LICENSES)]


def _path(path: str, content: bytes) -> dict[str, object]:
    digest = hashlib.sha256(content).hexdigest()
    return {"_path": path, "path_type": "hardlink", "sha256": digest, "size_in_bytes": len(content)}


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True).encode()


def _compressed_tar(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), MADE_AT
            archive.addfile(member, io.BytesIO(content))
    return zstandard.ZstdCompressor(level=3).compress(target.getvalue())


def write_package(recipe: Recipe, folder: Path) -> Path:
    """Build into `folder` unless the file is already there."""
    path = folder / recipe.file_name
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.write_bytes(build(recipe))
        partial.rename(path)
    return path


def write_packages(count: int, folder: Path) -> list[Path]:
    """The first `count` packages in `folder`, built on all processors; those of an earlier run are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [folder / nth_recipe(number).file_name for number in range(count)]
    existing = {entry.name for entry in os.scandir(folder)}
    missing = [number for number, path in enumerate(wanted) if path.name not in existing]
    if missing:
        with concurrent.futures.ProcessPoolExecutor() as pool:
            list(pool.map(_write_numbered, itertools.repeat(folder), _batches(missing)))
    return wanted


def _batches(numbers: list[int]) -> Iterator[list[int]]:
    return (numbers[start : start + 500] for start in range(0, len(numbers), 500))


def _write_numbered(folder: Path, numbers: list[int]) -> None:
    for number in numbers:
        write_package(nth_recipe(number), folder)
