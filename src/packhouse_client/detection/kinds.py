"""The signs by which each kind of file is known, asked in the order that `conda repo` has always had."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from packhouse_client.detection.archives import (
    INDEX_JSON,
    MIB,
    PROJECT_DOCUMENTS,
    Glance,
    json_object,
    look_into,
)
from packhouse_client.detection.types import PackageType
from packhouse_client.errors import WrongUsage

MAX_JSON = 64 * MIB
MAX_YAML = MIB
NOTEBOOK_EDGE = 256 * 1024
"""`nbformat` stands behind the cells as Jupyter writes it, and before them as some others do."""
CONDA_FILENAME = re.compile(r"[^-]+(-[^-]+)*-[^-]+-[^-]+(\.tar\.bz2|\.conda)")
TOP_LEVEL_DEPENDENCIES = re.compile(rb"^dependencies[ \t]*:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Finding:
    package_type: PackageType
    subdir: str | None = None
    """Of a conda package: where in a channel it lies. None if it could not be seen."""


def detect(path: Path) -> Finding | None:
    """What the file or folder is; None if there is no telling.

    Raises WrongUsage for an R package, which is known but cannot be uploaded, and OSError.
    """
    if path.is_dir():
        return Finding(PackageType.PROJECT) if is_project_folder(path) else None
    with path.open("rb") as file:
        glance = look_into(file)
    if glance is not None:
        return _in_archive(path, glance)
    for ending, is_one, package_type in _BY_CONTENT:
        if path.name.lower().endswith(ending) and is_one(path):
            return Finding(package_type)
    return None


def is_project_folder(path: Path) -> bool:
    return any((path / name).is_file() for name in PROJECT_DOCUMENTS)


def _in_archive(path: Path, glance: Glance) -> Finding | None:
    names = glance.names()
    if (index := glance.documents.get(INDEX_JSON)) is not None:
        return Finding(PackageType.CONDA, _subdir(index))
    if names & PROJECT_DOCUMENTS:
        return Finding(PackageType.PROJECT)
    if path.name.endswith(".whl"):
        return Finding(PackageType.WHEEL) if "WHEEL" in names else None
    if "PKG-INFO" in names:
        return Finding(PackageType.SDIST)
    if {"DESCRIPTION", "NAMESPACE"} <= names:
        raise WrongUsage(f"'{path}' is an R package. R packages cannot be uploaded yet; mirror them instead.")
    # In some old packages, `info` comes behind more than is looked at.
    if not glance.is_whole and CONDA_FILENAME.fullmatch(path.name):
        return Finding(PackageType.CONDA)
    return None


def is_called_a_conda_package(path: Path) -> bool:
    """By its name alone; if nothing was found in it, it is damaged or was cut off."""
    return CONDA_FILENAME.fullmatch(path.name) is not None


def _subdir(index: bytes) -> str | None:
    found = json_object(index).get("subdir")
    return found if isinstance(found, str) and re.fullmatch(r"[a-z0-9_-]+", found) else None


def _is_notebook(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(NOTEBOOK_EDGE)
        file.seek(max(0, file.seek(0, 2) - NOTEBOOK_EDGE))
        end = file.read(NOTEBOOK_EDGE)
    return start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and b'"nbformat"' in start + end


def _is_environment(path: Path) -> bool:
    with path.open("rb") as file:
        return TOP_LEVEL_DEPENDENCIES.search(file.read(MAX_YAML)) is not None


def _is_sbom(path: Path) -> bool:
    """SPDX that names the digest of the file it belongs to."""
    if path.stat().st_size > MAX_JSON:
        return False
    document = json_object(path.read_bytes())
    packages = document.get("packages")
    if "spdxVersion" not in document or not isinstance(packages, list) or not packages:
        return False
    checksums = packages[0].get("checksums") if isinstance(packages[0], dict) else None
    return isinstance(checksums, list) and any(_is_sha256(checksum) for checksum in checksums)


def _is_sha256(checksum: object) -> bool:
    return isinstance(checksum, dict) and checksum.get("algorithm") == "SHA256"


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        return b"\0" not in file.read(MIB)


_BY_CONTENT: tuple[tuple[str, Callable[[Path], bool], PackageType], ...] = (
    (".py", _is_text, PackageType.PROJECT),
    (".ipynb", _is_notebook, PackageType.NOTEBOOK),
    (".yml", _is_environment, PackageType.ENVIRONMENT),
    (".yaml", _is_environment, PackageType.ENVIRONMENT),
    (".spdx.json", _is_sbom, PackageType.SBOM),
)
