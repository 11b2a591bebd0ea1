"""The families of artifacts: their names, where their files lie in a channel, and what clients call them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from packhouse.errors import Invalid

CONDA, NOTEBOOK, ENVIRONMENT, PROJECT, GENERAL = (
    "conda",
    "notebook",
    "anaconda_env",
    "anaconda_project",
    "gra",
)

FOLDERS = MappingProxyType({NOTEBOOK: "jupyter", ENVIRONMENT: "env", PROJECT: "project", GENERAL: "gra"})
"""Where a file of a family lies in its channel; conda's own lie in their subdir."""

FOLDER_NAMES = frozenset(FOLDERS.values())

FILE_TYPES = MappingProxyType(
    {
        "conda": CONDA,
        "conda1": CONDA,
        "jupyter_notebook": NOTEBOOK,
        "ipynb": NOTEBOOK,
        "anaconda_env": ENVIRONMENT,
        "env": ENVIRONMENT,
        "anaconda_project": PROJECT,
        "project": PROJECT,
        "gra_file": GENERAL,
        "gra": GENERAL,
    }
)
"""What an upload calls its file: the words of the HTTP API, and those of the command line."""

NOT_YET = MappingProxyType(
    {
        "bdist_wheel": "Python packages",
        "sdist": "Python packages",
        "pypi": "Python packages",
        "r": "R packages",
        "cran": "R packages",
        "sbom": "SBOMs",
    }
)


@dataclass(frozen=True, slots=True)
class Declared:
    """What the sender says of a file: its family, and where the file cannot tell them, name and version."""

    family: str = CONDA
    name: str | None = None
    version: str | None = None


def declared_in(fields: Mapping[str, str]) -> Declared:
    """What the fields of an upload say of its file. Raises Invalid for a type that is not taken."""
    family = family_of(fields.get("filetype") or CONDA)
    if family == GENERAL and not fields.get("name"):
        raise Invalid("A general artifact (gra) needs a name: send it in the field 'name'.")
    return Declared(family, fields.get("name") or None, fields.get("version") or None)


def family_of(filetype: str) -> str:
    """The family of files of this type. Raises Invalid for a type that is not taken."""
    family = FILE_TYPES.get(filetype)
    if family is not None:
        return family
    taken = f"Files of these types are: {', '.join(FILE_TYPES)}."
    if filetype in NOT_YET:
        raise Invalid(f"{NOT_YET[filetype]} ('{filetype}') are not taken by this server yet. {taken}")
    raise Invalid(f"Files of type '{filetype[:40]}' are not taken. {taken}")
