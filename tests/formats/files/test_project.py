"""Projects: archives of all three kinds, where their document lies, and what is refused."""

import bz2
import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.domain.families import PROJECT, Declared
from packhouse.errors import Invalid, InvalidPackage, TooLarge
from packhouse.formats.conda.limits import Limits
from packhouse.formats.files.project import read_project
from tests import loose_files
from tests.formats.files.conftest import Read
from tests.loose_files import project, tar, tar_gz, zipped

DOCUMENT = {"anaconda-project.yml": loose_files.PROJECT}
ARCHIVES = {
    "survey.tar.gz": tar_gz,
    "survey.tgz": tar_gz,
    "survey.tar.bz2": lambda members: bz2.compress(tar(members)),
    "survey.zip": zipped,
}
EVERY_KIND = pytest.mark.parametrize("filename", ARCHIVES)


@EVERY_KIND
@pytest.mark.parametrize("folder", ["", "survey/", "./", "./survey/"])
def test_project_is_read_from_the_root_or_the_one_folder(read: Read, filename: str, folder: str) -> None:
    data = ARCHIVES[filename]({f"{folder}anaconda-project.yml": loose_files.PROJECT, f"{folder}a.py": b"1"})

    facts = read(PROJECT, filename, data)

    assert (facts.family, facts.name, facts.ckey) == ("anaconda_project", "survey", f"project/{filename}")
    assert facts.about == {"summary": "Asks people", "platforms": ["linux-64", "win-64"]}


def test_document_may_end_in_yaml(read: Read) -> None:
    assert read(PROJECT, "x.zip", zipped({"anaconda-project.yaml": b"name: other"})).name == "other"


def test_project_without_a_name_is_named_after_its_file(read: Read) -> None:
    assert read(PROJECT, "poll.tar.gz", tar_gz({"anaconda-project.yml": b"packages: []"})).name == "poll"


def test_name_and_version_that_are_given_count(read: Read) -> None:
    facts = read(PROJECT, "survey.zip", zipped(DOCUMENT), name="other", version="2")

    assert (facts.name, facts.version) == ("other", "2")


@EVERY_KIND
def test_document_at_the_root_counts_before_one_in_a_folder(read: Read, filename: str) -> None:
    examples = {"example/anaconda-project.yml": b"name: example", "more/anaconda-project.yml": b"name: more"}
    for members in (DOCUMENT | examples, examples | DOCUMENT):
        assert read(PROJECT, filename, ARCHIVES[filename](members)).name == "survey"


@EVERY_KIND
@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"a.py": b""}, "no anaconda-project.yml"),
        ({"a/b/anaconda-project.yml": loose_files.PROJECT}, "no anaconda-project.yml"),
        (
            {"a/anaconda-project.yml": b"name: a", "b/anaconda-project.yml": b"name: b"},
            "holds several projects",
        ),
        ({"anaconda-project.yml": b"[1]"}, "no YAML mapping"),
        ({"../anaconda-project.yml": loose_files.PROJECT}, "leads upwards"),
        ({**DOCUMENT, "/etc/passwd": b"x"}, "is absolute"),
    ],
    ids=["none", "too deep", "several", "no mapping", "upwards", "absolute"],
)
def test_what_is_no_project_is_refused(
    read: Read, filename: str, members: dict[str, bytes], says: str
) -> None:
    with pytest.raises(InvalidPackage, match=says):
        read(PROJECT, filename, ARCHIVES[filename](members))


