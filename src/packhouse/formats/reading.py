"""Which reader reads a file of which family."""

from collections.abc import Callable
from typing import BinaryIO

from packhouse.domain.artifacts import FileFacts
from packhouse.domain.families import CONDA, ENVIRONMENT, GENERAL, NOTEBOOK, PROJECT, Declared
from packhouse.formats.conda.package import read_package
from packhouse.formats.files.environment import read_environment
from packhouse.formats.files.general import read_general
from packhouse.formats.files.notebook import read_notebook
from packhouse.formats.files.project import read_project

Reader = Callable[[BinaryIO, str, Declared], FileFacts]

READERS: dict[str, Reader] = {
    CONDA: lambda file, filename, _: read_package(file, filename),  # the file itself says all there is
    NOTEBOOK: read_notebook,
    ENVIRONMENT: read_environment,
    PROJECT: read_project,
    GENERAL: read_general,
}


def read_file(file: BinaryIO, filename: str, declared: Declared) -> FileFacts:
    """Read the seekable `file` as what it was declared to be.

    Raises InvalidPackage when it is no such thing, TooLarge beyond the limits.
    """
    return READERS[declared.family](file, filename, declared)
