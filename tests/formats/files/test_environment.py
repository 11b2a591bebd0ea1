"""Environment files: what is one, what is told of it, and what is refused."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.domain.families import ENVIRONMENT, Declared
from packhouse.errors import Invalid, InvalidPackage, TooLarge
from packhouse.formats.files.environment import read_environment
from tests import loose_files
from tests.formats.files.conftest import Read


def test_environment_tells_its_name_and_what_is_in_it(read: Read) -> None:
    facts = read(ENVIRONMENT, "lab.yml", loose_files.ENVIRONMENT)

    assert (facts.family, facts.name, facts.version) == ("anaconda_env", "analysis", "")
    assert facts.ckey == "env/lab.yml"
    assert facts.about == {"channels": ["tools", "conda-forge"]}
    assert facts.details == {"dependencies": ["python=3.11", "zlib"], "pip": ["rich"]}


def test_description_is_the_summary(read: Read) -> None:
    assert read(ENVIRONMENT, "lab.yml", b"name: x\ndescription: For all").about == {"summary": "For all"}


@pytest.mark.parametrize("data", [b"dependencies: [zlib]", b"name:\ndependencies: []", b"name: [x]"])
def test_environment_without_a_name_is_named_after_its_file(read: Read, data: bytes) -> None:
    assert read(ENVIRONMENT, "lab.yaml", data).name == "lab"


def test_name_and_version_that_are_given_count(read: Read) -> None:
    facts = read(ENVIRONMENT, "lab.yml", loose_files.ENVIRONMENT, name="other", version="2")

    assert (facts.name, facts.version, facts.ckey) == ("other", "2", "env/lab.yml")


def test_numbers_are_read_as_they_are_written(read: Read) -> None:
    assert read(ENVIRONMENT, "lab.yml", b"name: 007\n").name == "007"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no YAML mapping"),
        (b"- a\n- b\n", "no YAML mapping"),
        (b"just words", "no YAML mapping"),
        (b"channels: [a]\n", "neither 'name' nor 'dependencies'"),
        (b"name: x\ndependencies: zlib\n", "'dependencies' is no list"),
        (b"name: x\nchannels: {a: b}\n", "'channels' is no list"),
        (b"name: [x\n", r"no YAML that can be read: .* \(line \d\)"),
        (b"name: x\nname: y\n", "no YAML that can be read"),
        (b"name: \xff\n", "no YAML that can be read"),
        (b"name: x\0\n", "no YAML that can be read"),
        (b"a: 1\n---\nname: x\n", "no YAML that can be read"),
        (b"name: &a x\ndependencies: [*a]\n", r"aliases \(\*name\) are not read"),
        (b"name: " + b"[" * 5_000, "nested too deeply"),
    ],
    ids=lambda value: repr(value[:30]),
)
def test_what_is_no_environment_is_refused(read: Read, data: bytes, says: str) -> None:
    with pytest.raises(InvalidPackage, match=says):
        read(ENVIRONMENT, "lab.yml", data)


def test_character_beyond_all_is_refused(read: Read) -> None:
    with pytest.raises(InvalidPackage, match="no YAML that can be read"):
        read(ENVIRONMENT, "lab.yml", rb'name: "\UFFFFFFFF"')


def test_environment_of_too_many_values_is_refused(read: Read) -> None:
    with pytest.raises(InvalidPackage, match="more than 20000 names and values"):
        read(ENVIRONMENT, "lab.yml", b"dependencies: [" + b"b," * 20_000 + b"]")


def test_anchors_that_nothing_refers_to_are_passed_over_without_a_warning(read: Read) -> None:
    facts = read(ENVIRONMENT, "lab.yml", b"dependencies: [&a python, &a pip]")

    assert facts.details["dependencies"] == ["python", "pip"]


def test_tags_build_nothing(read: Read) -> None:
    data = b"name: x\ndependencies: [!!python/object/apply:os.system [echo]]\n"

    try:
        facts = read(ENVIRONMENT, "lab.yml", data)
    except InvalidPackage:
        return
    assert all(isinstance(one, str) for one in facts.details["dependencies"])


def test_name_that_cannot_be_one_is_refused(read: Read) -> None:
    with pytest.raises(InvalidPackage, match="'my env' cannot be a name"):
        read(ENVIRONMENT, "lab.yml", b"name: my env\n")


def test_environment_beyond_the_limit_is_refused(read: Read) -> None:
    with pytest.raises(TooLarge, match="longer than 256 KiB"):
        read(ENVIRONMENT, "lab.yml", b"name: x\n#" + b"x" * 256 * 1024)


def test_other_endings_are_refused(read: Read) -> None:
    with pytest.raises(InvalidPackage, match=r"none of these endings: \.yml, \.yaml"):
        read(ENVIRONMENT, "lab.txt", loose_files.ENVIRONMENT)


SCRAPS = [
    "name",
    "dependencies",
    ":",
    " ",
    "\n",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "&a",
    "*a",
    "!!int",
    "'",
    '"',
    "x",
]


@given(
    st.lists(st.sampled_from([*SCRAPS, "? ", "|", ">", "#", "<<", "1e3", "%", "---\n", "\t"])).map("".join)
)
def test_any_yaml_is_read_or_refused(text: str) -> None:
    _read_or_refuse(text.encode())


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    _read_or_refuse(data)


def _read_or_refuse(data: bytes) -> None:
    try:
        facts = read_environment(io.BytesIO(data), "lab.yml", Declared(ENVIRONMENT))
    except Invalid:
        return
    assert json.dumps([facts.about, facts.details])
