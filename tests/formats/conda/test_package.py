"""Reading good packages: real ones as rattler reads them, built ones as they were built."""

import asyncio
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import rattler
from rattler.package_streaming import PackageArchive

from packhouse.domain.artifacts import PackageFacts
from packhouse.formats.conda.package import read_package
from tests.builders import PREFIX_PLACEHOLDER, Symlink, build_conda_package, conda_members, tar, tar_members
from tests.formats.conda import hostile

REAL = sorted((Path(__file__).parents[2] / "data" / "conda").glob("*/*"))
FORMS = pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])


def read(path: Path) -> PackageFacts:
    with path.open("rb") as file:
        return read_package(file, path.name)


@pytest.mark.parametrize("path", REAL, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_real_package_reads_as_rattler_reads_it(path: Path) -> None:
    facts = read(path)
    documents, payload = asyncio.run(_as_rattler_reads(path))
    assert facts.index == json.loads(documents["info/index.json"] or "")
    assert facts.about == json.loads(documents["info/about.json"] or "{}")
    assert facts.run_exports == json.loads(documents["info/run_exports.json"] or "{}")
    assert (facts.details["file_count"], facts.details["installed_size"]) == payload


async def _as_rattler_reads(path: Path) -> tuple[dict[str, bytes | None], tuple[int, int]]:
    archive = await PackageArchive.from_path(path)
    documents = await archive.read_files([f"info/{name}.json" for name in ("index", "about", "run_exports")])
    entries = [entry async for entry in archive.stream("pkg")]
    files = [entry for entry in entries if entry.is_file or entry.is_link]
    return documents, (len(files), sum(entry.size for entry in files if entry.is_file))


def test_there_are_real_packages_of_both_forms() -> None:
    assert {path.suffix for path in REAL} == {".conda", ".bz2"}


@FORMS
def test_facts_are_those_of_the_build(tmp_path: Path, extension: str) -> None:
    facts = read(
        build_conda_package(
            tmp_path,
            "demo",
            "2.1",
            "h1_3",
            3,
            "linux-64",
            depends=["python >=3.11"],
            constrains=["other <2"],
            run_exports={"weak": ["demo >=2"]},
            about={"home": "https://example.org"},
            licenses={"LICENSE.txt": b"MIT", "lib/COPYING": b"BSD"},
            icon=b"picture",
            files={"bin/demo": b"12345", "lib/link": Symlink("../bin/demo")},
            extension=extension,
        )
    )
    assert (facts.family, facts.name, facts.version, facts.build) == ("conda", "demo", "2.1", "h1_3")
    assert (facts.build_number, facts.ckey) == (3, f"linux-64/demo-2.1-h1_3{extension}")
    assert (facts.index["depends"], facts.index["constrains"]) == (["python >=3.11"], ["other <2"])
    assert (facts.run_exports, facts.about) == ({"weak": ["demo >=2"]}, {"home": "https://example.org"})
    assert facts.details == {
        "licenses": [
            {"path": "info/licenses/LICENSE.txt", "text": "MIT"},
            {"path": "info/licenses/lib/COPYING", "text": "BSD"},
        ],
        "icon": "info/icon.png",
        "file_count": 2,
        "installed_size": 5,
    }


@FORMS
@pytest.mark.parametrize(
    ("path", "content", "flag"),
    [
        ("etc/conda/activate.d/demo.sh", b"", "activate.d"),
        ("etc/conda/deactivate.d/demo.bat", b"", "deactivate.d"),
        ("bin/.demo-pre-link.sh", b"", "pre_link"),
        ("bin/.demo-post-link.sh", b"", "post_link"),
        ("Scripts/.demo-post-link.bat", b"", "post_link"),
        ("python-scripts/.demo-post-link.sh", b"", "post_link"),
        ("bin/.demo-pre-unlink.sh", b"", "pre_unlink"),
        ("bin/demo", PREFIX_PLACEHOLDER.encode(), "text_prefix"),
        ("lib/demo.so", b"\0" + PREFIX_PLACEHOLDER.encode(), "binary_prefix"),
        ("bin/.other-post-link.sh", b"", None),
        ("share/demo", b"", None),
    ],
)
def test_flag_follows_from_the_file(
    tmp_path: Path, extension: str, path: str, content: bytes, flag: str | None
) -> None:
    facts = read(build_conda_package(tmp_path, files={path: content}, extension=extension))
    assert [name for name, is_set in facts.flags.items() if is_set] == ([flag] if flag else [])
    assert set(facts.flags) == {
        "activate.d",
        "deactivate.d",
        "binary_prefix",
        "text_prefix",
        "pre_link",
        "post_link",
        "pre_unlink",
    }


@pytest.mark.parametrize(
    ("line", "flag"),
    [
        (b"bin/demo", "text_prefix"),
        (b"/opt/prefix text bin/demo", "text_prefix"),
        (b"/opt/prefix binary lib/demo.so", "binary_prefix"),
        (rb'"C:\some prefix" binary "lib/demo.dll"', "binary_prefix"),
    ],
)
def test_prefix_flags_of_old_packages_come_from_has_prefix(line: bytes, flag: str) -> None:
    info = tar_members(hostile.INFO | {"info/has_prefix": line + b"\n"})
    facts = _read_bytes(hostile.pack(".tar.bz2", [], info), ".tar.bz2")
    assert [name for name, is_set in facts.flags.items() if is_set] == [flag]


@pytest.mark.parametrize(
    ("overrides", "key", "expected"),
    [
        ({"depends": None}, "depends", []),
        ({"track_features": ["a", "b"]}, "track_features", "a b"),
        ({"track_features": "a,b"}, "track_features", "a,b"),
        ({"noarch": True}, "noarch", "generic"),
        ({"noarch": ""}, "noarch", None),
        ({"noarch": False}, "noarch", None),
        ({"subdir": None}, "subdir", "noarch"),
        ({"subdir": None, "noarch": None, "platform": "linux", "arch": "x86_64"}, "subdir", "linux-64"),
        ({"subdir": None, "noarch": None, "platform": "osx", "arch": "arm64"}, "subdir", "osx-arm64"),
        ({"timestamp": 1_700_000_000}, "timestamp", 1_700_000_000),
        ({"unknown": {"kept": [1]}}, "unknown", {"kept": [1]}),
    ],
)
def test_index_is_settled_for_serving(
    tmp_path: Path, overrides: dict[str, Any], key: str, expected: object
) -> None:
    assert read(build_conda_package(tmp_path, index_overrides=overrides)).index.get(key) == expected


@pytest.mark.parametrize(
    ("run_exports", "expected"),
    [
        (None, {}),
        ({}, {}),
        (["demo"], {"weak": ["demo"]}),
        ({"strong": ["demo"], "noarch": ["demo"]}, {"strong": ["demo"], "noarch": ["demo"]}),
        ({"schema_version": 2, "weak_constrains": ["demo"]}, {"weak_constrains": ["demo"]}),
    ],
)
def test_run_exports_become_lists_by_kind(tmp_path: Path, run_exports: object, expected: object) -> None:
    assert read(build_conda_package(tmp_path, run_exports=run_exports)).run_exports == expected


def test_long_licences_are_cut_and_many_are_counted_out(tmp_path: Path) -> None:
    licenses = {f"{number:02}": b"x" * 100_000 for number in range(30)}
    kept = read(build_conda_package(tmp_path, licenses=licenses)).details["licenses"]
    assert [len(license["text"]) for license in kept] == [64 * 1024] * 20


def test_leading_dots_and_directories_are_accepted() -> None:
    """As `tar c .` writes them, which CEP 35 itself uses as its example."""
    info = tar_members({"./info/index.json": hostile.INDEX})
    folders = [hostile.special("./", b"5"), hostile.special("./lib/", b"5")]
    facts = _read_bytes(
        hostile.pack(".tar.bz2", [*folders, *tar_members({"./lib/a": b"1"})], info), ".tar.bz2"
    )
    assert facts.details["file_count"] == 1


def test_links_inside_the_prefix_are_accepted() -> None:
    payload = [
        *tar_members({"lib/a.so.1": b"1", "lib/a.so": Symlink("a.so.1"), "bin/a": Symlink("../lib/a.so")}),
        hostile.special("lib/b.so", b"1", "lib/a.so.1"),
    ]
    assert _read_bytes(hostile.pack(".conda", payload), ".conda").details["file_count"] == 4


def test_backslashes_in_names_are_accepted() -> None:
    payload = tar_members({"lib/systemd/dev-disk-by\\x2dlabel.device": b""})
    assert _read_bytes(hostile.pack(".conda", payload), ".conda").details["file_count"] == 1


@pytest.mark.parametrize("name", [f"share/{'d' * 120}/{'f' * 200}", "share/größe"])
def test_long_and_foreign_names_are_accepted(name: str) -> None:
    assert _read_bytes(hostile.pack(".conda", tar_members({name: b"1"})), ".conda").details["file_count"] == 1


def test_zip64_is_accepted_because_clients_install_it(tmp_path: Path) -> None:
    path = tmp_path / f"{hostile.NAME}.conda"
    members = conda_members(hostile.NAME, tar(tar_members(hostile.INFO)), hostile.payload_tar())
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members:
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    assert read(path).name == "demo"
    rattler.package_streaming.extract(path, tmp_path / "unpacked")
    assert (tmp_path / "unpacked/share/demo.txt").read_bytes() == b"demo"


@FORMS
def test_built_package_is_installed_by_rattler(tmp_path: Path, extension: str) -> None:
    path = build_conda_package(
        tmp_path,
        noarch="generic",
        files={"bin/demo": b"#!" + PREFIX_PLACEHOLDER.encode() + b"/bin/sh\n", "bin/link": Symlink("demo")},
        extension=extension,
    )
    prefix = tmp_path / "prefix"
    asyncio.run(_install(path, prefix))
    assert (prefix / "bin/link").read_text().startswith(f"#!{prefix}/bin/sh")


async def _install(path: Path, prefix: Path) -> None:
    record = await rattler.RepoDataRecord.from_package_archive(path)
    await rattler.install([record], prefix, cache_dir=prefix.with_name("cache"), show_progress=False)


@FORMS
def test_the_same_build_gives_the_same_bytes(tmp_path: Path, extension: str) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    first, second = (build_conda_package(folder, extension=extension).read_bytes() for folder in folders)
    assert first == second


def _read_bytes(data: bytes, extension: str) -> PackageFacts:
    return read_package(io.BytesIO(data), hostile.NAME + extension)
