"""General artifacts: any bytes, under a name and a version that their sender gives."""

import pytest

from packhouse.domain.families import GENERAL
from packhouse.errors import InvalidPackage
from tests.formats.files.conftest import Read


def test_name_and_version_lead_to_the_file(read: Read) -> None:
    facts = read(GENERAL, "weights.bin", b"\0\xff", name="model", version="1.0")

    assert (facts.family, facts.name, facts.version) == ("gra", "model", "1.0")
    assert facts.ckey == "gra/model/1.0/weights.bin"


def test_without_a_version_the_name_alone_does(read: Read) -> None:
    assert read(GENERAL, "weights.bin", b"", name="model").ckey == "gra/model/weights.bin"


def test_general_artifact_needs_a_name(read: Read) -> None:
    with pytest.raises(InvalidPackage, match=r"'weights\.bin' needs a name"):
        read(GENERAL, "weights.bin", b"")


@pytest.mark.parametrize(
    "names", [{"name": "../up"}, {"name": "a", "version": "../1"}, {"name": "a", "version": "1/2"}]
)
def test_names_that_lead_elsewhere_are_refused(read: Read, names: dict[str, str]) -> None:
    with pytest.raises(InvalidPackage, match="cannot be a"):
        read(GENERAL, "weights.bin", b"", **names)


def test_address_that_is_too_long_is_refused(read: Read) -> None:
    assert len(read(GENERAL, "f" * 211, b"", name="n" * 43).ckey) == 259
    with pytest.raises(InvalidPackage, match="longer than 260 characters"):
        read(GENERAL, "f" * 211, b"", name="n" * 64)
