"""Packages that must be refused, each with a sentence that names what is wrong, and in little memory."""

import io
import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from packhouse.domain.artifacts import PackageFacts
from packhouse.errors import InvalidPackage, TooLarge
from packhouse.formats.conda.limits import MIB
from packhouse.formats.conda.package import Limits, read_package
from tests.builders import build_conda_package, tar_members
from tests.formats.conda import hostile

DATA = Path(__file__).parents[2] / "data"
SMALL_REAL = [
    (DATA / "conda/noarch/small-executable-1.0-0.conda").read_bytes(),
    (DATA / "conda/noarch/_r-mutex-1.0.1-anacondar_1.tar.bz2").read_bytes(),
]
REAL_NAMES = ["small-executable-1.0-0.conda", "_r-mutex-1.0.1-anacondar_1.tar.bz2"]
FORMS = pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])


def read(data: bytes, extension: str = ".conda", **limits: int) -> PackageFacts:
    return read_package(io.BytesIO(data), hostile.NAME + extension, Limits(**limits))


def assert_refused(says: str, data: bytes, extension: str = ".conda", **limits: int) -> None:
    with pytest.raises((InvalidPackage, TooLarge), match=re.escape(says)) as refusal:
        read(data, extension, **limits)
    assert refusal.value.message.startswith(f"{hostile.NAME}{extension}: it")


@FORMS
@pytest.mark.parametrize("case", hostile.MEMBERS)
def test_hostile_member_is_refused(case: str, extension: str) -> None:
    members, says = hostile.MEMBERS[case]
    with pytest.raises((InvalidPackage, TooLarge), match=re.escape(says)):
        read(hostile.pack(extension, members), extension)


@pytest.mark.parametrize("case", hostile.CONDA_FILES)
def test_hostile_conda_file_is_refused(case: str) -> None:
    data, says = hostile.CONDA_FILES[case]
    assert_refused(says, data)


@pytest.mark.parametrize("case", hostile.BZIP2_FILES)
def test_hostile_bzip2_file_is_refused(case: str) -> None:
    data, says = hostile.BZIP2_FILES[case]
    assert_refused(says, data, ".tar.bz2")


@pytest.mark.parametrize(
    ("filename", "says"),
    [
        ("bad_package.tar.bz2", "is not named <name>-<version>-<build>.tar.bz2"),
        ("ca-certificates-2024.7.4-hbcca054_0.conda", "is none of"),
        ("dotslash-test-1.0.0-0.conda", "'metadata.json' is missing"),
        ("symlink-test-1.0.0-0.conda", "'metadata.json' is missing"),
        ("zip64-test-1.0.0-0.conda", "'metadata.json' is missing"),
    ],
)
def test_bad_package_from_the_field_is_refused(filename: str, says: str) -> None:
    with (DATA / "bad" / filename).open("rb") as file, pytest.raises(InvalidPackage, match=re.escape(says)):
        read_package(file, filename)


def test_every_bad_package_has_its_outcome() -> None:
    assert len(list((DATA / "bad").iterdir())) == 5


