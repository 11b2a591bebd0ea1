"""A general artifact: any bytes at all, under the name and version that its sender gives."""

from typing import BinaryIO

from packhouse.domain.artifacts import GeneralFacts
from packhouse.domain.families import GENERAL, Declared
from packhouse.errors import InvalidPackage
from packhouse.formats.files.names import check_filename, check_name, check_version

MAX_CKEY = 260
"""All of its parts at their longest would be more than a URL's path should have."""


def read_general(_file: BinaryIO, filename: str, declared: Declared) -> GeneralFacts:
    """Nothing is read: whatever the bytes are, they are welcome. Raises InvalidPackage for its names."""
    if declared.name is None:
        raise InvalidPackage(f"'{filename}' needs a name: a general artifact has none of its own.")
    facts = GeneralFacts(
        family=GENERAL,
        name=check_name(declared.name),
        version="" if declared.version is None else check_version(declared.version),
        filename=check_filename(filename),
        about={},
    )
    if len(facts.ckey) > MAX_CKEY:
        raise InvalidPackage(
            f"'{facts.ckey[:60]}...' is longer than {MAX_CKEY} characters. Shorten the name, the version "
            "or the file name."
        )
    return facts
