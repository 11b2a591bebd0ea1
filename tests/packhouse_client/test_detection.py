"""What kind of file it is: told by content, in little time and memory whatever the content."""

import bz2
import gzip
import io
import json
import tarfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packhouse_client.detection import Finding, PackageType, detect
from packhouse_client.detection import archives as limits
from packhouse_client.errors import WrongUsage
from tests.builders import build_conda_package

NOTEBOOK = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
SPDX = {
    "spdxVersion": "SPDX-2.3",
    "packages": [{"checksums": [{"algorithm": "SHA256", "checksumValue": "0"}]}],
}


def tar(members: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def zipped(members: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return packed.getvalue()


def found(folder: Path, name: str, content: bytes) -> PackageType | None:
    path = folder / name
    path.write_bytes(content)
    finding = detect(path)
    return None if finding is None else finding.package_type


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_conda_package_of_either_form_tells_its_subdir(tmp_path: Path, extension: str) -> None:
    package = build_conda_package(tmp_path, subdir="linux-64", extension=extension)

    assert detect(package) == Finding(PackageType.CONDA, "linux-64")


def test_conda_package_is_known_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    package = build_conda_package(tmp_path)

    assert detect(package.rename(tmp_path / "renamed.zip")) == Finding(PackageType.CONDA, "noarch")


KNOWN: Mapping[str, tuple[str, bytes, PackageType]] = {
    "project in tar.gz": (
        "p.tar.gz",
        gzip.compress(tar({"p/anaconda-project.yml": b"name: p\n"})),
        PackageType.PROJECT,
    ),
    "project in tar.bz2": (
        "p.tar.bz2",
        bz2.compress(tar({"./anaconda-project.yaml": b"name: p\n"})),
        PackageType.PROJECT,
    ),
    "project in zip": ("p.zip", zipped({"p/anaconda-project.yml": b"name: p\n"}), PackageType.PROJECT),
    "project in a script": ("p.py", b"print()\n", PackageType.PROJECT),
    "wheel": ("p-1-py3-none-any.whl", zipped({"p-1.dist-info/WHEEL": b""}), PackageType.WHEEL),
    "sdist": ("p-1.tar.gz", gzip.compress(tar({"p-1/PKG-INFO": b""})), PackageType.SDIST),
    "notebook": ("n.ipynb", NOTEBOOK, PackageType.NOTEBOOK),
    "environment": ("e.yml", b"name: e\ndependencies:\n  - zlib\n", PackageType.ENVIRONMENT),
    "environment, spelled out": ("e.yaml", b"dependencies: [zlib]\n", PackageType.ENVIRONMENT),
    "SBOM": ("s.spdx.json", json.dumps(SPDX).encode(), PackageType.SBOM),
}


@pytest.mark.parametrize("case", KNOWN)
def test_each_type_is_known_by_its_signs(tmp_path: Path, case: str) -> None:
    name, content, package_type = KNOWN[case]

    assert found(tmp_path, name, content) is package_type


UNKNOWN: Mapping[str, tuple[str, bytes]] = {
    "text": ("notes.txt", b"hello"),
    "tar without a sign": ("x.tar.gz", gzip.compress(tar({"x/file": b""}))),
    "project too deep inside": ("x.tar.gz", gzip.compress(tar({"a/b/anaconda-project.yml": b""}))),
    "zip that says it is a wheel": ("x.whl", zipped({"x/file": b""})),
    "JSON that says it is a notebook": ("x.ipynb", b'{"cells": []}'),
    "YAML without dependencies": ("x.yml", b"name: x\nservices: {}\n"),
    "SPDX without a digest": ("x.spdx.json", b'{"spdxVersion": "SPDX-2.3", "packages": [1]}'),
    "binary that says it is a script": ("x.py", b"\0\1"),
    "nested JSON without end": ("x.spdx.json", b"[" * 100_000),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_without_its_signs_a_file_is_unknown(tmp_path: Path, case: str) -> None:
    assert found(tmp_path, *UNKNOWN[case]) is None


def test_conda_comes_before_project_and_project_before_sdist(tmp_path: Path) -> None:
    both = {"anaconda-project.yml": b"", "info/index.json": b"{}"}
    assert found(tmp_path, "a.tar.bz2", bz2.compress(tar(both))) is PackageType.CONDA
    both = {"p/PKG-INFO": b"", "p/anaconda-project.yml": b""}
    assert found(tmp_path, "b.tar.gz", gzip.compress(tar(both))) is PackageType.PROJECT


def test_r_package_is_known_and_refused_in_words(tmp_path: Path) -> None:
    content = gzip.compress(tar({"r/DESCRIPTION": b"", "r/NAMESPACE": b""}))

    with pytest.raises(WrongUsage, match="is an R package"):
        found(tmp_path, "r_1.0.tar.gz", content)


def test_folder_is_a_project_only_with_its_document(tmp_path: Path) -> None:
    assert detect(tmp_path) is None

    (tmp_path / "anaconda-project.yml").write_text("name: p\n")
    assert detect(tmp_path) == Finding(PackageType.PROJECT)


def bomb(compress: Callable[[bytes], bytes]) -> bytes:
    """Unpacks to four times what is looked at; what tells its kind comes last."""
    return compress(tar({"zeros": bytes(4 * limits.MAX_UNPACKED), "info/index.json": b"{}"}))


def test_long_archive_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_UNPACKED", 4 * limits.MIB)
    content = bomb(lambda data: gzip.compress(data, 1))
    read = 0
    original = gzip.GzipFile.read

    def counted(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        nonlocal read
        data = original(self, size)
        read += len(data)
        return data

    monkeypatch.setattr(gzip.GzipFile, "read", counted)

    assert found(tmp_path, "some.tar.gz", content) is None
    assert 0 < read <= limits.MAX_UNPACKED


def test_conda_package_whose_info_lies_far_behind_is_known_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_UNPACKED", 4 * limits.MIB)
    path = tmp_path / "old-1.0-0.tar.bz2"
    path.write_bytes(bomb(bz2.compress))

    assert detect(path) == Finding(PackageType.CONDA, None)


def test_many_members_are_not_all_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_MEMBERS", 10)
    content = tar({f"file{number}": b"" for number in range(20)} | {"info/index.json": b"{}"})

    assert found(tmp_path, "some.tar.bz2", bz2.compress(content)) is None


def test_zip_with_a_directory_beyond_reason_is_unknown_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_ZIP_DIRECTORY", 1000)
    content = zipped({f"p/file{number}": b"" for number in range(100)} | {"p/anaconda-project.yml": b""})

    assert found(tmp_path, "p.zip", content) is None


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_truncated_package_raises_nothing(tmp_path: Path, extension: str) -> None:
    content = build_conda_package(tmp_path, extension=extension).read_bytes()
    for length in range(1, len(content), max(1, len(content) // 20)):
        assert found(tmp_path, f"cut{extension}", content[:length]) in (None, PackageType.CONDA)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08\x00", b"BZh9", b"{"]),
    rest=st.binary(max_size=2000),
    ending=st.sampled_from([".conda", ".tar.bz2", ".tar.gz", ".whl", ".ipynb", ".yml", ".spdx.json", ".py"]),
)
def test_any_bytes_at_all_raise_nothing(tmp_path: Path, start: bytes, rest: bytes, ending: str) -> None:
    began = time.monotonic()
    found(tmp_path, f"any{ending}", start + rest)
    assert time.monotonic() - began < 5


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255), data=st.data())
def test_damaged_package_raises_nothing(
    tmp_path: Path, position: float, value: int, data: st.DataObject
) -> None:
    extension = data.draw(st.sampled_from([".conda", ".tar.bz2"]))
    content = bytearray(build_conda_package(tmp_path, extension=extension).read_bytes())
    content[int(position * len(content))] = value

    assert found(tmp_path, f"damaged{extension}", bytes(content)) in (None, PackageType.CONDA)