@FORMS
@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"name": "other"}, "the file name says name 'demo', its info/index.json says 'other'"),
        ({"version": "2.0"}, "the file name says version '1.0', its info/index.json says '2.0'"),
        ({"build": "1"}, "the file name says build '0', its info/index.json says '1'"),
        ({"name": None}, "has no 'name'"),
        ({"build_number": None}, "has no 'build_number'"),
        ({"name": ["demo"]}, "a wrong 'name': it must be a text, not ['demo']"),
        ({"version": 1.0}, "a wrong 'version'"),
        ({"build": 0}, "a wrong 'build': it must be a text"),
        ({"build_number": "0"}, "a wrong 'build_number'"),
        ({"build_number": True}, "a wrong 'build_number'"),
        ({"build_number": -1}, "a wrong 'build_number'"),
        ({"build_number": 2**70}, "a wrong 'build_number'"),
        (
            {"depends": "python"},
            "a wrong 'depends': it must be a list of texts of at most 500 characters, not 'python'",
        ),
        ({"depends": [1]}, "a wrong 'depends'"),
        ({"constrains": {}}, "a wrong 'constrains'"),
        ({"license": ["MIT"]}, "a wrong 'license'"),
        ({"features": ["x"]}, "a wrong 'features'"),
        ({"track_features": [1]}, "a wrong 'track_features'"),
        ({"extra_depends": {"test": "pytest"}}, "a wrong 'extra_depends'"),
        ({"timestamp": 10**17}, "a wrong 'timestamp'"),
        ({"timestamp": -1}, "a wrong 'timestamp'"),
        ({"timestamp": 1.5}, "a wrong 'timestamp'"),
        ({"noarch": "ruby"}, "a wrong 'noarch': it must be \"generic\" or \"python\", not 'ruby'"),
        ({"noarch": {}}, "a wrong 'noarch'"),
        ({"subdir": 64}, "a wrong 'subdir'"),
        ({"subdir": "../noarch"}, "the subdir '../noarch', which no channel can have"),
        ({"subdir": "linux-64"}, "says noarch 'generic', and yet the subdir 'linux-64'"),
        ({"subdir": None, "noarch": None}, "no 'subdir', and no 'platform' and 'arch' to tell it by"),
        ({"license": "a\0b"}, "holds the character NUL"),
    ],
)
def test_index_that_cannot_be_served_is_refused(
    tmp_path: Path, extension: str, overrides: dict[str, Any], says: str
) -> None:
    data = build_conda_package(tmp_path, index_overrides=overrides, extension=extension).read_bytes()
    with pytest.raises(InvalidPackage, match=re.escape(says)):
        read(data, extension)


@pytest.mark.parametrize(
    ("path", "document", "says"),
    [
        ("info/index.json", b"{", "info/index.json is not JSON"),
        ("info/index.json", b"[]", "info/index.json has [] where a JSON object must be"),
        ("info/index.json", b'{"name": "\\ud800"}', "info/index.json is not JSON"),
        (
            "info/index.json",
            b'{"a":' * 600 + b"1" + b"}" * 600,
            "info/index.json is not JSON that can be read",
        ),
        ("info/about.json", b"text", "info/about.json is not JSON"),
        ("info/about.json", b"null", "info/about.json has None where a JSON object must be"),
        ("info/run_exports.json", b'"demo"', "info/run_exports.json has 'demo' where a JSON object must be"),
        ("info/run_exports.json", b'{"weak": "demo"}', "info/run_exports.json has a wrong 'weak'"),
        ("info/run_exports.json", b"[1]", "info/run_exports.json has a wrong 'weak'"),
        ("info/paths.json", b'{"paths": {}}', "'paths' that are not a list"),
        ("info/paths.json", b'{"paths": [1]}', "info/paths.json has 1 where a JSON object must be"),
        ("info/paths.json", b'{"paths": [{}]}', "an entry without a '_path'"),
        ("info/paths.json", b'{"paths": [{"_path": "../evil"}]}', "'../evil' in it leads upwards"),
        (
            "info/paths.json",
            b'{"paths": [{"_path": "a", "prefix_placeholder": "/p", "file_mode": "x"}]}',
            "the file_mode 'x'",
        ),
        ("info/files", b"share/a\n/etc/evil\n", "'/etc/evil' in it is absolute"),
        ("info/has_prefix", b"/p text ../evil\n", "'../evil' in it leads upwards"),
        ("info/link.json", b"[]", "info/link.json has [] where a JSON object must be"),
        (
            "info/link.json",
            b'{"noarch": {"entry_points": ["../evil = a:b"]}}',
            "'../evil' in it leads upwards",
        ),
        ("info/link.json", b'{"noarch": {"entry_points": ["a/b = a:b"]}}', "names no command"),
        ("info/link.json", b'{"noarch": {"entry_points": "a = a:b"}}', "a wrong 'entry_points'"),
    ],
)
def test_document_that_misleads_clients_is_refused(path: str, document: bytes, says: str) -> None:
    info = tar_members(hostile.INFO | {path: document})
    with pytest.raises(InvalidPackage, match=re.escape(says)):
        read(hostile.pack(".conda", [], info))