@EVERY_KIND
def test_truncated_archive_is_refused(read: Read, filename: str) -> None:
    whole = ARCHIVES[filename]({**DOCUMENT, "a.bin": bytes(range(256)) * 40})

    with pytest.raises(InvalidPackage, match=filename):
        read(PROJECT, filename, whole[: len(whole) // 2])


@EVERY_KIND
def test_what_is_no_archive_is_refused(read: Read, filename: str) -> None:
    with pytest.raises(InvalidPackage, match=filename):
        read(PROJECT, filename, b"no archive at all")


@EVERY_KIND
def test_archive_that_unpacks_to_too_much_is_refused(filename: str) -> None:
    data = ARCHIVES[filename]({**DOCUMENT, "zeros": bytes(1_000_000)})

    with pytest.raises(TooLarge, match="unpacks to more than"):
        read_project(
            io.BytesIO(data), filename, Declared(PROJECT), Limits(ratio_free_bytes=100_000, max_ratio=2)
        )


@EVERY_KIND
def test_archive_of_too_many_members_is_refused(filename: str) -> None:
    data = ARCHIVES[filename]({**DOCUMENT, "a": b"", "b": b""})

    with pytest.raises(TooLarge, match="more than 2 members"):
        read_project(io.BytesIO(data), filename, Declared(PROJECT), Limits(max_members=2))


@EVERY_KIND
def test_document_beyond_the_limit_is_refused(read: Read, filename: str) -> None:
    with pytest.raises(TooLarge, match="longer than 256 KiB"):
        read(PROJECT, filename, ARCHIVES[filename]({"anaconda-project.yml": b"#" * 300_000}))


def test_symlink_that_leads_outside_is_refused(read: Read) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("anaconda-project.yml")
        link.type, link.linkname = tarfile.SYMTYPE, "../../etc/passwd"
        archive.addfile(link)

    with pytest.raises(InvalidPackage, match="outside the prefix"):
        read(PROJECT, "x.tar.gz", gzip.compress(out.getvalue()))


def test_encrypted_zip_is_refused(read: Read) -> None:
    data = bytearray(zipped(DOCUMENT))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1

    with pytest.raises(InvalidPackage, match="encrypted"):
        read(PROJECT, "x.zip", bytes(data))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_document_that_cannot_be_unpacked_in_steps_is_refused(read: Read, method: int) -> None:
    with pytest.raises(InvalidPackage, match="neither stored nor deflated"):
        read(PROJECT, "x.zip", zipped(DOCUMENT, method))


def test_zip_member_that_lies_beyond_any_file_is_refused(read: Read) -> None:
    data = bytearray(zipped(DOCUMENT))
    directory, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    zip64 = struct.pack("<2HQ", 1, 8, 2**64 - 1)
    struct.pack_into("<H", data, directory + 30, len(zip64))
    struct.pack_into("<L", data, directory + 42, 0xFFFFFFFF)
    struct.pack_into("<L", data, end + 12, end - directory + len(zip64))
    data[end:end] = zip64

    with pytest.raises(InvalidPackage, match="no zip archive that can be read"):
        read(PROJECT, "x.zip", bytes(data))


def test_zip_whose_directory_claims_too_much_is_refused(read: Read) -> None:
    data = bytearray(zipped(DOCUMENT))
    data[-10:-6] = (64 * 1024**2).to_bytes(4, "little")

    with pytest.raises(InvalidPackage, match=r"x\.zip"):
        read(PROJECT, "x.zip", bytes(data))


def test_large_members_pass_in_steps(read: Read) -> None:
    """More than a decompression step, and of bytes that stay inside gzip until they are asked for."""
    noise = b"".join(zlib.crc32(bytes([n % 256])).to_bytes(4, "big") * 64 for n in range(8_000))
    data = tar_gz({"noise": noise, "zeros": bytes(3_000_000), **DOCUMENT})

    assert read(PROJECT, "x.tar.gz", data).name == "survey"


@EVERY_KIND
@given(data=st.data())
def test_damage_is_refused_or_harmless(filename: str, data: st.DataObject) -> None:
    damaged = bytearray(ARCHIVES[filename]({"survey/anaconda-project.yml": loose_files.PROJECT}))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        facts = read_project(io.BytesIO(damaged), filename, Declared(PROJECT))
    except Invalid:
        return
    assert json.dumps(facts.about)


def test_sample_is_a_project(read: Read) -> None:
    assert read(PROJECT, "survey.tar.gz", project()).name == "survey"
