"""The types of packages: the words of the command line, and what the server calls each."""

from collections.abc import Mapping
from enum import StrEnum


class PackageType(StrEnum):
    CONDA = "conda"
    NOTEBOOK = "ipynb"
    GENERAL = "gra"
    WHEEL = "pypi"
    PROJECT = "project"
    SDIST = "sdist"
    ENVIRONMENT = "env"
    SBOM = "sbom"

    @property
    def filetype(self) -> str:
        """The word for it in an upload's form."""
        return _FILETYPES[self]


_FILETYPES: Mapping[PackageType, str] = {
    PackageType.CONDA: "conda1",  # for both forms, `.tar.bz2` and `.conda`: servers look inside
    PackageType.NOTEBOOK: "jupyter_notebook",
    PackageType.GENERAL: "gra_file",
    PackageType.WHEEL: "bdist_wheel",
    PackageType.PROJECT: "anaconda_project",
    PackageType.SDIST: "sdist",
    PackageType.ENVIRONMENT: "anaconda_env",
    PackageType.SBOM: "sbom",
}