def test_package_without_index_is_refused() -> None:
    assert_refused("it has no info/index.json", hostile.pack(".conda", [], []))


@FORMS
def test_bomb_is_refused_in_little_memory(extension: str) -> None:
    bomb = hostile.pack(extension, tar_members({"share/zeros": bytes(24 * MIB)}))
    tracemalloc.start()
    try:
        assert_refused("it unpacks to more than", bomb, extension, ratio_free_bytes=8 * MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MIB


def test_bomb_is_refused_with_the_limits_as_they_come() -> None:
    assert_refused(
        "more than 67108864 bytes", hostile.pack(".conda", tar_members({"zeros": bytes(80 * MIB)}))
    )


@FORMS
def test_more_than_the_most_bytes_are_refused(extension: str) -> None:
    data = hostile.pack(extension, tar_members({"share/a": bytes(20_000)}))
    assert_refused("more than 10000 bytes", data, extension, max_unpacked_bytes=10_000)


@FORMS
def test_more_than_the_most_members_are_refused(extension: str) -> None:
    data = hostile.pack(extension, tar_members({f"share/{number}": b"" for number in range(10)}))
    assert_refused("it has more than 5 members", data, extension, max_members=5)


@pytest.mark.parametrize("document", ["index", "paths"])
def test_document_beyond_its_limit_is_refused(document: str) -> None:
    path = f"info/{document}.json"
    data = hostile.pack(".conda", [], tar_members({path: json.dumps(["x" * 2000]).encode()}))
    with pytest.raises(TooLarge, match=f"{path} has 2004 bytes; at most 1000"):
        read(data, max_document_bytes=1000, max_listing_bytes=1000)


@FORMS
def test_every_truncation_is_refused(tmp_path: Path, extension: str) -> None:
    whole = hostile.good(tmp_path, extension)
    read(whole, extension)
    for length in range(0, len(whole), 7):
        with pytest.raises(InvalidPackage):
            read(whole[:length], extension)


@given(st.binary(max_size=2000), st.sampled_from([".conda", ".tar.bz2"]))
def test_arbitrary_bytes_are_refused(data: bytes, extension: str) -> None:
    with pytest.raises(InvalidPackage):
        read(data, extension)


@given(st.binary(max_size=3000))
def test_arbitrary_tar_is_read_or_refused(data: bytes) -> None:
    _read_or_refuse(hostile.payload(zstd.compress(data)), f"{hostile.NAME}.conda")


@given(st.data())
def test_damaged_real_package_is_read_or_refused(data: st.DataObject) -> None:
    which = data.draw(st.integers(0, 1))
    package = bytearray(SMALL_REAL[which])
    for _ in range(data.draw(st.integers(1, 4))):
        package[data.draw(st.integers(0, len(package) - 1))] = data.draw(st.integers(0, 255))
    _read_or_refuse(bytes(package), REAL_NAMES[which])


@given(st.data())
def test_damaged_tar_header_is_read_or_refused(data: st.DataObject) -> None:
    """With its checksum put right, so that the damage gets through to the rules behind it."""
    block = bytearray(hostile.payload_tar())
    for _ in range(data.draw(st.integers(1, 6))):
        block[data.draw(st.integers(0, 511))] = data.draw(st.integers(0, 255))
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    _read_or_refuse(hostile.payload(zstd.compress(bytes(block))), f"{hostile.NAME}.conda")


def _read_or_refuse(data: bytes, filename: str) -> None:
    try:
        facts = read_package(io.BytesIO(data), filename)
    except (InvalidPackage, TooLarge):
        return
    assert facts.filename == filename
